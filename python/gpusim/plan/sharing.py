"""How tenants share the center, from the scenario's words to the engine's columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.sharing import NO_AMOUNT, NO_THRESHOLD, RECLAIM, REQUEUE, WITHIN, Sharing
from gpusim.plan.reserved import reserved_gpus
from gpusim.scenario import Scenario
from gpusim.scenario.fairness import FAIR_ORDERS
from gpusim.scenario.quotas import NOBODY, QuotaTree
from gpusim.scenario.sharing import Preemptible

_ANY_LOWER = 1 << 31  # a threshold above every priority


def is_shared(scenario: Scenario) -> bool:
    """Whether anything of quotas, limits, preemption, fair orders, reservations or checkpoints decides anything."""
    tenants, classes = scenario.tenants, [c for _, _, c in scenario.classes()]
    tree = scenario.quotas
    limits = ("max_gpus", "max_running", "user_max_gpus", "user_max_jobs")
    bounded = any(map(tree.limited, range(tree.tenants))) or any(
        getattr(t, limit) is not None for t in tenants for limit in limits
    )
    if scenario.policy.order in FAIR_ORDERS or scenario.reservations:
        return True
    takes = any(c.urgent for c in classes) or any(
        t.preempts.within != "never" or t.preempts.reclaim != "never" for t in tenants
    )
    evicts = takes and any(c.preemptible is not None for c in classes)
    return bounded or evicts or any(c.checkpoint_cost > 0 for c in classes)


def sharing(scenario: Scenario) -> Sharing | None:
    """Quotas and preemption as the engine takes them; None where nobody owns or evicts anything."""
    if not is_shared(scenario):
        return None
    tree, tenants = scenario.quotas, scenario.tenants
    amount, is_share = _amounts(tree, scenario.pool_names, reserved_gpus(scenario))
    return Sharing(
        parent=np.array([node.parent for node in tree.nodes], dtype=np.int32),
        nominal=amount[0],
        borrow=amount[1],
        lend=amount[2],
        shares=is_share,
        unassigned=tree.unassigned,
        borrowers_last=scenario.policy.borrowers_last,
        strict=np.array([t.queueing == "strict" for t in tenants], dtype=np.bool_),
        within=np.array([WITHIN.index(t.preempts.within) for t in tenants], dtype=np.int32),
        reclaim=np.array([RECLAIM.index(t.preempts.reclaim) for t in tenants], dtype=np.int32),
        borrow_preempts=np.array([_threshold(t.preempts.while_borrowing) for t in tenants], dtype=np.int64),
        max_gpus=_or_none([t.max_gpus for t in tenants]),
        max_jobs=_or_none([t.max_running for t in tenants]),
        users=np.array([t.users or 1 for t in tenants], dtype=np.int32),
        user_max_gpus=_or_none([t.user_max_gpus for t in tenants]),
        user_max_jobs=_or_none([t.user_max_jobs for t in tenants]),
        **_classes(scenario),
    )


def without_contention(found: Sharing) -> Sharing | None:
    """The same where nobody is bound or evicted: what is left are the checkpoints, if they cost anything.

    An evicted job that saves all its work within its grace may make fewer checkpoints than one that runs through:
    where that can be, checkpoints are free.
    """
    tenants, pools, classes = found.tenants, found.nominal.shape[1], len(found.preemptible)
    nothing = np.full((tenants, pools), NO_AMOUNT, dtype=np.int64)
    saves = found.preemptible & (found.grace >= found.checkpoint_cost)
    cost = np.where(saves, 0, found.checkpoint_cost)
    if not cost.any():
        return None
    return replace(
        found,
        parent=np.full(tenants, NOBODY, dtype=np.int32),
        nominal=nothing,
        borrow=nothing,
        lend=nothing,
        shares=None,
        unassigned=-1,
        max_gpus=_or_none([None] * tenants),
        max_jobs=_or_none([None] * tenants),
        user_max_gpus=_or_none([None] * tenants),
        user_max_jobs=_or_none([None] * tenants),
        preemptible=np.zeros(classes, dtype=np.bool_),
        checkpoint_cost=cost,
    )


def _amounts(
    tree: QuotaTree, pools: tuple[str, ...], reserved: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """(3, nodes, pools): quotas, borrowing and lending limits; and which of them are millionths of the pool.

    The pools of reservations come last. In them quotas bind nobody: each tenant of a cohort owns as much as there is.
    """
    amount = np.full((3, len(tree.nodes), len(pools) + len(reserved)), NO_AMOUNT, dtype=np.int64)
    is_share = np.zeros(amount.shape, dtype=np.bool_)
    for k, node in enumerate(tree.nodes):
        if node.quota is not None or node.parent != NOBODY or k >= tree.tenants:
            amount[0, k, : len(pools)] = 0
        for row, amounts in enumerate((node.quota, node.borrow, node.lend)):
            for p, pool in enumerate(pools):
                given = None if amounts is None else amounts.of(pool)
                if given is not None:
                    is_share[row, k, p] = given.ppm is not None
                    amount[row, k, p] = given.gpus if given.ppm is None else given.ppm
        for p, gpus in enumerate(reserved, start=len(pools)):
            alone = k < tree.tenants and node.parent == NOBODY
            amount[0, k, p] = NO_AMOUNT if alone else gpus if k < tree.tenants else 0
    return amount, is_share


def _threshold(word: int | str) -> int:
    if isinstance(word, int):
        return word
    return NO_THRESHOLD if word == "never" else _ANY_LOWER


def _or_none(limits: list[int | None]) -> npt.NDArray[np.int64]:
    return np.array([-1 if limit is None else limit for limit in limits], dtype=np.int64)


def _classes(scenario: Scenario) -> dict[str, Any]:
    """Columns of the classes; what takes time at all takes at least a tick."""
    classes = [c for _, _, c in scenario.classes()]
    terms = [c.preemptible or Preemptible() for c in classes]

    def ticks(values: list[float]) -> npt.NDArray[np.int64]:
        return np.array([max(1, scenario.ticks(v)) if v > 0 else 0 for v in values], dtype=np.int64)

    return {
        "preemptible": np.array([c.preemptible is not None for c in classes], dtype=np.bool_),
        "urgent": np.array([c.urgent for c in classes], dtype=np.bool_),
        "requeue": np.array([REQUEUE.index(t.requeue) for t in terms], dtype=np.int32),
        "exempt": ticks([t.exempt for t in terms]),
        "grace": ticks([t.grace for t in terms]),
        "checkpoint": ticks([c.checkpoint or 0.0 for c in classes]),
        "checkpoint_cost": ticks([c.checkpoint_cost for c in classes]),
        "restart": ticks([c.restart_cost for c in classes]),
    }
