"""How long will `size` take: measured on a few dozen replications before the search, in a second or so.

A sizing run costs runs x seconds a run. Both are unknown before it: the number of runs follows from how much the
critical size varies between replications, and a run's cost from how crowded the center is near the answer. So a small
search is made first: it ends near the answer, shows the spread of the critical sizes, and its clock gives the cost. The
rest is counting the runs of each stage (`gpusim.stats.sizing`).
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from gpusim.engine.cpu import usable_cores
from gpusim.plan.runs import Runs
from gpusim.plan.size import capacity_grid, prepared_runs, search_start, sizing_options
from gpusim.plan.strata import kinds_of
from gpusim.scenario import Scenario
from gpusim.stats.binomial import quantile_ranks
from gpusim.stats.critical import BoolArray, CriticalSearch, IntArray, OutOfTime
from gpusim.stats.grid import CapacityGrid
from gpusim.stats.question import SizingOptions
from gpusim.stats.sweep import first_replications

BUDGET = 1.5
"""Seconds an estimate may take; a run that is under way then is stopped."""

_TRIED = (12, 48)
"""Replications of the small search, and of a second one where the first took less than `_QUICK` of the budget."""
_QUICK = 0.3
_OUTER = 0.2
"""The order statistics at this share and its mirror image show how far critical sizes spread."""
_SEARCH_SHARE = 0.7
"""Share of the budget for the small search; the rest times whole runs."""

# Runs for each replication of a stage, from the searches of the built-in scenarios.
_PILOT_RUNS, _FINAL_RUNS, _FILL_IN_RUNS, _AUDIT_RUNS = 3.5, 2.0, 1.2, 0.1
_SWEEP_EARLY, _SWEEP_WHOLE = 0.8, 1.1
"""The same where the hardest are run first: the lower end, and all of them at the answer."""
_STRATIFIED = 1.1
"""Final replications where two kinds of periods are sampled separately, as a multiple of the least number."""
_EXPLAINED, _EXPLAINED_LEAST = 0.12, 150
"""Runs that explain an answer, as a share of those that found it, and at least; half of them are whole."""
_PILOT_CONFIDENCE = 0.8
"""Of the pilot's two ranks, as in `gpusim.stats.sizing`."""
_PROBES = 40
"""Batches of a sizing run; at the end of each some threads are idle."""
_SPREAD_OF_SPREAD = 1.4
"""Factor by which the standard deviation of critical sizes may be off, after so few of them."""
_SPREAD_OF_REST = 1.4
"""The same for the runs of the stages and the cost of a run."""


@dataclass(frozen=True)
class Estimate:
    """Time that `size` will need.

    Attributes
    ----------
    seconds : float
        Best guess [s].
    low, high : float
        The truth usually lies between [s]; coarse grids and attainments near 1 are the hardest to foretell.
    threads : int
        Threads that were counted on.
    runs : int
        Runs, of whatever length.
    jobs_per_run : float or None
        Jobs of a whole run; None if not even one was finished.
    at_least : bool
        No replication was finished in time: `seconds` is a lower bound, and `high` infinite.
    spent : float
        What the estimate itself took [s].
    """

    seconds: float
    low: float
    high: float
    threads: int
    runs: int
    jobs_per_run: float | None
    at_least: bool
    spent: float


def estimate_seconds(
    scenario: Scenario,
    seed: int | None = None,
    threads: int | None = None,
    *,
    vary: str | None = None,
    certify: Literal["normal", "strict"] = "normal",
    backend: str = "auto",
) -> Estimate:
    """Estimate how long ``size(scenario)`` will take.

    Parameters
    ----------
    scenario : Scenario
    seed : int, optional
        Default: the scenario's.
    threads : int, optional
        Default: all usable cores.
    vary, certify
        As in `gpusim.size`.
    backend : {"auto", "cuda", "cupy", "cpu"}

    Returns
    -------
    Estimate
        Differs from call to call: it is measured. It takes at most about `BUDGET` seconds.

    Raises
    ------
    BackendUnavailable, RunError, WorkloadError, UsageError
        As `size` would.
    """
    threads = threads or usable_cores()
    began = time.monotonic()
    seed = scenario.study.seed if seed is None else seed
    runs = prepared_runs(scenario, seed, backend, threads, vary=vary)
    grid = capacity_grid(scenario, runs.axis)
    options = sizing_options(scenario, certify, runs.axis)
    trial = _Trial(runs, threads, grid, kinds_of(runs.experiment, runs.axis, threads) is not None)
    runs.deadline = began + _SEARCH_SHARE * BUDGET
    start = grid.nearest(search_start(scenario, runs.axis))
    trial.search(0, _TRIED[0], start, max(1, start // 16))
    if time.monotonic() - began < _QUICK * BUDGET:
        trial.search(_TRIED[0], _TRIED[1], trial.low, 1)
    runs.deadline = began + BUDGET
    whole = trial.whole_run()
    spent = time.monotonic() - began
    if whole is None or not trial.rounds:
        # not one run was finished in all this time, on any thread
        _, count = _runs(options, trial, 1.0)
        seconds = spent * count / threads
        return Estimate(seconds, seconds, math.inf, threads, count, None, True, spent)
    early, (whole_seconds, jobs) = trial.seconds / trial.rounds, whole

    def total(spread: float) -> float:
        wholes, all_runs = _runs(options, trial, spread)
        work = (all_runs - wholes) * early + wholes * whole_seconds
        return work / threads + (_PROBES * early / 2 if threads > 1 else 0.0)

    return Estimate(
        seconds=total(1.0),
        low=total(1.0 / _SPREAD_OF_SPREAD) / _SPREAD_OF_REST,
        high=total(_SPREAD_OF_SPREAD) * _SPREAD_OF_REST,
        threads=threads,
        runs=_runs(options, trial, 1.0)[1],
        jobs_per_run=jobs,
        at_least=False,
        spent=spent,
    )


class _Trial:
    """Runs that are timed, and what they show.

    Attributes
    ----------
    seconds : float
        Time in early runs [s].
    rounds : int
        How often all threads were given a run.
    low, high : int
        Grid indices of two order statistics of the critical size.
    deviation : float
        Standard deviation of the critical size, in the unit of the grid, as if its law were normal.
    two_kinds : bool
        The search may sample two kinds of periods separately.
    """

    def __init__(self, runs: Runs, threads: int, grid: CapacityGrid, two_kinds: bool) -> None:
        self.runs, self.threads, self.grid, self.two_kinds = runs, threads, grid, two_kinds
        self.seconds, self.rounds = 0.0, 0
        self.low, self.high, self.deviation = 0, 0, 0.0

    def search(self, first: int, count: int, start: int, step: int) -> None:
        """Find the order statistics of some replications, or what is known of them when time is out."""

        def evaluate(replications: IntArray, value: int) -> BoolArray:
            began = time.monotonic()
            passed = self.runs.evaluate(replications + first, value)
            self.seconds += time.monotonic() - began
            self.rounds += math.ceil(len(replications) / self.threads)
            return passed

        search = CriticalSearch(count, self.grid, start, evaluate, step)
        lower = math.ceil(_OUTER * count)
        upper = count + 1 - lower
        with contextlib.suppress(OutOfTime):
            search.select(lower)
            search.select(upper)
        top = self.grid.count - 1
        below, above = search.bounds(lower), search.bounds(upper)
        if above == (0, self.grid.count):  # nothing was finished
            self.low = self.high = start
        else:
            self.low = min(below[0] if below[0] > 0 else below[1], top)
            self.high = max(self.low, min(above[1] if above[1] <= top else above[0], top))
        self.deviation = self._deviation(search, count, upper)

    def _deviation(self, search: CriticalSearch, count: int, upper: int) -> float:
        """From the shares that pass at two sizes; where there are no two, from the order statistics.

        On a coarse grid the second way sees nothing below one step.
        """
        normal = NormalDist()
        passing = {probe.capacity: search.passing(probe.capacity) for probe in search.probes}
        mixed = {size: passed for size, passed in passing.items() if 0 < passed < count}
        if len(mixed) > 1:
            few, many = min(mixed, key=mixed.__getitem__), max(mixed, key=mixed.__getitem__)
            apart = normal.inv_cdf((mixed[many] + 0.5) / (count + 1))
            apart -= normal.inv_cdf((mixed[few] + 0.5) / (count + 1))
            if apart > 0.0:
                return abs(many - few) / apart
        return (self.high - self.low) * self.grid.step / (2.0 * _deviations(upper, count))

    def whole_run(self) -> tuple[float, float] | None:
        """(seconds, jobs) of a whole run on one thread, where most replications pass; None if none was finished."""
        numbers = np.arange(_TRIED[0], dtype=np.int64)
        began = time.monotonic()
        result = self.runs.measure(numbers, self.grid.capacity(self.high))
        done = len(result.status)
        if not done:
            return None
        return (time.monotonic() - began) / math.ceil(done / self.threads), float(result.jobs.mean())


def _deviations(rank: int, count: int) -> float:
    """Where the `rank`-th smallest of `count` normal numbers lies [standard deviations]; Blom's plotting position."""
    return NormalDist().inv_cdf((rank - 0.375) / (count + 0.25))


def _runs(options: SizingOptions, trial: _Trial, spread: float) -> tuple[int, int]:
    """(whole runs, all runs) of a sizing run; `spread` multiplies the standard deviation that the trial shows."""
    step = trial.grid.step
    # As the pilot will: the distance of two order statistics, and a step more, over the share between them.
    pilot = options.stratified_pilot if trial.two_kinds else options.pilot_replications
    ranks = quantile_ranks(pilot, options.attainment, _PILOT_CONFIDENCE)
    upper = max(ranks.high or pilot, 2)
    lower = min(max(ranks.low, 1), upper - 1)
    apart = _deviations(upper, pilot) - _deviations(lower, pilot)
    slope = (spread * trial.deviation * apart + step) * pilot / (upper - lower)
    size = trial.grid.capacity(trial.high)
    tolerance = options.tolerance_at(size, step) // step * step
    final = options.final_replications(slope, max(tolerance, step))
    if trial.two_kinds:  # too few of the rare kind were tried to say more
        final = round(_STRATIFIED * options.stratified_min)
    certain = options.monotone and options.certify == "normal"
    checked = 0.0 if certain else _FILL_IN_RUNS * final
    searched = _PILOT_RUNS * pilot + (_FINAL_RUNS + _AUDIT_RUNS) * final
    if trial.two_kinds and not certain and options.certify == "normal":
        final = first_replications(options, size, step)
        searched, checked = (_SWEEP_EARLY + _AUDIT_RUNS) * final, _SWEEP_WHOLE * final
    explained = max(_EXPLAINED_LEAST, _EXPLAINED * (searched + checked))
    return round(checked + explained / 2), round(searched + checked + explained)
