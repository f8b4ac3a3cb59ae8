"""How many are enough, with a certified interval: pilot, final, fill-in or hold-out, audit.

The procedure asks an `Evaluator` whether replications pass at capacities, and knows nothing else of them. The
answer is the smallest capacity N* at which a replication passes with probability ``attainment``. Under common
random numbers N* is that quantile of the critical capacities M_r, so two order statistics enclose it exactly
(`binomial.quantile_ranks`, found by `critical.CriticalSearch`).

0. *Scout*, 8 replications: about where the answer is, so that a bad first guess costs few runs.
1. *Pilot*, 100 replications: how steep is the quantile, so how many replications does the tolerance need.
2. *Final*, that many fresh replications, one look: ``[gpus_low, gpus_high]``.
3. If pass/fail need not be monotone in the capacity: *fill-in*, run what was only implied at ``gpus_high``
   and step up until enough pass; or, with ``certify="strict"``, a *hold-out* of fresh replications instead.
4. *Audit*: look for replications that pass at a size and fail at a larger one.

The two sides share the error: half of ``1 - confidence`` each. The hold-out spends its half as 1/2, 1/4, ...
over its attempts, so that the interval as a whole keeps ``confidence`` whatever the number of attempts.
Replication ranges of the stages are disjoint. Nothing here looks at a clock: ``evaluate`` raises `OutOfTime`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gpusim.stats.binomial import Ranks, at_least, clopper_pearson, minimum_replications, quantile_ranks
from gpusim.stats.critical import BoolArray, CapacityGrid, CriticalSearch, IntArray, OutOfTime
from gpusim.stats.evidence import (
    GUARANTEE_DEADLINE,
    GUARANTEE_EXACT,
    GUARANTEE_FILL_IN,
    GUARANTEE_IMPLIED,
    GUARANTEE_NONE,
    Evidence,
    Share,
    SizingResult,
    Stage,
)
from gpusim.stats.question import Evaluator, SizingOptions

_PILOT_CONFIDENCE = 0.8  # of the pilot's two ranks: they only measure a slope
_SCOUT_STEP = 0.02  # first step of the scout, as a share of the guess


def find_capacity(
    evaluator: Evaluator,
    grid: CapacityGrid,
    *,
    start: int | None = None,
    options: SizingOptions | None = None,
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
    return _Procedure(evaluator, grid, chosen, on_stage or (lambda stage: None)).run(guess)


class _Procedure:
    """One sizing run; each stage is a method and leaves its findings in the fields."""

    def __init__(
        self,
        evaluator: Evaluator,
        grid: CapacityGrid,
        options: SizingOptions,
        on_stage: Callable[[Stage], object],
    ) -> None:
        self.evaluator, self.grid, self.options, self.begin = evaluator, grid, options, on_stage
        self.tolerance = options.tolerance or grid.step
        self.next_replication = options.first_replication
        self.ranges: dict[str, tuple[int, int]] = {}
        self.runs: dict[str, int] = {}
        self.evidence: list[Evidence] = []
        self.notes: list[str] = []
        self.out_of_time = False
        self.low, self.high = (
            0,
            grid.count,
        )  # indices of gpus_low and gpus_high; grid.count is "above the grid"
        self.certified = False
        self.filled_in = False
        self.guarantee = GUARANTEE_NONE
        self.p_value: float | None = None
        self.non_monotone: Share | None = None
        self.audit_clean = False

    def run(self, guess: int) -> SizingResult:
        scout = self.new_search("scout", self.options.scout_replications, guess, self.stride(guess))
        try:
            start, first_step = self.scout(scout)
        except OutOfTime:
            self.set_tolerance(*scout.bounds(self.scout_rank()))
            self.fall_back(scout)
            return self.result(self.options.scout_replications)
        pilot = self.new_search("pilot", self.options.pilot_replications, start, first_step)
        try:
            replications, start, first_step = self.pilot(pilot)
        except OutOfTime:
            self.set_tolerance(*self.pilot_bounds(pilot))
            self.fall_back(pilot)
            return self.result(self.options.pilot_replications)
        final = self.new_search("final", replications, start, first_step)
        ranks = quantile_ranks(replications, self.options.attainment, self.options.confidence)
        self.final(final, ranks)
        if self.out_of_time and self.high == self.grid.count and self.low < self.grid.count:
            self.fall_back(pilot)
            return self.result(self.options.pilot_replications)
        if self.high < self.grid.count and ranks.high is not None and not self.out_of_time:
            self.check(final, ranks, ranks.high)
        return self.result(replications)

    def stride(self, index: int) -> int:
        """First step away from a guess that nothing supports: two per cent of it."""
        return max(1, round(_SCOUT_STEP * self.grid.capacity(index) / self.grid.step))

    def scout(self, search: CriticalSearch) -> tuple[int, int]:
        """Choose (first probe, first step) of the pilot."""
        try:
            high = search.select(self.scout_rank())
            low = search.bounds(max(1, self.scout_rank() // 2))[0]  # what is known of it: it costs no run
        finally:
            self.close(search, "scout")
        start = min(high, self.grid.count - 1)
        # what is known of the lower rank may be nothing: then the step is that of a guess
        return start, max(1, min((high - low) // 4, self.stride(start)))

    def scout_rank(self) -> int:
        """Rank of the scout's replications that stands for the quantile asked."""
        count = self.options.scout_replications
        return min(count, max(1, math.ceil(self.options.attainment * count)))

    def pilot(self, search: CriticalSearch) -> tuple[int, int, int]:
        """Choose (replications, first probe, first step) of the final stage; set the tolerance."""
        options, count = self.options, search.n_replications
        lower, upper = self.pilot_ranks()
        try:
            high, low = search.select(upper), search.select(lower)
        finally:
            self.close(search, "pilot")
        self.set_tolerance(low, high)
        # On a coarse grid two ranks may fall on one size: count a step more, so that the slope is not too low.
        slope = (high - low + 1) * self.grid.step * count / (upper - lower)
        reachable = self.tolerance // self.grid.step * self.grid.step  # widths are whole steps
        replications = options.final_replications(slope, reachable)
        # Probing upwards is cheap (only the few that failed run again), downwards costs nearly all of them:
        # start about one interval below the interval.
        return replications, max(0, 2 * low - high), max(1, (high - low) // 2)

    def pilot_ranks(self) -> tuple[int, int]:
        count = self.options.pilot_replications
        ranks = quantile_ranks(count, self.options.attainment, _PILOT_CONFIDENCE)
        upper = max(ranks.high or count, 2)
        return min(max(ranks.low, 1), upper - 1), upper

    def pilot_bounds(self, search: CriticalSearch) -> tuple[int, int]:
        lower, upper = self.pilot_ranks()
        return search.bounds(lower)[0], search.bounds(upper)[1]

    def set_tolerance(self, low: int, high: int) -> None:
        size = self.grid.capacity(min((low + high) // 2, self.grid.count - 1))
        self.tolerance = self.options.tolerance_at(size, self.grid.step)

    def final(self, search: CriticalSearch, ranks: Ranks) -> None:
        """The two order statistics, or the bounds of them that are known when time is out."""
        try:
            if ranks.high is not None:
                search.select(ranks.high)
            if ranks.low > 0:
                search.select(ranks.low)
        except OutOfTime:
            self.stop("final")
        if ranks.high is None:
            needed = minimum_replications(self.options.attainment, 1.0 - self.options.delta / 2.0)
            self.notes.append(
                f"{search.n_replications} replications cannot certify this attainment; "
                f"at least {needed} are needed"
            )
        self.take_bounds(search, ranks)
        self.close(search, "final")
        if self.high < self.grid.count and ranks.high is not None:
            passed = search.passing(self.grid.capacity(self.high))
            self.certified = self.options.monotone and self.options.certify == "normal"
            self.claim(
                GUARANTEE_EXACT if self.certified else GUARANTEE_IMPLIED, passed, search.n_replications
            )

    def check(self, search: CriticalSearch, ranks: Ranks, needed: int) -> None:
        """Fill-in or hold-out, then the audit."""
        try:
            if self.options.certify == "strict":
                self.hold_out(search.n_replications)
            elif not self.options.monotone:
                self.fill_in(search, ranks, needed)
            if self.high < self.grid.count and self.options.audit_share > 0.0:
                self.audit(search, ranks, needed)
        except OutOfTime:
            self.stop(
                "audit" if self.certified else "hold-out" if self.options.certify == "strict" else "fill-in"
            )

    def fill_in(self, search: CriticalSearch, ranks: Ranks, needed: int) -> None:
        """Run what was only implied at ``gpus_high``; step up until at least ``needed`` really pass."""
        self.begin("fill-in")
        self.certified, before, stride = False, search.runs, 1
        self.guarantee, self.p_value = GUARANTEE_IMPLIED, None
        try:
            while True:
                capacity = self.grid.capacity(self.high)
                search.observe(capacity, search.implied(capacity))
                self.filled_in = True
                passed = search.observed(capacity)[1]
                self.add_evidence(capacity, search.n_replications, passed, search.n_replications, "fill-in")
                if passed >= needed:
                    self.certified = True
                    return self.claim(GUARANTEE_FILL_IN, passed, search.n_replications)
                self.notes.append(
                    f"at {capacity} only {passed} of {search.n_replications} replications pass once all are "
                    f"run ({needed} are needed): pass or fail is not monotone in the size"
                )
                stride = self.step_up(stride)
                if self.high == self.grid.count:
                    if passed < ranks.low:
                        self.low = self.grid.count
                    return None
        finally:
            self.runs["fill-in"] = search.runs - before

    def hold_out(self, replications: int) -> None:
        """Fresh replications at ``gpus_high``; attempt k may err with probability ``delta / 2^(k+1)``."""
        options, error, stride = self.options, self.options.delta / 2.0, 1
        self.p_value = None
        fewest = minimum_replications(options.attainment, 1.0 - error / 2.0)
        search = self.new_search("hold-out", max(replications, fewest), self.high)
        everyone = np.arange(search.n_replications, dtype=np.int64)
        try:
            while self.high < self.grid.count:
                error /= 2.0
                capacity = self.grid.capacity(self.high)
                search.observe(capacity, everyone)
                passed = search.observed(capacity)[1]
                self.add_evidence(capacity, everyone.size, passed, everyone.size, "hold-out")
                if at_least(passed, everyone.size, options.attainment) <= error:
                    self.certified = True
                    return self.claim(GUARANTEE_EXACT, passed, everyone.size)
                self.notes.append(
                    f"the hold-out does not certify {capacity} ({passed} of {everyone.size} pass); "
                    "just above the answer this is common and no sign of a fault"
                )
                stride = self.step_up(stride)
        finally:
            self.runs["hold-out"] = search.runs

    def audit(self, search: CriticalSearch, ranks: Ranks, needed: int) -> None:
        """Look above ``gpus_high`` for replications that pass below and fail there."""
        self.begin("audit")
        options = self.options
        size = math.ceil(options.audit_share * search.n_replications)
        if options.certify == "strict" and not options.monotone:  # no fill-in: fewer could not show anything
            size = max(size, minimum_replications(1.0 - options.beta / 4.0, options.confidence))
        sample = np.arange(min(size, search.n_replications), dtype=np.int64)
        before, looked = search.runs, False
        try:
            for times in (1, 2):
                index = self.high + times * max(1, self.tolerance // self.grid.step)
                if index < self.grid.count:
                    capacity, looked = self.grid.capacity(index), True
                    search.observe(capacity, sample)
                    passed = search.passing_among(capacity, sample)
                    self.add_evidence(capacity, sample.size, passed, sample.size, "audit")
        finally:
            self.runs["audit"] = search.runs - before
        if not looked and not self.filled_in and not options.monotone:
            self.notes.append("the grid has no size above gpus_high to audit")
            return
        checked = search.n_replications if self.filled_in else sample.size
        seen = int(np.count_nonzero(search.violations[:checked]))
        above = int(np.count_nonzero(search.violations[: sample.size]))
        confidence, allowed = options.confidence, options.beta / 4.0
        upper = clopper_pearson(seen, checked, confidence, "upper").high
        self.non_monotone = Share(seen, checked, seen / checked, 0.0, upper)
        if options.monotone and seen:
            self.notes.append(
                f"{seen} of {checked} audited replications pass at a size and fail at a larger one, although "
                "pass or fail was declared monotone: treated as not monotone"
            )
            if options.certify == "normal" and not self.filled_in:
                self.fill_in(search, ranks, needed)
        elif options.monotone:
            self.audit_clean = True
        else:
            own_lower = clopper_pearson(above, sample.size, confidence, "lower").low
            self.audit_clean = upper <= allowed and own_lower <= allowed

    def new_search(self, stage: Stage, replications: int, start: int, first_step: int = 1) -> CriticalSearch:
        """A search over the next ``replications`` unused replications."""
        self.begin(stage)
        first = self.next_replication
        self.next_replication += replications
        self.ranges[stage] = (first, self.next_replication)

        def evaluate(numbers: IntArray, capacity: int) -> BoolArray:
            return self.evaluator.evaluate(numbers + first, capacity)

        return CriticalSearch(replications, self.grid, start, evaluate, first_step)

    def close(self, search: CriticalSearch, stage: Stage) -> None:
        self.runs[stage] = search.runs
        for probe in sorted(search.probes):
            simulated = search.observed(probe.capacity)[0]
            self.add_evidence(probe.capacity, search.n_replications, probe.passed, simulated, stage)

    def add_evidence(
        self, capacity: int, replications: int, passed: int, simulated: int, kind: Stage
    ) -> None:
        self.evidence.append(
            Evidence(capacity, replications, passed, simulated, kind, self.options.confidence)
        )

    def take_bounds(self, search: CriticalSearch, ranks: Ranks) -> None:
        self.low = search.bounds(ranks.low)[0] if ranks.low > 0 else 0
        self.high = search.bounds(ranks.high)[1] if ranks.high is not None else self.grid.count

    def fall_back(self, pilot: CriticalSearch) -> None:
        """The pilot's interval at the full confidence, where the cut final stage has no upper bound."""
        options = self.options
        self.out_of_time = True
        self.notes.append("the deadline left only the pilot: the interval comes from its replications alone")
        self.take_bounds(pilot, quantile_ranks(pilot.n_replications, options.attainment, options.confidence))
        if self.high < self.grid.count:
            passed = pilot.passing(self.grid.capacity(self.high))
            self.certified = options.monotone and options.certify == "normal"
            self.claim(
                GUARANTEE_DEADLINE if self.certified else GUARANTEE_IMPLIED, passed, pilot.n_replications
            )

    def step_up(self, stride: int) -> int:
        """Move ``gpus_high`` up (from the top of the grid: off it); steps double up to the tolerance."""
        top = self.grid.count - 1
        self.high = self.grid.count if self.high == top else min(self.high + stride, top)
        return min(2 * stride, max(1, self.tolerance // self.grid.step))

    def claim(self, guarantee: str, passed: int, replications: int) -> None:
        self.guarantee = guarantee
        self.p_value = at_least(passed, replications, self.options.attainment)

    def stop(self, stage: Stage) -> None:
        self.out_of_time = True
        self.notes.append(
            f"the deadline cut the {stage} stage: the interval is wider or less sure than asked"
        )

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
            runs=self.runs,
            p_value=self.p_value,
            non_monotone=self.non_monotone,
            smaller_insufficient_claim=claim,
            low_is_grid_minimum=self.low == 0,
            out_of_time=self.out_of_time,
            replications_needed=needed,
            notes=tuple(self.notes),
        )
