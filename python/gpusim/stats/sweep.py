"""Enclosing the answer in fewer runs: everything is run at ``gpus_high``, only the hardest below it.

Where more need not help, results that monotonicity implies prove nothing. So every replication must be run at the
upper end, and finding that end by other runs first costs as much again. That is saved if
the upper end is known beforehand. The pilot foretells it; the first part of the final sample, run there, foretells it
better, and the rest is run where it is expected by then. If that is elsewhere, the first part is run there too.

That a size is too small is shown by fails alone. A replication that strained the center little at ``gpus_high`` will
not fail a little below, so the hardest are run first and most of the others never: they count as passes, which errs
against the claim.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gpusim.stats.allocation import Counts, Forecast
from gpusim.stats.critical import BoolArray, CriticalSearch, IntArray, OutOfTime, Wanted
from gpusim.stats.evidence import GUARANTEE_FILL_IN
from gpusim.stats.sample import Ends, Sample
from gpusim.stats.stages import Stages

_FIRST = 0.4  # of the final sample, after which the upper end is foretold anew
_AHEAD = 0.2  # of the interval expected: at least so far above the upper end expected the sample is run
_SURE = 0.05  # of it: nearer to the upper end expected the place is not kept
_WIDE = 0.2  # of it: farther beyond the tolerance the place is not kept
_LOCAL = 2.0  # tolerances: how far from the answer counts still tell much about it
_SAME = 0.4  # weight of a pilot's count against a fresh one: it counted the same replications at every place
_COARSE = 4  # parts of the tolerance: so closely the lower end is looked for at first


class Sweep(Stages):
    """The final stage of two kinds of replications where pass or fail need not be monotone."""

    def sweep(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """Run the sample where its upper end is expected; if enough pass, that is ``gpus_high``, and certified."""
        assert ends.high is not None
        self.begin("sweep")
        pilot = self.counts
        place = self.expected(sample, ends, pilot, [], None)
        parts = np.split(np.arange(sample.size, dtype=np.int64), [round(_FIRST * sample.size)])
        fresh: list[Counts] = []
        for part in parts:
            search.run(place, part)
            passes = sample.passes(search, self.grid.capacity(place), part)
            fresh.append(Counts(place, tuple(map(len, sample.strata(part))), passes))
            place = self.expected(sample, ends, pilot, fresh, place)
        self.place, self.certified = place, search.complete(place, ends.high)
        self.begin("final")

    def expected(
        self, sample: Sample, ends: Ends, pilot: Sequence[Counts], fresh: Sequence[Counts], place: int | None
    ) -> int:
        """Where to run the sample: above the upper end foretold by half of what the tolerance allows.

        A ``place`` where it was run already is kept if it will do.
        """
        steps = self.tolerance / self.grid.step
        about = self.foretold(Forecast.of(self.weights, pilot), sample, ends.high) if place is None else place
        near = [_weighed(each, math.exp(-abs(each.place - about) / (_LOCAL * steps))) for each in fresh]
        near += [
            _weighed(each, _SAME * math.exp(-abs(each.place - about) / (_LOCAL * steps))) for each in pilot
        ]
        forecast = Forecast.of(self.weights, near)
        high, low = self.foretold(forecast, sample, ends.high), self.foretold(forecast, sample, ends.low)
        width = max(1.0, high - low)
        slack = steps - width
        if place is not None and high + _SURE * width <= place <= high + max(slack, 0.0) + _WIDE * width:
            return place
        return min(max(round(high + max(slack / 2.0, _AHEAD * width)), 0), self.grid.count - 1)

    def foretold(self, forecast: Forecast, sample: Sample, wanted: Wanted | None) -> float:
        """Grid index from which on a condition is expected to hold."""

        def holds(counts: IntArray) -> BoolArray:
            if wanted is None:
                return np.zeros(len(counts), dtype=np.bool_)
            return counts.sum(axis=1) >= wanted if isinstance(wanted, int) else wanted.holds(counts)

        sizes = tuple(map(len, sample.strata()))
        return forecast.first(sizes, holds, self.options.attainment)

    def lower_end(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """Raise ``gpus_low``: at first to what the tolerance asks, then roughly, and exactly if that is too wide."""
        if ends.low is None:
            return
        self.begin("lower")
        before, steps = search.runs, max(1, self.tolerance // self.grid.step)
        top, rough = min(self.high, self.grid.count - 1), max(1, steps // _COARSE)
        try:
            search.raise_low(ends.low, top, steps + 1, rough)
            low = search.bounds(ends.low)[0]
            if low > 0 and self.high - low > steps:
                search.raise_low(ends.low, min(top, low + rough), 1, 0)
        except OutOfTime:
            self.stop()
        finally:
            self.low, self.runs["lower"] = search.bounds(ends.low)[0], search.runs - before
        if self.low > 0:
            capacity = self.grid.capacity(self.low - 1)
            passes = sample.passes_at_most(search, capacity)
            self.add_evidence(capacity, sample, passes, search.observed(capacity)[0], "lower")

    def narrow(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """Where the interval is wider than asked, see whether the widest that is not holds as well."""
        assert ends.high is not None
        before, widest = search.runs, self.low + max(1, self.tolerance // self.grid.step)
        if not (self.swept and self.certified) or self.low == 0 or widest >= self.high:
            return
        self.begin("narrow")
        try:
            if search.complete(widest, ends.high):
                self.high, capacity = widest, self.grid.capacity(widest)
                passes = sample.passes(search, capacity)
                self.add_evidence(capacity, sample, passes, sample.size, "narrow")
                self.claim(GUARANTEE_FILL_IN, passes, sample)
        finally:
            self.runs["narrow"] = search.runs - before


def _weighed(counts: Counts, weight: float) -> Counts:
    """Counts that tell as much as fewer replications would."""
    return Counts(
        counts.place, tuple(weight * n for n in counts.sizes), tuple(weight * x for x in counts.passes)
    )
