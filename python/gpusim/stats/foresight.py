"""What a search may ask next, told before it asks.

A device runs thousands of cells in the time of one, and a search near its end asks for a few at a time. So where an
evaluator says how many cells it could run beside those asked (`Foreseeing.ahead`), the search tells it which these
might be, the likeliest first: at the places of the binary tree of outcomes below the present one. What the evaluator
makes of it is its own business. A cell counts when it is asked, never before, so nothing here can change an answer.

Where `ahead` is 0, as on a cpu, nothing is worked out and nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpusim.stats.grid import CapacityGrid

IntArray = NDArray[np.int64]
Cells = Iterable[tuple[int, IntArray]]
"""Grid indices, and the replications that may be asked there."""

DEPTH = 4
"""Decisions looked ahead: up to 2 + 4 + 8 + 16 places besides the present one."""


@runtime_checkable
class Foreseeing(Protocol):
    """What an `Evaluator` may have besides."""

    @property
    def ahead(self) -> int:
        """Cells worth telling beside those that are asked next; 0 for none."""
        ...

    def foresee(self, replications: IntArray, capacities: IntArray) -> None:
        """Cells that may be asked soon, each once, the likeliest first; told just before an evaluation."""
        ...


class Foresight:
    """Tells an evaluator, in its own terms, what a search may ask.

    Parameters
    ----------
    grid : CapacityGrid
    evaluator : object, optional
        Told only if it is `Foreseeing`.
    numbers : (n,) int64, optional
        Number of each replication of the search; by default its own.
    """

    def __init__(self, grid: CapacityGrid, evaluator: object = None, numbers: IntArray | None = None) -> None:
        self._grid, self._numbers = grid, numbers
        self._evaluator = evaluator if isinstance(evaluator, Foreseeing) else None

    @property
    def ahead(self) -> int:
        """Cells worth telling now."""
        return 0 if self._evaluator is None else self._evaluator.ahead

    def tell(self, cells: Cells) -> None:
        """Tell as many cells as are worth it, the first ones, in place of those told before."""
        most = self.ahead
        if self._evaluator is None or most < 1:
            return
        told = [np.zeros(0, dtype=np.int64)]
        where = [np.zeros(0, dtype=np.int64)]
        for index, replications in cells:
            some = replications[:most]
            told.append(some if self._numbers is None else self._numbers[some])
            where.append(np.full(len(some), self._grid.capacity(index), dtype=np.int64))
            most -= len(some)
            if most < 1:
                break
        self._evaluator.foresee(np.concatenate(told), np.concatenate(where))


class Walk(Protocol):
    """A search on its way over the grid, which goes on in one of two ways."""

    @property
    def index(self) -> int | None:
        """The place to look at; None where the search has ended."""
        ...

    @property
    def bottomless(self) -> bool:
        """Whether no place is known to be too little."""
        ...

    def outcomes(self) -> tuple[Walk, Walk]:
        """How it goes on if there is enough, and if there is too little."""
        ...


def places(walks: Iterable[Walk], depth: int) -> Iterator[tuple[int, int]]:
    """(decisions until then, grid index) of the places that walks may come to, nearest first, each once.

    Of steps down where nothing is known to be too little one is followed: far below what is needed queues are long, and
    runs take long and much memory, for nothing if the answer is not there.
    """
    level: list[tuple[Walk, bool]] = [(walk, False) for walk in walks]
    seen: set[int] = set()
    for distance in range(depth + 1):
        below: list[tuple[Walk, bool]] = []
        for walk, fell in level:
            if walk.index is None:
                continue
            if walk.index not in seen:
                seen.add(walk.index)
                yield distance, walk.index
            enough, too_little = walk.outcomes()
            if not (fell and walk.bottomless):
                below.append((enough, walk.bottomless))
            below.append((too_little, False))
        level = below


@dataclass(frozen=True)
class Bisection:
    """Doubling steps away from a start until an index is enclosed, then bisection.

    Parameters
    ----------
    low, high : int
        Bounds known of the index looked for, 0 and `count` where nothing is known.
    start : int
        First place.
    step, down : int
        Next steps upwards and downwards; they double.
    count : int
        Places on the grid.
    resolution : int
        The search has ended when the bounds are so close.
    """

    low: int
    high: int
    start: int
    step: int
    down: int
    count: int
    resolution: int = 0

    @property
    def index(self) -> int | None:
        """The place to look at."""
        if self.high - self.low <= self.resolution:
            return None
        if self.low == 0 and self.high == self.count:
            return self.start
        if self.high == self.count:  # wherever it was looked, too little: low - 1 was the last place
            return min(self.low - 1 + self.step, self.count - 1)
        if self.low == 0:  # enough everywhere
            return max(self.high - self.down, 0)
        return (self.low - 1 + self.high) // 2

    @property
    def bottomless(self) -> bool:
        """Whether no place is known to be too little."""
        return self.low == 0

    def after(self, low: int, high: int) -> Bisection:
        """The next state, with the bounds that are known now."""
        one_sided = (self.low == 0) != (self.high == self.count)
        step = self.step * (2 if one_sided and self.high == self.count else 1)
        down = self.down * (2 if one_sided and self.low == 0 else 1)
        return replace(self, low=low, high=high, step=step, down=down)

    def outcomes(self) -> tuple[Bisection, Bisection]:
        """If it is enough at the place looked at, and if not."""
        assert self.index is not None
        return self.after(self.low, self.index), self.after(self.index + 1, self.high)

    def besides(self, index: int) -> tuple[Bisection, ...]:
        """What is left of it once another search has looked at an index."""
        if not self.low <= index < self.high:
            return (self,)
        return replace(self, high=index), replace(self, low=index + 1)


def interleaved(queues: Iterable[IntArray], turn: Iterable[int]) -> IntArray:
    """Some queues as one: so many of each in turn."""
    parts: list[tuple[int, int, IntArray]] = []
    for k, (queue, n) in enumerate(zip(queues, turn, strict=True)):
        parts += [(i, k, queue[i * n : (i + 1) * n]) for i in range(-(-len(queue) // n))]
    ordered = [part for _, _, part in sorted(parts, key=lambda each: each[:2])]
    return np.concatenate([np.zeros(0, dtype=np.int64), *ordered])
