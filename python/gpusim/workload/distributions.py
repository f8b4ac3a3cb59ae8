"""Distributions of durations, given by their quantile functions and their first two moments.

Only what the compiler of quantile tables needs: where the quantile lies, how large the mean and the second
moment are. Nothing here draws a random number; generated jobs come from the integer tables of
`quantile_table`.

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

FloatArray = NDArray[np.float64]

SIGMA_LIMIT = 8.0
"""Largest sigma of a lognormal; its 1 - 2^-32 quantile is then 10^21 medians, beyond any table."""


class Distribution(Protocol):
    """What `compile_table` asks of a distribution."""

    @property
    def cap(self) -> float | None:
        """Largest value, where an atom may sit; None if there is no cap."""

    def quantile(self, p: ArrayLike, q: ArrayLike) -> FloatArray:
        """Value with probability `p` below and `q` = 1 - `p` above it; both, to keep the tails exact."""

    def mean(self) -> float:
        """Expected value."""

    def second_moment(self) -> float:
        """Expected value of the square."""


@dataclass(frozen=True, slots=True)
class Exponential:
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
        _require_positive("Exponential", scale=self.scale, cap=self.cap)

    def quantile(self, p: ArrayLike, q: ArrayLike) -> FloatArray:
        """Return -m ln q, computed as -m log1p(-p) in the lower half."""
        below, above = _probabilities(p, q)
        with np.errstate(divide="ignore"):
            value = -self.scale * np.where(below < above, np.log1p(-np.minimum(below, 0.5)), np.log(above))
        return _capped(value, self.cap)

    def mean(self) -> float:
        """Expected value of min(X, cap) [s]."""
        if self.cap is None:
            return self.scale
        return -self.scale * math.expm1(-self.cap / self.scale)

    def second_moment(self) -> float:
        """Expected value of min(X, cap)^2 [s^2]."""
        if self.cap is None:
            return 2.0 * self.scale**2
        return 2.0 * self.scale**2 * _erlang2_cdf(self.cap / self.scale)


@dataclass(frozen=True, slots=True)
class LogNormal:
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

    Notes ----- The partial moments are E[X^n; X <= c] = median^n e^(n^2 sigma^2 / 2) Phi((ln(c / median) - n
    sigma^2) / sigma) (Johnson, Kotz and Balakrishnan, *Continuous Univariate Distributions* 1, 2nd ed., 1994,
    section 14.8), to which the atom adds c^n P(X > c).

    Examples
    --------
    >>> round(LogNormal(3600.0, 1.0).mean(), 3)
    5935.397
    """

    median: float
    sigma: float
    cap: float | None = None

    def __post_init__(self) -> None:
        _require_positive("LogNormal", median=self.median, sigma=self.sigma, cap=self.cap)
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

    def quantile(self, p: ArrayLike, q: ArrayLike) -> FloatArray:
        """Return median e^(sigma z) with z the normal quantile."""
        return _capped(self.median * np.exp(self.sigma * normal_quantile(p, q)), self.cap)

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
        return whole * _normal_cdf(z - order * self.sigma) + self.cap**order * _normal_cdf(-z)


@dataclass(frozen=True, slots=True)
class Deterministic:
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
        _require_positive("Deterministic", value=self.value)

    @property
    def cap(self) -> None:
        """Always None: there is nothing to cap."""
        return None

    def quantile(self, p: ArrayLike, q: ArrayLike) -> FloatArray:
        """Return the value, in the shape of `p`."""
        below, _ = _probabilities(p, q)
        return np.full(below.shape, self.value, dtype=np.float64)

    def mean(self) -> float:
        """Expected value [s]."""
        return self.value

    def second_moment(self) -> float:
        """Expected value of the square [s^2]."""
        return self.value**2


# Coefficients of Wichura's PPND16, highest power first: M. J. Wichura, "Algorithm AS 241: The Percentage
# Points of the Normal Distribution", Applied Statistics 37 (1988) 477-484, doi:10.2307/2347330. Stated
# accuracy: 1 part in 10^16.
_CENTRAL = (
    (
        2509.0809287301226727, 33430.575583588128105, 67265.770927008700853,
        45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
        133.14166789178437745, 3.3871328727963666080,
    ),
    (
        5226.4952788528545610, 28729.085735721942674, 39307.895800092710610,
        21213.794301586595867, 5394.1960214247511077, 687.18700749205790830,
        42.313330701600911252, 1.0,
    ),
)  # fmt: skip
_MIDDLE = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
        1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
        4.63033784615654529590, 1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
        1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940,
        2.05319162663775882187, 1.0,
    ),
)  # fmt: skip
_FAR = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
        2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
        5.46378491116411436990, 6.65790464350110377720,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
        7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
        5.99832206555887937690e-1, 1.0,
    ),
)  # fmt: skip


def normal_quantile(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Inverse of the standard normal distribution function, accurate in both tails.

    Parameters
    ----------
    p, q : array_like of float64
        Probability below and above the wanted point, `q` = 1 - `p`. The smaller of the two is the one used.

    Returns
    -------
    numpy.ndarray of float64
        z with Phi(z) = p; about 1e-15 relative accuracy for min(p, q) from 1e-300 to 0.5.

    Notes
    -----
    Wichura's algorithm AS 241, PPND16: ratios of polynomials of degree 7 in 0.180625 - (p - 1/2)^2 near the
    centre and in sqrt(-ln min(p, q)) in the tails.
    """
    below, above = _probabilities(p, q)
    tail = np.minimum(below, above)
    offset = np.where(below < above, below - 0.5, 0.5 - above)
    centre = offset * _ratio(_CENTRAL, 0.180625 - offset * offset)
    with np.errstate(divide="ignore"):
        depth = np.sqrt(-np.log(tail))
    with np.errstate(invalid="ignore"):
        outer = np.where(depth <= 5.0, _ratio(_MIDDLE, depth - 1.6), _ratio(_FAR, depth - 5.0))
    value = np.where(np.abs(offset) <= 0.425, centre, np.copysign(outer, offset))
    return np.where(tail > 0.0, value, np.copysign(np.inf, offset))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: FloatArray) -> FloatArray:
    return np.asarray(np.polyval(coefficients[0], x) / np.polyval(coefficients[1], x), dtype=np.float64)


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _erlang2_cdf(a: float) -> float:
    """1 - (1 + a) e^-a; for small a, where that cancels, the sum of (-a)^k (k - 1) / k! over k >= 2."""
    if a > 0.1:
        return -math.expm1(-a) - a * math.exp(-a)
    return math.fsum((-a) ** k * (k - 1) / math.factorial(k) for k in range(2, 14))


def _probabilities(p: ArrayLike, q: ArrayLike) -> tuple[FloatArray, FloatArray]:
    below, above = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64))
    return below, above


def _capped(value: FloatArray, cap: float | None) -> FloatArray:
    return value if cap is None else np.minimum(value, cap)


def _require_positive(kind: str, **parameters: float | None) -> None:
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
