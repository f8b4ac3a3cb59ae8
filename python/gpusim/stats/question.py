"""What is asked of a sizing run, and of whom: `SizingOptions` and the `Evaluator` protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, Protocol

from gpusim.stats.binomial import minimum_replications
from gpusim.stats.critical import BoolArray, IntArray


class Evaluator(Protocol):
    """Whatever can tell whether replications pass at a capacity."""

    def evaluate(self, replications: IntArray, capacity: int) -> BoolArray:
        """One bool per replication, True where it passes; a pure function of (replication, capacity).

        May raise `OutOfTime`. A replication that could not be simulated to its end is a fail, never dropped.
        """
        ...


@dataclass(frozen=True)
class SizingOptions:
    """What is asked of `gpusim.stats.sizing.find_capacity`.

    Parameters
    ----------
    attainment : float
        Probability of a pass that the size must reach, in (0, 1).
    confidence : float
        Confidence in the interval, in (0, 1).
    tolerance : int, optional
        Width wanted, at least the grid's step; by default the step or `tolerance_share` of the size,
        whichever is more.
    tolerance_share : float
        See `tolerance`; in (0, 1).
    monotone : bool
        True only where a replication that passes at a size provably passes at every larger one.
    certify : {"normal", "strict"}
        "strict" adds fresh replications at ``gpus_high`` and so needs no monotonicity for "is enough".
    scout_replications, pilot_replications, replications_min, replications_max : int
        Replications of the scout, of the pilot, and limits for the final stage. An audit that finds nothing
        supports the claim on smaller sizes only from 239 replications on (for 0.95 and 0.95).
    planning_margin : float
        Final replications, as a multiple of what the pilot says the tolerance needs on average. At 1 the
        interval comes out wider than asked in a good part of all cases, at 2 in few.
    stratified_pilot, stratified_min, stratified_margin
        The same three where replications are of two kinds: the pilot tries both, and its forecast is steadier, but the
        width of the interval hangs on fewer replications.
    audit_share : float
        Share of the final replications that are audited, in [0, 1]; 0 leaves the audit out.
    first_replication : int
        Number of the first replication of the pilot; later stages follow.
    """

    attainment: float = 0.95
    confidence: float = 0.95
    tolerance: int | None = None
    tolerance_share: float = 0.01
    monotone: bool = False
    certify: Literal["normal", "strict"] = "normal"
    scout_replications: int = 8
    pilot_replications: int = 100
    replications_min: int = 200
    replications_max: int = 12_000
    planning_margin: float = 1.0
    stratified_pilot: int = 80
    stratified_min: int = 470
    stratified_margin: float = 1.2
    audit_share: float = 0.05
    first_replication: int = 0

    def __post_init__(self) -> None:
        for name in ("attainment", "confidence", "tolerance_share"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be strictly between 0 and 1 (found {getattr(self, name)})")
        if self.certify not in ("normal", "strict"):
            raise ValueError(f"certify must be 'normal' or 'strict' (found {self.certify!r})")
        if (
            self.scout_replications < 1
            or self.pilot_replications < 2
            or not 1 <= self.replications_min <= self.replications_max
        ):
            raise ValueError(
                "need scout_replications >= 1, pilot_replications >= 2 and 1 <= replications_min <= "
                f"replications_max (found {self.scout_replications}, {self.pilot_replications}, "
                f"{self.replications_min}, {self.replications_max})"
            )
        if not self.planning_margin > 0.0:
            raise ValueError(f"planning_margin must be above 0 (found {self.planning_margin})")
        if not 0.0 <= self.audit_share <= 1.0 or self.first_replication < 0:
            raise ValueError(
                "audit_share must be within [0, 1] and first_replication at least 0 "
                f"(found {self.audit_share}, {self.first_replication})"
            )

    @property
    def beta(self) -> float:
        """Probability of a fail that is allowed."""
        return 1.0 - self.attainment

    @property
    def delta(self) -> float:
        """Probability of a wrong claim that is allowed."""
        return 1.0 - self.confidence

    def tolerance_at(self, size: int, step: int) -> int:
        """Width wanted for an answer near ``size`` on a grid of ``step``."""
        if self.tolerance is not None:
            return self.tolerance
        return max(step, math.floor(self.tolerance_share * size))

    def final_replications(self, slope: float, tolerance: int) -> int:
        """Final replications for a quantile that rises by ``slope`` (capacity per unit of probability).

        ``(2 z slope sqrt(beta (1 - beta)) / tolerance)^2``, the large-sample width of a quantile's interval
        solved for the number, times the margin; never so few that no upper bound could exist.
        """
        z = NormalDist().inv_cdf(1.0 - self.delta / 2.0)
        wanted = (2.0 * z * slope * math.sqrt(self.beta * self.attainment) / tolerance) ** 2
        fewest = minimum_replications(self.attainment, 1.0 - self.delta / 2.0)
        planned = max(math.ceil(self.planning_margin * wanted), self.replications_min, fewest)
        return min(planned, self.replications_max)
