"""Exact inference on a share from two strata of known weight, each sampled on its own.

Replications are of two kinds, h = 0 and h = 1, of which kind h makes up the known share ``w_h`` (``w_0 + w_1
= 1``). Of ``n_h`` independent replications of kind h, ``x_h`` pass; so ``x_h`` is binomial with an unknown
``p_h``, and ``theta = w_0 p_0 + w_1 p_1`` is the share wanted. Sampling the rarer kind more often than it
occurs pays where the kinds differ much.

**Order of the outcomes.** Let ``K_t(x)`` be the least of ``sum_h n_h KL(x_h / n_h || p_h)`` over all p with
``w . p <= t``, the likelihood ratio statistic of "theta <= t" (0 where the estimate is at most t), and ``R_t
= {x : K_t(x) >= c}`` with ``c = z^2 / 2``. These sets shrink as t grows, so they order the outcomes:
``T(x)``, the largest t with x in ``R_t``, is about the lower confidence bound of theta that the likelihood
ratio gives. Nothing below depends on how good that order is.

**Why the claims are exact.** At the projection on ``w . p = t`` Lagrange's rule gives ``x_h / n_h - p_h = f
w_h p_h (1 - p_h) / n_h`` with one ``f > 0``: so both ``x_h / n_h >= p_h``, ``K_t`` rises with each ``x_h``,
and ``R_t`` is an *up-set*: one pass more never leaves it. The probability of an up-set rises with ``p_0`` and
with ``p_1`` (couple the coins). Hence

1. its largest probability over all p with ``theta <= a`` is taken on the line ``w . p = a``, a search in one
dimension of a smooth function, evaluated without approximation (`largest`); 2. a set with a largest
probability of at most ``error`` claims "theta > a" wrongly with probability ``error`` at most, whatever
``p_0`` and ``p_1`` are (`region`); 3. the largest probability of the fixed set ``R_T(x)`` rises with a, and
where it reaches ``error`` is a lower confidence bound, for any order of the outcomes (Buehler [1]_)
(`lower_bound`).

The set that is used is the one whose integer corners were worked out, so rounding in ``K`` costs no
exactness. "Too small" is the same test of the fails, with ``1 - a``.

References ---------- .. [1] R. J. Buehler, "Confidence intervals for the product of two binomial parameters",
Journal of the American Statistical Association 52 (1957) 482-493. [unverified: cited from memory]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpusim.stats.binomial import Interval

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Pair = tuple[int, int]

_HALVINGS = 44  # of a bisection in floating point: to the last digits
_NEAR = 0.9  # of the largest probability: peaks that are looked at closely
_ZOOMS = 3  # each eight times closer
_GUARD = 1e-4  # relative: what a maximum between two of the closest points may be above both
_BOUND_ERROR = 1e-5  # of a share


@dataclass(frozen=True)
class Design:
    """Two strata.

    Parameters
    ----------
    weights : tuple of float
        Share of each kind among all replications, within (0, 1); they add up to 1.
    sizes : tuple of int
        Replications of each kind, at least 1.
    """

    weights: tuple[float, float]
    sizes: Pair

    def __post_init__(self) -> None:
        if min(self.weights) <= 0.0 or abs(sum(self.weights) - 1.0) > 1e-9:
            raise ValueError(f"weights must be above 0 and add up to 1 (found {self.weights})")
        if min(self.sizes) < 1:
            raise ValueError(f"each stratum needs a replication (found {self.sizes})")

    def estimate(self, passes: Pair) -> float:
        """The weighted share of passes."""
        return math.fsum(w * x / n for w, x, n in zip(self.weights, passes, self.sizes, strict=True))

    def fails(self, passes: Pair) -> Pair:
        """The counts of the others."""
        return self.sizes[0] - passes[0], self.sizes[1] - passes[1]


@dataclass(frozen=True, eq=False)
class UpSet:
    """Outcomes with ``x_0 >= corner[x_1]``; corners never rise, ``n_0 + 1`` stands for none.

    Parameters
    ----------
    corner : (n_1 + 1,) int64
    """

    corner: IntArray

    def holds(self, counts: IntArray) -> NDArray[np.bool_]:
        """Whether each row ``(x_0, x_1)`` of `counts` is in the set, shape (n,)."""
        inside: NDArray[np.bool_] = counts[:, 0] >= self.corner[counts[:, 1]]
        return inside

    def mirrored(self, design: Design) -> UpSet:
        """The outcomes whose *fails* are not in this set: again an up-set of the passes."""
        return UpSet(design.sizes[0] + 1 - self.corner[::-1])


@lru_cache(maxsize=256)
def region(design: Design, level: float, error: float) -> UpSet | None:
    """The outcomes that show "theta is above `level`", wrongly with probability `error` at most.

    Parameters
    ----------
    design : Design
    level : float
        In (0, 1).
    error : float
        In (0, 0.5].

    Returns
    -------
    UpSet or None
        The largest of the sets ``R_t`` that keeps the error; None where not even all passes show it.
    """
    c = _evidence(error)
    low, high = 0.0, 1.0  # of t: too much error, little enough (at 1 no outcome is left)
    t, step = level, (1.0 - level) / 8.0
    while high - low > _BOUND_ERROR:
        if largest(design, above(design, t, c), level, enough=error) <= error:
            high = t
            t = max(t - step, (low + t) / 2.0)
        else:
            low = t
            t = min(t + step, (high + t) / 2.0)
        step /= 2.0 if low > 0.0 and high < 1.0 else 1.0
    outcomes = above(design, high, c) if high < 1.0 else None
    return outcomes if outcomes is not None and outcomes.corner[-1] <= design.sizes[0] else None


def p_value(design: Design, passes: Pair, level: float, error: float) -> float:
    """Largest probability, if theta were `level` at most, of an outcome as far above it; in the order for `error`."""
    if design.estimate(passes) <= 0.0:
        return 1.0
    return min(1.0, largest(design, _as_clear(design, passes, error), level))


def confidence_interval(design: Design, passes: Pair, confidence: float) -> Interval:
    """Exact confidence bounds of theta; each end errs with probability ``(1 - confidence) / 2`` at most.

    Examples
    --------
    >>> design = Design((0.8, 0.2), (160, 140))
    >>> [round(end, 3) for end in confidence_interval(design, (158, 98), 0.95)]
    [0.902, 0.951]
    """
    error = (1.0 - confidence) / 2.0
    low = lower_bound(design, passes, error)
    return Interval(low, 1.0 - lower_bound(design, design.fails(passes), error))


@lru_cache(maxsize=1024)
def lower_bound(design: Design, passes: Pair, error: float) -> float:
    """The largest a, to within a millionth, at which an outcome as clear as this has probability `error` at most."""
    estimate = design.estimate(passes)
    if estimate <= 0.0:
        return 0.0
    outcomes = _as_clear(design, passes, error)
    low, high = 0.0, estimate
    a = _order(design, passes, error)  # near the answer
    step = max((estimate - a) / 16.0, _BOUND_ERROR)
    while high - low > _BOUND_ERROR:
        if largest(design, outcomes, a, enough=error) <= error:
            low, a = a, a + step
        else:
            high, a = a, a - step
        if not low < a < high or (low > 0.0 and high < estimate):
            a = (low + high) / 2.0
        step *= 2.0
    return low


def largest(design: Design, outcomes: UpSet, level: float, *, enough: float | None = None) -> float:
    """Largest probability of an up-set over all p with ``theta <= level``, as a proven upper bound.

    Parameters
    ----------
    design : Design
    outcomes : UpSet
    level : float
        In [0, 1].
    enough : float, optional
        The answer is only compared with this number: the search ends once it is known which is larger.

    Returns
    -------
    float
        The largest value on the line, to a relative 1e-4 and rounded up; with `enough`, peaks are looked at closely
        only where that decides.
    """
    w0, w1 = design.weights
    first, last = max(0.0, (level - w0) / w1), min(1.0, level / w1)

    def chance(p1: FloatArray) -> FloatArray:
        tail = _tail_at(design.sizes[0], np.clip((level - w1 * p1) / w0, 0.0, 1.0), outcomes.corner)
        chances: FloatArray = np.einsum("ij,ij->i", tail, _law(design.sizes[1], p1))
        return chances

    # A quarter of a standard deviation apart or less, and closer at the ends, where a binomial law is narrow.
    parts = 16 + math.ceil(4.0 * math.sqrt(max(design.sizes)))
    p1 = first + (last - first) * np.sin(np.linspace(0.0, math.pi / 2.0, parts + 1)) ** 2
    value = chance(p1)
    best = float(value.max())
    if enough is None or _NEAR * enough < best <= enough:
        edged = np.concatenate([[-1.0], value, [-1.0]])
        peaks = np.flatnonzero((value >= edged[:-2]) & (value >= edged[2:]) & (value > _NEAR * best))
        for peak in peaks.tolist():
            low, high = float(p1[max(peak - 1, 0)]), float(p1[min(peak + 1, parts)])
            for _ in range(_ZOOMS):
                around = np.linspace(low, high, 9)
                values = chance(around)
                top = int(values.argmax())
                best = max(best, float(values[top]))
                low, high = float(around[max(top - 1, 0)]), float(around[min(top + 1, 8)])
    return best * (1.0 + _GUARD)


def above(design: Design, t: float, c: float) -> UpSet:
    """The set ``R_t``.

    Notes
    -----
    One bisection in Lagrange's factor for all ``x_1`` at once: from ``x_1`` follows ``p_1``, from it ``p_0`` on the
    line, from it ``x_0``, and ``K_t`` rises with the factor.
    """
    (w0, w1), (n0, n1) = design.weights, design.sizes
    share1 = np.arange(n1 + 1) / n1
    low, high = np.zeros(n1 + 1), np.full(n1 + 1, 4.0 * (n0 + n1) / t)
    for step in range(_HALVINGS + 1):
        force = high if step == _HALVINGS else (low + high) / 2.0
        p1 = _projected(share1, force, w1, n1)
        p0 = (t - w1 * p1) / w0
        share0 = p0 + force * w0 * p0 * (1.0 - p0) / n0
        beyond = (p0 >= 1.0) | (share0 >= 1.0)  # of every x_0
        share0, p0 = np.clip(share0, 0.0, 1.0), np.clip(p0, 0.0, 1.0)
        k = np.where(p0 > 0.0, n0 * _divergence(share0, p0) + n1 * _divergence(share1, p1), -1.0)
        enough = beyond | (k >= c)
        low, high = np.where(enough, low, force), np.where(enough, force, high)
    corner = np.where(beyond & (k < c), n0 + 1, np.ceil(n0 * share0 - 1e-7)).astype(np.int64)
    return UpSet(np.maximum.accumulate(corner[::-1])[::-1])


def _order(design: Design, passes: Pair, error: float) -> float:
    """``T(x)``: the largest t at which ``K_t`` is at least ``z^2 / 2``."""
    c, sizes, weights = _evidence(error), np.array(design.sizes), np.array(design.weights)
    shares = np.array(passes) / sizes
    low, high = 0.0, 1.0
    while _spent(shares, high, weights, sizes) < c:
        high *= 4.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        enough = _spent(shares, middle, weights, sizes) >= c
        low, high = (low, middle) if enough else (middle, high)
    return float(weights @ _projected(shares, high, weights, sizes))


def _spent(shares: FloatArray, force: float, weights: FloatArray, sizes: IntArray) -> float:
    return float(sizes @ _divergence(shares, _projected(shares, force, weights, sizes)))


def _as_clear(design: Design, passes: Pair, error: float) -> UpSet:
    """The outcomes x with ``T(x)`` at least that of `passes`."""
    outcomes = above(design, _order(design, passes, error) * (1.0 - 1e-9), _evidence(error))
    corner = outcomes.corner.copy()
    corner[passes[1] :] = np.minimum(
        corner[passes[1] :], passes[0]
    )  # it is one of them, whatever was rounded
    return UpSet(corner)


def _evidence(error: float) -> float:
    """The c of the sets ``R_t``."""
    return NormalDist().inv_cdf(1.0 - error) ** 2 / 2.0


def _projected(share: FloatArray, force: FloatArray | float, weight: Any, size: Any) -> FloatArray:
    """The p with ``share - p = force weight p (1 - p) / size`` that lies in [0, share]."""
    a = force * weight / size
    p: FloatArray = 2.0 * share / (1.0 + a + np.sqrt(np.maximum((1.0 + a) ** 2 - 4.0 * a * share, 0.0)))
    return p


def _divergence(share: FloatArray, p: FloatArray) -> FloatArray:
    """``KL(share || p)`` of two coins; infinite where p cannot give the share."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(share > 0.0, share * np.log(share / p), 0.0)
        miss = np.where(share < 1.0, (1.0 - share) * np.log((1.0 - share) / (1.0 - p)), 0.0)
    return hit + miss


def _tail_at(n: int, p: FloatArray, corner: IntArray) -> FloatArray:
    """``P(Bin(n, p) >= corner)``, one row for each p."""
    tail = np.cumsum(_law(n, p)[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([tail, np.zeros((len(p), 1))], axis=1)[:, corner]


def _law(n: int, p: FloatArray) -> FloatArray:
    """``P(Bin(n, p) = k)`` for k = 0..n, one row for each p."""
    k = np.arange(n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(k > 0, k * np.log(p)[:, None], 0.0)
        miss = np.where(k < n, (n - k) * np.log1p(-p)[:, None], 0.0)
    law: FloatArray = np.exp(_log_binomials(n) + hit + miss)
    return law


@lru_cache(maxsize=64)
def _log_binomials(n: int) -> FloatArray:
    """Logarithms of the binomial coefficients."""
    each = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)]
    return np.array(each)
