"""Run times given by a few quantiles, as operators publish them: `{5%: 30s, 50%: 10min, 95%: 3h, 100%: 48h}`.

Between the points the logarithm of the run time is a smooth rising curve of the normal score z of the share
(PCHIP: cubic pieces that never overshoot; Fritsch and Carlson, SIAM J. Numer. Anal. 17 (1980) 238), so that
two points give exactly a lognormal law. Beyond the outermost points the curve goes on straight, with the slope it
has there, as a lognormal tail. 0% is a floor and 100% a longest run: draws beyond them become them.

Means: the straight ends in closed form, the curved pieces by Gauss-Legendre quadrature of `NODES` points
(relative error below 1e-12 for pieces of a few standard deviations).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
from pydantic import Field, model_serializer, model_validator

from gpusim.scenario.fields import read_positive_duration
from gpusim.scenario.frozen import Frozen
from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.units import format_duration, format_share, parse_share, show

NODES = 48
HEAVIEST_TAIL = 5.0  # slope of an upper end without a longest run; that of a lognormal law is its sigma
_STEEP, _FAR = 20.0, 38.0  # slope, score
_NORMAL = NormalDist()
_FORM = "write for example {5%: 30s, 50%: 10min, 95%: 3h, 100%: 48h}"


@lru_cache(maxsize=1)
def _nodes() -> tuple[tuple[float, float], ...]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return tuple(zip(nodes.tolist(), weights.tolist(), strict=True))


class Quantiles(Frozen):
    """Run times through given quantiles.

    Attributes
    ----------
    points : tuple of (share, seconds)
        Ascending, shares strictly between 0 and 1.
    floor : float
        Shortest run time [s]; 0 if none is given.
    max : float or None
        Longest run time [s].
    """

    points: tuple[tuple[float, float], ...] = Field(
        description="shares below 100% and above 0%, with run times"
    )
    floor: float = Field(0.0, description="shortest run time", json_schema_extra={"unit": "s"})
    max: float | None = Field(None, description="longest run time", json_schema_extra={"unit": "s"})

    @model_validator(mode="before")
    @classmethod
    def _from_mapping(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "points" in value:
            return value  # made in Python
        return read_quantiles(value)

    @model_validator(mode="after")
    def _tail_has_an_end(self) -> Quantiles:
        if self.max is None and self.end_slopes[1] > HEAVIEST_TAIL:
            raise Mistake(
                "beyond the last quantile these run times grow without measure",
                "add 100% with the longest run time",
                f"like a lognormal law of sigma {self.end_slopes[1]:.3g}",
            )
        return self

    @model_serializer(mode="plain")
    def _as_mapping(self) -> dict[str, str]:
        ends = (
            ([(0.0, self.floor)] if self.floor else []),
            ([(1.0, self.max)] if self.max is not None else []),
        )
        points = [*ends[0], *self.points, *ends[1]]
        return {format_share(share): format_duration(seconds) for share, seconds in points}

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """Normal score of each point."""
        return tuple(_NORMAL.inv_cdf(share) for share, _ in self.points)

    @cached_property
    def logs(self) -> tuple[float, ...]:
        """Natural logarithm of the run time [s] at each point."""
        return tuple(math.log(seconds) for _, seconds in self.points)

    @cached_property
    def slopes(self) -> tuple[float, ...]:
        """Slope of the curve, logarithm over score, at each point."""
        return tuple(_pchip_slopes(self.scores, self.logs))

    @cached_property
    def end_slopes(self) -> tuple[float, float]:
        """Slope of the straight lines before the first and after the last point."""
        return self.slopes[0], self.slopes[-1]

    def log_at(self, score: float) -> float:
        """Logarithm of the run time [s] at a normal score, before floor and longest run."""
        z, y = self.scores, self.logs
        if score <= z[0]:
            return y[0] + self.end_slopes[0] * (score - z[0])
        if score >= z[-1]:
            return y[-1] + self.end_slopes[1] * (score - z[-1])
        return self._curve(next(k for k in range(len(z) - 1) if score <= z[k + 1]), score)

    def _curve(self, k: int, score: float) -> float:
        """The cubic of piece k."""
        z, y = self.scores, self.logs
        width = z[k + 1] - z[k]
        t = (score - z[k]) / width
        rest = 1 - t
        return (
            (1 + 2 * t) * rest * rest * y[k]
            + t * rest * rest * width * self.slopes[k]
            + t * t * (3 - 2 * t) * y[k + 1]
            - t * t * rest * width * self.slopes[k + 1]
        )

    def score_of(self, seconds: float) -> float:
        """Normal score at which the curve reaches `seconds` (above 0), before floor and longest run."""
        z, y = self.scores, self.logs
        wanted = math.log(seconds)
        for end, slope in zip((0, -1), self.end_slopes, strict=True):
            beyond = wanted - y[end]
            if (beyond <= 0) if end == 0 else (beyond >= 0):
                if slope > 0 or beyond == 0:
                    return z[end] + (beyond / slope if beyond else 0.0)
                return -math.inf if end == 0 else math.inf  # a level end: nothing lies beyond it
        k = next(k for k in range(len(y) - 1) if wanted <= y[k + 1])
        low, high = z[k], z[k + 1]
        while (middle := (low + high) / 2) not in (low, high) and high - low > 1e-14:
            low, high = (middle, high) if self._curve(k, middle) < wanted else (low, middle)
        return middle

    def mean(self, cut: float = math.inf) -> float:
        """Mean of min(run time, `cut`) [s]."""
        top = min(cut, math.inf if self.max is None else self.max)
        if top <= self.floor:
            return max(0.0, top)
        last = math.inf if math.isinf(top) else self.score_of(top)
        first = self.score_of(self.floor) if self.floor > 0 else -math.inf
        total = self.floor * _NORMAL.cdf(first) if self.floor > 0 else 0.0
        total += top * _NORMAL.cdf(-last) if not math.isinf(last) else 0.0
        z, y = self.scores, self.logs
        total += _lognormal_part(z[0], y[0], self.end_slopes[0], first, min(last, z[0]))
        total += _lognormal_part(z[-1], y[-1], self.end_slopes[1], max(first, z[-1]), last)
        for k, whole in enumerate(self._whole_pieces):
            if z[k] < last:
                total += whole if z[k + 1] <= last else self._piece(k, last)
        return total

    @cached_property
    def _whole_pieces(self) -> tuple[float, ...]:
        return tuple(self._piece(k, high) for k, high in enumerate(self.scores[1:]))

    def _piece(self, k: int, high: float) -> float:
        """Integral of e^log_at(z) phi(z) from the beginning of piece k to `high`."""
        low = self.scores[k]
        half, middle = (high - low) / 2, (high + low) / 2
        scores = ((middle + half * node, weight) for node, weight in _nodes())
        return (
            half
            * math.fsum(math.exp(self._curve(k, z) - z * z / 2) * weight for z, weight in scores)
            / math.sqrt(2 * math.pi)
        )

    def share_above(self, seconds: float) -> float:
        """Share of the jobs that run longer than `seconds`."""
        if self.max is not None and seconds >= self.max:
            return 0.0
        return _NORMAL.cdf(-self.score_of(seconds)) if seconds > 0 and seconds >= self.floor else 1.0

    def quantile(self, share: float) -> float:
        """Run time [s] that a share of the jobs does not exceed; `share` in (0, 1)."""
        seconds = max(self.floor, math.exp(self.log_at(_NORMAL.inv_cdf(share))))
        return seconds if self.max is None else min(seconds, self.max)


def read_quantiles(value: object) -> dict[str, Any]:
    """Read `{5%: 30s, 95%: 3h, 100%: 48h}` into the fields of `Quantiles`.

    Raises
    ------
    Mistake, Mistakes
        If a share or a run time cannot be read, fewer than two shares lie strictly between 0% and 100%, or
        the run times do not rise with the shares.
    """
    if not isinstance(value, Mapping):
        raise Mistake("not quantiles of the run time", _FORM, show(value))
    found: list[tuple[float, float, str]] = []
    mistakes: list[Mistake] = []
    for key, given in value.items():
        path = (str(key),)
        try:
            share = parse_share(key)
            if not 0 <= share <= 1:
                raise Mistake("a share must lie between 0% and 100%", _FORM, show(key))
        except ValueError as error:
            mistakes += [
                Mistake(each.what, each.remedy, each.found, path, each.code, at_key=True)
                for each in mistakes_of(error)
            ]
            continue
        try:
            found.append((share, read_positive_duration(given), str(key)))
        except ValueError as error:
            mistakes += [mistake.under(path) for mistake in mistakes_of(error)]
    raise_all(mistakes)
    found.sort()
    for (share, seconds, key), (later, longer, name) in pairwise(found):
        if share == later:
            what = f"{format_share(share)} stands here twice"
            mistakes.append(Mistake(what, "keep one", path=(name,), at_key=True))
        elif seconds >= longer:
            mistakes.append(
                Mistake(
                    "the run times must rise with the shares",
                    f"write more than {format_duration(seconds)}, the run time at {key}",
                    format_duration(longer),
                    (name,),
                )
            )
    raise_all(mistakes)
    inner = [(share, seconds) for share, seconds, _ in found if 0 < share < 1]
    if len(inner) < 2:
        what = "fewer than two quantiles strictly between 0% and 100%, so nothing says how run times spread"
        raise Mistake(what, _FORM, show(value))
    floor = found[0][1] if found[0][0] == 0 else 0.0
    longest = found[-1][1] if found[-1][0] == 1 else None
    return {"points": tuple(inner), "floor": floor, "max": longest}


def _pchip_slopes(x: tuple[float, ...], y: tuple[float, ...]) -> list[float]:
    """Slopes of the monotone cubic through the points: weighted harmonic means of the secants' slopes."""
    steps = [right - left for left, right in pairwise(x)]
    secants = [(y[k + 1] - y[k]) / step for k, step in enumerate(steps)]
    if len(secants) == 1:
        return [secants[0], secants[0]]
    inner = []
    for (h0, h1), (m0, m1) in zip(pairwise(steps), pairwise(secants), strict=True):
        w0, w1 = 2 * h1 + h0, h1 + 2 * h0
        inner.append((w0 + w1) / (w0 / m0 + w1 / m1))
    return [
        _end_slope(steps[0], steps[1], secants[0], secants[1]),
        *inner,
        _end_slope(steps[-1], steps[-2], secants[-1], secants[-2]),
    ]


def _end_slope(h0: float, h1: float, m0: float, m1: float) -> float:
    """Three-point estimate at an end, held between 0 and three secants, so that the curve keeps rising."""
    return min(3 * m0, max(0.0, ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)))


def _lognormal_part(z0: float, y0: float, slope: float, low: float, high: float) -> float:
    """int_low^high e^(y0 + slope (z - z0)) phi(z) dz."""
    if low >= high:
        return 0.0
    if slope > _STEEP:  # the closed form is a difference of huge numbers: nearly all lies near the upper end
        low, high = max(low, high - 40 / slope, -_FAR), min(high, _FAR)
        half, middle = (high - low) / 2, (high + low) / 2
        points = ((middle + half * node, weight) for node, weight in _nodes())
        values = (math.exp(y0 + slope * (z - z0) - z * z / 2) * weight for z, weight in points)
        return half * math.fsum(values) / math.sqrt(2 * math.pi) if low < high else 0.0
    whole = math.exp(y0 - slope * z0 + slope * slope / 2)
    upper = 1.0 if math.isinf(high) else _NORMAL.cdf(high - slope)
    lower = 0.0 if math.isinf(low) else _NORMAL.cdf(low - slope)
    if lower > 0.5:  # both in the upper tail: the difference of the tails loses nothing
        return whole * (_NORMAL.cdf(slope - low) - (0.0 if math.isinf(high) else _NORMAL.cdf(slope - high)))
    return whole * (upper - lower)
