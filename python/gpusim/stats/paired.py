"""Critical capacities of all replications.

A quantile needs two order statistics only (`critical.py`). A comparison of scenarios on common random numbers needs the
critical capacity of *every* replication of each, to a step: their differences (`differences.py`) have far less noise.

All open replications take one step of their own search in one batch: doubling steps away from a start until the
replication's crossing is enclosed, then bisection. Each replication may start elsewhere; close starts are what makes
it cheap: about 3 runs each from starts a step beside, 8 from a bad guess. A start that is off by a normal error of sd s
steps leaves log2(4.1 s) yes-or-no questions open, and no search asks fewer: 4.3 for s = 5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpusim.stats.critical import BoolArray, IntArray
from gpusim.stats.grid import CapacityGrid

EvaluateCells = Callable[[IntArray, IntArray], BoolArray]
"""Given replications and one capacity for each, whether they pass."""


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
