"""What a sizing run returns: the answer, its guarantee, and the evidence behind both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gpusim.stats.binomial import Interval, clopper_pearson
from gpusim.stats.strata import Design, confidence_interval

Stage = Literal["scout", "pilot", "sweep", "final", "lower", "fill-in", "audit", "hold-out"]

GUARANTEE_EXACT = "exact"
"""The error of the claim is at most ``1 - confidence``, by the binomial law alone."""
GUARANTEE_FILL_IN = "approximate over the few sizes tried"
"""Exact for one size fixed in advance; the size was picked on the same replications (measured error <=
.003)."""
GUARANTEE_IMPLIED = "approximate, implied results were not run"
"""Holds as far as a replication that passes at a size also passes at larger ones; this was not checked."""
GUARANTEE_DEADLINE = "exact if the deadline does not depend on the results"
"""From the pilot's replications, because the deadline left no better ones."""
GUARANTEE_NONE = "none"
"""No sufficient size is claimed."""


class Share(NamedTuple):
    """``seen`` of ``checked`` replications, with a confidence interval of the share."""

    seen: int
    checked: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Stratum:
    """Passes among the replications of one kind, which are sampled on their own.

    Attributes
    ----------
    weight : float
        Share of this kind among all replications.
    replications, passed : int
    """

    weight: float
    replications: int
    passed: int


@dataclass(frozen=True)
class Evidence:
    """Passes counted at one capacity.

    Attributes
    ----------
    capacity : int
        GPUs.
    replications : int
        Replications counted.
    passed : int
        Those that passed; of kind "lower": those not seen to fail, although few were run.
    simulated : int
        Those really run at this capacity; the others are implied by their runs at other capacities, or of kind "lower"
        taken to pass.
    kind : Stage
        Which stage counted them.
    confidence : float
        Two-sided, of ``low`` and ``high``, for this capacity alone.
    strata : tuple of Stratum
        The counts of the two kinds, where they were sampled separately; else empty.
    """

    capacity: int
    replications: int
    passed: int
    simulated: int
    kind: Stage
    confidence: float
    strata: tuple[Stratum, ...] = ()

    @property
    def share(self) -> float:
        """Estimate of the probability of a pass: the share that passed, of two strata the weighted one."""
        if self.strata:
            return sum(s.weight * s.passed / s.replications for s in self.strata)
        return self.passed / self.replications

    @property
    def interval(self) -> Interval:
        """Exact interval of the probability of a pass: Clopper-Pearson, or of two strata."""
        if self.strata:
            one, other = self.strata
            design = Design((one.weight, other.weight), (one.replications, other.replications))
            return confidence_interval(design, (one.passed, other.passed), self.confidence)
        return clopper_pearson(self.passed, self.replications, self.confidence)

    @property
    def low(self) -> float:
        """Lower end of `interval`."""
        return self.interval.low

    @property
    def high(self) -> float:
        """Upper end of `interval`."""
        return self.interval.high


@dataclass(frozen=True)
class SizingResult:
    """Answer of `gpusim.stats.sizing.find_capacity`.

    Attributes
    ----------
    gpus : int or None
        The answer, equal to ``gpus_high``; None where no sufficient size is claimed.
    gpus_low, gpus_high : int or None
        ``gpus_high`` is enough; every smaller size than ``gpus_low`` is too small (see
        ``smaller_insufficient_claim``). Both hold together with probability ``confidence`` at least.
        ``gpus_high`` is None if no size of the grid could be certified, ``gpus_low`` if all are too small.
    tolerance_gpus : int
        Width ``gpus_high - gpus_low`` that was asked for.
    resolved : bool
        The question is answered as asked: certified and no wider than the tolerance, or certainly infeasible.
    certified : bool
        ``gpus_high`` is certified enough, in the sense of ``guarantee``.
    feasible : bool or None
        False: certainly even the top of the grid is too small. None: not decided.
    guarantee : str
        One of the ``GUARANTEE_`` texts; it speaks of ``gpus_high``.
    attainment, confidence : float
        As asked: probability of a pass that the size must reach; confidence in our claim.
    evidence : tuple of Evidence
        Per stage and capacity, ascending in capacity within a stage.
    ranges : dict of str to (int, int)
        Replications ``first <= r < stop`` of "scout", "pilot", "final", "hold-out" (those that were used); disjoint.
        Fill-in and audit use the final ones. Of a stratified stage: those looked at, of which some were passed over.
    natural : dict of str to (int, int)
        The first replications of each of these ranges, none passed over: an ordinary sample, for measurements.
    runs : dict of str to int
        Runs simulated per stage.
    p_value : float or None
        Probability of as many passes at ``gpus_high`` as were seen, or more, if it were just too small.
    non_monotone : Share or None
        Replications seen to pass at a size and to fail at a larger one; upper bound one-sided at
        ``confidence``.
    smaller_insufficient_claim : bool
        Whether "every size below ``gpus_low`` is too small" is claimed. If not, ``gpus_high`` is the smallest
        certified of the sizes tested.
    low_is_grid_minimum : bool
        ``gpus_low`` is only the smallest size of the grid: nothing is known below it.
    out_of_time : bool
        The deadline cut a stage short.
    replications_needed : int or None
        Estimate for the tolerance asked, where the interval is wider.
    notes : tuple of str
        Plain sentences for the report.
    """

    gpus: int | None
    gpus_low: int | None
    gpus_high: int | None
    tolerance_gpus: int
    resolved: bool
    certified: bool
    feasible: bool | None
    guarantee: str
    attainment: float
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    natural: dict[str, tuple[int, int]] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    p_value: float | None = None
    non_monotone: Share | None = None
    smaller_insufficient_claim: bool = False
    low_is_grid_minimum: bool = False
    out_of_time: bool = False
    replications_needed: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def total_runs(self) -> int:
        """Runs simulated in all stages."""
        return sum(self.runs.values())
