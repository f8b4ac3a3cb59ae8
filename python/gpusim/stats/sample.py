"""Which replications a stage of a sizing run has, and what their pass counts prove.

Plain: the next n replications. *Stratified*: replications are of two kinds of known share (`Kinds`), and a
stage takes so many of each: numbers are looked at in order, and one whose kind is full is passed over. Which
numbers are taken depends on their kinds alone, so the counts of the two kinds are independent and binomial,
whatever was passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpusim.stats import strata
from gpusim.stats.binomial import at_least, clopper_pearson, quantile_ranks
from gpusim.stats.critical import CriticalSearch, IntArray, Wanted
from gpusim.stats.strata import Design

_LOOK = 256  # numbers whose kind is asked for at a time
_MOST_LOOKS = 4_000


@dataclass(frozen=True)
class Kinds:
    """Two kinds of replications.

    Parameters
    ----------
    weight : float
        Probability that a replication is of kind 1, in (0, 1), exact.
    label : callable
        Kind, 0 or 1, of each of some replications; it must be independent between replications.
    name : str
        What those of kind 1 have, for the notes: "an urgent job".
    """

    weight: float
    label: Callable[[IntArray], IntArray]
    name: str = "a rare job"

    @property
    def weights(self) -> tuple[float, float]:
        """Shares of kind 0 and kind 1."""
        return 1.0 - self.weight, self.weight


class Ends(NamedTuple):
    """What enclosing N* takes: the first size where ``low`` holds is ``gpus_low``, where ``high`` does ``gpus_high``.

    None where there are too few replications for that end.
    """

    low: Wanted | None
    high: Wanted | None


@dataclass(frozen=True, eq=False)
class Sample:
    """Replications of a stage.

    Parameters
    ----------
    numbers : (n,) int64
        Ascending.
    stop : int
        First number that no earlier stage has looked at.
    kinds : Kinds, optional
    kind : (n,) int64, optional
        Of each number; both or none are given.
    """

    numbers: IntArray
    stop: int
    kinds: Kinds | None = None
    kind: IntArray | None = None

    @classmethod
    def plain(cls, first: int, count: int) -> Sample:
        """The next ``count`` numbers."""
        return cls(np.arange(first, first + count, dtype=np.int64), first + count)

    @classmethod
    def stratified(cls, first: int, sizes: tuple[int, int], kinds: Kinds) -> Sample:
        """The next numbers, so many of each kind."""
        taken: list[IntArray] = []
        labels: list[IntArray] = []
        open_, stop = list(sizes), first
        for _ in range(_MOST_LOOKS):
            numbers = np.arange(stop, stop + _LOOK, dtype=np.int64)
            label = np.asarray(kinds.label(numbers), dtype=np.int64)
            keep = np.zeros(_LOOK, dtype=np.bool_)
            for kind in (0, 1):
                mine = np.flatnonzero(label == kind)[: open_[kind]]
                keep[mine] = True
                open_[kind] -= len(mine)
            taken.append(numbers[keep])
            labels.append(label[keep])
            stop = int(numbers[-1]) + 1
            if open_ == [0, 0]:
                last = int(taken[-1][-1]) + 1
                return cls(np.concatenate(taken), last, kinds, np.concatenate(labels))
        raise ValueError(f"too few replications of one kind: its weight cannot be {min(kinds.weights)}")

    @property
    def size(self) -> int:
        """Number of replications."""
        return len(self.numbers)

    @property
    def span(self) -> tuple[int, int]:
        """``first <= r < stop`` of the numbers looked at."""
        return int(self.numbers[0]), self.stop

    @property
    def natural(self) -> tuple[int, int]:
        """The span of the first numbers, none of them passed over: an ordinary sample of all replications."""
        gaps = np.flatnonzero(np.diff(self.numbers) > 1)
        end = int(self.numbers[gaps[0]]) + 1 if gaps.size else self.stop
        return int(self.numbers[0]), end

    @property
    def design(self) -> Design | None:
        """Strata of a stratified sample."""
        if self.kinds is None or self.kind is None:
            return None
        ones = int(np.count_nonzero(self.kind))
        return Design(self.kinds.weights, (self.size - ones, ones))

    def ends(self, attainment: float, confidence: float) -> Ends:
        """Conditions that enclose the ``attainment`` quantile; each errs with ``(1 - confidence) / 2`` at most."""
        design = self.design
        if design is None:
            ranks = quantile_ranks(self.size, attainment, confidence)
            return Ends(ranks.low or None, ranks.high)
        error = (1.0 - confidence) / 2.0
        short = strata.region(design, 1.0 - attainment, error)
        low = None if short is None else short.mirrored(design)
        return Ends(low, strata.region(design, attainment, error))

    def passes(
        self, search: CriticalSearch, capacity: int, positions: IntArray | None = None
    ) -> tuple[int, ...]:
        """Passes of each stratum at a capacity, as far as known (of a plain sample: one number)."""
        return tuple(search.passing_among(capacity, mine) for mine in self.strata(positions))

    def passes_at_most(self, search: CriticalSearch, capacity: int) -> tuple[int, ...]:
        """The same if all pass that are not known to fail."""
        passes = search.not_failed(capacity)
        return tuple(int(np.count_nonzero(passes[mine])) for mine in self.strata())

    def strata(self, positions: IntArray | None = None) -> list[IntArray]:
        """Positions of each stratum (of a plain sample: one list), of all or of some."""
        some = np.arange(self.size, dtype=np.int64) if positions is None else positions
        return [some] if self.kind is None else [some[self.kind[some] == kind] for kind in (0, 1)]

    def holds(self, wanted: Wanted, passes: tuple[int, ...]) -> bool:
        """Whether a condition holds at these counts."""
        if isinstance(wanted, int):
            return sum(passes) >= wanted
        return bool(wanted.holds(np.array([passes], dtype=np.int64))[0])

    def p_value(self, passes: tuple[int, ...], attainment: float, confidence: float) -> float:
        """Largest probability of passes as many as these, or clearer, if the size were just too small."""
        design = self.design
        if design is None:
            return at_least(passes[0], self.size, attainment)
        return strata.p_value(design, (passes[0], passes[1]), attainment, (1.0 - confidence) / 2.0)

    def some(self, positions: IntArray) -> Sample:
        """Some of the replications; of both kinds where both are among them."""
        if self.kind is None or len(set(self.kind[positions].tolist())) < 2:
            return Sample(self.numbers[positions], self.stop)
        return Sample(self.numbers[positions], self.stop, self.kinds, self.kind[positions])

    def head(self, count: int) -> Sample:
        """The first ``count`` replications: a plain sample where none was passed over among them."""
        numbers = self.numbers[:count]
        if self.kind is None or int(numbers[-1]) < self.natural[1]:
            return Sample(numbers, int(numbers[-1]) + 1)
        return Sample(numbers, int(numbers[-1]) + 1, self.kinds, self.kind[:count])

    def share(self, seen: IntArray) -> float:
        """Estimate of the probability of an event, from the positions at which it was seen."""
        return sum(weight * x / n for weight, x, n in self._parts(seen))

    def upper(self, seen: IntArray, confidence: float) -> float:
        """One-sided upper bound of that probability; of two strata the error is split, so the bounds add up."""
        parts = self._parts(seen)
        each = 1.0 - (1.0 - confidence) / len(parts)
        return sum(weight * clopper_pearson(x, n, each, "upper").high for weight, x, n in parts)

    def lower(self, seen: IntArray, confidence: float) -> float:
        """One-sided lower bound of it."""
        parts = self._parts(seen)
        each = 1.0 - (1.0 - confidence) / len(parts)
        return sum(weight * clopper_pearson(x, n, each, "lower").low for weight, x, n in parts)

    def _parts(self, seen: IntArray) -> list[tuple[float, int, int]]:
        """(weight, times seen, replications) of each stratum."""
        design = self.design
        if design is None or self.kind is None:
            return [(1.0, len(seen), self.size)]
        ones = int(np.count_nonzero(self.kind[seen]))
        counts = (len(seen) - ones, ones)
        return list(zip(design.weights, counts, design.sizes, strict=True))
