"""What the stages of a sizing run share: what they found so far, and how replications are used up.

A replication belongs to one stage, and stages use them in order.
"""

from __future__ import annotations

from collections.abc import Callable

from gpusim.stats.critical import BoolArray, CriticalSearch, FloatArray, IntArray
from gpusim.stats.evidence import GUARANTEE_NONE, Evidence, Share, Stage, Stratum
from gpusim.stats.foresight import Foresight
from gpusim.stats.grid import CapacityGrid
from gpusim.stats.question import Evaluator, SizingOptions
from gpusim.stats.sample import Ends, Kinds, Sample

Hardness = Callable[[IntArray, int], FloatArray]
"""``hardness(replications, capacity)``: how likely each is to fail thereabouts, compared with others of its kind, in
[0, 1]."""


_FIRST_STEP = 0.02  # of a guess: how far from it the next place is


class Stages:
    """One sizing run; its stages (`checks.Checks`, `sizing`) leave their findings in the fields."""

    def __init__(
        self,
        evaluator: Evaluator,
        grid: CapacityGrid,
        options: SizingOptions,
        kinds: Kinds | None,
        hardness: Hardness | None,
        on_stage: Callable[[Stage], object],
    ) -> None:
        self.evaluator, self.grid, self.options, self.on_stage = evaluator, grid, options, on_stage
        self.stage: Stage = "scout"
        self.kinds, self.hardness = kinds, hardness
        self.tolerance = options.tolerance or grid.step
        self.next_replication = options.first_replication
        self.ranges: dict[str, tuple[int, int]] = {}
        self.natural: dict[str, tuple[int, int]] = {}
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
        self.step_down: int | None = None  # first step down of the final stage, where it is not that up
        self.swept = False  # most replications were run at one size only

    def next_plain(self, count: int) -> Sample:
        """The next unused replications."""
        return Sample.plain(self.next_replication, count)

    def new_search(
        self,
        stage: Stage,
        sample: Sample,
        start: int,
        first_step: int = 1,
        first_step_down: int | None = None,
    ) -> CriticalSearch:
        """A search over a sample of unused replications, which are used now."""
        self.begin(stage)
        self.next_replication = sample.stop
        self.ranges[stage], self.natural[stage] = sample.span, sample.natural

        def evaluate(positions: IntArray, capacity: int) -> BoolArray:
            return self.evaluator.evaluate(sample.numbers[positions], capacity)

        return CriticalSearch(
            sample.size,
            self.grid,
            start,
            evaluate,
            first_step,
            sample.kind,
            first_step_down,
            Foresight(self.grid, self.evaluator, sample.numbers),
        )

    def close(self, search: CriticalSearch, sample: Sample, stage: Stage) -> None:
        """A stage's search is over: note its runs and what each of its probes counted."""
        self.runs[stage] = search.runs
        for capacity in sorted({probe.capacity for probe in search.probes}):
            simulated = search.observed(capacity)[0]
            self.add_evidence(capacity, sample, sample.passes(search, capacity), simulated, stage)

    def add_evidence(
        self, capacity: int, sample: Sample, passes: tuple[int, ...], simulated: int, kind: Stage
    ) -> None:
        """Note what was counted at a capacity."""
        design = sample.design
        strata = () if design is None else tuple(map(Stratum, design.weights, design.sizes, passes))
        self.evidence.append(
            Evidence(capacity, sample.size, sum(passes), simulated, kind, self.options.confidence, strata)
        )

    def take_bounds(self, search: CriticalSearch, ends: Ends) -> None:
        """The interval, or the bounds of it that are known."""
        self.low = search.bounds(ends.low)[0] if ends.low is not None else 0
        self.high = search.bounds(ends.high)[1] if ends.high is not None else self.grid.count

    def stride(self, index: int) -> int:
        """First step away from a guess that nothing supports: two per cent of it."""
        return max(1, round(_FIRST_STEP * self.grid.capacity(index) / self.grid.step))

    def set_tolerance(self, low: int, high: int) -> None:
        """The width wanted, now that the answer is known roughly (grid indices)."""
        size = self.grid.capacity(min((low + high) // 2, self.grid.count - 1))
        self.tolerance = self.options.tolerance_at(size, self.grid.step)

    def step_up(self, stride: int) -> int:
        """Move ``gpus_high`` up (from the top of the grid: off it); steps double up to the tolerance."""
        top = self.grid.count - 1
        self.high = self.grid.count if self.high == top else min(self.high + stride, top)
        return min(2 * stride, max(1, self.tolerance // self.grid.step))

    def note_kinds(self, sample: Sample, kinds: Kinds) -> None:
        """Say how many of each kind were sampled."""
        assert sample.design is not None
        zeros, ones = sample.design.sizes
        self.notes.append(
            f"periods with and without {kinds.name} were sampled separately (about {kinds.weight:.0%} have one): "
            f"{ones} and {zeros} of them"
        )

    def claim(self, guarantee: str, passes: tuple[int, ...], sample: Sample) -> None:
        """``gpus_high`` is enough, in the sense of ``guarantee``."""
        self.guarantee = guarantee
        self.p_value = sample.p_value(passes, self.options.attainment, self.options.confidence)

    def begin(self, stage: Stage) -> None:
        """What is run now belongs to this stage."""
        self.stage = stage
        self.on_stage(stage)

    def stop(self) -> None:
        """The deadline cut this stage."""
        self.out_of_time = True
        self.notes.append(
            f"the deadline cut the {self.stage} stage: the interval is wider or less sure than asked"
        )
