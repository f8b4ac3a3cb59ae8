"""How many are enough, with a certified interval: pilot, final, fill-in or hold-out, audit.

The procedure asks an `Evaluator` whether replications pass at capacities, and knows nothing else of them. The
answer is the smallest capacity N* at which a replication passes with probability ``attainment``. Under common
random numbers N* is that quantile of the critical capacities M_r, so two order statistics enclose it exactly
(`binomial.quantile_ranks`, found by `critical.CriticalSearch`).

Where replications are of two kinds of known share (periods with and without a rare job), they are sampled
separately: the same search and the same claims, with the exact test of two strata (`strata`) in place of the
ranks. The pilot decides whether that pays and how many of each kind there are (`allocation`).

Where besides it is known beforehand which replications are hard, there is no scout and no pilot: see `sweep`.

0. *Scout*, 8 replications: about where the answer is, so that a bad first guess costs few runs.
1. *Pilot*, 100 replications: how steep is the quantile, so how many replications does the tolerance need.
2. *Final*, that many fresh replications, one look: ``[gpus_low, gpus_high]``.
3. If pass/fail need not be monotone in the capacity: *fill-in*, run what was only implied at ``gpus_high``,
   the doubtful first, and step up until enough pass; or, with ``certify="strict"``, a *hold-out* of fresh
   replications instead.
4. *Audit*: look for replications that pass at a size and fail at a larger one.

The two sides share the error: half of ``1 - confidence`` each. The hold-out spends its half as 1/2, 1/4, ...
over its attempts, so that the interval as a whole keeps ``confidence`` whatever the number of attempts.
Replication ranges of the stages are disjoint. Nothing here looks at a clock: ``evaluate`` raises `OutOfTime`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from gpusim.stats.allocation import Counts, Forecast
from gpusim.stats.binomial import minimum_replications
from gpusim.stats.checks import Checks
from gpusim.stats.critical import CriticalSearch, OutOfTime, Wanted
from gpusim.stats.evidence import (
    GUARANTEE_DEADLINE,
    GUARANTEE_EXACT,
    GUARANTEE_IMPLIED,
    GUARANTEE_NONE,
    SizingResult,
    Stage,
)
from gpusim.stats.grid import CapacityGrid
from gpusim.stats.question import Evaluator, SizingOptions
from gpusim.stats.sample import Ends, Kinds, Sample
from gpusim.stats.stages import Hardness

_PILOT_CONFIDENCE = 0.8  # of the pilot's two ranks: they only measure a slope
_PILOT_PARTS = 1.5  # of the tolerance: how closely a stratified pilot finds its ends
_FEWEST_OF_A_KIND = 60  # in the final stage, whatever the pilot says
_PAYS = 0.8  # of the plain number of replications: a stratified sample must be smaller
_JUMP = 1.1  # of the way from there to the upper end expected: the first step
_DROP = 0.5  # of the interval expected: the first step down, which nearly all run again
_BELOW = 0.8  # of the interval expected: so far below it the final stage starts, as going down costs most


def find_capacity(
    evaluator: Evaluator,
    grid: CapacityGrid,
    *,
    start: int | None = None,
    options: SizingOptions | None = None,
    kinds: Kinds | None = None,
    hardness: Hardness | None = None,
    on_stage: Callable[[Stage], object] | None = None,
) -> SizingResult:
    """Smallest capacity at which a replication passes with probability ``attainment``, as an interval.

    Parameters
    ----------
    evaluator : Evaluator
        Tells whether replications pass at a capacity.
    grid : CapacityGrid
        Capacities that may be answered.
    start : int, optional
        Guess of the answer, any capacity; a bad one only costs runs. By default the middle of the grid.
    options : SizingOptions, optional
        The question; the defaults if not given.
    kinds : Kinds, optional
        Two kinds of replications that may be sampled separately.
    hardness : callable(replications, capacity), optional
        How likely each replication is to fail thereabouts, compared with the others of its kind, in [0, 1]: known
        without running it. It decides what is run first, never what is claimed. Used with `kinds`, where pass or fail
        need not be monotone.
    on_stage : callable(Stage), optional
        Called with the name of each stage before its runs.

    Returns
    -------
    SizingResult

    Raises
    ------
    ValueError
        If the tolerance is smaller than the grid's step.

    Notes
    -----
    Algorithm F of the design notes. Final replications: ``(2 z s sqrt(beta (1 - beta)) / tolerance)^2`` with
    ``s`` the slope of the quantile seen in the pilot (capacity per unit of probability) and ``z`` the normal
    quantile of ``confidence``: the width of a quantile's interval for large samples.

    Examples
    --------
    >>> class Steps:
    ...     def evaluate(self, replications, capacity):
    ...         return capacity >= 40 + replications % 20
    >>> result = find_capacity(Steps(), CapacityGrid(0, 1, 100), options=SizingOptions(monotone=True))
    >>> result.gpus_low, result.gpus_high, result.guarantee
    (58, 59, 'exact')
    """
    chosen = options or SizingOptions()
    if chosen.tolerance is not None and chosen.tolerance < grid.step:
        raise ValueError(
            f"tolerance {chosen.tolerance} is smaller than the grid's step {grid.step}; raise it"
        )
    guess = (grid.count - 1) // 2 if start is None else grid.nearest(start)
    return _Procedure(evaluator, grid, chosen, kinds, hardness, on_stage or (lambda stage: None)).run(guess)


class _Procedure(Checks):
    """One sizing run; each stage is a method and leaves its findings in the fields."""

    def run(self, guess: int) -> SizingResult:
        options = self.options
        first = self.first_sample(guess)
        if first is not None:
            return self.from_the_hardest(guess, *first)
        few = self.next_plain(options.scout_replications)
        scout = self.new_search("scout", few, guess, self.stride(guess))
        try:
            start, first_step = self.scout(scout, few)
        except OutOfTime:
            self.set_tolerance(*scout.bounds(self.scout_rank()))
            self.fall_back(scout, few)
            return self.result(few.size)
        sample = (
            self.next_plain(options.pilot_replications) if self.kinds is None else self.pilot_of(self.kinds)
        )
        if self.kinds is not None:  # going down costs most, and the scout's largest may have a rare job
            start = min(start, scout.bounds(self.common_rank())[1])
            first_step = self.stride(start)
        pilot = self.new_search("pilot", sample, start, first_step)
        try:
            final_sample, start, first_step = self.pilot(pilot, sample)
        except OutOfTime:
            self.set_tolerance(*self.pilot_bounds(pilot, sample))
            self.fall_back(pilot, sample)
            return self.result(sample.size)
        final = self.new_search("final", final_sample, start, first_step, self.step_down)
        ends = final_sample.ends(options.attainment, options.confidence)
        self.final(final, final_sample, ends)
        if self.out_of_time and self.high == self.grid.count and self.low < self.grid.count:
            self.fall_back(pilot, sample)
            return self.result(sample.size)
        if self.high < self.grid.count and ends.high is not None and not self.out_of_time:
            self.check(final, final_sample, ends)
        return self.result(final_sample.size)

    def from_the_hardest(self, guess: int, sample: Sample, ends: Ends) -> SizingResult:
        """The procedure of `sweep`, and the audit."""
        search, sample, ends = self.enclose(guess, sample, ends)
        if self.certified and self.options.audit_share > 0.0:
            try:
                self.audit(search, sample, ends)
            except OutOfTime:
                self.stop()
        return self.result(sample.size)

    def scout(self, search: CriticalSearch, sample: Sample) -> tuple[int, int]:
        """Choose (first probe, first step) of the pilot."""
        try:
            high = search.select(self.scout_rank())
            low = search.bounds(max(1, self.scout_rank() // 2))[0]  # what is known of it: it costs no run
        finally:
            self.close(search, sample, "scout")
        start = min(high, self.grid.count - 1)
        # what is known of the lower rank may be nothing: then the step is that of a guess
        return start, max(1, min((high - low) // 4, self.stride(start)))

    def scout_rank(self) -> int:
        """Rank of the scout's replications that stands for the quantile asked."""
        count = self.options.scout_replications
        return min(count, max(1, math.ceil(self.options.attainment * count)))

    def common_rank(self) -> int:
        """Rank of the scout that stands for what replications need without a rare job."""
        return max(1, self.scout_rank() - 2)

    def pilot_of(self, kinds: Kinds) -> Sample:
        """A stratified pilot: half of each kind."""
        count = self.options.stratified_pilot
        return Sample.stratified(self.next_replication, (count - count // 2, count // 2), kinds)

    def pilot(self, search: CriticalSearch, sample: Sample) -> tuple[Sample, int, int]:
        """Choose (replications, first probe, first step) of the final stage; set the tolerance."""
        lower, upper = self.pilot_ends(sample)
        resolution = 0 if sample.design is None else self.resolution(search)
        try:
            high, low = search.select(upper, resolution, [lower]), search.select(lower, resolution)
        finally:
            self.close(search, sample, "pilot")
        self.set_tolerance(low, high)
        reachable = self.tolerance // self.grid.step * self.grid.step  # widths are whole steps
        if sample.design is not None:
            return self.stratified(search, sample, reachable)
        # On a coarse grid two ranks may fall on one size: count a step more, so that the slope is not too low.
        assert isinstance(lower, int)
        assert isinstance(upper, int)
        slope = (high - low + 1) * self.grid.step * search.n_replications / (upper - lower)
        replications = self.options.final_replications(slope, reachable)
        # Probing upwards is cheap (only the few that failed run again), downwards costs nearly all of them:
        # start about one interval below the interval.
        return self.next_plain(replications), max(0, 2 * low - high), max(1, (high - low) // 2)

    def resolution(self, search: CriticalSearch) -> int:
        """Grid steps to which a stratified pilot finds its ends: a fit needs no more."""
        capacity = self.grid.capacity(search.start)
        return max(
            1, int(self.options.tolerance_at(capacity, self.grid.step) / self.grid.step / _PILOT_PARTS)
        )

    def stratified(self, search: CriticalSearch, pilot: Sample, tolerance: int) -> tuple[Sample, int, int]:
        """`pilot` where replications are of two kinds: sample them separately, if that saves runs."""
        options, design, kinds = self.options, pilot.design, self.kinds
        assert design is not None
        assert kinds is not None
        forecast = Forecast.of(design.weights, self.counted(search, pilot))
        z = NormalDist().inv_cdf(1.0 - options.delta / 2.0)
        steps = tolerance / self.grid.step
        chosen, plain = forecast.allocate(
            options.attainment, z, steps, options.stratified_margin, _FEWEST_OF_A_KIND
        )
        pays = chosen.total < _PAYS * plain.total
        fewest = minimum_replications(options.attainment, 1.0 - options.delta / 2.0)
        plain = plain.within(max(options.replications_min, fewest), options.replications_max)
        chosen = chosen.within(max(options.stratified_min, fewest), options.replications_max)
        sample = self.next_plain(plain.total)
        if pays and chosen.sizes is not None:
            apart = Sample.stratified(self.next_replication, chosen.sizes, kinds)
            if None not in apart.ends(options.attainment, options.confidence):
                sample = apart
        expected = plain if sample.design is None else chosen
        start = round(expected.low - _BELOW * (expected.high - expected.low))
        step = max(1, round(_JUMP * (expected.high - start)))  # then most of what is above is never run
        start = min(max(start, 0), self.grid.count - 1)
        self.step_down = max(1, round(_DROP * (expected.high - expected.low)))
        if sample.design is None:
            return sample, start, step
        self.note_kinds(sample, kinds)
        return sample, start, step

    def counted(self, search: CriticalSearch, sample: Sample) -> list[Counts]:
        """What a search counted at each place where it decided every replication."""
        places = sorted({self.grid.index(probe.capacity) for probe in search.probes})
        sizes = tuple(map(len, sample.strata()))
        return [Counts(at, sizes, sample.passes(search, self.grid.capacity(at))) for at in places]

    def pilot_ends(self, sample: Sample) -> tuple[Wanted, Wanted]:
        """What the pilot looks for; where it is too small for an end, the outermost that it can find."""
        ends = sample.ends(self.options.attainment, _PILOT_CONFIDENCE)
        if isinstance(ends.low, int | None) and isinstance(ends.high, int | None):
            upper = max(ends.high or sample.size, 2)
            return min(max(ends.low or 0, 1), upper - 1), upper
        return ends.low or 1, ends.high or sample.size

    def pilot_bounds(self, search: CriticalSearch, sample: Sample) -> tuple[int, int]:
        lower, upper = self.pilot_ends(sample)
        return search.bounds(lower)[0], search.bounds(upper)[1]

    def final(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """The two ends, or the bounds of them that are known when time is out."""
        options = self.options
        try:
            if ends.high is not None:
                search.select(ends.high, then=[] if ends.low is None else [ends.low])
            if ends.low is not None:
                search.select(ends.low)
        except OutOfTime:
            self.stop()
        if ends.high is None:
            needed = minimum_replications(self.options.attainment, 1.0 - self.options.delta / 2.0)
            self.notes.append(
                f"{search.n_replications} replications cannot certify this attainment; "
                f"at least {needed} are needed"
            )
        self.take_bounds(search, ends)
        self.close(search, sample, "final")
        if self.high < self.grid.count and ends.high is not None:
            capacity = self.grid.capacity(self.high)
            passes = sample.passes(search, capacity)
            self.certified = options.monotone and options.certify == "normal"
            self.claim(GUARANTEE_EXACT if self.certified else GUARANTEE_IMPLIED, passes, sample)

    def fall_back(self, search: CriticalSearch, sample: Sample) -> None:
        """The pilot's interval at the full confidence, where the cut final stage has no upper bound."""
        options = self.options
        self.out_of_time = True
        self.notes.append("the deadline left only the pilot: the interval comes from its replications alone")
        self.take_bounds(search, sample.ends(options.attainment, options.confidence))
        if self.high < self.grid.count:
            passes = sample.passes(search, self.grid.capacity(self.high))
            self.certified = options.monotone and options.certify == "normal"
            self.claim(GUARANTEE_DEADLINE if self.certified else GUARANTEE_IMPLIED, passes, sample)

    def result(self, replications: int) -> SizingResult:
        grid, count = self.grid, self.grid.count
        infeasible = self.low == count
        gpus_low = None if infeasible else grid.capacity(self.low)
        gpus_high = None if self.high == count else grid.capacity(self.high)
        if gpus_high is None:
            self.certified, self.guarantee, self.p_value = False, GUARANTEE_NONE, None
            self.notes.append(
                f"even {grid.last} is too small"
                if infeasible
                else f"no size up to {grid.last} could be certified"
            )
        width = None if gpus_high is None or gpus_low is None else abs(gpus_high - gpus_low)
        fits = width is not None and width <= self.tolerance
        needed = None
        if width is not None and not fits:
            needed = math.ceil(replications * (width / self.tolerance) ** 2)
            self.notes.append(
                f"the interval is {width} wide, {self.tolerance} was asked: "
                f"about {needed} replications are needed"
            )
        if self.low == 0:
            self.notes.append(f"nothing is known below {grid.first}, the smallest size of the grid")
        monotone = self.options.monotone and not (self.non_monotone and self.non_monotone.seen)
        claim = self.low > 0 and (monotone or self.audit_clean)
        if not claim and self.low > 0 and gpus_high is not None:
            self.notes.append(
                "gpus_high is the smallest certified of the sizes tested; a smaller one may be enough"
            )
        return SizingResult(
            gpus=gpus_high,
            gpus_low=gpus_low,
            gpus_high=gpus_high,
            tolerance_gpus=self.tolerance,
            resolved=infeasible or (self.certified and fits and not self.out_of_time),
            certified=self.certified,
            feasible=False if infeasible else True if self.certified else None,
            guarantee=self.guarantee,
            attainment=self.options.attainment,
            confidence=self.options.confidence,
            evidence=tuple(self.evidence),
            ranges=self.ranges,
            natural=self.natural,
            runs=self.runs,
            p_value=self.p_value,
            non_monotone=self.non_monotone,
            smaller_insufficient_claim=claim,
            low_is_grid_minimum=self.low == 0,
            out_of_time=self.out_of_time,
            replications_needed=needed,
            notes=tuple(self.notes),
        )
