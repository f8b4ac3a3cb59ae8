"""Seconds to integer ticks, and the largest values the engine takes.

Submit times are rounded down to the tick they fall in. Durations are rounded to the nearest tick, halves
up, and a positive duration is never shorter than one tick, so that no job vanishes. A quotient within four
units in the last place of a whole number is that number: 0.3 s is three ticks of 0.1 s, although 0.3 / 0.1
is a hair below 3 in floating point.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, UsageError

MAX_TICKS = 1 << 43
"""Times inside the engine are below this [ticks]; at one tick a second, 278,000 years."""
MAX_GPUS = (1 << 31) - 2
"""Largest GPU count of a job or a center: int32, less the one number that marks a hole in the queue."""
MAX_WORK = 1 << 62
"""The sum of GPUs x service over all jobs stays below this [GPU-ticks], so that every int64 sum is exact."""

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def checked_tick(tick: float) -> float:
    """Return `tick` [s] as a float, or raise UsageError if it is not a positive, finite number."""
    try:
        value = float(tick)
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(
            Problem("tick", "is not a positive number of seconds", "write tick=1.0", "usage/tick", repr(tick))
        )
    return value


def quotient(seconds: Numbers, tick: float) -> npt.NDArray[np.float64]:
    """Seconds over the tick, as float64, with near-whole quotients made whole (any NaN stays NaN)."""
    if tick == 1.0:
        return seconds.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        ticks = seconds / tick
        whole = np.rint(ticks)
        near = np.abs(ticks - whole) <= 4 * np.spacing(np.abs(whole) + 1.0)
        return np.asarray(np.where(near, whole, ticks), dtype=np.float64)


def submit_ticks(ticks: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Round instants [ticks] down; the values must be finite and below `MAX_TICKS`."""
    floor: npt.NDArray[np.float64] = np.floor(ticks)
    return floor.astype(np.int64)


def duration_ticks(ticks: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Round positive durations [ticks] half up, to at least 1; finite and below `MAX_TICKS`."""
    nearest: npt.NDArray[np.float64] = np.maximum(1.0, np.floor(ticks + 0.5))
    return nearest.astype(np.int64)


def too_much_work(gpus: npt.NDArray[Any], service: npt.NDArray[Any]) -> bool:
    """Tell whether the sum of GPUs x service [GPU-ticks] could leave the exact range of int64."""
    return float(np.dot(gpus.astype(np.float64), service.astype(np.float64))) >= MAX_WORK
