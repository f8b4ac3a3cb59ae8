"""`size`: the smallest center that meets every service level, with a certified interval (Algorithm F)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from gpusim.engine.cpu import usable_cores
from gpusim.plan.answer import Answer, RuleOutcome, Spent
from gpusim.plan.experiment import is_pathwise_monotone, run_spec
from gpusim.plan.measure import Attainment, SloOutcome, occupancy, slo_outcomes
from gpusim.plan.provenance import provenance
from gpusim.plan.rules import rules_of_thumb, staffing_guess
from gpusim.plan.runs import Progress, Runs
from gpusim.scenario import Scenario
from gpusim.stats.critical import CapacityGrid
from gpusim.stats.evidence import SizingResult
from gpusim.stats.question import SizingOptions
from gpusim.stats.sizing import find_capacity
from gpusim.units import format_duration

_CEILING = 16
"""Without `max_gpus` the search ends at this multiple of the first guess."""
_MEASURED = 400
"""Replications measured at the answer, below it and at `center.have`; the search uses as many as it needs."""
_COMPARED = 200
"""Replications behind the attainment of each rule of thumb."""
_SEARCH_SHARE = 0.75
"""Share of a time limit that the search may use; the rest measures the answer."""
_PLANNING_MARGIN = 1.5
"""Final replications against the average need: four of five answers are then as narrow as asked."""
_REPLICATIONS_MIN = 240
"""Enough for the audit to support "every smaller size is too small" at 0.95 and 0.95."""


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
    return _report(scenario, seed, backend, threads, runs, grid, found, command)


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
    return CapacityGrid(low, step, max(1, (high - low) // step + 1))


def _report(
    scenario: Scenario,
    seed: int,
    backend: str,
    threads: int,
    runs: Runs,
    grid: CapacityGrid,
    found: SizingResult,
    command: str | None,
) -> Answer:
    confidence = scenario.study.confidence
    first, stop = found.ranges.get("final", found.ranges["pilot"])
    replications = np.arange(first, min(stop, first + _MEASURED), dtype=np.int64)
    known: dict[int, Attainment] = {}

    def attainment(gpus: int | None, most: int) -> Attainment | None:
        if gpus is None or gpus in known:
            return None if gpus is None else known[gpus]
        passed = runs.verdicts(replications[:most], gpus)
        return Attainment.of(gpus, passed, confidence) if len(passed) else None

    runs.stage = "measure"
    shown = grid.high if found.gpus_high is None else found.gpus_high
    whole = runs.measure(replications, shown)
    levels = slo_outcomes(scenario, whole, confidence) if len(whole.status) else ()
    at_answer = Attainment.of(shown, whole.passed, confidence) if len(whole.status) else None
    if at_answer is not None:
        known[shown] = at_answer
    below = None if found.gpus_low is None or found.gpus_low <= grid.low else found.gpus_low - grid.step
    too_small = runs.measure(replications, below) if below is not None else whole
    binding = _binding(slo_outcomes(scenario, too_small, confidence)) if len(too_small.status) else None
    rules = tuple(RuleOutcome(rule, attainment(rule.gpus, _COMPARED)) for rule in rules_of_thumb(scenario))
    return Answer(
        sizing=found,
        infeasible=_infeasible(grid, levels) if found.feasible is False else None,
        slos=levels,
        binding_slo=binding,
        have=attainment(scenario.center.have, _MEASURED),
        at_answer=at_answer,
        below=Attainment.of(below, too_small.passed, confidence) if below and len(too_small.status) else None,
        occupancy=occupancy(scenario, whole, shown, confidence).value if len(whole.status) else None,
        rules=rules,
        offered_load=scenario.offered_load,
        assumptions=scenario.assumptions,
        warnings=tuple(f"{notice.what} ({notice.remedy})" for notice in scenario.notices()),
        horizon=horizon_in_words(scenario),
        spent=Spent(runs.count, runs.jobs, runs.seconds(), threads),
        provenance=provenance(
            seed=seed,
            backend=backend,
            scenario=scenario.name,
            scenario_hash=scenario.hash,
            command=command or f"gpusim.size(gpusim.load_scenario({scenario.source!r}), seed={seed})",
        ),
    )


def _binding(levels: tuple[SloOutcome, ...]) -> str | None:
    """The level met in the fewest replications; the one with the least slack among equals; None if all always are."""
    if all(level.attainment.value == 1.0 for level in levels):
        return None
    return min(levels, key=lambda level: (level.attainment.value, level.slack)).sentence


def _infeasible(grid: CapacityGrid, levels: tuple[SloOutcome, ...]) -> str:
    worst = min(levels, key=lambda level: (level.attainment.value, level.slack), default=None)
    which = "" if worst is None else f"; '{worst.sentence}' is met in {worst.attainment.value:.1%} of periods"
    return (
        f"no center of up to {grid.high:,} GPUs meets all service levels as often as asked{which}; "
        "raise study.max_gpus, or relax that level"
    )


def horizon_in_words(scenario: Scenario) -> str:
    """The simulated period as a sentence."""
    study = scenario.study
    counted = format_duration(scenario.count_end - study.warm_up, 3)
    warm_up, cool_down = format_duration(study.warm_up, 3), format_duration(scenario.cool_down, 3)
    return f"{counted} of submissions counted, after {warm_up} of warm-up from an empty center, {cool_down} to finish"
