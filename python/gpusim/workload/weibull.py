"""Weibull run times: a shape below 1 makes them more variable than exponential ones, above 1 less."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.distributions import Law, require_positive
from gpusim.workload.probabilities import Probabilities

FloatArray = NDArray[np.float64]

SHAPE_RANGE = (0.05, 100.0)
_TERMS = 500  # of the series or the fraction; at most some 60 are used
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Weibull(Law):
    """Weibull distribution, optionally capped: P(X > x) = e^-((x / scale)^shape).

    Parameters
    ----------
    shape : float
        From 0.05 to 100.
    scale : float
        Its 63.2 % quantile before the cap [s]; finite and above 0.
    cap : float, optional
        Values above it become the cap [s]; finite and above 0.

    Raises
    ------
    WorkloadError
        If a parameter is not finite or not above 0, or the shape outside its range.

    Notes
    -----
    E[min(X, c)^n] = scale^n Gamma(1 + n / shape) P(1 + n / shape, (c / scale)^shape) + c^n P(X > c), with P
    the regularized lower incomplete gamma function (Rinne, *The Weibull Distribution*, 2008, section 2.9).

    Examples
    --------
    >>> Weibull.of_mean(0.5, 7200.0).scale
    3600.0
    """

    shape: float
    scale: float
    cap: float | None = None

    def __post_init__(self) -> None:
        require_positive("Weibull", shape=self.shape, scale=self.scale, cap=self.cap)
        low, high = SHAPE_RANGE
        if not low <= self.shape <= high:
            raise WorkloadError(
                Problem(
                    where="Weibull.shape",
                    what=f"outside [{low:g}, {high:g}]",
                    remedy="shape 1 is exponential, 0.5 very variable",
                    code="workload/distribution-parameter",
                    found=repr(self.shape),
                )
            )

    @classmethod
    def of_mean(cls, shape: float, mean: float, cap: float | None = None) -> Weibull:
        """Weibull distribution of a shape with a mean, before the cap, of `mean` [s]."""
        require_positive("Weibull", shape=shape)
        return cls(shape, mean / math.gamma(1.0 + 1.0 / shape), cap)

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Return scale (-ln q)^(1 / shape)."""
        return np.asarray(self.scale * points.depth ** (1.0 / self.shape), dtype=np.float64)

    def above(self, value: float) -> float:
        """Probability of more than `value` before the cap."""
        return math.exp(-((value / self.scale) ** self.shape))

    def mean(self) -> float:
        """Expected value of min(X, cap) [s]."""
        return self._moment(1)

    def second_moment(self) -> float:
        """Expected value of min(X, cap)^2 [s^2]."""
        return self._moment(2)

    def _moment(self, order: int) -> float:
        a = 1.0 + order / self.shape
        whole = self.scale**order * math.gamma(a)
        if self.cap is None:
            return whole
        return whole * lower_gamma(a, (self.cap / self.scale) ** self.shape) + self.cap**order * self.above(
            self.cap
        )


def lower_gamma(a: float, x: float) -> float:
    """Regularized lower incomplete gamma function P(a, x), for a > 0 and x >= 0.

    References
    ----------
    NIST, *Digital Library of Mathematical Functions*, 8.11.4 (series, for x < a + 1) and 8.9.2 (continued
    fraction of 1 - P), the latter summed by Lentz's method.
    """
    if x <= 0.0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        for n in range(1, _TERMS):
            term *= x / (a + n)
            total += term
            if term < total * 1e-17:
                break
        return front * total
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    fraction = d
    for n in range(1, _TERMS):
        step = n * (a - n)
        b += 2.0
        d = 1.0 / (step * d + b or _TINY)
        c = b + step / c or _TINY
        fraction *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return 1.0 - front * fraction
