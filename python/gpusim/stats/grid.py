"""Capacities that may be answered, by index.

Index k stands for ``low + k step``, or on a descending grid for ``high - k step`` (a demand that the center shall
carry: less is easier). Larger indices are more generous.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CapacityGrid:
    """Capacities ``low, low + step, ...``, ``count`` of them, from the least generous to the most generous.

    Parameters
    ----------
    low : int
        Smallest capacity, at least 0.
    step : int
        Granularity, at least 1.
    count : int
        Number of capacities, at least 1.
    descending : bool
        The smallest value is the most generous one: the first index stands for the largest value.
    """

    low: int
    step: int
    count: int
    descending: bool = False

    def __post_init__(self) -> None:
        if self.low < 0 or self.step < 1 or self.count < 1:
            raise ValueError(f"need low >= 0, step >= 1, count >= 1 (found {self})")

    @property
    def high(self) -> int:
        """Largest capacity."""
        return self.low + self.step * (self.count - 1)

    @property
    def first(self) -> int:
        """The least generous capacity, of index 0."""
        return self.capacity(0)

    @property
    def last(self) -> int:
        """The most generous capacity, of index ``count - 1``."""
        return self.capacity(self.count - 1)

    def capacity(self, index: int) -> int:
        """Capacity at a grid index in 0..count-1."""
        if not 0 <= index < self.count:
            raise IndexError(f"grid index {index} is outside 0..{self.count - 1}")
        return self.low + self.step * self._turned(index)

    def index(self, capacity: int) -> int:
        """Grid index of a capacity that is on the grid."""
        index, remainder = divmod(capacity - self.low, self.step)
        if remainder or not 0 <= index < self.count:
            raise ValueError(
                f"capacity {capacity} is not on the grid {self.low}..{self.high} step {self.step}"
            )
        return self._turned(index)

    def nearest(self, capacity: float) -> int:
        """Grid index whose capacity is nearest to any number."""
        return self._turned(min(max(round((capacity - self.low) / self.step), 0), self.count - 1))

    def _turned(self, index: int) -> int:
        return self.count - 1 - index if self.descending else index
