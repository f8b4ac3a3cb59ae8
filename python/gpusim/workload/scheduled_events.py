"""Scheduled arrivals as events of a source: in ticks, cut small enough, sorted, and never overlapping."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

EVENT_JOBS = 15
"""Most arrivals of one event at nominal demand: 4 times as many, and one for rounding, fit the engine's 64."""

Event = tuple[int, int, int]
"""(tick, within [tick], count)."""


def event_tables(occurrences: Iterable[Event]) -> list[NDArray[np.int64]]:
    """Tables of events of as few sources as it takes, so that no two events of a source overlap.

    Parameters
    ----------
    occurrences : iterable of (int, int, int)
        (tick, within [tick], count) of each scheduled time; may overlap.

    Returns
    -------
    list of numpy.ndarray of int64, shape (E, 3)
        Sorted; every event of an earlier table that could have taken a later one's did. Which table an
        occurrence goes to depends on the times alone, not on the counts.

    Notes
    -----
    An occurrence of more than 15 arrivals is cut into equal consecutive parts of its interval, each with its
    share of the arrivals (whole numbers, by rounding down the running total). Arrivals are then spread a little
    more evenly over the interval than independent ones would be.
    """
    tables: list[list[Event]] = []
    for tick, within, count in sorted(occurrences):
        for table in tables:
            last_tick, last_within, _ = table[-1]
            if last_tick + last_within <= tick:
                break
        else:
            table = []
            tables.append(table)
        table += cut(tick, within, count)
    return [np.array(table, dtype=np.int64) for table in tables]


def cut(tick: int, within: int, count: int) -> list[Event]:
    """Consecutive parts of an occurrence, of at most 15 arrivals each; at least one part."""
    parts = max(1, -(-count // EVENT_JOBS))
    edges = [within * i // parts for i in range(parts + 1)]
    shares = [count * i // parts for i in range(parts + 1)]
    return [(tick + edges[i], edges[i + 1] - edges[i], shares[i + 1] - shares[i]) for i in range(parts)]
