"""Week profiles: arrival rates that follow the hours and weekdays, as integer cumulative tables.

A profile divides the week, from Monday 00:00 local time, into B equal bins. `cum` is the cumulative relative
rate: the operational time, in 1/256 ticks, that passes from the start of the week to the start of a bin. The
mean rate is 1, so `cum[B]` is the week itself. Arrivals are laid out in operational time, where their rate is
constant, and `real_tick` maps them back; `operational` is the way there. Both are the integer rules of
ARCHITECTURE.md section 3, written with Python integers.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpusim.errors import Problem, WorkloadError

OPERATIONAL_BITS = 8
"""Operational time counts in 2^-8 ticks."""
WEEK_SECONDS = 7 * 86400
FINE_BINS = 1008
"""Ten minutes each."""
COARSE_BINS = 168
"""An hour each."""


@dataclass(frozen=True, eq=False)
class WeekProfile:
    """Cumulative relative arrival rate over a week.

    Parameters
    ----------
    week : int
        Length of a week [tick].
    cum : numpy.ndarray of int64, shape (B + 1,)
        Operational time at the start of each of B equal bins [1/256 tick]; non-decreasing from 0 to
        256 x week. B divides the week. C-contiguous; made read-only.

    Raises
    ------
    WorkloadError
        If the array is not as said, or so steep that (rise of a bin) x (length of a bin) reaches 2^63.
    """

    week: int
    cum: NDArray[np.int64]

    def __post_init__(self) -> None:
        cum = self.cum
        if cum.dtype != np.int64 or cum.ndim != 1 or len(cum) < 2 or not cum.flags.c_contiguous:
            raise _error("cum is not a C-contiguous int64 array of two or more values", str(cum.dtype))
        bins = len(cum) - 1
        if self.week < 1 or self.week % bins:
            raise _error(f"a week of {self.week} ticks does not divide into {bins} bins", "")
        if int(cum[0]) != 0 or int(cum[-1]) != self.week << OPERATIONAL_BITS or np.any(np.diff(cum) < 0):
            raise _error("cum does not rise from 0 to 256 x week", f"{cum[0]} to {cum[-1]}")
        if int(np.diff(cum).max()) * (self.week // bins) >= 1 << 63:
            raise _error("a bin's rise times its length reaches 2^63; use a longer tick", "")
        frozen = cum.copy()
        frozen.setflags(write=False)
        object.__setattr__(self, "cum", frozen)

    def operational(self, tick: int) -> int:
        """Operational time [1/256 tick] at a time since some Monday 00:00 [tick], rounded up.

        Rounded up so that an arrival at or after this operational time is never before the tick.
        """
        weeks, rest = divmod(tick, self.week)
        width = self.week // (len(self.cum) - 1)
        b, inside = divmod(rest, width)
        low, high = int(self.cum[b]), int(self.cum[b + 1])
        return (weeks * self.week << OPERATIONAL_BITS) + low - (-(high - low) * inside) // width

    def real_tick(self, p: int) -> int:
        """Time since the Monday 00:00 of `operational` [tick] at an operational time [1/256 tick], floor."""
        weeks, rest = divmod(p, self.week << OPERATIONAL_BITS)
        width = self.week // (len(self.cum) - 1)
        b = bisect_right(self.cum[:-1].tolist(), rest) - 1
        low, high = int(self.cum[b]), int(self.cum[b + 1])
        return weeks * self.week + b * width + ((rest - low) * width) // (high - low)


def week_in_ticks(tick: float) -> int:
    """Length of a week [tick] of `tick` seconds.

    Raises
    ------
    WorkloadError
        If hours are not whole numbers of ticks.
    """
    hour = 3600.0 / tick
    if hour < 1 or not math.isclose(hour, round(hour), rel_tol=1e-12):
        raise WorkloadError(
            Problem(
                "tick",
                "an hour is not a whole number of ticks, so arrivals cannot follow hours of the day",
                "use a tick that divides an hour, for example 1s",
                "workload/profile-tick",
                f"{tick:g} s",
            )
        )
    return COARSE_BINS * round(hour)


def profile_bins(tick: float) -> int:
    """Bins of a profile: ten minutes each if these are whole ticks, else an hour each."""
    return FINE_BINS if week_in_ticks(tick) % FINE_BINS == 0 else COARSE_BINS


def compile_profile(relative_rates: Sequence[float], week: int) -> WeekProfile:
    """Cumulative table of the relative rates of equal bins of the week.

    Parameters
    ----------
    relative_rates : sequence of float
        Mean rate of each bin from Monday 00:00, in any unit; 0 or more, not all 0.
    week : int
        Length of a week [tick].

    Returns
    -------
    WeekProfile
        Every `cum` is within 1/256 tick of its real value, with the mean rate made 1.
    """
    rates = [float(rate) for rate in relative_rates]
    if not rates or not all(math.isfinite(rate) and rate >= 0.0 for rate in rates) or sum(rates) <= 0.0:
        raise _error("relative rates are not finite, 0 or more, with a sum above 0", "")
    before = np.concatenate([[0.0], np.cumsum(rates)])
    cum = np.rint(before / before[-1] * float(week << OPERATIONAL_BITS))
    return WeekProfile(week, cum.astype(np.int64))


def _error(what: str, found: str) -> WorkloadError:
    return WorkloadError(Problem("week profile", what, code="workload/profile", found=found))
