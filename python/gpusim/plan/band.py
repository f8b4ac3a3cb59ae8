"""Occupancy levels: a floor or a band on the share of GPUs in use, answered as a band of sizes.

More GPUs make waits shorter and the center emptier, so a floor on occupancy limits the size from above. Such a
level is never part of the search, which needs levels that more GPUs help. It is answered beside it: from the
smallest size that meets all other levels to the largest one at which the occupancy still holds in the share of
periods asked. The band may be empty: then the levels contradict each other, and the answer says which.

The GPU-time that a replication uses hardly depends on the size once the other levels are met, so where it crosses a
limit is predicted from the runs at the answer, then run and corrected until the prediction stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.engine.result import BatchResult
from gpusim.plan.measure import Estimate, occupancies
from gpusim.scenario import ResolvedSlo, Scenario
from gpusim.stats.binomial import clopper_pearson
from gpusim.stats.grid import CapacityGrid
from gpusim.stats.means import mean_interval
from gpusim.units import format_share

Whole = Callable[[int], BatchResult]
"""Whole runs of the same replications at a size."""

_PROBES = 6
"""Sizes run per side at most; two or three are the rule."""


@dataclass(frozen=True)
class OccupancyOutcome:
    """One occupancy level.

    Attributes
    ----------
    sentence : str
    low, high : float
        Share of the GPUs in use that is asked, at least and at most.
    at_answer : Estimate or None
        Mean occupancy at the size that meets the other levels; None if there is none.
    attainment : Estimate or None
        Share of replications in which it is within the band there (exact interval).
    """

    sentence: str
    low: float
    high: float
    at_answer: Estimate | None
    attainment: Estimate | None


@dataclass(frozen=True)
class Band:
    """Sizes that meet every level, those on occupancy included.

    Attributes
    ----------
    low, high : int or None
        Smallest and largest size [GPU]; None if there is none, or `high` if nothing limits it.
    empty : bool
    because : str
        What decides the ends, or why the band is empty.
    replications : int
        Replications behind the ends.
    levels : tuple of OccupancyOutcome
    """

    low: int | None
    high: int | None
    empty: bool
    because: str
    replications: int
    levels: tuple[OccupancyOutcome, ...]


def occupancy_band(
    scenario: Scenario,
    whole: Whole,
    grid: CapacityGrid,
    enough: int | None,
    total: Callable[[int], int],
) -> Band | None:
    """The band of sizes that the occupancy levels leave; None if there are no such levels.

    Parameters
    ----------
    scenario : Scenario
    whole : callable
        Whole runs at a size, always of the same replications; fewer rows at a deadline.
    grid : CapacityGrid
        Sizes considered.
    enough : int or None
        The smallest size known to meet all other levels; None if there is none.
    total : callable
        GPUs of the whole center at a size (other than it where one of several pools varies).

    Returns
    -------
    Band or None
    """
    levels = scenario.occupancy_slos()
    if not levels:
        return None
    if enough is None:
        told = tuple(occupancy_outcome(scenario, level, None, 0) for level in levels)
        return Band(None, None, True, "no size meets the other levels", 0, told)
    at_answer = whole(enough)
    told = tuple(occupancy_outcome(scenario, level, at_answer, total(enough)) for level in levels)
    n = len(at_answer.status)
    if n == 0:
        return Band(None, None, False, "the time limit left no run to measure occupancy", 0, told)
    search = _Crossing(scenario, whole, grid, total)
    low, high = grid.index(enough), None
    decides_low, decides_high = "the other levels", ""
    for level in levels:
        least, most = level.occupancy or (0.0, 1.0)
        if most < 1.0:
            index = search.smallest(most, enough)
            if index is None or index > low:
                low, decides_low = grid.count if index is None else index, f"'{level.sentence}'"
        if least > 0.0:
            index = search.largest(least, enough)
            if high is None or index < high:
                high, decides_high = index, f"'{level.sentence}'"
    share = format_share(scenario.study.attainment)
    bottom = None if low >= grid.count else grid.capacity(low)
    top = None if high is None or high < 0 else grid.capacity(high)
    if bottom is None or (high is not None and high < low):
        limit = f"no size considered, {grid.low:,} or more," if top is None else f"{top:,} GPUs"
        needed = f"more than {grid.high:,}" if bottom is None else f"{bottom:,}"
        because = f"{decides_low} need {needed} GPUs"
        if high is not None:
            because += f", {decides_high} holds in {share} of periods up to {limit} only"
        return Band(None, None, True, because, n, told)
    because = f"from below {decides_low}"
    because += f", from above {decides_high}" if top is not None else "; nothing limits the size from above"
    return Band(bottom, top, False, because, n, told)


@dataclass
class _Crossing:
    """Where occupancy crosses a share in the share of periods asked."""

    scenario: Scenario
    whole: Whole
    grid: CapacityGrid
    total: Callable[[int], int]

    def largest(self, floor: float, start: int) -> int:
        """Index of the largest size whose occupancy is at least `floor` often enough; -1 if none is."""
        return self._cross(floor, start, lambda use: use >= floor, falls=True)

    def smallest(self, most: float, start: int) -> int | None:
        """Index of the smallest size whose occupancy is at most `most` often enough; None if none is."""
        index = self._cross(most, start, lambda use: use <= most, falls=False)
        return None if index >= self.grid.count else index

    def _cross(
        self,
        limit: float,
        start: int,
        holds: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]],
        *,
        falls: bool,
    ) -> int:
        """Bracket the last index that holds (falls) or the first (not falls); predictions from the nearest runs."""
        low, high = -1, self.grid.count  # falls: `low` holds, `high` does not; else the other way round
        index = self.grid.index(start)
        required = self.scenario.study.attainment
        for _ in range(_PROBES):
            size = self.grid.capacity(index)
            result = self.whole(size)
            if not len(result.status):
                break
            use = occupancies(self.scenario, result, self.total(size))
            if (float(holds(use).mean()) >= required) == falls:
                low = index
            else:
                high = index
            if high - low <= 1 or (not falls and high == index and size == start):
                break  # a smaller size than the one that meets the other levels is of no interest
            index = min(max(self._predicted(use, size, limit, required, falls), low + 1), high - 1)
        return low if falls else high

    def _predicted(
        self, use: npt.NDArray[np.float64], size: int, limit: float, required: float, falls: bool
    ) -> int:
        """The size at which the decisive replication would cross, if the GPU-time in use stayed as it is."""
        rank = math.ceil(required * len(use) - 1e-9)
        order = np.sort(use)
        decisive = float(order[len(use) - rank] if falls else order[rank - 1])
        wanted = decisive * self.total(size) / max(limit, 1e-9) - (self.total(size) - size)
        k = (wanted - self.grid.low) / self.grid.step
        return math.floor(k + 1e-9) if falls else math.ceil(k - 1e-9)


def occupancy_outcome(
    scenario: Scenario, level: ResolvedSlo, result: BatchResult | None, gpus: int
) -> OccupancyOutcome:
    """One occupancy level, from whole runs at a size (None: there are none)."""
    low, high = level.occupancy or (0.0, 1.0)
    if result is None or not len(result.status):
        return OccupancyOutcome(level.sentence, low, high, None, None)
    confidence = scenario.study.confidence
    use = occupancies(scenario, result, gpus)
    met = int(((use >= low) & (use <= high)).sum())
    return OccupancyOutcome(
        level.sentence,
        low,
        high,
        Estimate.of(float(use.mean()), mean_interval(use, confidence)),
        Estimate.of(met / len(use), clopper_pearson(met, len(use), confidence)),
    )
