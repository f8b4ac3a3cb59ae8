"""Critical capacities of all replications, and what a change of the scenario costs, replication by replication.

A quantile needs two order statistics only (`critical.py`). A comparison of two scenarios on common random numbers needs
the critical capacity of *every* replication of both, to a step: their difference has far less noise than either.

All open replications take one step of their own search in one batch: doubling steps away from a start until the
replication's crossing is enclosed, then bisection. Each replication may start elsewhere; close starts are what makes
it cheap (about 3 runs each; 8 from a bad guess).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpusim.stats.binomial import Interval
from gpusim.stats.critical import BoolArray, IntArray
from gpusim.stats.grid import CapacityGrid

EvaluateCells = Callable[[IntArray, IntArray], BoolArray]
"""Given replications and one capacity for each, whether they pass."""

BOOTSTRAP_SEED = 20_260_201
"""Resamples are the same for every comparison: the interval is a function of the data alone."""
_RESAMPLES = 4_000


def critical_indices(
    evaluate: EvaluateCells, replications: IntArray, grid: CapacityGrid, starts: IntArray, first_step: int = 1
) -> IntArray:
    """Grid index of the critical capacity of each replication; ``grid.count`` where it passes nowhere.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(replications, capacities)``: one bool per cell. May raise `OutOfTime`.
    replications : (n,) int64
        Numbers of the replications.
    grid : CapacityGrid
        Capacities that may be tried.
    starts : (n,) int64
        Grid index of each replication's first probe (clipped to the grid).
    first_step : int
        First step away from it, in grid indices; doubles until the crossing is enclosed.

    Returns
    -------
    (n,) int64

    Raises
    ------
    OutOfTime
        From ``evaluate``: half-known critical capacities are of no use to a comparison.

    Notes
    -----
    Where pass or fail is not monotone in the capacity, each replication ends at *a* crossing: it fails one step below
    the index returned (or that is the grid's first) and passes at it.
    """
    fail = np.full(len(replications), -1, dtype=np.int64)
    passed = np.full(len(replications), grid.count, dtype=np.int64)
    probe = np.clip(starts, 0, grid.count - 1).astype(np.int64)
    step = np.full(len(replications), max(1, first_step), dtype=np.int64)
    while (open_ := np.flatnonzero(passed - fail > 1)).size:
        capacities = np.array([grid.capacity(int(k)) for k in probe[open_]], dtype=np.int64)
        results = evaluate(replications[open_], capacities)
        met, missed = open_[results], open_[~results]
        passed[met], fail[missed] = probe[met], probe[missed]
        enclosed = (fail >= 0) & (passed < grid.count)
        climbing = ~enclosed & (passed == grid.count)  # failed wherever it was tried
        probe = np.where(enclosed, (fail + passed) // 2, passed - step)
        probe = np.where(climbing, fail + step, probe)
        probe = np.clip(probe, 0, grid.count - 1)
        step[~enclosed] *= 2
    return passed


class Paired(NamedTuple):
    """What a change costs, in the unit of the values."""

    quantile: float
    """Quantile of the changed values; infinite where too many pass nowhere."""
    difference: float
    """Difference of the two quantiles, changed minus base."""
    interval: Interval
    """Paired bootstrap interval of that difference."""
    mean: float
    """Mean paired difference over the replications that both pass somewhere."""
    standard_error: float
    """Of `mean`."""
    both: int
    """Replications behind `mean`."""


def order_statistic(values: NDArray[np.float64], attainment: float) -> float:
    """The smallest value that at least a share ``attainment`` of the values does not exceed."""
    rank = max(1, math.ceil(attainment * len(values) - 1e-9))
    return float(np.partition(values, rank - 1)[rank - 1])


def compare_paired(
    base: NDArray[np.float64], changed: NDArray[np.float64], attainment: float, confidence: float
) -> Paired:
    """Compare the ``attainment`` quantiles of two samples on the same replications.

    Parameters
    ----------
    base, changed : (n,) float64
        Value of each replication; ``inf`` where it passes nowhere.
    attainment : float
        The quantile, in (0, 1).
    confidence : float
        Of the bootstrap interval, in (0, 1).

    Notes
    -----
    Percentile bootstrap over replications, drawn in pairs (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, ch. 13) with a fixed seed. It is approximate: with few replications an extreme quantile hangs on a handful of
    them, and the interval is then too narrow.
    """
    if base.shape != changed.shape or base.ndim != 1 or base.size < 2:
        raise ValueError(
            f"need two samples of the same length, at least 2 (found {base.shape}, {changed.shape})"
        )
    quantile, reference = order_statistic(changed, attainment), order_statistic(base, attainment)
    rank = max(1, math.ceil(attainment * base.size - 1e-9)) - 1
    rows = np.random.default_rng(BOOTSTRAP_SEED).integers(0, base.size, (_RESAMPLES, base.size))
    sides = [np.partition(values[rows], rank, axis=1)[:, rank] for values in (changed, base)]
    differences = np.sort(_difference(*sides))
    tail = (1.0 - confidence) / 2.0
    low = differences[math.floor(tail * (_RESAMPLES - 1))]
    high = differences[math.ceil((1.0 - tail) * (_RESAMPLES - 1))]
    both = np.isfinite(base) & np.isfinite(changed)
    shifts = changed[both] - base[both]
    n = int(both.sum())
    return Paired(
        quantile,
        float(_difference(np.array(quantile), np.array(reference))),
        Interval(float(low), float(high)),
        float(shifts.mean()) if n else math.nan,
        float(shifts.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan,
        n,
    )


def _difference(changed: NDArray[np.float64], base: NDArray[np.float64]) -> NDArray[np.float64]:
    """``changed - base``; two values above everything differ by 0."""
    finite = np.isfinite(changed) | np.isfinite(base)
    return np.where(finite, np.where(finite, changed, 0.0) - np.where(finite, base, 0.0), 0.0)
