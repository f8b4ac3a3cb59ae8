"""`size`: the smallest center that meets every service level, with a certified interval (Algorithm F).

The same search answers two more questions on other axes (`axis.py`): the GPUs of one of several pools, and the largest
demand that the GPUs there are carry (`demand.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gpusim.engine.cpu import usable_cores
from gpusim.plan.answer import Answer, Spent
from gpusim.plan.axis import Axis, axis_of, grid_of, start_of
from gpusim.plan.demand import DemandAnswer
from gpusim.plan.experiment import Experiment, is_pathwise_monotone
from gpusim.plan.explain import explain
from gpusim.plan.hardness import Hardness
from gpusim.plan.infeasible import Ceiling, ceiling
from gpusim.plan.provenance import load_call, provenance
from gpusim.plan.runs import Progress, Runs
from gpusim.plan.strata import kinds_of, rare_classes
from gpusim.scenario import Scenario
from gpusim.stats.binomial import minimum_replications
from gpusim.stats.evidence import GUARANTEE_NONE, SizingResult
from gpusim.stats.grid import CapacityGrid
from gpusim.stats.question import SizingOptions
from gpusim.stats.sizing import find_capacity

_SEARCH_SHARE = 0.75
"""Share of a time limit that the search may use; the rest measures the answer."""
_PILOT = 80
"""Replications of the pilot: fewer make its slope so noisy that some searches become several times too long."""
_PLANNING_MARGIN = 1.5
"""Final replications against the average need: nine of ten answers are then as narrow as asked."""
_FEWEST, _ENOUGH = 200, 500
"""Final replications at least: as many as the audit needs to support "every smaller size is too small" (119 for
an attainment of 0.9, 239 for 0.95), but never fewer than the first of these, which makes a lucky pilot
harmless, and not more than the second for this reason alone."""


def size(
    scenario: Scenario,
    *,
    vary: str | None = None,
    seed: int | None = None,
    certify: Literal["normal", "strict"] = "normal",
    time_limit: float | None = None,
    backend: str = "auto",
    threads: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    command: str | None = None,
) -> Answer:
    """Find how many GPUs the center needs to meet all its service levels, or how much demand those it has carry.

    Parameters
    ----------
    scenario : Scenario
    vary : str, optional
        What to search over: "gpus"; the name of a pool, the others staying as they are; or "demand", the
        largest factor on all demand that the center there is carries. Default: the scenario's `study.vary`.
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
        A `DemandAnswer` where demand varies. Same scenario, seed and version: the same answer on any backend
        and thread count (without a time limit).

    Raises
    ------
    UsageError
        If `vary` names nothing that can vary, or GPUs that stay as they are, are not given.
    BackendUnavailable, RunError, WorkloadError

    Notes
    -----
    Replication r is one period of the scenario under one draw of everything random; it passes if every level is
    met. The answer is the smallest N at which a replication passes with probability `study.attainment`; its
    interval comes from order statistics of the replications' critical capacities under common random numbers
    (see `gpusim.stats.sizing`). Before it a few runs without any waiting show whether any N can be enough
    (`gpusim.plan.infeasible`).
    """
    seed = scenario.study.seed if seed is None else seed
    threads = threads or usable_cores()
    runs = prepared_runs(scenario, seed, backend, threads, vary=vary, on_progress=on_progress)
    experiment, axis = runs.experiment, runs.axis
    if time_limit is not None:
        runs.deadline = runs.started + _SEARCH_SHARE * time_limit
    grid = capacity_grid(scenario, axis)
    limit = None if axis.descending else ceiling(experiment, axis, backend=backend, threads=threads)
    if limit is not None:
        runs.count += limit.runs
        runs.jobs += limit.jobs
    if limit is not None and limit.infeasible:
        found = _impossible(scenario, grid, limit)
    else:
        found = search(scenario, runs, grid, certify)
    if time_limit is not None:
        runs.deadline = runs.started + time_limit
    if limit is None and found.feasible is False:  # is it the center, or are the levels beyond any center?
        limit = ceiling(experiment, axis, demand=grid.last, backend=backend, threads=threads)
    findings = explain(scenario, runs, grid, found, limit)
    if command is None:
        ended = "" if time_limit is None else f", time_limit={time_limit}"
        varied = "" if vary is None else f", vary={vary!r}"
        command = f"gpusim.size({load_call(scenario)}{varied}, seed={seed}, certify={certify!r}{ended})"
    origin = provenance(
        scenario,
        "size",
        {"vary": axis.vary, "certify": certify, "time_limit": time_limit},
        seed=seed,
        backend=backend,
        command=command,
    )
    spent = Spent(runs.count, runs.jobs, runs.seconds(), threads)
    pools = dict(zip(axis.pools, axis.have, strict=True))
    if axis.descending:
        return DemandAnswer(axis.vary, pools, found, findings, spent, origin, scenario.study.demand)
    return Answer(axis.vary, pools, found, findings, spent, origin)


def search(
    scenario: Scenario, runs: Runs, grid: CapacityGrid, certify: Literal["normal", "strict"] = "normal"
) -> SizingResult:
    """The certified interval alone: `size` without the measurements that explain it.

    The hardest first is the shortest way to the end, but nothing is certified on it before. So with a deadline the
    search has a pilot.
    """
    experiment, axis, threads = runs.experiment, runs.axis, runs.threads
    rare = tuple(rare_classes(experiment, axis))
    hardness = Hardness(experiment, axis, rare, threads) if rare and runs.deadline is None else None
    return find_capacity(
        runs,
        grid,
        start=search_start(scenario, runs.axis),
        options=sizing_options(scenario, certify, runs.axis),
        kinds=kinds_of(experiment, axis, threads),
        hardness=hardness,
        on_stage=runs.begin,
    )


def prepared_runs(
    scenario: Scenario,
    seed: int,
    backend: str,
    threads: int,
    *,
    vary: str | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Runs:
    """The evaluator of a search."""
    axis = axis_of(scenario, vary)
    experiment = Experiment(scenario, seed)
    return Runs(experiment, axis, scenario.study.attainment, backend, threads, on_progress=on_progress)


def capacity_grid(scenario: Scenario, axis: Axis | None = None) -> CapacityGrid:
    """Values considered, by default on the axis that the scenario asks for."""
    return grid_of(scenario, axis or axis_of(scenario))


def search_start(scenario: Scenario, axis: Axis | None = None) -> int:
    """Where the search begins: a guess."""
    return start_of(scenario, axis or axis_of(scenario))


def sizing_options(
    scenario: Scenario, certify: Literal["normal", "strict"] = "normal", axis: Axis | None = None
) -> SizingOptions:
    """What is asked of the search."""
    study = scenario.study
    audited = minimum_replications(1.0 - (1.0 - study.attainment) / 4.0, study.confidence)
    return SizingOptions(
        attainment=study.attainment,
        confidence=study.confidence,
        tolerance_share=study.tolerance,
        monotone=is_monotone(scenario, axis or axis_of(scenario)),
        certify=certify,
        pilot_replications=_PILOT,
        replications_min=min(max(_FEWEST, audited), _ENOUGH),
        planning_margin=_PLANNING_MARGIN,
    )


def is_monotone(scenario: Scenario, axis: Axis) -> bool:
    """Whether a replication that passes at a value provably passes at every more generous one.

    More demand moves every arrival, so that other jobs are counted: nothing is proven for it.
    """
    return not axis.descending and is_pathwise_monotone(scenario)


def _impossible(scenario: Scenario, grid: CapacityGrid, limit: Ceiling) -> SizingResult:
    """The result of a search that need not be made: even unlimited GPUs are too few."""
    study = scenario.study
    return SizingResult(
        gpus=None,
        gpus_low=None,
        gpus_high=None,
        tolerance_gpus=max(grid.step, int(study.tolerance * grid.low)),
        resolved=True,
        certified=False,
        feasible=False,
        guarantee=GUARANTEE_NONE,
        attainment=study.attainment,
        confidence=study.confidence,
        ranges={"ceiling": (0, limit.attainment.replications)},
        runs={"ceiling": limit.attainment.replications},
        notes=("no search was made: with unlimited GPUs too few replications pass",),
    )
