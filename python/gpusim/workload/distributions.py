"""Distributions of durations, given by their quantile functions and their first two moments.

Only what the compiler of quantile tables needs: where the quantile lies, how large the mean and the second
moment are. Nothing here draws a random number; generated jobs come from the integer tables of
`quantile_table`. Here are the laws in closed form; `weibull`, `hyperexponential` and `quantile_law` hold the
others.

All values are in seconds (or in any other unit, as long as the caller keeps to one). A `cap` replaces every
value above it by the cap itself, X' = min(X, cap): the probability beyond the cap becomes an atom at the cap,
nothing is redrawn, and `mean` and `second_moment` are those of X'.

NumPy and the standard library only; SciPy is not needed at run time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.normal_score import normal_cdf
from gpusim.workload.probabilities import Probabilities

FloatArray = NDArray[np.float64]

SIGMA_LIMIT = 8.0
"""Largest sigma of a lognormal; its 1 - 2^-32 quantile is then 10^21 medians, beyond any table."""


class Distribution(Protocol):
    """What `compile_table` asks of a distribution; equal ones have equal hashes, so that tables can be kept."""

    def __hash__(self) -> int:
        """Hash of the parameters."""

    @property
    def cap(self) -> float | None:
        """Largest value, where an atom may sit; None if there is no cap."""

    @property
    def floor_share(self) -> float:
        """Probability of an atom at the smallest value, where the quantile function bends; mostly 0."""

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Quantiles of the law without its cap."""

    def above(self, value: float) -> float:
        """Probability that the law without its cap is above `value`."""

    def mean(self) -> float:
        """Expected value."""

    def second_moment(self) -> float:
        """Expected value of the square."""


class Law:
    """What all distributions share: no floor, and quantiles cut at the cap."""

    __slots__ = ()

    @property
    def floor_share(self) -> float:
        """Probability of an atom at the smallest value: 0."""
        return 0.0

    def quantile(self: Distribution, p: ArrayLike, q: ArrayLike) -> FloatArray:
        """Value with probability `p` below and `q` = 1 - `p` above it; both, to keep the tails exact."""
        value = self.uncapped(Probabilities(p, q))
        return value if self.cap is None else np.minimum(value, self.cap)


@dataclass(frozen=True, slots=True)
class Exponential(Law):
    """Exponential distribution, optionally capped.

    Parameters
    ----------
    scale : float
        Mean before the cap, the inverse of the rate [s]; finite and above 0.
    cap : float, optional
        Values above it become the cap [s]; finite and above 0.

    Raises
    ------
    WorkloadError
        If a parameter is not finite or not above 0.

    Notes
    -----
    With a = cap / m: E min(X, cap) = m (1 - e^-a) and E min(X, cap)^2 = 2 m^2 (1 - (1 + a) e^-a), both from
    E g(X) = integral of g'(x) P(X > x) dx over [0, cap].

    Examples
    --------
    >>> Exponential(3600.0).mean()
    3600.0
    """

    scale: float
    cap: float | None = None

    def __post_init__(self) -> None:
        require_positive("Exponential", scale=self.scale, cap=self.cap)

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Return -m ln q."""
        return self.scale * points.depth

    def above(self, value: float) -> float:
        """Probability of more than `value` before the cap."""
        return math.exp(-value / self.scale)

    def mean(self) -> float:
        """Expected value of min(X, cap) [s]."""
        return exponential_moments(self.scale, self.cap)[0]

    def second_moment(self) -> float:
        """Expected value of min(X, cap)^2 [s^2]."""
        return exponential_moments(self.scale, self.cap)[1]


@dataclass(frozen=True, slots=True)
class LogNormal(Law):
    """Lognormal distribution, optionally capped: ln X is normal, mean ln(median), standard deviation sigma.

    Parameters
    ----------
    median : float
        Median before the cap [s]; finite and above 0.
    sigma : float
        Standard deviation of ln X; above 0 (for 0 use `Deterministic`) and at most 8.
    cap : float, optional
        Values above it become the cap [s]; finite and above 0.

    Raises
    ------
    WorkloadError
        If a parameter is not finite or not above 0, or sigma is above 8.

    Notes
    -----
    The partial moments are E[X^n; X <= c] = median^n e^(n^2 sigma^2 / 2) Phi((ln(c / median) - n sigma^2) /
    sigma) (Johnson, Kotz and Balakrishnan, *Continuous Univariate Distributions* 1, 2nd ed., 1994, section
    14.8), to which the atom adds c^n P(X > c).

    Examples
    --------
    >>> round(LogNormal(3600.0, 1.0).mean(), 3)
    5935.397
    """

    median: float
    sigma: float
    cap: float | None = None

    def __post_init__(self) -> None:
        require_positive("LogNormal", median=self.median, sigma=self.sigma, cap=self.cap)
        if self.sigma > SIGMA_LIMIT:
            raise WorkloadError(
                Problem(
                    where="LogNormal.sigma",
                    what=f"above {SIGMA_LIMIT:g}",
                    remedy="sigma is the standard deviation of ln X, not of X",
                    code="workload/distribution-parameter",
                    found=repr(self.sigma),
                )
            )

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Return median e^(sigma z) with z the normal quantile."""
        return np.asarray(self.median * np.exp(self.sigma * points.score), dtype=np.float64)

    def above(self, value: float) -> float:
        """Probability of more than `value` before the cap."""
        return normal_cdf(-math.log(value / self.median) / self.sigma)

    def mean(self) -> float:
        """Expected value of min(X, cap) [s]."""
        return self._moment(1)

    def second_moment(self) -> float:
        """Expected value of min(X, cap)^2 [s^2]."""
        return self._moment(2)

    def _moment(self, order: int) -> float:
        whole = self.median**order * math.exp(0.5 * (order * self.sigma) ** 2)
        if self.cap is None:
            return whole
        z = math.log(self.cap / self.median) / self.sigma
        return whole * normal_cdf(z - order * self.sigma) + self.cap**order * normal_cdf(-z)


@dataclass(frozen=True, slots=True)
class Uniform(Law):
    """Every value of an interval equally likely.

    Parameters
    ----------
    low, high : float
        Ends of the interval [s]; finite, `low` 0 or more, `high` above `low`.

    Raises
    ------
    WorkloadError
        If the ends are not as said.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        require_positive("Uniform", high=self.high)
        if not 0.0 <= self.low < self.high:
            raise WorkloadError(
                Problem(
                    where="Uniform.low",
                    what="not from 0 to below the high end",
                    remedy="write the smaller end first",
                    code="workload/distribution-parameter",
                    found=f"{self.low!r} to {self.high!r}",
                )
            )

    @property
    def cap(self) -> None:
        """Always None: there is nothing to cap."""
        return None

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Return low + (high - low) p."""
        return self.low * points.above + self.high * points.below

    def above(self, value: float) -> float:
        """Probability of more than `value`."""
        return min(1.0, max(0.0, (self.high - value) / (self.high - self.low)))

    def mean(self) -> float:
        """Expected value [s]."""
        return 0.5 * (self.low + self.high)

    def second_moment(self) -> float:
        """Expected value of the square [s^2]."""
        return (self.low**2 + self.low * self.high + self.high**2) / 3.0


@dataclass(frozen=True, slots=True)
class Deterministic(Law):
    """The same value always.

    Parameters
    ----------
    value : float
        The value [s]; finite and above 0.

    Raises
    ------
    WorkloadError
        If the value is not finite or not above 0.
    """

    value: float

    def __post_init__(self) -> None:
        require_positive("Deterministic", value=self.value)

    @property
    def cap(self) -> None:
        """Always None: there is nothing to cap."""
        return None

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Return the value, in the shape of the points."""
        return np.full(points.below.shape, self.value, dtype=np.float64)

    def above(self, value: float) -> float:
        """Probability of more than `value`: 0 or 1."""
        return float(self.value > value)

    def mean(self) -> float:
        """Expected value [s]."""
        return self.value

    def second_moment(self) -> float:
        """Expected value of the square [s^2]."""
        return self.value**2


def exponential_moments(scale: float, cap: float | None) -> tuple[float, float]:
    """First and second moment of min(X, cap) for exponential X of mean `scale`."""
    if cap is None:
        return scale, 2.0 * scale**2
    return -scale * math.expm1(-cap / scale), 2.0 * scale**2 * _erlang2_cdf(cap / scale)


def require_positive(kind: str, **parameters: float | None) -> None:
    """Raise `WorkloadError` naming every parameter that is given but not a finite number above 0."""
    problems = [
        Problem(
            where=f"{kind}.{name}",
            what="not a finite number above 0",
            remedy="write a value above 0",
            code="workload/distribution-parameter",
            found=repr(value),
        )
        for name, value in parameters.items()
        if value is not None and not (math.isfinite(value) and value > 0.0)
    ]
    if problems:
        raise WorkloadError(problems)


def _erlang2_cdf(a: float) -> float:
    """1 - (1 + a) e^-a; for small a, where that cancels, the sum of (-a)^k (k - 1) / k! over k >= 2."""
    if a > 0.1:
        return -math.expm1(-a) - a * math.exp(-a)
    return math.fsum((-a) ** k * (k - 1) / math.factorial(k) for k in range(2, 14))
