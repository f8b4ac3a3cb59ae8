"""What explains an answer: measured at it, below it and beside it, on the replications that decided it.

The search costs most, and what it ran is used again: its whole runs at the answer give the levels there, and
elsewhere a replication that is known to pass with fewer GPUs is not run with more. So the explanation stays near a
tenth of the search.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gpusim.engine.result import BatchResult
from gpusim.plan.agreements import agreements
from gpusim.plan.answer import Findings, RuleOutcome
from gpusim.plan.axis import DEMAND
from gpusim.plan.band import Band, occupancy_band
from gpusim.plan.evictions import evictions
from gpusim.plan.experiment import horizon_in_words, is_pathwise_monotone
from gpusim.plan.infeasible import Ceiling
from gpusim.plan.measure import Attainment, SloOutcome, class_shares, occupancy
from gpusim.plan.rules import RuleOfThumb, rules_of_thumb
from gpusim.plan.runs import Runs
from gpusim.plan.why import Why, replications_for_causes, why
from gpusim.scenario import Scenario
from gpusim.scenario.slo import PERIOD_METRICS
from gpusim.stats.evidence import SizingResult, Stage
from gpusim.stats.grid import CapacityGrid
from gpusim.units import format_share

_CERTAIN: tuple[Stage, ...] = ("final", "fill-in", "hold-out")
"""Stages whose counts speak for a size, those that are worth more last."""

_OCCUPANCY_RUNS = 60
"""Replications behind the band of sizes, at each size run for it."""


@dataclasses.dataclass(frozen=True)
class _Budget:
    """Replications measured, as shares of what the search ran: at the answer and with the GPUs there are (runs
    beyond those that are known or implied), one step below, and for each rule of thumb.
    """

    answer: int
    have: int
    below: int
    rule: int

    @classmethod
    def of(cls, runs: int) -> _Budget:
        def share(part: float, least: int, most: int) -> int:
            return min(max(round(part * runs), least), most)

        return cls(share(0.06, 60, 300), share(0.08, 40, 300), share(0.04, 40, 150), share(0.03, 30, 60))


def explain(
    scenario: Scenario,
    runs: Runs,
    grid: CapacityGrid,
    found: SizingResult,
    limit: Ceiling | None,
) -> Findings:
    """Measure what explains a sizing result.

    Parameters
    ----------
    scenario : Scenario
    runs : Runs
        Those of the search, with what they remember.
    grid : CapacityGrid
        Values considered.
    found : SizingResult
        What the search found.
    limit : Ceiling or None
        What unlimited GPUs give.
    """
    confidence = scenario.study.confidence
    runs.begin("measure")
    if limit is not None and limit.infeasible:
        return _findings(scenario, infeasible=str(limit), ceiling=limit, slos=limit.levels)
    # Only replications that nobody chose: where rare periods were sampled separately, more of them follow behind.
    sample = found.natural
    first, stop = sample.get("hold-out", sample.get("final", sample.get("pilot", (0, 8))))
    replications = np.arange(first, stop, dtype=np.int64)
    budget = _Budget.of(found.total_runs)
    known: dict[int, Attainment] = {}

    def attainment(value: int, some: npt.NDArray[np.int64]) -> Attainment | None:
        if value in known:
            return known[value]
        passed, untested = runs.verdicts(some, value)
        if not len(passed):
            return None
        known[value] = Attainment.of(value, passed, confidence, untested)
        return known[value]

    shown = grid.last if found.gpus_high is None else found.gpus_high
    below = None
    if found.gpus_low is not None and found.gpus_low != grid.first:
        below = grid.capacity(grid.index(found.gpus_low) - 1)
    for value in (shown, below):
        known |= _counted(found, value)
    measured = _few(replications, runs.missing(replications, shown), budget.answer)
    whole = runs.measure(measured, shown)
    if not len(whole.status):
        return _findings(scenario, ceiling=limit)
    levels = runs.outcomes(measured, shown, whole)
    binding = _binding(levels) if found.feasible is False else None
    if below is not None:
        too_small = runs.measure(replications[: budget.below], below)
        if len(too_small.status):
            known.setdefault(below, Attainment.of(below, too_small.passed, confidence))
            paying = runs.outcomes(replications, below, too_small)
            binding = _binding(paying)
            levels = tuple(
                dataclasses.replace(level, below=other.attainment)
                for level, other in zip(levels, paying, strict=True)
            )
    have = present(runs)
    at_have = None
    if have is not None:
        at_have = attainment(have, _few(replications, runs.open(replications, have), budget.have))
    rules = tuple(
        RuleOutcome(rule, attainment(rule.gpus, replications[: budget.rule]))
        for rule in _rules(scenario, runs)
    )
    return _findings(
        scenario,
        infeasible=_infeasible(scenario, runs, grid, levels) if found.feasible is False else None,
        ceiling=limit,
        slos=levels,
        binding_slo=binding,
        have=at_have,
        at_answer=attainment(shown, replications[: budget.have]),
        below=None if below is None else attainment(below, replications[: budget.below]),
        occupancy=occupancy(scenario, whole, runs.axis.total(shown), confidence),
        classes=class_shares(scenario, whole, confidence),
        evictions=evictions(scenario, runs.experiment.spec, whole, confidence),
        agreements=agreements(scenario, whole, confidence),
        why=_why(scenario, runs, whole, replications, shown),
        rules=rules,
        band=_band(scenario, runs, grid, found, replications),
        warnings=tuple(_doubts(scenario, runs, found, levels)),
    )


def _why(
    scenario: Scenario, runs: Runs, whole: BatchResult, replications: npt.NDArray[np.int64], value: int
) -> Why | None:
    few = runs.causes(replications[: replications_for_causes(whole)], value)
    row = runs.axis.gpus(np.array([value], dtype=np.int64)).reshape(-1)[: len(runs.axis.pools)]
    return why(scenario, few, dict(zip(runs.axis.pools, map(int, row), strict=True)))


def present(runs: Runs) -> int | None:
    """The value that the center has today on the axis: its GPUs, those of the pool, or the stated demand."""
    axis = runs.axis
    return axis.demand if axis.pool is None else axis.have[axis.pool]


def _few(
    replications: npt.NDArray[np.int64], missing: npt.NDArray[np.int64], fresh: int
) -> npt.NDArray[np.int64]:
    """As many replications from the first on as contain at most so many of those that must be run."""
    if len(missing) <= fresh:
        return replications
    first: npt.NDArray[np.int64] = replications[replications < missing[fresh]]
    return first


def _rules(scenario: Scenario, runs: Runs) -> Iterator[RuleOfThumb]:
    """The rules, less what the other pools have; none where demand varies."""
    if runs.axis.vary == DEMAND:
        return
    step = scenario.study.granularity
    for rule in rules_of_thumb(scenario):
        yield RuleOfThumb(rule.name, max(step, step * math.ceil((rule.gpus - runs.axis.fixed) / step)))


def _band(
    scenario: Scenario,
    runs: Runs,
    grid: CapacityGrid,
    found: SizingResult,
    replications: npt.NDArray[np.int64],
) -> Band | None:
    if runs.axis.vary == DEMAND:
        return None
    sample = replications[:_OCCUPANCY_RUNS]

    def whole(value: int) -> BatchResult:
        return runs.measure(sample, value)

    return occupancy_band(scenario, whole, grid, found.gpus_high, runs.axis.total)


def _counted(found: SizingResult, value: int | None) -> dict[int, Attainment]:
    """What the search itself counted at a value, over all its final (or hold-out) replications."""
    counted = [e for e in found.evidence if e.capacity == value and e.kind in _CERTAIN]
    if not counted:
        return {}
    best = max(counted, key=lambda e: _CERTAIN.index(e.kind))
    implied = best.replications - best.simulated
    return {
        best.capacity: Attainment(
            best.capacity, best.replications, best.passed, best.share, best.low, best.high, implied
        )
    }


def _findings(
    scenario: Scenario,
    *,
    ceiling: Ceiling | None,
    infeasible: str | None = None,
    slos: tuple[SloOutcome, ...] = (),
    binding_slo: str | None = None,
    warnings: tuple[str, ...] = (),
    **measured: object,
) -> Findings:
    """What is known without runs, and whatever was measured."""
    empty: dict[str, object] = {
        "have": None,
        "at_answer": None,
        "below": None,
        "occupancy": None,
        "classes": (),
        "rules": (),
        "evictions": None,
        "agreements": None,
        "why": None,
        "band": None,
    }
    if infeasible and ceiling is not None and ceiling.impossible:
        binding_slo = ceiling.impossible[0].sentence
    return Findings(
        infeasible=infeasible,
        ceiling=ceiling,
        slos=slos,
        binding_slo=binding_slo,
        offered_load=scenario.offered_load,
        peak_load=scenario.peak_load,
        assumptions=scenario.assumptions,
        assumed=scenario.assumed,
        warnings=(*(f"{n.what} ({n.remedy})" for n in scenario.notices()), *warnings),
        horizon=horizon_in_words(scenario),
        **(empty | measured),  # type: ignore[arg-type]
    )


def _doubts(
    scenario: Scenario, runs: Runs, found: SizingResult, levels: tuple[SloOutcome, ...]
) -> Iterator[str]:
    """What the planner must know about this answer beside the notices about the question."""
    if found.gpus is not None and runs.axis.vary != DEMAND:
        total = runs.axis.total(found.gpus)
        if total < scenario.offered_load:
            yield (
                f"{total:,} GPUs are fewer than the offered load of {scenario.offered_load:,.1f}: the queue grows "
                "for as long as the period lasts, and the answer depends on its length (lengthen study.horizon)"
            )
    for level in levels:
        if level.vacuous and level.metric not in PERIOD_METRICS:
            yield (
                f"'{level.sentence}' had no job to judge in {level.vacuous:,} periods, which count as met "
                "(lengthen study.horizon)"
            )


def _binding(levels: tuple[SloOutcome, ...]) -> str | None:
    """The level met in the fewest replications; the one with the least slack among equals; None if all always are."""
    if all(level.attainment.value == 1.0 for level in levels):
        return None
    return min(levels, key=lambda level: (level.attainment.value, level.slack or 0.0)).sentence


def _infeasible(scenario: Scenario, runs: Runs, grid: CapacityGrid, levels: tuple[SloOutcome, ...]) -> str:
    worst = min(levels, key=lambda level: (level.attainment.value, level.slack or 0.0), default=None)
    which = ""
    if worst is not None:
        which = f"; '{worst.sentence}' is met in {format_share(worst.attainment.value, 3)} of periods"
    if runs.axis.vary == DEMAND:
        return (
            f"the center does not carry even {format_share(grid.last / 1e6)} of the stated demand{which}; "
            "allow less demand (study.min_demand), give it more GPUs, or relax that level"
        )
    center = "center" if len(runs.axis.pools) == 1 else f"pool {runs.axis.vary}"
    sizes = f"no {center} of up to {grid.high:,} GPUs meets"
    if not is_pathwise_monotone(scenario):
        sizes = f"{grid.high:,} GPUs, the largest size considered, do not meet"
    return f"{sizes} all service levels as often as asked{which}; raise study.max_gpus, or relax that level"
