"""What no number of GPUs can improve: the center in which nobody waits, run before the search spends time.

**The ceiling.** Give a run more GPUs in every pool than all its jobs together ask for, no bound on the queue
and no bound on the jobs a pass looks at. Then every job starts as early as any scheduler could let it: at the
tick at which it is eligible, or with a scheduler period at the first multiple that is not before it.

**Why it bounds every center.** Take any finite center and the same replication; both have the same jobs. A job
that is in no chain is eligible at its submit in both, so by the above it starts no later in the ceiling, and
ends no later, as its run time does not depend on the GPUs. In a chain each segment becomes eligible when the
one before has ended, so by induction along the chain it too is eligible, starts and ends no later. With chains
*and* a period the wait of a segment could be shorter in the finite center (eligible just before a multiple);
the ceiling then has no period, so that it waits 0. Nobody is rejected, refused, or leaves. So for every level
of wait, turnaround or slowdown: what is met in the finite center is met in the ceiling, and what is violated in
the ceiling (it ended late, or had lasted too long at the horizon) is violated in the finite center. One case
needs care: a job killed at its limit violates a level on its end, but a finite center may not have come to it
by the horizon, where it is unknown. Unless every such level is decided by the horizon (its limit is within the
cool-down), killed jobs count as done in the ceiling. Hence P(all levels met) of the ceiling is at least that of
every center, and if it is below what is asked, no number of GPUs is enough.

**Where tenants share it.** The ceiling has no quotas and evicts nobody, whatever the tenants agreed. A job bound by a
quota starts no earlier than one that is not. An evicted job ends no earlier than it would have: it holds GPUs for all
its work at least once, and for its checkpoints, unless it saves within its grace and so may make fewer of them; there
they cost nothing in the ceiling. Each of its starts has the whole limit, so that it may finish where a run without
eviction is killed; the kill comes no later than that end, and counts as done in the ceiling for preemptible classes.

Nothing is reserved in it, and the order does not matter where nobody waits. An approval holds a job as long in every
center.

The proof uses that run times are not changed by the center: it holds without failures and speeds per pool, which the
engine does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS, STATUS_OK, BatchResult
from gpusim.engine.spec import FIFO, RunSpec
from gpusim.plan.axis import Axis
from gpusim.plan.experiment import Experiment, slo_table
from gpusim.plan.measure import Attainment, Estimate, SloOutcome, slo_outcomes
from gpusim.plan.rows import joined
from gpusim.plan.sharing import without_contention
from gpusim.scenario import ResolvedSlo, Scenario
from gpusim.stats.binomial import clopper_pearson
from gpusim.units import format_duration, format_share
from gpusim.workload.ticks import MAX_GPUS

_LOOKS = (8, 32, 88)
"""Replications after which the question is looked at; all of them are before those of the final stage."""
_CERTAIN = 1e-4
"""Error allowed at each look. So small that the confidence of the study as a whole is not touched."""
_STEPS = 24
"""Weaker limits tried at once, in each of two rounds, to find one that would be met."""


@dataclass(frozen=True)
class Impossible:
    """A level that is missed too often even with unlimited GPUs.

    Attributes
    ----------
    sentence : str
    attainment : Estimate
        Share of replications in which it is met with unlimited GPUs.
    share : Estimate or None
        Share of its jobs that meet the limit then.
    stretch : float or None
        The limit that would be met as often as asked, as a multiple of the present one; None if no longer one would
        help within the period.
    remedy : str
        What to change.
    """

    sentence: str
    attainment: Estimate
    share: Estimate | None
    stretch: float | None
    remedy: str


@dataclass(frozen=True)
class Ceiling:
    """How often all levels hold if nobody ever waits for a GPU.

    Attributes
    ----------
    attainment : Attainment
        At unlimited capacity (`gpus` is the engine's largest number).
    infeasible : bool
        Proven: no number of GPUs meets all levels as often as asked.
    levels : tuple of SloOutcome
        Every level there.
    impossible : tuple of Impossible
        Where `infeasible`: the levels that decide, worst first.
    runs, jobs : int
        What it cost.
    """

    attainment: Attainment
    infeasible: bool
    levels: tuple[SloOutcome, ...]
    impossible: tuple[Impossible, ...] = ()
    runs: int = 0
    jobs: int = 0

    def __str__(self) -> str:
        """The reason in one sentence; empty if there is none."""
        if not self.infeasible:
            return ""
        reasons = "; ".join(
            f"'{each.sentence}' is met in {format_share(each.attainment.value, 3)} of periods even if no job ever "
            f"waits for a GPU: {each.remedy}"
            for each in self.impossible
        )
        return f"no number of GPUs is enough: {reasons}"


def ceiling(
    experiment: Experiment, axis: Axis, *, demand: int | None = None, backend: str = "auto", threads: int = 1
) -> Ceiling:
    """Run the center in which nobody waits, and say whether the levels can be met at all.

    Parameters
    ----------
    experiment : Experiment
    axis : Axis
        Gives the demand.
    demand : int, optional
        Demand [millionths]; by default that of the axis.
    backend, threads
        As in `gpusim.size`.

    Returns
    -------
    Ceiling
        From 8 whole runs if all pass, from at most 88 otherwise.
    """
    scenario = experiment.scenario
    required, confidence = scenario.study.attainment, scenario.study.confidence
    run = _Unlimited(experiment, axis.demand if demand is None else demand, backend, threads)
    parts: list[BatchResult] = []
    done, decided = 0, False
    for stop in _LOOKS:
        parts.append(run(np.arange(done, stop, dtype=np.int64), unlimited(experiment.spec, scenario)))
        done = stop
        passed = sum(int(part.passed.sum()) for part in parts)
        decided = clopper_pearson(passed, done, 1.0 - _CERTAIN, "upper").high < required
        if decided or passed == done:
            break
    whole = joined(parts)
    levels = slo_outcomes(scenario, whole, confidence)
    reasons = tuple(_reasons(scenario, run, whole, levels)) if decided else ()
    share = Attainment.of(MAX_GPUS, whole.passed, confidence)
    return Ceiling(share, decided, levels, reasons, run.count, run.jobs)


def unlimited(spec: RunSpec, scenario: Scenario) -> RunSpec:
    """The spec of the ceiling: nobody is refused, stopped by quota or evicted, and a pass looks at every job."""
    chains = any(c.segment is not None for _, _, c in scenario.classes())
    policy = replace(
        spec.policy,
        order=FIFO,
        max_waiting=-1,
        tenant_max_waiting=(),
        max_tests=-1,
        period=1 if chains else spec.policy.period,
    )
    classes = spec.classes
    if not all(_decided_by_the_horizon(scenario, level) for level in scenario.resolved_slos()):
        classes = replace(classes, killed_ok=np.ones(len(classes), dtype=np.bool_))
    if spec.sharing is None:
        return replace(spec, policy=policy, classes=classes)
    assert classes.killed_ok is not None
    classes = replace(classes, killed_ok=classes.killed_ok | spec.sharing.preemptible)
    return replace(
        spec,
        policy=policy,
        classes=classes,
        sharing=without_contention(spec.sharing),
        fairness=None,
        closures=None,
    )


@dataclass
class _Unlimited:
    """Runs replications with unlimited GPUs."""

    experiment: Experiment
    demand: int
    backend: str
    threads: int
    count: int = 0
    jobs: int = 0

    def __call__(self, replications: npt.NDArray[np.int64], like: RunSpec) -> BatchResult:
        spec, draw = self.experiment.compiled(replications)
        n = len(replications)
        pools = spec.classes.n_pools
        result = run_batch(
            replace(like, jobs=spec.jobs),
            replications,
            np.full(n if pools == 1 else (n, pools), MAX_GPUS, dtype=np.int64),
            demand_ppm=np.full(n, self.demand, dtype=np.int64),
            draw=0 if draw is None else draw,
            backend=self.backend,
            threads=self.threads,
        )
        assert (result.status == STATUS_OK).all()
        self.count += n
        self.jobs += int(result.jobs.sum())
        return result


def _decided_by_the_horizon(scenario: Scenario, level: ResolvedSlo) -> bool:
    """Whether a job of a level on ends is never unknown: submitted by `count_end`, it has its limit left."""
    if level.metric in ("turnaround", "deadline"):
        return max((*level.limits, level.limit), default=0.0) <= scenario.cool_down
    return level.metric != "slowdown"


def _reasons(
    scenario: Scenario, run: _Unlimited, whole: BatchResult, outcomes: tuple[SloOutcome, ...]
) -> Iterator[Impossible]:
    """The levels that are missed too often; the worst one if only all together are."""
    required = scenario.study.attainment
    worst = sorted(range(len(outcomes)), key=lambda s: outcomes[s].attainment.value)
    decisive = [s for s in worst if outcomes[s].attainment.value < required] or worst[:1]
    replications = np.arange(len(whole.status), dtype=np.int64)[: _LOOKS[1]]
    for s in decisive:
        level = scenario.resolved_slos()[s]
        stretch = _stretch(scenario, run, replications, level)
        remedy = _remedy(scenario, level, stretch, whole)
        yield Impossible(level.sentence, outcomes[s].attainment, outcomes[s].share, stretch, remedy)


def _stretch(
    scenario: Scenario, run: _Unlimited, replications: npt.NDArray[np.int64], level: ResolvedSlo
) -> float | None:
    """The smallest factor on the limit with which the level is met as often as asked, to half a per cent."""
    if level.metric in ("turned_away", "preemptions"):
        return None
    base = unlimited(run.experiment.spec, scenario)
    shortest = min(level.limits, default=level.limit) if level.metric == "deadline" else level.limit
    longest = 1e4 if level.metric == "slowdown" else scenario.study.horizon / max(shortest, scenario.tick)
    low, high = 1.0, max(longest, 1.0 + 1e-9)
    for _ in range(2):
        factors = np.geomspace(low, high, _STEPS)
        table = slo_table(scenario, (level,) * _STEPS, tuple(map(float, factors)))
        result = run(replications, replace(base, slos=table))
        met, counted = (
            result.slo[:, :, 0],
            result.slo.sum(axis=2),
        )  # the unknown counts as missed: never too weak
        often = (met * 1_000_000 >= level.share_ppm * counted).mean(axis=0)
        enough = np.flatnonzero(often >= scenario.study.attainment)
        if not enough.size:
            return None
        k = int(enough[0])
        low, high = float(factors[max(k - 1, 0)]), float(factors[k])
    return high


def _remedy(scenario: Scenario, level: ResolvedSlo, stretch: float | None, whole: BatchResult) -> str:
    if stretch is not None:
        if level.metric == "slowdown":
            return f"the runs alone give more; relax it to at least {level.limit * stretch:.3g}"
        if level.metric == "deadline":
            return f"the runs alone take longer; give deadlines at least {stretch:.3g} times as long"
        limit = format_duration(_rounded_up(max(level.limit, scenario.tick) * stretch, scenario.tick), 3)
        cause = "the run alone takes longer"
        if level.metric == "wait":
            cause = "the scheduler passes too rarely (policy.period)"
        return f"{cause}; relax it to at least {limit}"
    killed = whole.counts[:, list(level.classes), COUNTS.index("killed_limit")].sum()
    if killed and level.metric not in ("wait", "turned_away", "preemptions"):
        return "jobs are killed at their limit and count as missed; raise their limit, or set killed_ok"
    return "no longer limit within the period would do; lower the share asked, or lengthen study.horizon"


def _rounded_up(seconds: float, tick: float) -> float:
    """To three digits, never down: a limit that is written must be met."""
    unit = 10.0 ** (np.floor(np.log10(max(seconds, tick))) - 2)
    return float(np.ceil(seconds / unit - 1e-9) * unit)
