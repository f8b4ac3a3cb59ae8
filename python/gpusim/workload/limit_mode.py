"""How a job's time limit follows from its service time: the modes of a source of generated jobs."""

from __future__ import annotations

from enum import IntEnum

SCALE_ONE = 1 << 16
"""Demand scale and limit factor that stand for 1."""


class LimitMode(IntEnum):
    """How a job's time limit follows from its service time."""

    EXACT = 0
    """The limit is the service time."""
    FIXED = 1
    """The limit is `limit_a` ticks."""
    FACTOR = 2
    """The limit is the service time times a factor, uniform in [`limit_a`, `limit_b`) / 65536, rounded up;
    with `choices`, rounded up further to the next of these (above the last: the larger of it and the
    service time)."""
    PICK = 3
    """The limit is one of `choices`, drawn by their alias table, whatever the service time."""
