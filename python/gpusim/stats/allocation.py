"""How many replications of each kind the final stage needs, and where to run them, foretold from pass counts.

Nothing is claimed from what is worked out here: it chooses numbers, from the pilot alone, and sizes to try. So a
bad forecast costs runs or width and never the confidence.

The critical sizes of kind h are taken as normal with a mean of their own and a deviation common to both
kinds: a line in the normal scores of the pass shares, fitted by least squares weighted as in a probit
regression. The common slope is what makes it steady: of the frequent kind, which seldom fails near the
answer, the pilot sees too few fails for a slope of its own. From the line follow the shares near the answer,
from them the standard error of the weighted estimate for any numbers of replications, and from both the two
ends: where the estimate is one ``z`` standard errors above and below the attainment. The two sides differ:
below the answer more replications fail, above it the share rises more slowly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_NORMAL = NormalDist()
_POINTS = 801  # places at which the forecast is worked out
_REACH = 3.0  # of them, in deviations to each side of the answer
_ROUNDS = 20  # of Fisher scoring
_RIDGE = 1e-3  # keeps its equations solvable where nothing fails
_MOST_SCORE = 3.0  # normal score of the shares that a few dozen replications can tell from 0 or 1
_LEAST_RISE = 0.5  # of the score over the places looked at
_RARER = np.linspace(0.2, 0.7, 26)  # shares of kind 1 in the final sample that are tried


class Counts(NamedTuple):
    """Replications of each kind run at a place (a grid index), and how many of them passed."""

    place: int
    sizes: tuple[int, ...]
    passes: tuple[int, ...]


class Allocation(NamedTuple):
    """Replications of each kind (or of both together), and the ends expected, as grid indices."""

    sizes: tuple[int, int] | None
    total: int
    low: float
    high: float

    def within(self, fewest: int, most: int) -> Allocation:
        """The same proportions, with a number of replications in these limits."""
        total = min(max(self.total, fewest), most)
        if self.sizes is None or total == self.total:
            return self._replace(total=total)
        ones = max(1, round(total * self.sizes[1] / self.total))
        return self._replace(sizes=(total - ones, ones), total=total)


@dataclass(frozen=True)
class Forecast:
    """Pass probabilities near the answer, of one kind of replications or of two.

    Attributes
    ----------
    weights : tuple of float
    offsets : tuple of float
        Normal score of each kind at index 0.
    slope : float
        Its rise per grid step, above 0.
    """

    weights: tuple[float, ...]
    offsets: tuple[float, ...]
    slope: float

    @classmethod
    def of(cls, weights: tuple[float, ...], counts: Sequence[Counts]) -> Forecast:
        """Fit counts."""
        kinds = range(len(weights))
        place = np.array([each.place for each in counts for _ in kinds], dtype=np.float64)
        n = np.array([size for each in counts for size in each.sizes], dtype=np.float64)
        passed = np.array([x for each in counts for x in each.passes], dtype=np.float64)
        middle, reach = float(place.mean()), max(float(np.ptp(place)), 1.0)
        own = np.tile(np.eye(len(weights)), (len(counts), 1))
        columns = np.column_stack([own, (place - middle) / reach])
        fitted = _probit(columns, n, passed)
        slope = max(float(fitted[-1]), _LEAST_RISE) / reach
        return cls(weights, tuple(float(x) - slope * middle for x in fitted[:-1]), slope)

    def allocate(
        self, attainment: float, z: float, width: float, margin: float, fewest: int
    ) -> tuple[Allocation, Allocation]:
        """The stratified and the plain sample that an interval of ``width`` needs.

        Parameters
        ----------
        attainment : float
        z : float
            Normal score of each end's error.
        width : float
            In grid steps.
        margin : float
            Replications as a multiple of those that give this width on average.
        fewest : int
            Of a stratum.
        """
        tried = [self._needed(float(rarer), attainment, z, width, margin) for rarer in _RARER]
        best = min(tried, key=lambda each: each.total)
        zeros, ones = (max(n, fewest) for n in best.sizes or (best.total, 0))
        total = zeros + ones
        ends = self._ends(ones / total, attainment, z, total)
        return Allocation((zeros, ones), total, *ends), self._needed(None, attainment, z, width, margin)

    def _needed(
        self, rarer: float | None, attainment: float, z: float, width: float, margin: float
    ) -> Allocation:
        """Widths fall about as the root of the number of replications: a few rounds of that."""
        n = 300.0
        for _ in range(4):
            low, high = self._ends(rarer, attainment, z, n)
            n *= min(max(((high - low) / width) ** 2, 0.1), 10.0)
        total = math.ceil(margin * n)
        ones = 0 if rarer is None else math.ceil(rarer * total)
        sizes = None if rarer is None else (total - ones, ones)
        return Allocation(sizes, total, *self._ends(rarer, attainment, z, total))

    def _ends(self, rarer: float | None, attainment: float, z: float, n: float) -> tuple[float, float]:
        """The two ends expected of n replications, of which a share `rarer` is of kind 1 (None: as they come)."""
        place, first, second = self._shares(attainment)
        w0, w1 = self.weights
        share = w0 * first + w1 * second
        if rarer is None:
            variance = share * (1.0 - share)
        else:
            variance = w0**2 * first * (1.0 - first) / (1.0 - rarer) + w1**2 * second * (1.0 - second) / rarer
        error = z * np.sqrt(variance / n)
        return tuple(float(place[(line >= attainment).argmax()]) for line in (share + error, share - error))  # type: ignore[return-value]

    def _shares(self, attainment: float) -> tuple[FloatArray, ...]:
        """(place, pass probability of each kind) around the answer."""
        score = _NORMAL.inv_cdf(attainment)
        centers = [(score - offset) / self.slope for offset in self.offsets]  # each kind alone
        place = np.linspace(min(centers) - _REACH / self.slope, max(centers) + _REACH / self.slope, _POINTS)
        return place, *(_cdf(offset + self.slope * place) for offset in self.offsets)


def _probit(columns: FloatArray, n: FloatArray, passed: FloatArray) -> FloatArray:
    """Probit regression of pass counts by Fisher scoring; the scores are kept in the range that counts can show."""
    start = np.array([_NORMAL.inv_cdf((x + 0.5) / (m + 1.0)) for x, m in zip(passed, n, strict=True)])
    scores, fitted = start, np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):
        share = _cdf(scores)
        density = np.array([_NORMAL.pdf(score) for score in scores])
        weight = n * density**2 / (share * (1.0 - share))
        response = scores + (passed / np.maximum(n, 1.0) - share) / density
        weighted = columns.T * weight
        ridge = _RIDGE * np.eye(len(fitted))
        fitted = np.linalg.solve(weighted @ columns + ridge, weighted @ response)
        scores = np.clip(columns @ fitted, -_MOST_SCORE, _MOST_SCORE)
    return np.asarray(fitted)


def _cdf(scores: FloatArray) -> FloatArray:
    return np.array([_NORMAL.cdf(score) for score in scores])
