"""The laws of a number that nobody knows exactly: uniform, triangular, lognormal, normal.

Each gives the value at a share `u` of its probability (`quantile`), its median (the value that stands where
one plain number is asked) and the least and largest value it can give. The two normal laws are cut at 4
standard deviations on both sides, the draws beyond drawn again (so that the median stays); the normal one
also at a hundredth of its mean, since no number of a demand is negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
CUT = 4.0  # standard deviations
LEAST_OF_MEAN = 0.01  # a normal law gives no value below this share of its mean


def _cut_score(u: float, low: float, high: float) -> float:
    """Standard normal score at the share `u` of the normal law restricted to [low, high]."""
    below, above = _NORMAL.cdf(low), _NORMAL.cdf(high)
    if u == 0.5 and low == -high:
        return 0.0
    return min(high, max(low, _NORMAL.inv_cdf(min(1 - 1e-16, max(1e-16, below + u * (above - below))))))


@dataclass(frozen=True)
class UniformLaw:
    """Anything between `low` and `high` is equally likely."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """Value that the number stays below with probability `u`, in [0, 1]."""
        return self.low + u * (self.high - self.low)


@dataclass(frozen=True)
class TriangularLaw:
    """`mode` is the most likely value; the density falls in straight lines to `low` and `high`."""

    low: float
    mode: float
    high: float

    def quantile(self, u: float) -> float:
        """Value that the number stays below with probability `u`, in [0, 1]."""
        width = self.high - self.low
        rise = (self.mode - self.low) / width
        if u <= rise:
            return self.low + math.sqrt(u * width * (self.mode - self.low))
        return self.high - math.sqrt((1 - u) * width * (self.high - self.mode))


@dataclass(frozen=True)
class LognormalLaw:
    """The logarithm is normal: median `middle`, `sigma` of the natural logarithm."""

    middle: float
    sigma: float

    @property
    def low(self) -> float:
        """Least value."""
        return self.middle * math.exp(-CUT * self.sigma)

    @property
    def high(self) -> float:
        """Largest value."""
        return self.middle * math.exp(CUT * self.sigma)

    def quantile(self, u: float) -> float:
        """Value that the number stays below with probability `u`, in [0, 1]."""
        return self.middle * math.exp(self.sigma * _cut_score(u, -CUT, CUT))


@dataclass(frozen=True)
class NormalLaw:
    """Normal with `mean` and standard deviation `sd`, before the cuts."""

    mean: float
    sd: float

    @property
    def low(self) -> float:
        """Least value."""
        return max(self.mean - CUT * self.sd, LEAST_OF_MEAN * self.mean)

    @property
    def high(self) -> float:
        """Largest value."""
        return self.mean + CUT * self.sd

    def quantile(self, u: float) -> float:
        """Value that the number stays below with probability `u`, in [0, 1]."""
        low = max(-CUT, (LEAST_OF_MEAN - 1) * self.mean / self.sd)
        return self.mean + self.sd * _cut_score(u, low, CUT)


Law = UniformLaw | TriangularLaw | LognormalLaw | NormalLaw
