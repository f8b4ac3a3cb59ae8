"""How many GPUs are in use over time, given when jobs start and end: exact, without any simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Usage:
    """GPUs in use between the first start and the last end, weighted by time.

    Attributes
    ----------
    mean : float
        Time-mean [GPUs].
    p50, p95, p99 : int
        The smallest number of GPUs that suffices for at least 50, 95, 99 % of the time [GPUs].
    peak : int
        Most GPUs in use at any time [GPUs].
    first, last : int
        First start and last end [ticks].
    """

    mean: float
    p50: int
    p95: int
    p99: int
    peak: int
    first: int
    last: int


def in_use(start: npt.ArrayLike, end: npt.ArrayLike, gpus: npt.ArrayLike) -> Usage:
    """Measure the GPUs in use by jobs that hold `gpus` from `start` to `end`.

    At one instant ends count before starts, so a job that starts when another ends can take its GPUs. With
    ``start = jobs.submit`` and ``end = jobs.submit + jobs.service`` this is a center without any limit.

    Parameters
    ----------
    start, end : (n,) integers
        Each job's start and end [ticks], end > start.
    gpus : (n,) integers
        GPUs each job holds.

    Returns
    -------
    Usage
        The mean is the exact integer GPU-ticks over the exact span, rounded once; all else is integer.

    Raises
    ------
    ValueError
        No jobs, columns that differ in length or are not whole numbers, or a job that ends before it starts
        or at its start.

    Notes
    -----
    The time spent at each level is summed exactly in integers. The q-percentile is the smallest level v such
    that the time with at most v GPUs in use is at least q of the span; idle time inside the span counts as
    level 0.

    Examples
    --------
    >>> in_use(start=[0, 10], end=[10, 30], gpus=[2, 4])
    Usage(mean=3.3333333333333335, p50=4, p95=4, p99=4, peak=4, first=0, last=30)
    """
    begins, ends, held = (_integers(name, v) for name, v in (("start", start), ("end", end), ("gpus", gpus)))
    if not len(begins) == len(ends) == len(held):
        raise ValueError(f"start, end and gpus differ in length ({len(begins)}, {len(ends)}, {len(held)})")
    if not len(begins):
        raise ValueError("there are no jobs; give at least one")
    if (late := np.flatnonzero(ends <= begins)).size:
        row = int(late[0])
        raise ValueError(f"job {row} starts at {begins[row]} but ends at {ends[row]}; give a later end")

    instants, place = np.unique(np.concatenate([begins, ends]), return_inverse=True)
    change = np.zeros(len(instants), dtype=np.int64)  # all of an instant at once: ends come first
    np.add.at(change, place, np.concatenate([held, -held]))
    level = np.cumsum(change)[:-1]
    lasts = np.diff(instants)
    first, last = int(instants[0]), int(instants[-1])

    order = np.argsort(level, kind="stable")
    below = np.cumsum(lasts[order])  # time spent at this level or a lower one [ticks]
    span = last - first

    def percentile(percent: int) -> int:
        needed = -(-percent * span // 100)  # rounded up: time is whole ticks
        return int(level[order[np.searchsorted(below, needed)]])

    work = int(np.dot(level, lasts))
    return Usage(work / span, percentile(50), percentile(95), percentile(99), int(level.max()), first, last)


def _integers(name: str, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    array: npt.NDArray[Any] = np.asarray(values)
    if array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
        raise ValueError(f"{name} is not a column of whole numbers ({array.dtype}, shape {array.shape})")
    return array.astype(np.int64)
