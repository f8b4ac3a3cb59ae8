"""Reservations as the engine takes them: closures of the pool they belong to, and a pool of their own (S36).

While a reservation is open, its GPUs are closed in the pool that owns them. If some classes may use them, there is
beside it a pool of so many GPUs that is closed at all other times. These pools come after those of the center.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gpusim.engine.closures import Closures
from gpusim.engine.limits import FOREVER
from gpusim.scenario import Scenario
from gpusim.scenario.arrivals import Stream
from gpusim.scenario.views import Reserved

_LONGEST_SHARE = 1 - 1e-9  # a law without max counts as this quantile long


def used_reservations(scenario: Scenario) -> tuple[Reserved, ...]:
    """Those that some classes may use: each has a pool of its own."""
    return tuple(each for each in scenario.reserved() if each.classes)


def reserved_gpus(scenario: Scenario) -> tuple[int, ...]:
    """GPUs of these pools."""
    return tuple(each.terms.gpus for each in used_reservations(scenario))


def all_pools(scenario: Scenario) -> tuple[str, ...]:
    """Names of all pools that the engine has: those of the center, then those of reservations."""
    return (*scenario.pool_names, *(each.terms.name for each in used_reservations(scenario)))


def allowed_pools(scenario: Scenario, job_class: int) -> tuple[int, ...]:
    """Where jobs of a class may run, in order of preference: its reservations, then its pools unless one is `only`."""
    first = len(scenario.pool_names)
    mine = [(first + k, r) for k, r in enumerate(used_reservations(scenario)) if job_class in r.classes]
    own = () if any(each.terms.only for _, each in mine) else scenario.class_pools(job_class)
    return (*(pool for pool, _ in mine), *own)


def _known_until(scenario: Scenario) -> float:
    """Reservations up to here keep jobs out that start within the horizon [s]: it is that much longer."""
    streams = (stream for _, _, job_class in scenario.classes() for stream in job_class.streams)
    horizon = scenario.study.horizon
    return horizon + min(horizon, max(map(_longest_request, streams), default=0.0))


def _longest_request(stream: Stream) -> float:
    """What no job of a stream asks for more than [s]."""
    limit = stream.limit
    if limit.fixed is not None:
        return limit.fixed
    if limit.pick is not None:
        return max(limit.pick)
    run = stream.run_time
    longest = run.max if run.max is not None else run.quantile(_LONGEST_SHARE)
    factor = 1.0 if limit.factor is None else limit.factor[1]
    return max(longest * factor, *limit.round_up, 0.0)


def closures(scenario: Scenario) -> Closures | None:
    """When GPUs are closed, in ticks; None without reservations."""
    every = scenario.reserved(_known_until(scenario))
    if not every:
        return None
    rows: list[tuple[int, int, int, int]] = []
    pool = len(scenario.pool_names)
    for each in every:
        opened = [(scenario.ticks(begin), scenario.ticks(end)) for begin, end in each.windows]
        opened = [(begin, end) for begin, end in opened if begin < end]
        rows += [(each.pool, begin, end, each.terms.gpus) for begin, end in opened]
        if each.classes:
            marks = [0, *(tick for window in opened for tick in window), FOREVER]
            shut = list(pairwise(marks))[::2]
            rows += [(pool, begin, end, each.terms.gpus) for begin, end in shut if begin < end]
            pool += 1
    columns = np.array(sorted(rows), dtype=np.int64).reshape(-1, 4).T
    return Closures(pool=columns[0].astype(np.int32), start=columns[1], end=columns[2], gpus=columns[3])


def most_reserved(scenario: Scenario, pool: int) -> int:
    """Most GPUs of a pool of the center that are reserved at one time: it cannot be smaller."""
    mine = [each for each in scenario.reserved(_known_until(scenario)) if each.pool == pool]
    events = sorted(
        (scenario.ticks(time), gpus)
        for each in mine
        for begin, end in each.windows
        for time, gpus in ((begin, each.terms.gpus), (end, -each.terms.gpus))
    )
    most = now = 0
    for _, gpus in events:
        now += gpus
        most = max(most, now)
    return most
