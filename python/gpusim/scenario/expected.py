"""How many counted jobs a replication has on average: in all, of some classes, or of a service level.

A random stream submits `rate` jobs per time, times its profile; a schedule what it says; both times
`study.demand`. Counted are jobs
submitted in [warm_up, count_end), for a level only those of its gang sizes and service hours. A chain counts
as its segments, for turnaround and deadline levels as one. Exact, but for scheduled jobs spread over a time
of which only a part counts: these count in proportion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpusim.scenario.arrivals import Stream
from gpusim.scenario.profile import Profile
from gpusim.scenario.slo import ResolvedSlo
from gpusim.scenario.slo_words import EVERY_DAY, WHOLE_DAY
from gpusim.scenario.week import DAY, WEEK

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario

Interval = tuple[float, float]  # [begin, end) in s since the start of the study


def expected_jobs(scenario: Scenario, class_index: int, level: ResolvedSlo | None = None) -> float:
    """Return the mean number of counted jobs of one class in a replication [jobs].

    Parameters
    ----------
    scenario : Scenario
    class_index : int
        Position in `Scenario.class_names`.
    level : ResolvedSlo, optional
        Only the jobs that this level counts.
    """
    phase, window = scenario.week_phase, (scenario.study.warm_up, scenario.count_end)
    hours, days = (level.hours, level.days) if level is not None else (WHOLE_DAY, EVERY_DAY)
    counted = list(service_intervals(window, phase, hours, days))
    _, _, job_class = list(scenario.classes())[class_index]
    horizon = scenario.study.horizon
    return scenario.study.demand * math.fsum(
        _submitted(stream, phase, horizon, counted) * _share(stream, level) * _jobs_a_unit(stream, level)
        for stream in job_class.streams
    )


def service_intervals(
    window: Interval, phase: float, hours: tuple[float, float], days: int
) -> Iterator[Interval]:
    """Yield the parts of a window that lie in service hours, in order.

    Parameters
    ----------
    window : tuple of two floats
        Begin and end [s since the start of the study].
    phase : float
        Time since Monday 00:00 local at the start of the study [s].
    hours, days
        As in `ResolvedSlo`.
    """
    if hours == WHOLE_DAY and days == EVERY_DAY:
        yield window
        return
    opens, closes = hours
    length = closes - opens if closes > opens else closes - opens + DAY
    for day in range(math.floor((window[0] + phase) / DAY) - 1, math.ceil((window[1] + phase) / DAY)):
        begin = day * DAY + opens - phase
        part = max(window[0], begin), min(window[1], begin + length)
        if days >> day % 7 & 1 and part[0] < part[1]:
            yield part


def _submitted(stream: Stream, phase: float, horizon: float, counted: list[Interval]) -> float:
    """Jobs (or chains) of a stream submitted in some intervals."""
    if stream.schedule:
        times = stream.occurrences(phase, horizon)
        return math.fsum(count * _part_inside(time, within, counted) for time, within, count in times)
    begin, end = stream.start, math.inf if stream.until is None else stream.until
    parts = ((max(first, begin), min(last, end)) for first, last in counted)
    busy = (_busy_time(stream.profile, a + phase, b + phase) for a, b in parts if a < b)
    return stream.job_rate * math.fsum(busy)


def _part_inside(time: float, within: float, counted: list[Interval]) -> float:
    if within <= 0:
        return float(any(first <= time < last for first, last in counted))
    inside = (min(last, time + within) - max(first, time) for first, last in counted)
    return math.fsum(part for part in inside if part > 0) / within


def _busy_time(profile: Profile | None, begin: float, end: float) -> float:
    """Integral of the relative rate between two times since a Monday 00:00 [s]; its mean over a week is 1."""
    if profile is None:
        return end - begin
    whole = profile.cumulative(WEEK)
    (weeks, rest), (weeks_before, rest_before) = divmod(end, WEEK), divmod(begin, WEEK)
    within = profile.cumulative(rest) - profile.cumulative(rest_before)
    return (weeks - weeks_before) * WEEK + within * WEEK / whole


def _share(stream: Stream, level: ResolvedSlo | None) -> float:
    """Share of the jobs of a stream whose gang a level counts."""
    if level is None:
        return 1.0
    chosen = (share for gpus, share in stream.gpus.items() if level.gpus_low <= gpus <= level.gpus_high)
    return math.fsum(chosen) / math.fsum(stream.gpus.values())


def _jobs_a_unit(stream: Stream, level: ResolvedSlo | None) -> float:
    """Jobs that one arrival counts for: the mean number of segments of a chain, else 1."""
    if stream.segment is None or (level is not None and level.metric in ("turnaround", "deadline")):
        return 1.0
    segments, k = 1.0, 1
    while (longer := stream.run_time.share_above(k * stream.segment)) > 1e-12:
        segments, k = segments + longer, k + 1
    return segments
