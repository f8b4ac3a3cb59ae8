"""Job classes as the engine sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.checked import column, flag_column, integer, refuse
from gpusim.engine.limits import FOREVER, MAX_CLASSES, MAX_POOLS

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class ClassTable:
    """Job classes, one row each.

    Parameters
    ----------
    tier : (C,) int
        Priority tier, any int32; a larger one is considered first (R10). At most 65,536 classes.
    tenant : (C,) int
        Index of the tenant that owns the class, 0 <= tenant < tenants.
    patience : (C,) int
        Ticks a job waits before it leaves (R4), below 2^43; -1: never.
    tenants : int
        Number of tenants T, 1 .. 65,536.
    killed_ok : (C,) bool, optional
        Whether a job killed at its limit counts as done in slowdown and turnaround levels (S12). Default: no.
    pools : sequence of C sequences of int, optional
        Allowed pools of each class in order of preference (R12), at least one, none twice. Default: pool 0.
    n_pools : int, default 1
        Number of pools P, 1 .. 1,024.

    Raises
    ------
    RunError
        If lengths differ, there is no class, or a value is not a whole number of its range.
    """

    tier: Int32
    tenant: Int32
    patience: Int64
    tenants: int
    killed_ok: npt.NDArray[np.bool_] | None = None
    pools: tuple[tuple[int, ...], ...] | None = None
    n_pools: int = 1

    def __post_init__(self) -> None:
        tenants = integer("classes.tenants", self.tenants, 1, MAX_CLASSES)
        n_pools = integer("classes.n_pools", self.n_pools, 1, MAX_POOLS)
        rows = np.size(self.tier)
        columns: dict[str, Any] = {
            "tier": column("classes.tier", self.tier, np.int32),
            "tenant": column("classes.tenant", self.tenant, np.int32, 0, tenants - 1),
            "patience": column("classes.patience", self.patience, np.int64, -1, FOREVER),
            "killed_ok": flag_column(
                "classes.killed_ok", np.zeros(rows, np.bool_) if self.killed_ok is None else self.killed_ok
            ),
            "pools": _pools(((0,),) * rows if self.pools is None else self.pools, n_pools),
        }
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1 or not 1 <= min(lengths) <= MAX_CLASSES:
            found = ", ".join(f"{name} {len(values):,}" for name, values in columns.items())
            remedy = f"give one row per class, 1 to {MAX_CLASSES:,}"
            raise refuse("classes", "differ in length, or are none or too many", remedy, found)
        for name, value in {**columns, "tenants": tenants, "n_pools": n_pools}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def single(cls) -> ClassTable:
        """One class of one tenant that waits for ever: what a plain log has."""
        return cls(np.zeros(1, np.int32), np.zeros(1, np.int32), np.full(1, -1, np.int64), 1)

    def __len__(self) -> int:
        return len(self.tier)

    @cached_property
    def tier_rank(self) -> Int32:
        """0 for the tier considered first, (C,) int32."""
        ranks = np.unique(-self.tier.astype(np.int64), return_inverse=True)[1]
        return np.ascontiguousarray(ranks, dtype=np.int32)

    @property
    def tiers(self) -> int:
        """Distinct priority tiers."""
        return int(self.tier_rank.max()) + 1

    @cached_property
    def arrays(self) -> dict[str, Any]:
        """Columns of the native call."""
        assert self.pools is not None
        assert self.killed_ok is not None
        return {
            "tier_rank": self.tier_rank,
            "tiers": self.tiers,
            "tenant": self.tenant,
            "patience": self.patience,
            "killed_ok": self.killed_ok.astype(np.uint8),
            "pool_offset": np.cumsum([0, *map(len, self.pools)], dtype=np.int32),
            "pool_list": np.array([p for pools in self.pools for p in pools], dtype=np.int32),
            "n_pools": self.n_pools,
        }


def _pools(pools: Sequence[Sequence[int]], n_pools: int) -> tuple[tuple[int, ...], ...]:
    checked = []
    if not isinstance(pools, Sequence):
        raise refuse(
            "classes.pools", "is no list", "give the pools of each class, a list of lists", repr(pools)
        )
    for c, allowed in enumerate(pools):
        where = f"classes.pools[{c}]"
        row = tuple(column(where, allowed, np.int32, 0, n_pools - 1).tolist())
        if not row or len(set(row)) < len(row):
            raise refuse(where, "names no pool, or one twice", "name each allowed pool once", str(row))
        checked.append(row)
    return tuple(checked)
