"""GPUs that are taken away in known intervals (S36): reservations in the calendar, drains, upkeep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.checked import column, refuse
from gpusim.engine.limits import FOREVER, MAX_POOLS
from gpusim.errors import Problem, RunError
from gpusim.workload.ticks import MAX_GPUS

NEVER = (1 << 63) - 1
"""A tick that does not come."""


@dataclass(frozen=True, eq=False)
class Closures:
    """Closures of pools, known from the beginning: row k has `gpus` GPUs of a pool fewer in [start, end).

    Those of a pool may overlap; then their GPUs add up, but never more are closed than the pool has.

    Parameters
    ----------
    pool : (W,) int
        Sorted by (pool, start).
    start, end : (W,) int
        Ticks, 0 <= start < end < 2^43.
    gpus : (W,) int
        GPUs, 1 or more.

    Raises
    ------
    RunError
        With every problem found: columns differ in length, a value is out of range, an interval is empty, or rows are
        not sorted.
    """

    pool: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    gpus: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        wanted: tuple[tuple[str, Any, int, int], ...] = (
            ("pool", np.int32, 0, MAX_POOLS - 1),
            ("start", np.int64, 0, FOREVER - 1),
            ("end", np.int64, 1, FOREVER),
            ("gpus", np.int64, 1, MAX_GPUS),
        )
        problems: list[Problem] = []
        for name, kind, low, high in wanted:
            try:
                object.__setattr__(
                    self, name, column(f"closures.{name}", getattr(self, name), kind, low, high)
                )
            except RunError as error:
                problems += error.problems
        lengths = {name: np.size(getattr(self, name)) for name, *_ in wanted}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} {length}" for name, length in lengths.items())
            problems += refuse(
                "closures", "have columns that differ in length", "give one row each", found
            ).problems
        if not problems:
            problems = [*_empty(self), *_unsorted(self)]
        if problems:
            raise RunError(problems)

    def __len__(self) -> int:
        return len(self.pool)

    def arrays(self, pools: int) -> dict[str, Any]:
        """What the native module receives: per pool, the GPUs closed from each tick on at which that may change.

        Parameters
        ----------
        pools : int
            P.

        Returns
        -------
        dict
            ``closure_offset`` int32 (P + 1), ``closure_tick``, ``closure_gpus`` and ``closure_start`` int64; the
            last is the first tick, at or after that of the row, at which a closure of the pool begins, `NEVER` if
            none does.
        """
        parts = [_steps(self, pool) for pool in range(pools)]
        names = ("closure_tick", "closure_gpus", "closure_start")
        columns = {name: np.concatenate([part[k] for part in parts]) for k, name in enumerate(names)}
        return {
            "closure_offset": np.cumsum([0, *(len(part[0]) for part in parts)], dtype=np.int32),
            **columns,
        }


def _steps(closures: Closures, pool: int) -> tuple[npt.NDArray[np.int64], ...]:
    own = closures.pool == pool
    start, end, gpus = closures.start[own], closures.end[own], closures.gpus[own]
    tick, row = np.unique(np.concatenate([start, end]), return_inverse=True)
    change = np.zeros(len(tick), np.int64)
    np.add.at(change, row, np.concatenate([gpus, -gpus]))
    starts = np.append(start, NEVER)
    return tick, np.cumsum(change), starts[np.searchsorted(start, tick)]


def _empty(closures: Closures) -> list[Problem]:
    rows = np.flatnonzero(closures.end <= closures.start).tolist()
    remedy = "let it end after its start, or leave the row out"
    return [
        problem
        for row in rows
        for problem in refuse(
            f"closures[{row}]", "is empty", remedy, f"{closures.start[row]:,} to {closures.end[row]:,}"
        ).problems
    ]


def _unsorted(closures: Closures) -> list[Problem]:
    pool, start = closures.pool, closures.start
    rows = np.flatnonzero((pool[1:] < pool[:-1]) | ((pool[1:] == pool[:-1]) & (start[1:] < start[:-1]))) + 1
    return [
        problem
        for row in rows.tolist()
        for problem in refuse(
            f"closures[{row}]", "comes before the row in front of it", "sort them by (pool, start)"
        ).problems
    ]
