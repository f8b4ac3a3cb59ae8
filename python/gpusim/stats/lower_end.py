"""The first capacity that is not shown to be too small, from few runs: the hardest replications first.

That a capacity is too small is shown by fails alone: what was not run counts as a pass, which errs against the claim.
So of each kind the hardest are run until the fails suffice, or until hardly any fails any more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpusim.stats.critical import CriticalSearch, IntArray
from gpusim.stats.foresight import interleaved, places
from gpusim.stats.sample import Sample
from gpusim.stats.strata import UpSet

_FADED, _GONE = (
    0.25,
    0.01,
)  # of a batch fail: those after it, less hard still, will hardly change the count, or not at all
_BATCHES = 24  # parts of a kind's replications that are run between two looks
_LOOKAHEAD = 3  # decisions


@dataclass(frozen=True)
class Descent:
    """A search for the first index that is not shown to be too small.

    Going down is cheap, and going up runs all again that failed: so steps up double from below, and of an interval it
    is the upper third that is looked at.

    Parameters
    ----------
    low, high : int
        The largest index shown to be too small, and the smallest not.
    place : int
        Where to look.
    step : int
        The next step.
    top : int
        Last index.
    resolution : int
        The search has ended when the two are so close.
    """

    low: int
    high: int
    place: int
    step: int
    top: int
    resolution: int

    @property
    def index(self) -> int | None:
        """The place to look at; None where the search has ended."""
        open_ = self.high - self.low > self.resolution and self.low < self.top and self.high > 0
        return self.place if open_ else None

    @property
    def bottomless(self) -> bool:
        """Whether no index was shown to be too small."""
        return self.low < 0

    def outcomes(self) -> tuple[Descent, Descent]:
        """If the place is not shown to be too small, and if it is."""
        return self._after(self.low, self.place), self._after(self.place, self.high)

    def _after(self, low: int, high: int) -> Descent:
        step = self.step
        if high > self.top:
            place, step = min(low + step, self.top), 2 * step
        else:
            place = (low + 2 * high) // 3 if low >= 0 else max(high - step, 0)
            step *= 2 if low < 0 else 1
        place = min(max(place, low + 1), max(high - 1, 0))
        return replace(self, low=low, high=high, place=place, step=step)


class LowerEnd:
    """Search for the first index where a condition on the passes may hold, among some of a sample's replications.

    Parameters
    ----------
    search : CriticalSearch
        With its `hardness`.
    sample : Sample
        Of two kinds.
    wanted : UpSet
        The condition; where it does not hold, the index is too small.
    every : int
        Only every so many-th replication is used, in the order of hardness; what they show stands for all. With 1
        what is found is certain.
    closely : bool
        Whether to go on, at each index, until none fails any more.
    """

    def __init__(
        self, search: CriticalSearch, sample: Sample, wanted: UpSet, every: int = 1, *, closely: bool = False
    ) -> None:
        assert search.hardness is not None
        assert sample.design is not None
        self.search, self.wanted, self.every = search, wanted, every
        self.faded = _GONE if closely else _FADED
        self.top = search.grid.count - 1
        self.strata = [
            mine[np.argsort(-search.hardness[mine], kind="stable")][every // 2 :: every]
            for mine in sample.strata()
        ]
        sizes = sample.design.sizes
        self.sizes = np.array(sizes, dtype=np.float64)
        self.scale = self.sizes / [len(mine) for mine in self.strata]
        self.weight = np.array(sample.design.weights) / [len(mine) for mine in self.strata]

    def find(self, start: int, step: int, resolution: int) -> int:
        """First index, to within a resolution, that is not shown to be too small; ``count`` if all are.

        Parameters
        ----------
        start : int
            Where to begin; somewhat above the place expected costs least, as going down is cheap.
        step : int
            First step away from there.
        resolution : int
            At least 1.
        """
        low, index = -1, min(start, self.top)
        if self.every == 1:
            low = self.search.bounds(self.wanted)[0] - 1
            index = max(index, low + 1)
        descent = Descent(low, self.top + 1, index, step, self.top, resolution)
        while descent.index is not None:
            descent = descent.outcomes()[1 if self.too_small(descent) else 0]
        return descent.high

    def too_small(self, descent: Descent) -> bool:
        """Whether enough fail at the place that a descent looks at.

        Of the kinds the one goes on whose fails tell most: their share in its last batch, times what one weighs.
        """
        index = descent.place
        capacity = self.search.grid.capacity(index)
        queues = [self.search.open(index, mine) for mine in self.strata]
        batch = self.batches()
        failing = [1.0] * len(self.strata)  # share of the last batch
        while True:
            if self.suffice(self.fails(capacity)):
                return True
            live = [k for k, queue in enumerate(queues) if len(queue) and failing[k] >= self.faded]
            if not live:
                return False
            k = max(live, key=lambda each: failing[each] * self.weight[each])
            some, queues[k] = queues[k][: batch[k]], queues[k][batch[k] :]
            self.search.foresight.tell(self.foreseen(descent))
            self.search.run(index, np.sort(some))
            failing[k] = 1.0 - float(np.mean(self.search.not_failed(capacity)[some]))

    def batches(self) -> list[int]:
        """Replications of each kind that are run between two looks."""
        return [math.ceil(len(mine) / _BATCHES) for mine in self.strata]

    def foreseen(self, descent: Descent) -> Iterator[tuple[int, IntArray]]:
        """What may be run at a place, and at those after it: few decide, so the farther a place, the fewer."""
        ahead = self.search.foresight.ahead
        after = ((distance + 1, index) for distance, index in places(descent.outcomes(), _LOOKAHEAD - 1))
        for distance, index in ((0, descent.place), *after):
            queues = [self.search.unrun(index, mine) for mine in self.strata]
            yield index, interleaved(queues, self.batches())[: ahead >> (2 * distance + 1)]

    def fails(self, capacity: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Fails known of each kind, scaled up to the whole sample."""
        passes = self.search.not_failed(capacity)
        counts: IntArray = np.array([len(mine) - np.count_nonzero(passes[mine]) for mine in self.strata])
        return counts * self.scale

    def suffice(self, fails: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
        """Whether so many fails show that an index is too small."""
        passes = np.rint(np.maximum(self.sizes - fails, 0.0)).astype(np.int64)
        return not self.wanted.holds(passes[None, :])[0]
