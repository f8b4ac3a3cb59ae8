"""A law given by some of its quantiles: smooth between them, lognormal beyond the outermost.

The logarithm of the value is interpolated over the normal score of the probability, so that two quantiles make
a lognormal. Between knots the monotone cubic of Fritsch and Carlson with the slopes of Fritsch and Butland
(PCHIP) runs; beyond the outer knots its end slopes go on, as lognormal tails.

References
----------
F. N. Fritsch, R. E. Carlson, "Monotone Piecewise Cubic Interpolation", SIAM J. Numer. Anal. 17 (1980) 238-246;
F. N. Fritsch, J. Butland, "A Method for Constructing Local Monotone Piecewise Cubic Interpolants", SIAM J. Sci.
Stat. Comput. 5 (1984) 300-304. End slopes as in SciPy's `PchipInterpolator` (Moler, *Numerical Computing with
MATLAB*, 2004, section 3.6), with which ours agrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError
from gpusim.workload.distributions import SIGMA_LIMIT, Law
from gpusim.workload.normal_score import normal_cdf, normal_quantile
from gpusim.workload.probabilities import Probabilities

FloatArray = NDArray[np.float64]

_GAUSS_POINTS = 16
_PIECE = 0.5  # longest stretch of the score that one quadrature rule covers


@dataclass(frozen=True, slots=True)
class QuantileLaw(Law):
    """Distribution through given quantiles.

    Parameters
    ----------
    knots : tuple of (float, float)
        (probability, value [s]), rising in both; two or more, probabilities inside (0, 1), values above 0.
    floor : float, optional
        Smaller values become the floor [s]; at most the first knot's value.
    cap : float, optional
        Larger values become the cap [s]; at least the last knot's value.

    Raises
    ------
    WorkloadError
        If the knots do not rise, are too few or out of range, or floor or cap lies between them.

    Examples
    --------
    >>> law = QuantileLaw(((0.05, 30.0), (0.5, 600.0), (0.95, 10800.0)))
    >>> round(float(law.quantile(0.5, 0.5)), 6)
    600.0
    """

    knots: tuple[tuple[float, float], ...]
    floor: float | None = None
    cap: float | None = None
    _score: FloatArray = field(init=False, repr=False, compare=False)
    _log: FloatArray = field(init=False, repr=False, compare=False)
    _slope: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        p = np.array([probability for probability, _ in self.knots])
        score = normal_quantile(p, 1.0 - p)
        log = np.log([value for _, value in self.knots])
        object.__setattr__(self, "_score", score)
        object.__setattr__(self, "_log", log)
        object.__setattr__(self, "_slope", monotone_slopes(score, log))
        steepest = max(self._slope[0], self._slope[-1])
        if steepest > SIGMA_LIMIT:
            what = f"the tails beyond the quantiles are lognormal with sigma above {SIGMA_LIMIT:g}"
            raise WorkloadError(_problem(what, f"sigma {steepest:.3g}"))

    def uncapped(self, points: Probabilities) -> FloatArray:
        """Quantile without the cap; the floor is in it."""
        value = np.exp(self._log_at(points.score))
        return np.asarray(value if self.floor is None else np.maximum(value, self.floor), dtype=np.float64)

    @property
    def floor_share(self) -> float:
        """Probability of the atom at the floor."""
        return 0.0 if self.floor is None else normal_cdf(self._score_of(self.floor))

    def above(self, value: float) -> float:
        """Probability of more than `value` before the cap."""
        if self.floor is not None and value < self.floor:
            return 1.0
        return normal_cdf(-self._score_of(value))

    def mean(self) -> float:
        """Expected value of the law with floor and cap [s]."""
        return _moment(self, 1)

    def second_moment(self) -> float:
        """Expected value of the square [s^2]."""
        return _moment(self, 2)

    def _log_at(self, score: FloatArray) -> FloatArray:
        z, y, d = self._score, self._log, self._slope
        k = np.clip(np.searchsorted(z, score, side="right") - 1, 0, len(z) - 2)
        h = z[k + 1] - z[k]
        t = (score - z[k]) / h
        inside = np.clip(t, 0.0, 1.0)
        s = 1.0 - inside
        cubic = (
            y[k] * (1.0 + 2.0 * inside) * s * s
            + y[k + 1] * (3.0 - 2.0 * inside) * inside * inside
            + h * inside * s * (d[k] * s - d[k + 1] * inside)
        )
        before, after = np.minimum(score - z[0], 0.0), np.maximum(score - z[-1], 0.0)
        with np.errstate(invalid="ignore"):  # 0 x infinity where an end slope is 0
            tails = np.where(before < 0.0, d[0] * before, np.where(after > 0.0, d[-1] * after, 0.0))
        return np.asarray(cubic + np.nan_to_num(tails, nan=0.0, posinf=np.inf, neginf=-np.inf))

    def _score_of(self, value: float) -> float:
        """Score at which the law without floor and cap reaches `value`."""
        z, y, d = self._score, self._log, self._slope
        wanted = math.log(value)
        if wanted <= y[0] or wanted >= y[-1]:
            end = 0 if wanted <= y[0] else -1
            if wanted == y[end]:
                return float(z[end])
            return (
                float(z[end] + (wanted - y[end]) / d[end])
                if d[end] > 0.0
                else -math.inf
                if end == 0
                else math.inf
            )
        k = int(np.searchsorted(y, wanted, side="right")) - 1
        y0, y1, h = float(y[k]), float(y[k + 1]), float(z[k + 1] - z[k])
        d0, d1 = h * float(d[k]), h * float(d[k + 1])
        low, high = 0.0, 1.0
        while True:
            t = 0.5 * (low + high)
            if not low < t < high:
                return float(z[k]) + h * high
            s = 1.0 - t
            cubic = y0 * (1.0 + 2.0 * t) * s * s + y1 * (3.0 - 2.0 * t) * t * t + t * s * (d0 * s - d1 * t)
            low, high = (t, high) if cubic < wanted else (low, t)

    def _check(self) -> None:
        problems = []
        if len(self.knots) < 2:
            problems.append(_problem("needs two or more quantiles between 0% and 100%", str(len(self.knots))))
        flat = [number for knot in self.knots for number in knot]
        if not all(math.isfinite(x) and x > 0.0 for x in flat) or any(p >= 1.0 for p, _ in self.knots):
            problems.append(
                _problem("a probability is not inside (0, 1) or a value not above 0", repr(self.knots))
            )
        for (p, x), (q, y) in pairwise(self.knots):
            if not (p < q and x < y):
                problems.append(_problem("quantiles do not rise", f"{p:g}: {x:g}, {q:g}: {y:g}"))
        if not problems and self.floor is not None and not 0.0 < self.floor <= self.knots[0][1]:
            problems.append(
                _problem("the floor is above the first quantile or not above 0", f"{self.floor:g}")
            )
        if not problems and self.cap is not None and not self.knots[-1][1] <= self.cap < math.inf:
            problems.append(_problem("the cap is below the last quantile or infinite", f"{self.cap:g}"))
        if problems:
            raise WorkloadError(problems)


@lru_cache(maxsize=256)
def _moment(law: QuantileLaw, order: int) -> float:
    """Sum of the tails in closed form, the atoms, and quadrature between the knots."""
    z, y, d = law._score, law._log, law._slope
    start = -math.inf if law.floor is None else law._score_of(law.floor)
    end = math.inf if law.cap is None else law._score_of(law.cap)
    total = 0.0
    if law.floor is not None:
        total += law.floor**order * normal_cdf(start)
    if law.cap is not None:
        total += law.cap**order * normal_cdf(-end)
    total += _lognormal_part(order, y[0] - d[0] * z[0], d[0], start, min(end, z[0]))
    total += _lognormal_part(order, y[-1] - d[-1] * z[-1], d[-1], max(start, z[-1]), end)
    low, high = max(start, float(z[0])), min(end, float(z[-1]))
    edges = [low, *(float(x) for x in z if low < x < high), high]
    points, weights = np.polynomial.legendre.leggauss(_GAUSS_POINTS)
    for a, b in pairwise(edges):
        pieces = max(1, math.ceil((b - a) / _PIECE))
        width = (b - a) / pieces
        at = a + width * (np.arange(pieces)[:, None] + 0.5 * (points + 1.0))
        density = np.exp(order * law._log_at(at) - 0.5 * at * at) / math.sqrt(2.0 * math.pi)
        total += 0.5 * width * float((density * weights).sum())
    return total


def monotone_slopes(x: FloatArray, y: FloatArray) -> FloatArray:
    """Slopes of the monotone piecewise cubic through the points (PCHIP).

    Parameters
    ----------
    x, y : numpy.ndarray of float64, shape (n,)
        Points, `x` rising, n two or more.
    """
    h = np.diff(x)
    s = np.diff(y) / h
    if len(h) == 1:
        return np.array([s[0], s[0]])
    w1, w2 = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
    same = s[:-1] * s[1:] > 0.0
    left, right = np.where(same, s[:-1], 1.0), np.where(same, s[1:], 1.0)
    inner = np.where(same, (w1 + w2) / (w1 / left + w2 / right), 0.0)
    return np.concatenate(
        [[_end_slope(h[0], h[1], s[0], s[1])], inner, [_end_slope(h[-1], h[-2], s[-1], s[-2])]]
    )


def _end_slope(h0: float, h1: float, s0: float, s1: float) -> float:
    slope = ((2.0 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    if slope * s0 <= 0.0:
        return 0.0
    if s0 * s1 <= 0.0 and abs(slope) > 3.0 * abs(s0):
        return 3.0 * s0
    return slope


def _lognormal_part(order: int, mu: float, sigma: float, low: float, high: float) -> float:
    """E[e^(order (mu + sigma z)); low < z < high] for standard normal z."""
    if high <= low:
        return 0.0
    shift = order * sigma
    # the difference of the two tails that do not cancel
    share = (
        normal_cdf(high - shift) - normal_cdf(low - shift)
        if low - shift < 0.0
        else normal_cdf(shift - low) - normal_cdf(shift - high)
    )
    return math.exp(order * mu + 0.5 * shift * shift) * share


_REMEDY = "give rising quantiles, further apart in probability or nearer in value"


def _problem(what: str, found: str) -> Problem:
    return Problem("QuantileLaw", what, _REMEDY, "workload/distribution-parameter", found)
