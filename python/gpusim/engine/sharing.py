"""How tenants share a center, as the engine sees it: quotas, cohorts, preemption (R16-R30, S13-S25)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.checked import column, flag, flag_column, integer, refuse
from gpusim.engine.limits import FOREVER, MAX_CLASSES

NO_AMOUNT = -1
WITHIN = ("never", "lower", "lower_or_newer")
RECLAIM = ("never", "lower", "any")
REQUEUE = ("place", "tail", "cancel")
NO_THRESHOLD = -(1 << 40)
_MOST_NODES = 4096
_MOST_AMOUNT = 1 << 30
_MOST_USERS = 1 << 20


@dataclass(frozen=True, eq=False)
class Sharing:
    """Quotas and preemption of T tenants and K cohorts in P pools, for C classes.

    Nodes are the tenants, 0 to T - 1, then the cohorts.

    Parameters
    ----------
    parent : (T + K,) int
        The cohort that a node belongs to, as a node; -1 for none.
    nominal, borrow, lend : (T + K, P) int
        GPUs that a node owns, may borrow beyond that, and lends (R17); in millionths of the pool's capacity where
        `shares` says so. -1: no quota in this pool (tenants of no cohort only), or no limit.
    shares : (3, T + K, P) bool, optional
        Which amounts are shares, in the order nominal, borrow, lend. Default: all are GPUs.
    unassigned : int, default -1
        The tenant that owns what all others do not; -1 none.
    borrowers_last : bool, default True
        Passes take jobs first that fit what their tenant owns (R22).
    users : (T,) int, optional
        Users of each tenant, at least 1; 2^20 in all where they have limits. Default: 1 each.
    user_max_gpus, user_max_jobs : (T,) int, optional
        GPUs and running jobs of each user of a tenant at most, over all pools; -1 no limit (S34). Default: none.
    strict : (T,) bool
        A job blocked by quota stops its tenant's later ones (R19).
    within : (T,) int
        Whom a tenant's jobs evict of their own: 0 nobody, 1 lower priority, 2 also newer of the same (R24).
    reclaim : (T,) int
        Whom they evict of other tenants that use more than they own (S20): 0 nobody, 1 lower priority, 2 any.
    borrow_preempts : (T,) int
        Highest priority of victims while they borrow themselves; `NO_THRESHOLD`: none.
    max_gpus, max_jobs : (T,) int
        GPUs and running jobs of a tenant at most, over all pools; -1 no limit (S25).
    preemptible, urgent : (C,) bool
    requeue : (C,) int
        A victim waits at its place (0), at the tail (1), or is cancelled (2) (R28).
    exempt, grace, checkpoint, checkpoint_cost, restart : (C,) int
        Ticks; `checkpoint` 0: none (R24, R29, R30, S23).

    Raises
    ------
    RunError
        If shapes do not fit, a value is out of range, a parent is no cohort, or cohorts form a circle.
    """

    parent: npt.NDArray[np.int32]
    nominal: npt.NDArray[np.int64]
    borrow: npt.NDArray[np.int64]
    lend: npt.NDArray[np.int64]
    strict: npt.NDArray[np.bool_]
    within: npt.NDArray[np.int32]
    reclaim: npt.NDArray[np.int32]
    borrow_preempts: npt.NDArray[np.int64]
    max_gpus: npt.NDArray[np.int64]
    max_jobs: npt.NDArray[np.int64]
    preemptible: npt.NDArray[np.bool_]
    urgent: npt.NDArray[np.bool_]
    requeue: npt.NDArray[np.int32]
    exempt: npt.NDArray[np.int64]
    grace: npt.NDArray[np.int64]
    checkpoint: npt.NDArray[np.int64]
    checkpoint_cost: npt.NDArray[np.int64]
    restart: npt.NDArray[np.int64]
    shares: npt.NDArray[np.bool_] | None = None
    unassigned: int = -1
    borrowers_last: bool = True
    users: npt.NDArray[np.int32] | None = None
    user_max_gpus: npt.NDArray[np.int64] | None = None
    user_max_jobs: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        tenants, nodes = np.size(self.strict), np.size(self.parent)
        if not 1 <= tenants <= nodes <= _MOST_NODES:
            remedy = f"give one parent per tenant and cohort, at most {_MOST_NODES:,}"
            raise refuse("sharing.parent", "has the wrong length", remedy, f"{nodes} for {tenants} tenants")
        pools = np.shape(self.nominal)[1] if np.ndim(self.nominal) == 2 else 0
        checked: dict[str, Any] = {
            "parent": column("sharing.parent", self.parent, np.int32, -1, nodes - 1),
            "strict": flag_column("sharing.strict", self.strict),
            "within": column("sharing.within", self.within, np.int32, 0, len(WITHIN) - 1),
            "reclaim": column("sharing.reclaim", self.reclaim, np.int32, 0, len(RECLAIM) - 1),
            "borrow_preempts": column(
                "sharing.borrow_preempts", self.borrow_preempts, np.int64, NO_THRESHOLD, 1 << 31
            ),
            "max_gpus": column("sharing.max_gpus", self.max_gpus, np.int64, -1, _MOST_AMOUNT),
            "max_jobs": column("sharing.max_jobs", self.max_jobs, np.int64, -1, _MOST_AMOUNT),
            "unassigned": integer("sharing.unassigned", self.unassigned, -1, tenants - 1),
            "borrowers_last": flag("sharing.borrowers_last", self.borrowers_last),
            "preemptible": flag_column("sharing.preemptible", self.preemptible),
            "urgent": flag_column("sharing.urgent", self.urgent),
            "requeue": column("sharing.requeue", self.requeue, np.int32, 0, len(REQUEUE) - 1),
        }
        users = np.ones(tenants, np.int32) if self.users is None else self.users
        checked["users"] = column("sharing.users", users, np.int32, 1, _MOST_USERS)
        for name in ("user_max_gpus", "user_max_jobs"):
            given = getattr(self, name)
            most = np.full(tenants, NO_AMOUNT) if given is None else given
            checked[name] = column(f"sharing.{name}", most, np.int64, -1, _MOST_AMOUNT)
        for name in ("exempt", "grace", "checkpoint", "checkpoint_cost", "restart"):
            checked[name] = column(f"sharing.{name}", getattr(self, name), np.int64, 0, FOREVER)
        for name in ("nominal", "borrow", "lend"):
            checked[name] = _amounts(f"sharing.{name}", getattr(self, name), (nodes, pools))
        checked["shares"] = _which(self.shares, (3, nodes, pools))
        rows = dict.fromkeys(("within", "reclaim", "borrow_preempts", "max_gpus", "max_jobs"), tenants)
        rows |= dict.fromkeys(("users", "user_max_gpus", "user_max_jobs"), tenants)
        rows |= dict.fromkeys(
            ("urgent", "requeue", "exempt", "grace", "checkpoint", "checkpoint_cost", "restart"),
            len(checked["preemptible"]),
        )
        for name, length in rows.items():
            if len(checked[name]) != length:
                found = str(len(checked[name]))
                raise refuse(f"sharing.{name}", "has the wrong length", f"give {length} values", found)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_tree(tenants)
        if self.user_offset[-1] > _MOST_USERS:
            remedy = f"limit at most {_MOST_USERS:,} users"
            raise refuse("sharing.users", "are too many", remedy, f"{self.user_offset[-1]:,} with limits")

    def _check_tree(self, tenants: int) -> None:
        for node, parent in enumerate(self.parent.tolist()):
            if 0 <= parent < tenants:
                remedy = f"name a cohort, {tenants} to {len(self.parent) - 1}, or -1"
                raise refuse(f"sharing.parent[{node}]", "is a tenant", remedy, str(parent))
        for node in range(len(self.parent)):
            steps, at = 0, node
            while at >= 0 and steps <= len(self.parent):
                at, steps = int(self.parent[at]), steps + 1
            if at >= 0:
                raise refuse(f"sharing.parent[{node}]", "leads in a circle", "let each path end in -1")
        missing = (self.nominal[tenants:] < 0).any() or (
            (self.nominal[:tenants] < 0).any(axis=1) & (self.parent[:tenants] >= 0)
        ).any()
        if missing:
            remedy = "give its GPUs, possibly 0"
            raise refuse("sharing.nominal", "is missing for a cohort, or a tenant of one", remedy)

    @classmethod
    def nobody(cls, tenants: int, classes: int, pools: int) -> Sharing:
        """Nobody owns anything and nobody is evicted: the integers of a center without sharing, with causes."""
        none = np.full((tenants, pools), NO_AMOUNT, np.int64)
        by_tenant, by_class = np.zeros(tenants, np.int32), np.zeros(classes, np.int64)
        return cls(
            parent=np.full(tenants, -1, np.int32),
            nominal=none,
            borrow=none,
            lend=none,
            strict=np.zeros(tenants, np.bool_),
            within=by_tenant,
            reclaim=by_tenant,
            borrow_preempts=np.full(tenants, NO_THRESHOLD, np.int64),
            max_gpus=none[:, 0],
            max_jobs=none[:, 0],
            preemptible=np.zeros(classes, np.bool_),
            urgent=np.zeros(classes, np.bool_),
            requeue=np.zeros(classes, np.int32),
            exempt=by_class,
            grace=by_class,
            checkpoint=by_class,
            checkpoint_cost=by_class,
            restart=by_class,
        )

    @cached_property
    def user_offset(self) -> npt.NDArray[np.int32]:
        """Where each tenant's users begin among those with limits, (T + 1,); a tenant without limits has none there."""
        assert self.users is not None
        assert self.user_max_gpus is not None
        assert self.user_max_jobs is not None
        limited = (self.user_max_gpus >= 0) | (self.user_max_jobs >= 0)
        ends = np.cumsum(np.where(limited, self.users, 0), dtype=np.int64)
        return np.concatenate([[0], np.minimum(ends, _MOST_USERS + 1)]).astype(np.int32)

    @property
    def tenants(self) -> int:
        """Number of tenants."""
        return len(self.strict)

    @cached_property
    def bottom_up(self) -> npt.NDArray[np.int32]:
        """All nodes, each before its parent."""
        depth = [self._path(node).__len__() for node in range(len(self.parent))]
        return np.argsort([-d for d in depth], kind="stable").astype(np.int32)

    def _path(self, node: int) -> list[int]:
        path = [node]
        while self.parent[path[-1]] >= 0:
            path.append(int(self.parent[path[-1]]))
        return path

    def arrays(self, tier: npt.NDArray[np.int32]) -> dict[str, Any]:
        """Columns of the native call, for classes of these priorities."""
        threshold = self.borrow_preempts
        victims = self.preemptible.any()
        preempts = victims and (self.within.any() or self.reclaim.any() or self.urgent.any())
        return {
            "parent": self.parent,
            "root": np.array([self._path(n)[-1] for n in range(len(self.parent))], np.int32),
            "bottom_up": self.bottom_up,
            "amount": np.ascontiguousarray([self.nominal, self.borrow, self.lend], dtype=np.int64),
            "amount_is_share": np.ascontiguousarray(self.shares, dtype=np.uint8),
            "unassigned": self.unassigned,
            "borrowers_last": self.borrowers_last,
            "preempts": bool(preempts),
            "strict": self.strict.astype(np.uint8),
            "within": self.within.astype(np.uint8),
            "reclaim": self.reclaim.astype(np.uint8),
            "borrow_preempts": (threshold > NO_THRESHOLD).astype(np.uint8),
            "borrow_threshold": np.clip(threshold, -(1 << 31), (1 << 31) - 1).astype(np.int32),
            "tenant_max_gpus": self.max_gpus,
            "tenant_max_jobs": self.max_jobs,
            "user_offset": self.user_offset,
            "user_max_gpus": self.user_max_gpus,
            "user_max_jobs": self.user_max_jobs,
            "priority": np.ascontiguousarray(tier, dtype=np.int32),
            "rising": np.argsort(tier, kind="stable").astype(np.int32),
            "preemptible": self.preemptible.astype(np.uint8),
            "urgent": self.urgent.astype(np.uint8),
            "requeue": self.requeue.astype(np.uint8),
            "exempt": self.exempt,
            "grace": self.grace,
            "checkpoint": self.checkpoint,
            "checkpoint_cost": self.checkpoint_cost,
            "restart": self.restart,
        }


def _amounts(where: str, values: Any, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    given = np.asarray(values)
    if given.shape != shape or shape[1] < 1:
        remedy = "give one row per node, one column per pool"
        raise refuse(where, "has the wrong shape", remedy, f"shape {given.shape}")
    rows = [column(f"{where}[{i}]", row, np.int64, -1, _MOST_AMOUNT) for i, row in enumerate(given)]
    return np.array(rows, dtype=np.int64)


def _which(shares: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    if shares is None:
        return np.zeros(shape, np.bool_)
    given = np.asarray(shares)
    if given.shape != shape or given.dtype != np.bool_:
        remedy = "give a bool for each of nominal, borrow and lend, node and pool"
        raise refuse("sharing.shares", "has the wrong shape", remedy, f"{given.dtype}, shape {given.shape}")
    return given.copy()


__all__ = ["MAX_CLASSES", "NO_AMOUNT", "NO_THRESHOLD", "RECLAIM", "REQUEUE", "WITHIN", "Sharing"]
