"""What fair orders go by, as the engine sees it: weights, accounts, decay, factors of a priority (S30-S33)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.checked import column, integer, refuse
from gpusim.engine.limits import FOREVER

ONE = 1 << 20
"""The number 1 of factors and their weights, which are fixed-point numbers."""
KEEPS_ALL = 1 << 32
"""`Fairness.decay_q32` of usage that is never forgotten."""
WEEK = 7 * 86_400
_MOST_NODES = 4096
_MOST_WEIGHT = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Fairness:
    """Weights of T tenants and A accounts, how usage is forgotten, and how the factors of a priority are weighted.

    Nodes are the tenants, 0 to T - 1, then the accounts.

    Parameters
    ----------
    weight : (T + A,) int
        Shares of each node beside its siblings, 0 to 2^31 - 1; 0 is behind everybody. Only those of tenants count in
        the orders FAIRSHARE and WEIGHTED_SHARE.
    account_parent : (T + A,) int, optional
        The account that a node belongs to, as a node; -1 for none. Default: no accounts.
    calc_period : int, default 300
        Usage decays, and keys are computed, at the multiples of so many ticks, at least 1.
    decay_q32 : int, default 2^32
        What is left of usage after one period, in 2^-32: round(2^32 * 0.5 ** (calc_period / half-life)). Default: all.
    w_age, w_fairshare, w_size, w_qos : int, default 0
        Weights of the factors under MULTIFACTOR, 0 to 2^20 (S32).
    max_age : int, default 7 days of seconds
        Ticks of waiting after which a job grows no older, at least 1.
    qos : (C,) int, optional
        Quality of service of each class, 0 to 2^20. Default: 0.
    over_quota : bool, default False
        Only use beyond a tenant's nominal quota counts as usage, in the center's own pools; all of it where the tenant
        has no quota (S30).
    center_pools : int, default 0
        The first so many pools are the center, of which a gang is a share under MULTIFACTOR; 0: all (S32). The pool of
        a reservation holds GPUs of another one.

    Raises
    ------
    RunError
        If a value is out of range, lengths do not fit, or accounts form a circle.
    """

    weight: npt.NDArray[np.int64]
    account_parent: npt.NDArray[np.int32] | None = None
    calc_period: int = 300
    decay_q32: int = KEEPS_ALL
    w_age: int = 0
    w_fairshare: int = 0
    w_size: int = 0
    w_qos: int = 0
    max_age: int = WEEK
    qos: npt.NDArray[np.int64] | None = None
    over_quota: bool = False
    center_pools: int = 0

    def __post_init__(self) -> None:
        nodes = np.size(self.weight)
        if not 1 <= nodes <= _MOST_NODES:
            remedy = f"give one weight per tenant and account, at most {_MOST_NODES:,}"
            raise refuse("fairness.weight", "has the wrong length", remedy, str(nodes))
        parent = np.full(nodes, -1) if self.account_parent is None else self.account_parent
        checked: dict[str, Any] = {
            "weight": column("fairness.weight", self.weight, np.int64, 0, _MOST_WEIGHT),
            "account_parent": column("fairness.account_parent", parent, np.int32, -1, nodes - 1),
            "calc_period": integer("fairness.calc_period", self.calc_period, 1, FOREVER),
            "decay_q32": integer("fairness.decay_q32", self.decay_q32, 0, KEEPS_ALL),
            "max_age": integer("fairness.max_age", self.max_age, 1, FOREVER),
            "over_quota": bool(self.over_quota),
            "center_pools": integer("fairness.center_pools", self.center_pools, 0, _MOST_NODES),
        }
        for name in ("w_age", "w_fairshare", "w_size", "w_qos"):
            checked[name] = integer(f"fairness.{name}", getattr(self, name), 0, ONE)
        if self.qos is not None:
            checked["qos"] = column("fairness.qos", self.qos, np.int64, 0, ONE)
        parents = checked["account_parent"]
        if len(parents) != nodes:
            remedy = f"give {nodes} values"
            raise refuse("fairness.account_parent", "has the wrong length", remedy, str(len(parents)))
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        for node in range(nodes):
            steps, at = 0, node
            while at >= 0 and steps <= nodes:
                at, steps = int(parents[at]), steps + 1
            if at >= 0:
                where = f"fairness.account_parent[{node}]"
                raise refuse(where, "leads in a circle", "let each path end in -1")

    def check_fits(self, tenants: int, classes: int, pools: int) -> None:
        """Refuse what does not fit so many tenants, classes and pools."""
        if self.center_pools > pools:
            remedy = f"use 0 (all) to {pools}"
            raise refuse(
                "fairness.center_pools", "names more pools than there are", remedy, str(self.center_pools)
            )
        if len(self.weight) < tenants:
            remedy = f"give a weight for each of the {tenants} tenants, then for accounts"
            raise refuse("fairness.weight", "has the wrong length", remedy, str(len(self.weight)))
        if self.qos is not None and len(self.qos) != classes:
            remedy = f"give {classes} values, one for each class"
            raise refuse("fairness.qos", "has the wrong length", remedy, str(len(self.qos)))
        assert self.account_parent is not None
        for node, parent in enumerate(self.account_parent.tolist()):
            if 0 <= parent < tenants:
                last = len(self.weight) - 1
                accounts = f"an account, {tenants} to {last}, or -1" if last >= tenants else "no account: -1"
                raise refuse(
                    f"fairness.account_parent[{node}]", "is a tenant", f"name {accounts}", str(parent)
                )

    def arrays(self, classes: int) -> dict[str, Any]:
        """Columns and scalars of the native call."""
        return {
            "account_parent": self.account_parent,
            "fair_weight": self.weight,
            "qos": np.zeros(classes, np.int64) if self.qos is None else self.qos,
            "calc_period": self.calc_period,
            "decay_q32": self.decay_q32,
            "w_age": self.w_age,
            "w_fairshare": self.w_fairshare,
            "w_size": self.w_size,
            "w_qos": self.w_qos,
            "max_age": self.max_age,
            "over_quota": int(self.over_quota),
            "center_pools": self.center_pools,
        }
