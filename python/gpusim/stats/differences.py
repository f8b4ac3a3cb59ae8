"""What changes are worth: differences of quantiles on the same replications, with intervals that hold together.

Scenarios are measured on common random numbers, so values of one replication belong together. One draw weighs the
replications anew, with the same weights for every scenario, and gives each a quantile: what the replications have in
common cancels in the differences, and draws of different scenarios are as correlated as their estimates. Intervals of
many differences are then widened alike until a share `confidence` of the draws lies in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpusim.stats.binomial import Interval

Float64 = NDArray[np.float64]

BOOTSTRAP_SEED = 20_260_201
"""Draws are the same for every comparison: an interval is a function of the data alone."""
_DRAWS = 10_000
_UNSEEN = 0.1
"""Weight of what no replication showed, in replications: see the notes of `differences`."""
_AT_ONCE = 2_000_000
"""Weights held at a time."""


class Difference(NamedTuple):
    """What a change costs, in the unit of the values."""

    quantile: float
    """Quantile of the changed values; infinite where too many pass nowhere."""
    difference: float
    """Difference of the two quantiles, changed minus base."""
    alone: Interval
    """Of that difference, if it were the only one asked for."""
    together: Interval
    """Of that difference: all of them hold at once with `confidence`."""
    mean: float
    """Mean paired difference over the replications that both pass somewhere."""
    standard_error: float
    """Of `mean`."""
    both: int
    """Replications behind `mean`."""


def order_statistic(values: Float64, attainment: float) -> float:
    """The smallest value that at least a share ``attainment`` of the values does not exceed."""
    rank = max(1, math.ceil(attainment * len(values) - 1e-9))
    return float(np.partition(values, rank - 1)[rank - 1])


def differences(
    samples: Sequence[Float64], pairs: Sequence[tuple[int, int]], attainment: float, confidence: float
) -> list[Difference]:
    """Compare the ``attainment`` quantiles of samples on the same replications.

    Parameters
    ----------
    samples : sequence of (n,) float64
        Value of each replication in each scenario; ``inf`` where it passes nowhere.
    pairs : sequence of (int, int)
        Positions in `samples`: (changed, base) of each difference.
    attainment : float
        The quantile, in (0, 1).
    confidence : float
        Of each interval alone, and of all together, in (0, 1).

    Returns
    -------
    list of Difference
        One a pair. They do not depend on the order of the pairs.

    Raises
    ------
    ValueError
        If the samples differ in length or have fewer than 2 values.

    Notes
    -----
    Weights are those of the Bayesian bootstrap (Rubin 1981): exponential, scaled to 1. Weights drawn with replacement
    do as well, but on a grid, where many paired differences are equal, both are blind to what none of the n
    replications showed: fifty that agree would give the interval [0, 0]. So a tenth of a replication more is weighed,
    where it does most harm: for an upper end above all changed values and below all base values, for a lower end the
    other way round.

    An interval alone goes from one draw of a rank to another, as far from the middle on both sides, and the closest
    such pair that holds a share `confidence` of the draws. The intervals together have one common rank, the smallest at
    which a share `confidence` of the draws lies in all of them (Mandel and Betensky 2008; Beran 1988 for the idea):
    nothing is assumed of the draws' shape or scale, and infinite values are in order like others. For a single
    difference the two are the same.

    References
    ----------
    D. B. Rubin, The Bayesian bootstrap, Annals of Statistics 9 (1981). R. Beran, Balanced simultaneous confidence
    sets, JASA 83 (1988). M. Mandel, R. A. Betensky, Simultaneous confidence intervals based on the percentile bootstrap
    approach, Computational Statistics and Data Analysis 52 (2008). [unverified: cited from memory]
    """
    shapes = {values.shape for values in samples}
    if len(shapes) != 1 or any(len(shape) != 1 or shape[0] < 2 for shape in shapes):
        raise ValueError(f"need samples of the same length, at least 2 (found {sorted(shapes)})")
    low, high = _quantiles(samples, attainment)
    lowest = [np.sort(_less(low[changed], high[base])) for changed, base in pairs]
    highest = [np.sort(_less(high[changed], low[base])) for changed, base in pairs]
    ranks = [
        np.maximum(_rank(up, _less(high[c], low[b])), _rank_from_above(down, _less(low[c], high[b])))
        for (c, b), down, up in zip(pairs, lowest, highest, strict=True)
    ]
    found = []
    for (changed, base), down, up, rank in zip(pairs, lowest, highest, ranks, strict=True):
        values, reference = samples[changed], samples[base]
        quantiles = order_statistic(values, attainment), order_statistic(reference, attainment)
        both = np.isfinite(values) & np.isfinite(reference)
        shifts, n = values[both] - reference[both], int(both.sum())
        found.append(
            Difference(
                quantiles[0],
                float(_less(np.array(quantiles[0]), np.array(quantiles[1]))),
                _between(down, up, [rank], confidence),
                _between(down, up, ranks, confidence),
                float(shifts.mean()) if n else math.nan,
                float(shifts.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan,
                n,
            )
        )
    return found


def _quantiles(samples: Sequence[Float64], attainment: float) -> tuple[list[Float64], list[Float64]]:
    """Draws of every sample's quantile, with what was not seen below all values, and above them."""
    n = len(samples[0])
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    orders = [np.argsort(values, kind="stable") for values in samples]
    low = [np.empty(_DRAWS) for _ in samples]
    high = [np.empty(_DRAWS) for _ in samples]
    block = max(1, min(_DRAWS, _AT_ONCE // n))
    for begin in range(0, _DRAWS, block):
        rows = slice(begin, min(begin + block, _DRAWS))
        weights = rng.standard_exponential((rows.stop - begin, n))
        unseen = rng.gamma(_UNSEEN, size=rows.stop - begin)
        wanted = attainment * (weights.sum(axis=1) + unseen)
        for values, order, lower, upper in zip(samples, orders, low, high, strict=True):
            below = np.cumsum(weights[:, order], axis=1)
            ordered = values[order]
            for draws, need in ((lower, wanted - unseen), (upper, wanted)):
                position = (below < need[:, None]).sum(axis=1)
                draws[rows] = ordered[np.minimum(position, n - 1)]
    return low, high


def _rank(ordered: Float64, draws: Float64) -> NDArray[np.int64]:
    """From which rank on, as an upper end, each draw lies inside; equal draws share the lowest."""
    return np.searchsorted(ordered, draws, "left") + 1


def _rank_from_above(ordered: Float64, draws: Float64) -> NDArray[np.int64]:
    """The same for lower ends, counted from the largest."""
    return len(ordered) - np.searchsorted(ordered, draws, "right") + 1


def _between(
    lowest: Float64, highest: Float64, ranks: Sequence[NDArray[np.int64]], confidence: float
) -> Interval:
    """The interval whose rank is the smallest at which a share `confidence` of the draws lies inside all."""
    needed = np.sort(np.max(ranks, axis=0))
    rank = int(needed[math.ceil(confidence * len(needed) - 1e-9) - 1])
    return Interval(float(lowest[len(lowest) - rank]), float(highest[rank - 1]))


def _less(changed: Float64, base: Float64) -> Float64:
    """``changed - base``; two values above everything differ by 0."""
    finite = np.isfinite(changed) | np.isfinite(base)
    return np.where(finite, np.where(finite, changed, 0.0) - np.where(finite, base, 0.0), 0.0)
