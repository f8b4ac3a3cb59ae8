"""Intervals for means and for ratios of sums over independent replications."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from gpusim.stats.binomial import Interval

_BISECTIONS = 200


def student_t_cdf(t: float, degrees: int) -> float:
    """P(T <= t) for Student's t with a whole number of degrees of freedom.

    Notes
    -----
    Finite sums of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 (odd) and 26.7.4 (even).
    """
    if degrees < 1:
        raise ValueError(f"degrees must be at least 1 (found {degrees})")
    angle = math.atan(t / math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    term, total = 1.0, 0.0
    if degrees % 2:  # term_k = cos^(2k+1) * (2 * 4 .. 2k) / (3 * 5 .. (2k + 1))
        term = cosine
        for k in range(1, (degrees - 1) // 2 + 1):
            total += term
            term *= cosine * cosine * (2 * k) / (2 * k + 1)
        inside = 2.0 / math.pi * (angle + sine * total)
    else:  # term_k = cos^(2k) * (1 * 3 .. (2k - 1)) / (2 * 4 .. 2k)
        for k in range(1, degrees // 2 + 1):
            total += term
            term *= cosine * cosine * (2 * k - 1) / (2 * k)
        inside = sine * total
    return 0.5 + 0.5 * inside


@lru_cache(maxsize=256)
def student_t_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t, to 12 digits, by bisection of `student_t_cdf`."""
    if not 0.5 <= probability < 1.0:
        raise ValueError(f"probability must lie in [0.5, 1) (found {probability})")
    low, high = 0.0, 1.0
    while student_t_cdf(high, degrees) < probability:
        high *= 2.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if student_t_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return high


def mean_interval(values: npt.ArrayLike, confidence: float) -> Interval:
    """Student's t interval of the mean of independent values; unbounded for fewer than two.

    Parameters
    ----------
    values : array of float, shape (n,)
    confidence : float
        Two-sided.
    """
    x = np.asarray(values, dtype=np.float64)
    return ratio_interval(x, np.ones_like(x), confidence)


def ratio_interval(numerators: npt.ArrayLike, denominators: npt.ArrayLike, confidence: float) -> Interval:
    """Interval of sum(numerators) / sum(denominators) over independent replications.

    Parameters
    ----------
    numerators, denominators : array of float, shape (n,)
        One pair per replication; denominators are not negative.
    confidence : float
        Two-sided. The guarantee is asymptotic in n.

    Notes
    -----
    Delta method: the residuals numerator - ratio * denominator have mean 0; their standard error over the
    mean denominator is that of the ratio (Cochran, Sampling Techniques, ratio estimators).
    """
    x, d = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    n, total = len(x), float(d.sum())
    if total <= 0:
        return Interval(-math.inf, math.inf)
    ratio = float(x.sum()) / total
    if n < 2:
        return Interval(-math.inf, math.inf)
    residuals = x - ratio * d
    error = math.sqrt(float(residuals @ residuals) / (n - 1) / n) / (total / n)
    half = student_t_quantile(0.5 + confidence / 2, n - 1) * error
    return Interval(ratio - half, ratio + half)
