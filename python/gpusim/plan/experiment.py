"""A scenario as the engine sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gpusim.engine.slo_table import PREEMPTIONS
from gpusim.engine.spec import (
    ALL,
    NONE,
    SKIP,
    SLOWDOWN,
    TURNAROUND,
    TURNED_AWAY,
    WAIT,
    ClassTable,
    Policy,
    RunSpec,
    SloTable,
    Windows,
)
from gpusim.plan.fairness import fairness
from gpusim.plan.reserved import all_pools, allowed_pools, closures
from gpusim.plan.sharing import is_shared, sharing
from gpusim.scenario import ResolvedSlo, Scenario
from gpusim.scenario.fairness import ORDERS
from gpusim.units import format_duration
from gpusim.workload.compile import compile_sources
from gpusim.workload.source import Generator

BACKFILL = {"none": NONE, "skip": SKIP, "all": ALL}
"""Names of the backfill policies that are not a number."""
METRICS = {
    "wait": WAIT,
    "turnaround": TURNAROUND,
    "deadline": TURNAROUND,
    "slowdown": SLOWDOWN,
    "turned_away": TURNED_AWAY,
    "preemptions": PREEMPTIONS,
}
"""What a level measures; a deadline is a turnaround whose limit is each class's own."""

_DAY = 86_400.0  # s
_THOUSAND = 1000  # the engine compares slowdowns in thousandths


@dataclass(frozen=True)
class Experiment:
    """A scenario under one seed: what runs of any replication need.

    Where numbers of the demand are uncertain, each replication has a demand of its own, and the sources are
    compiled for the replications of each batch; everything else is the same for all.
    """

    scenario: Scenario
    seed: int

    @cached_property
    def spec(self) -> RunSpec:
        """The scenario with every uncertain number at its nominal value."""
        return run_spec(self.scenario, self.seed)

    @cached_property
    def uncertain(self) -> bool:
        """Whether numbers of the demand are drawn for each replication."""
        return bool(self.scenario.elicited())

    def compiled(self, replications: npt.NDArray[np.int64]) -> tuple[RunSpec, npt.NDArray[np.int32] | None]:
        """What these replications run, and each one's draw of the demand (None: all the same)."""
        if not self.uncertain or not len(replications):
            return self.spec, None
        from gpusim.workload.draws import compile_draws

        distinct, draw = np.unique(replications, return_inverse=True)
        sources = compile_draws(self.scenario, self.seed, distinct)
        return run_spec(self.scenario, self.seed, sources), draw.astype(np.int32)


def backfill_code(backfill: str | int) -> int:
    """The engine's code of `none | skip | K | all`."""
    return BACKFILL[backfill] if isinstance(backfill, str) else backfill


def run_spec(scenario: Scenario, seed: int, sources: Generator | None = None) -> RunSpec:
    """Compile a scenario: sources, classes, policy, windows in ticks, service levels in millionths.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        Seed of the random streams, [0, 2^64).
    sources : Generator, optional
        Compiled sources; by default those of the scenario.

    Returns
    -------
    RunSpec
    """
    return RunSpec(
        jobs=compile_sources(scenario, seed) if sources is None else sources,
        classes=class_table(scenario),
        policy=policy(scenario),
        windows=windows(scenario),
        slos=slo_table(scenario, scenario.resolved_slos()),
        sharing=sharing(scenario),
        fairness=fairness(scenario),
        closures=closures(scenario),
    )


def class_table(scenario: Scenario) -> ClassTable:
    """Job classes in class order."""
    entries = list(scenario.classes())
    tiers = scenario.policy.tiers
    patience = [-1 if c.patience is None else scenario.ticks(c.patience) for _, _, c in entries]
    return ClassTable(
        tier=np.array([c.priority if tiers else 0 for _, _, c in entries], dtype=np.int32),
        tenant=np.array([tenant for tenant, _, _ in entries], dtype=np.int32),
        patience=np.array(patience, dtype=np.int64),
        tenants=len(scenario.tenants),
        killed_ok=np.array([c.killed_ok for _, _, c in entries], dtype=np.bool_),
        pools=tuple(allowed_pools(scenario, k) for k in range(len(entries))),
        n_pools=len(all_pools(scenario)),
    )


def policy(scenario: Scenario) -> Policy:
    """The scheduling policy; periods and windows in ticks."""
    asked = scenario.policy
    return Policy(
        order=ORDERS.index(asked.order),
        backfill=backfill_code(asked.backfill),
        window=-1 if asked.window is None else scenario.ticks(asked.window),
        max_tests=-1 if asked.max_tests is None else asked.max_tests,
        period=1 if asked.period is None else max(1, scenario.ticks(asked.period)),
        max_waiting=-1 if asked.max_waiting is None else asked.max_waiting,
        tenant_max_waiting=tuple(-1 if t.max_waiting is None else t.max_waiting for t in scenario.tenants),
    )


def windows(scenario: Scenario) -> Windows:
    """Warm-up, counted window and horizon in ticks; the cool-down is never shorter than asked."""
    horizon, warm_up = scenario.ticks(scenario.study.horizon), scenario.ticks(scenario.study.warm_up)
    cool_down = math.ceil(scenario.cool_down / scenario.tick - 1e-9)
    return Windows(
        warm_up,
        max(warm_up, horizon - cool_down),
        horizon,
        day=scenario.ticks(_DAY),
        week_phase=scenario.ticks(scenario.week_phase),
    )


def slo_table(
    scenario: Scenario, levels: tuple[ResolvedSlo, ...], stretch: tuple[float, ...] | None = None
) -> SloTable:
    """Service levels as integers.

    Parameters
    ----------
    scenario : Scenario
    levels : tuple of ResolvedSlo
    stretch : tuple of float, optional
        A factor on the limit of each level (to try weaker ones); a limit of 0 counts as one tick then.
    """
    classes = len(scenario.class_names)
    limits = np.zeros((len(levels), classes), dtype=np.int64)
    member = np.zeros((len(levels), classes), dtype=np.bool_)
    for s, level in enumerate(levels):
        limits[s, list(level.classes)] = _limits(scenario, level, None if stretch is None else stretch[s])
        member[s, list(level.classes)] = True
    ticks = scenario.ticks
    return SloTable(
        limit=limits,
        share_ppm=np.array([s.share_ppm for s in levels], dtype=np.int64),
        member=member,
        metric=np.array([METRICS[s.metric] for s in levels], dtype=np.int32),
        bound=np.array([max(1, ticks(s.bound)) for s in levels], dtype=np.int64),
        gpus_low=np.array([s.gpus_low for s in levels], dtype=np.int32),
        gpus_high=np.array([s.gpus_high for s in levels], dtype=np.int32),
        hours_from=np.array([ticks(s.hours[0]) for s in levels], dtype=np.int64),
        hours_to=np.array([ticks(s.hours[1]) for s in levels], dtype=np.int64),
        days=np.array([s.days for s in levels], dtype=np.int32),
    )


def _limits(scenario: Scenario, level: ResolvedSlo, stretch: float | None) -> list[int]:
    """Limit of each class of a level: whole ticks that are no longer than it, or thousandths."""
    if level.metric == "turned_away":
        return [0] * len(level.classes)
    if level.metric == "preemptions":
        return [round(level.limit)] * len(level.classes)
    if level.metric == "slowdown":
        return [round(level.limit * (stretch or 1.0) * _THOUSAND)] * len(level.classes)
    seconds = level.limits if level.metric == "deadline" else [level.limit] * len(level.classes)
    if stretch is None:
        return [math.floor(s / scenario.tick + 1e-9) for s in seconds]
    return [math.floor(max(s / scenario.tick, 1.0) * stretch + 1e-9) for s in seconds]


def is_pathwise_monotone(scenario: Scenario) -> bool:
    """Whether a replication that passes at a size provably passes at every larger one (R40).

    Proven for strict order by eligible time (``none``, ``fifo``), one tier, one flat pool without quotas, nobody who
    leaves, is refused or evicted, no chains or approvals, and levels on wait or on jobs turned away: by induction over
    the queue each job starts no later with one GPU more, since the earlier jobs that hold GPUs at any moment are then a
    subset. A scheduler period changes nothing in it: a job starts at the first multiple of the period at which it is
    eligible, its predecessor in the queue has started and its gang fits, and each of these comes no later.
    Windows and the number of tests are about backfill.

    Not proven, and so not claimed: chains (a segment that becomes eligible earlier overtakes others); levels on
    the end of jobs (one killed at its limit before the horizon counts, one still running is unknown); levels that
    judge a whole period.
    """
    classes = [c for _, _, c in scenario.classes()]
    asked = scenario.policy
    strict = asked.backfill == "none" and asked.order == "fifo" and asked.max_tests is None
    one_tier = not asked.tiers or len({c.priority for c in classes}) == 1
    patient = all(c.patience is None for c in classes)
    unbounded = asked.max_waiting is None and all(t.max_waiting is None for t in scenario.tenants)
    plain = len(scenario.pool_names) == 1 and all(c.segment is None and c.approval is None for c in classes)
    by_start = all(s.metric in ("wait", "turned_away") for s in scenario.resolved_slos())
    by_jobs = not scenario.period_slos()
    alone = by_jobs and not is_shared(scenario)
    return strict and one_tier and patient and unbounded and plain and by_start and alone


def horizon_in_words(scenario: Scenario) -> str:
    """The simulated period as a sentence."""
    study = scenario.study
    counted = format_duration(scenario.count_end - study.warm_up, 3)
    warm_up, cool_down = format_duration(study.warm_up, 3), format_duration(scenario.cool_down, 3)
    return f"{counted} of submissions counted, after {warm_up} of warm-up from an empty center, {cool_down} to finish"
