"""Service levels as the engine sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.checked import column, flags, refuse, table
from gpusim.engine.limits import FOREVER, MAX_SLOWDOWN, MILLION

WAIT, TURNAROUND, SLOWDOWN, TURNED_AWAY, PREEMPTIONS = 0, 1, 2, 3, 4
"""What a level judges (S12)."""

EVERY_DAY = 127
ANY_SIZE = int(np.iinfo(np.int32).max)

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class SloTable:
    """Service levels, one row each (S12).

    Parameters
    ----------
    limit : (S,) or (S, C) int
        What meets the level, for all classes or class by class: ticks of wait or turnaround, 0 .. 2^43 - 1;
        thousandths for slowdown, below 2^20; evictions for PREEMPTIONS; ignored for TURNED_AWAY.
    share_ppm : (S,) int
        Share of decided jobs that must meet it, in millionths, 0 .. 1,000,000.
    member : (S, C) bool
        Whether the level counts jobs of class c.
    metric : (S,) int, optional
        WAIT (default), TURNAROUND, SLOWDOWN, TURNED_AWAY or PREEMPTIONS (S27).
    bound : (S,) int, optional
        Slowdown: shorter run times count as this [ticks]. Default 0.
    gpus_low, gpus_high : (S,) int, optional
        Gang sizes that are counted, both included [GPU]. Default: all.
    hours_from, hours_to : (S,) int, optional
        Only jobs submitted in these hours are counted [ticks of the day]; equal (default): at any hour; from
        after to: over midnight.
    days : (S,) int, optional
        Weekdays on which these hours begin, bit 0 for Monday. Default: all, 127.

    Raises
    ------
    RunError
        If lengths differ, or a value is not of its type and range.
    """

    limit: Int64
    share_ppm: Int64
    member: npt.NDArray[np.bool_]
    metric: Int32 | None = None
    bound: Int64 | None = None
    gpus_low: Int32 | None = None
    gpus_high: Int32 | None = None
    hours_from: Int64 | None = None
    hours_to: Int64 | None = None
    days: Int32 | None = None

    def __post_init__(self) -> None:
        share_ppm = column("slos.share_ppm", self.share_ppm, np.int64, 0, MILLION)
        member = flags("slos.member", self.member)
        levels = len(share_ppm)
        optional: dict[str, tuple[Any, int, int, int]] = {
            "metric": (np.int32, WAIT, WAIT, PREEMPTIONS),
            "bound": (np.int64, 0, 0, FOREVER),
            "gpus_low": (np.int32, 1, 0, ANY_SIZE),
            "gpus_high": (np.int32, ANY_SIZE, 0, ANY_SIZE),
            "hours_from": (np.int64, 0, 0, FOREVER),
            "hours_to": (np.int64, 0, 0, FOREVER),
            "days": (np.int32, EVERY_DAY, 0, EVERY_DAY),
        }
        checked: dict[str, Any] = {"share_ppm": share_ppm, "member": member}
        for name, (kind, default, low, high) in optional.items():
            value = getattr(self, name)
            value = np.full(levels, default, kind) if value is None else value
            checked[name] = column(f"slos.{name}", value, kind, low, high)
        checked["limit"] = _limits(self.limit, member.shape[1])
        lengths = {name: len(value) for name, value in checked.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise refuse("slos", "columns differ in length", "give one row per level", found)
        if checked["limit"].shape != member.shape:
            found = f"{checked['limit'].shape}, member {member.shape}"
            raise refuse("slos.limit", "has the wrong shape", "give one limit per level and class", found)
        slow = checked["metric"] == SLOWDOWN
        if (checked["limit"][slow] > MAX_SLOWDOWN).any():
            remedy = f"use at most {MAX_SLOWDOWN:,} thousandths"
            raise refuse(
                "slos.limit", "is too large for a slowdown", remedy, str(checked["limit"][slow].max())
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def empty(cls, classes: int) -> SloTable:
        """No level at all."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, classes), np.bool_))

    def __len__(self) -> int:
        return len(self.share_ppm)

    @property
    def arrays(self) -> dict[str, Any]:
        """Columns of the native call: the levels, and for each class the list of its levels and limits."""
        names = ("metric", "share_ppm", "bound", "gpus_low", "gpus_high", "hours_from", "hours_to", "days")
        lists = [np.flatnonzero(member).astype(np.int32) for member in self.member.T]
        limits = [self.limit[levels, c] for c, levels in enumerate(lists)]
        return {
            **{f"slo_{name}": getattr(self, name) for name in names},
            "slo_class_offset": np.cumsum([0, *map(len, lists)], dtype=np.int32),
            "slo_class_list": np.concatenate([*lists, np.zeros(0, np.int32)]),
            "slo_class_limit": np.concatenate([*limits, np.zeros(0, np.int64)]),
        }


def _limits(limit: Any, classes: int) -> Int64:
    """Limits as (S, C): one number for a level stands for all its classes."""
    try:
        by_class = np.ndim(limit) > 1
    except ValueError:  # rows of different length: `table` says so
        by_class = True
    if by_class:
        return table("slos.limit", limit, np.int64, 0, FOREVER)
    one = column("slos.limit", limit, np.int64, 0, FOREVER)
    spread: Int64 = np.repeat(one[:, None], classes, axis=1)
    spread.setflags(write=False)
    return spread
