"""Enclosing the answer of two kinds of replications in fewer runs: the hardest first, all of them once.

Where more need not help, results that monotonicity implies prove nothing, so every replication must be run at the
upper end. Once: finding that end by such runs costs as much again. Of the two ends the lower one is cheap, for that a
size is too small is shown by fails alone. Whoever knows beforehand which replications are hard (`Hardness`) runs
those, and the others never: not run, they count as passes, which errs against the claim. So

1. the lower end is found first, roughly from every 24th replication of the sample in the order of hardness, then from
   every 6th, then exactly from all;
2. all are run where the interval is as wide as was asked. If enough pass there, that is the upper end.

The sample is large enough for that in the scenarios known. If it is not, it is the pilot of a second one that is: the
two share the error, and both lower ends hold.

What is hard is a guess that decides only what is run first. A wrong guess costs runs or width and makes no claim wrong.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from gpusim.stats.critical import CriticalSearch, OutOfTime
from gpusim.stats.evidence import GUARANTEE_FILL_IN
from gpusim.stats.lower_end import LowerEnd
from gpusim.stats.question import SizingOptions
from gpusim.stats.sample import Ends, Sample
from gpusim.stats.stages import Stages
from gpusim.stats.strata import UpSet

_FIRST = 500  # replications of the first sample for a tolerance of 2 %
_FIRST_FEWEST = 160
_FIRST_TOLERANCE = 0.02
_FIRST_ERROR = 0.9  # of the error allowed: what the first sample may use of it


class _Look(NamedTuple):
    """One pass over the lower end; lengths in tolerances."""

    every: int  # so many-th replication, in the order of hardness
    resolution: float
    ahead: float  # how far above the place expected it begins


_LOOKS = (_Look(24, 1.0, 0.0), _Look(6, 0.15, 0.5), _Look(1, 0.1, 0.5))


def first_replications(options: SizingOptions, size: int, step: int) -> int:
    """Replications of the first sample, for an answer near ``size``: widths fall with the root of their number."""
    share = options.tolerance_at(size, step) / size
    count = round(_FIRST * min(1.0, (_FIRST_TOLERANCE / share) ** 2))
    return min(max(count, _FIRST_FEWEST), options.replications_max)


def _rarer(weight: float) -> float:
    """Share of kind 1 in the first sample: the root of its weight, as a compromise between as it comes and alike."""
    ones, zeros = math.sqrt(weight), math.sqrt(1.0 - weight)
    return ones / (ones + zeros)


class Sweep(Stages):
    """The two ends from one sample of two kinds, where pass or fail need not be monotone."""

    def enclose(self, guess: int, sample: Sample, ends: Ends) -> tuple[CriticalSearch, Sample, Ends]:
        """Both ends; the search of the sample that decided, and what it was to show."""
        assert self.kinds is not None
        self.swept = True
        search = self.new_search("final", sample, guess)
        try:
            if not self.ends_of(search, sample, ends, guess) and self.low < self.grid.count:
                second = self.second_sample(search, sample, ends)
                if second is not None:
                    self.becomes_pilot()
                    (sample, ends), start = second, self.low
                    search = self.new_search("final", sample, start)
                    self.ends_of(search, sample, ends, start)
                if not self.certified:
                    self.climb(search, sample, ends)
        except OutOfTime:
            self.stop()
        self.note_kinds(sample, self.kinds)
        return search, sample, ends

    def ends_of(self, search: CriticalSearch, sample: Sample, ends: Ends, start: int) -> bool:
        """The lower end and, if enough pass there, the upper end at the tolerance's distance."""
        assert isinstance(ends.low, UpSet)
        assert isinstance(ends.high, UpSet)
        self.lower_end(search, sample, ends.low, start)
        top = self.grid.count - 1
        if self.low > top or self.enough(search, sample, ends, min(self.low + self.steps(), top)):
            return self.certified
        before = self.low  # a step or two were left to chance: now they matter
        self.raise_low(search, sample, ends.low)
        return before < self.low <= top and self.enough(
            search, sample, ends, min(self.low + self.steps(), top)
        )

    def first_sample(self, guess: int) -> tuple[Sample, Ends] | None:
        """So many of each kind as are likely to do; None where this procedure is not to be used."""
        options, kinds = self.options, self.kinds
        if options.certify != "normal" or options.monotone or kinds is None or self.hardness is None:
            return None
        confidence = 1.0 - _FIRST_ERROR * options.delta
        count = first_replications(options, self.grid.capacity(guess), self.grid.step)
        while count <= options.replications_max:
            ones = max(1, round(count * _rarer(kinds.weight)))
            sample = Sample.stratified(self.next_replication, (count - ones, ones), kinds)
            ends = sample.ends(options.attainment, confidence)
            if None not in ends:
                return sample, ends
            count *= 2  # too few to show anything of so rare an event
        return None

    def second_sample(self, search: CriticalSearch, sample: Sample, ends: Ends) -> tuple[Sample, Ends] | None:
        """As many as the width of the first one calls for; None if that is more than allowed."""
        options, design, steps = self.options, sample.design, self.steps()
        assert design is not None
        assert self.kinds is not None
        assert ends.high is not None
        before, everyone = search.runs, np.arange(sample.size, dtype=np.int64)
        try:  # once all are run, only those that fail are run again higher up
            search.run(min(self.low + steps, self.grid.count - 1), everyone)
            width = search.select(ends.high, max(1, steps // 4)) - self.low
        finally:
            self.runs["sweep"] += search.runs - before
        error = (1.0 - _FIRST_ERROR) * options.delta
        first_z, z = (NormalDist().inv_cdf(1.0 - each / 2.0) for each in (options.delta - error, error))
        more = options.stratified_margin * (max(width, steps) / steps * z / first_z) ** 2
        zeros, ones = (math.ceil(more * n) for n in design.sizes)
        if zeros + ones > options.replications_max:
            return None
        second = Sample.stratified(self.next_replication, (zeros, ones), self.kinds)
        ends = second.ends(options.attainment, 1.0 - error)
        return None if None in ends else (second, ends)

    def becomes_pilot(self) -> None:
        """What the first sample showed is kept under the name of a pilot."""
        self.ranges["pilot"], self.natural["pilot"] = self.ranges.pop("final"), self.natural.pop("final")
        self.runs = {"pilot": sum(self.runs.values())}
        self.evidence = [replace(each, kind="pilot") for each in self.evidence]

    def lower_end(self, search: CriticalSearch, sample: Sample, wanted: UpSet, start: int) -> None:
        """Find ``gpus_low``, the first index not shown to be too small, and set the tolerance."""
        self.begin("lower")
        before, place, step = search.runs, start, self.stride(start)
        try:
            for look in _LOOKS:
                self.set_tolerance(place, place)
                self.rank(search, sample, place)
                above = place + round(look.ahead * self.steps())
                resolution = max(1, round(look.resolution * self.steps()))
                place = LowerEnd(search, sample, wanted, look.every).find(above, step, resolution)
                step = resolution
        finally:
            self.note_low(search, sample, wanted, before)

    def raise_low(self, search: CriticalSearch, sample: Sample, wanted: UpSet) -> None:
        """Look closely whether ``gpus_low`` is too small too."""
        self.begin("lower")
        before = search.runs
        try:
            LowerEnd(search, sample, wanted, closely=True).find(self.low, 1, 1)
        finally:
            self.note_low(search, sample, wanted, before)

    def note_low(self, search: CriticalSearch, sample: Sample, wanted: UpSet, before: int) -> None:
        """Take over the lower end, and the tolerance that follows from it."""
        self.low = max(self.low, search.bounds(wanted)[0])
        self.runs["lower"] = self.runs.get("lower", 0) + search.runs - before
        self.set_tolerance(self.low, self.low)
        if self.low > 0:
            capacity = self.grid.capacity(self.low - 1)
            passes = sample.passes_at_most(search, capacity)
            self.add_evidence(capacity, sample, passes, search.observed(capacity)[0], "lower")

    def rank(self, search: CriticalSearch, sample: Sample, place: int) -> None:
        """Tell the search what is hard about an index."""
        assert self.hardness is not None
        capacity = self.grid.capacity(min(place, self.grid.count - 1))
        search.hardness = self.hardness(sample.numbers, capacity)

    def enough(self, search: CriticalSearch, sample: Sample, ends: Ends, index: int) -> bool:
        """Run all at an index, the hardest first; whether enough pass there, so that it is ``gpus_high``."""
        assert ends.high is not None
        self.begin("sweep")
        before, capacity = search.runs, self.grid.capacity(index)
        try:
            self.rank(search, sample, index)
            if search.complete(index, ends.high):
                self.certified = self.filled_in = True
                self.high = index
                passes = sample.passes(search, capacity)
                self.add_evidence(capacity, sample, passes, sample.size, "final")
                self.claim(GUARANTEE_FILL_IN, passes, sample)
        finally:
            self.runs["sweep"] = self.runs.get("sweep", 0) + search.runs - before
        return self.certified

    def steps(self) -> int:
        """The tolerance in steps of the grid."""
        return max(1, self.tolerance // self.grid.step)

    def climb(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """The interval cannot be as narrow as asked: step up until enough pass."""
        steps = self.steps()
        index, stride = self.low + steps, max(1, steps // 4)
        top = self.grid.count - 1
        while not self.certified and index < top:
            index, stride = min(index + stride, top), 2 * stride
            self.enough(search, sample, ends, index)
