"""`size`: the smallest center that meets every service level, with a certified interval (Algorithm F)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from gpusim.engine.cpu import usable_cores
from gpusim.plan.answer import Answer, RuleOutcome, Spent
from gpusim.plan.experiment import horizon_in_words, is_pathwise_monotone, run_spec
from gpusim.plan.measure import Attainment, SloOutcome, occupancy, slo_outcomes
from gpusim.plan.provenance import Provenance, load_call, provenance
from gpusim.plan.rules import rules_of_thumb, staffing_guess
from gpusim.plan.runs import Progress, Runs
from gpusim.scenario import Scenario
from gpusim.stats.binomial import clopper_pearson
from gpusim.stats.critical import CapacityGrid
from gpusim.stats.evidence import SizingResult
from gpusim.stats.question import SizingOptions
from gpusim.stats.sizing import find_capacity
from gpusim.units import format_share
from gpusim.workload.ticks import MAX_GPUS

_CEILING = 16
"""Without `max_gpus` the search ends at this multiple of the first guess."""
_MEASURED = 300
"""Replications measured at the answer, below it and at `center.have`; the search uses as many as it needs."""
_COMPARED = 150
"""Replications behind the attainment of each rule of thumb."""
_SEARCH_SHARE = 0.75
"""Share of a time limit that the search may use; the rest measures the answer."""
_PLANNING_MARGIN = 1.5
"""Final replications against the average need: nine of ten answers are then as narrow as asked."""
_REPLICATIONS_MIN = 500
"""Final replications at least: they cost little beside the measurements, make a pilot that was lucky harmless, and
let the audit support "every smaller size is too small" (239 are needed at 0.95 and 0.95)."""


def size(
    scenario: Scenario,
    *,
    seed: int | None = None,
    certify: Literal["normal", "strict"] = "normal",
    time_limit: float | None = None,
    backend: str = "auto",
    threads: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    command: str | None = None,
) -> Answer:
    """Find how many GPUs the center needs to meet all its service levels.

    Parameters
    ----------
    scenario : Scenario
    seed : int, optional
        Default: the scenario's.
    certify : {"normal", "strict"}
        "strict" certifies the answer on replications never used to find it.
    time_limit : float, optional
        Seconds after which the search ends with a valid, wider interval (`resolved` False).
    backend : {"auto", "cuda", "cupy", "cpu"}
    threads : int, optional
        Default: all usable cores.
    on_progress : callable(Progress), optional
        Called about every 50 ms from the calling thread.
    command : str, optional
        The command that repeats this answer, for its provenance.

    Returns
    -------
    Answer
        Same scenario, seed and version: the same answer on any backend and thread count (without a time
        limit).

    Raises
    ------
    BackendUnavailable, RunError, WorkloadError

    Notes
    -----
    Replication r is one period of the scenario under one draw of everything random; it passes if every level is
    met. The answer is the smallest N at which a replication passes with probability `study.attainment`; its
    interval comes from order statistics of the replications' critical capacities under common random numbers
    (see `gpusim.stats.sizing`).
    """
    seed = scenario.study.seed if seed is None else seed
    threads = threads or usable_cores()
    runs = Runs(
        run_spec(scenario, seed), scenario.study.attainment, backend, threads, on_progress=on_progress
    )
    if time_limit is not None:
        runs.deadline = runs.started + _SEARCH_SHARE * time_limit
    grid = capacity_grid(scenario)
    found = search(scenario, runs, grid, certify)
    if time_limit is not None:
        runs.deadline = runs.started + time_limit
    if command is None:
        limit = "" if time_limit is None else f", time_limit={time_limit}"
        command = f"gpusim.size({load_call(scenario)}, seed={seed}, certify={certify!r}{limit})"
    return _report(
        scenario,
        runs,
        grid,
        found,
        provenance(
            seed=seed, backend=backend, scenario=scenario.name, scenario_hash=scenario.hash, command=command
        ),
    )


def search(
    scenario: Scenario, runs: Runs, grid: CapacityGrid, certify: Literal["normal", "strict"] = "normal"
) -> SizingResult:
    """The certified interval alone: `size` without the measurements that explain it."""
    study = scenario.study
    options = SizingOptions(
        attainment=study.attainment,
        confidence=study.confidence,
        tolerance_share=study.tolerance,
        monotone=is_pathwise_monotone(scenario),
        certify=certify,
        replications_min=_REPLICATIONS_MIN,
        planning_margin=_PLANNING_MARGIN,
    )
    return find_capacity(runs, grid, start=staffing_guess(scenario), options=options)


def capacity_grid(scenario: Scenario) -> CapacityGrid:
    """Sizes considered: multiples of the granularity from the largest gang up to `max_gpus`, or far above need."""
    study, step = scenario.study, scenario.study.granularity
    low = step * math.ceil(max(study.min_gpus or 0, scenario.largest_gang) / step)
    guess = max(staffing_guess(scenario), low)
    high = study.max_gpus or _CEILING * guess
    return CapacityGrid(low, step, (min(high, MAX_GPUS) - low) // step + 1)


def _report(
    scenario: Scenario, runs: Runs, grid: CapacityGrid, found: SizingResult, origin: Provenance
) -> Answer:
    """Measure what explains the answer, on the replications that decided it."""
    confidence = scenario.study.confidence
    first, stop = found.ranges.get("hold-out", found.ranges.get("final", found.ranges["pilot"]))
    replications = np.arange(first, stop, dtype=np.int64)
    known: dict[int, Attainment] = {}

    def attainment(gpus: int, most: int) -> Attainment | None:
        if gpus not in known:
            passed = runs.verdicts(replications[:most], gpus)
            if not len(passed):
                return None
            known[gpus] = Attainment.of(gpus, passed, confidence)
        return known[gpus]

    runs.stage = "measure"
    shown = grid.high if found.gpus_high is None else found.gpus_high
    below = None if found.gpus_low is None or found.gpus_low <= grid.low else found.gpus_low - grid.step
    whole = runs.measure(replications[:_MEASURED], shown)
    levels = slo_outcomes(scenario, whole, confidence) if len(whole.status) else ()
    binding = None
    if below is not None:
        too_small = runs.measure(replications[:_COMPARED], below)
        binding = _binding(slo_outcomes(scenario, too_small, confidence)) if len(too_small.status) else None
    elif found.feasible is False:
        binding = _binding(levels)
    for gpus in (shown, below):
        known |= _counted(found, gpus, confidence)
    have = scenario.center.have
    rules = tuple(RuleOutcome(rule, attainment(rule.gpus, _COMPARED)) for rule in rules_of_thumb(scenario))
    return Answer(
        sizing=found,
        infeasible=_infeasible(scenario, grid, levels) if found.feasible is False else None,
        slos=levels,
        binding_slo=binding,
        have=None if have is None else attainment(have, _MEASURED),
        at_answer=attainment(shown, _MEASURED),
        below=None if below is None else attainment(below, _MEASURED),
        occupancy=occupancy(scenario, whole, shown, confidence).value if len(whole.status) else None,
        rules=rules,
        offered_load=scenario.offered_load,
        assumptions=scenario.assumptions,
        warnings=(*(f"{n.what} ({n.remedy})" for n in scenario.notices()), *_doubts(scenario, found, levels)),
        horizon=horizon_in_words(scenario),
        spent=Spent(runs.count, runs.jobs, runs.seconds(), runs.threads),
        provenance=origin,
    )


def _counted(found: SizingResult, gpus: int | None, confidence: float) -> dict[int, Attainment]:
    """What the search itself counted at a size, over all its final (or hold-out) replications."""
    counted = [e for e in found.evidence if e.capacity == gpus and e.kind in ("final", "fill-in", "hold-out")]
    if not counted:
        return {}
    best = max(counted, key=lambda e: (e.kind == "hold-out", e.kind == "fill-in"))
    interval = clopper_pearson(best.passed, best.replications, confidence)
    share = best.passed / best.replications
    return {best.capacity: Attainment(best.capacity, best.replications, best.passed, share, *interval)}


def _doubts(scenario: Scenario, found: SizingResult, levels: tuple[SloOutcome, ...]) -> Iterator[str]:
    """What the planner must know about this answer beside the notices about the question."""
    if found.gpus is not None and found.gpus < scenario.offered_load:
        yield (
            f"{found.gpus:,} GPUs are fewer than the offered load of {scenario.offered_load:,.1f}: the queue grows "
            "for as long as the period lasts, and the answer depends on its length (lengthen study.horizon)"
        )
    for level in levels:
        if level.vacuous:
            yield (
                f"'{level.sentence}' had no job to judge in {level.vacuous:,} periods, which count as met "
                "(lengthen study.horizon)"
            )


def _binding(levels: tuple[SloOutcome, ...]) -> str | None:
    """The level met in the fewest replications; the one with the least slack among equals; None if all always are."""
    if all(level.attainment.value == 1.0 for level in levels):
        return None
    return min(levels, key=lambda level: (level.attainment.value, level.slack or 0.0)).sentence


def _infeasible(scenario: Scenario, grid: CapacityGrid, levels: tuple[SloOutcome, ...]) -> str:
    worst = min(levels, key=lambda level: (level.attainment.value, level.slack or 0.0), default=None)
    which = ""
    if worst is not None:
        which = f"; '{worst.sentence}' is met in {format_share(worst.attainment.value, 3)} of periods"
    sizes = f"no center of up to {grid.high:,} GPUs meets"
    if not is_pathwise_monotone(scenario):
        sizes = f"{grid.high:,} GPUs, the largest size considered, do not meet"
    return f"{sizes} all service levels as often as asked{which}; raise study.max_gpus, or relax that level"
