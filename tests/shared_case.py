"""One small center that tenants share: what it is, what the oracle says, what an engine says differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from center_case import COLUMNS, Case, differences
from gpusim.engine import reference as oracle
from gpusim.engine import spec
from gpusim.engine.reference_measures import PREEMPTION_COUNTS, PREEMPTION_SUMS
from gpusim.engine.reference_terms import Amount, Closure, Fairness, Share, Sharing
from gpusim.engine.result import CAUSES, EVICTIONS, IDLE, BatchResult
from gpusim.engine.sharing import NO_AMOUNT, NO_THRESHOLD, RECLAIM, REQUEUE, WITHIN
from gpusim.workload.jobs import Jobs

COUNTS_OF_SHARING = (*PREEMPTION_COUNTS, *PREEMPTION_SUMS)


@dataclass(frozen=True)
class SharedCase(Case):
    """A center in the oracle's own terms, and how its tenants share it."""

    sharing: Sharing | None = None
    fairness: Fairness | None = None
    closures: tuple[Closure, ...] = ()

    def answer(self) -> oracle.Outcome:
        return oracle.simulate(
            self.jobs,
            self.classes,
            self.policy,
            self.gpus,
            self.windows,
            self.slos,
            self.sharing,
            self.fairness,
            self.closures,
        )

    def spec(self, *, always_profile: bool = False) -> spec.RunSpec:
        assert self.sharing is not None
        in_turn = replace(self, policy=replace(self.policy, order=oracle.FIFO))  # fair orders need the rest
        plain = Case.spec(in_turn, always_profile=always_profile)
        tenants = len(self.sharing.tenants)
        bounds = (*self.policy.tenant_max_waiting, *[-1] * tenants)[:tenants]
        return spec.RunSpec(
            jobs=Jobs(**{name: [getattr(job, name) for job in self.jobs] for name in (*COLUMNS, "user")}),
            classes=replace(plain.classes, tenants=tenants),
            policy=replace(plain.policy, order=self.policy.order, tenant_max_waiting=bounds),
            windows=plain.windows,
            slos=plain.slos,
            sharing=engine_sharing(self.sharing, self.classes, len(self.gpus)),
            fairness=None if self.fairness is None else engine_fairness(self.fairness),
            closures=engine_closures(self.closures),
        )


def engine_closures(closures: Sequence[Closure]) -> spec.Closures | None:
    """The oracle's closures as the engine's columns."""
    if not closures:
        return None
    rows = sorted(closures, key=lambda one: (one.pool, one.start))
    return spec.Closures(*([getattr(row, name) for row in rows] for name in ("pool", "start", "end", "gpus")))


def engine_sharing(sharing: Sharing, classes: Sequence[oracle.JobClass], pools: int) -> spec.Sharing:
    """The oracle's terms as the engine's columns."""
    tenants, nodes = sharing.tenants, (*sharing.tenants, *sharing.cohorts)
    columns = {
        name: [
            _filled(getattr(node, name), pools, cohort and name == "nominal")
            for node, cohort in ((node, k >= len(tenants)) for k, node in enumerate(nodes))
        ]
        for name in ("nominal", "borrow", "lend")
    }
    values = {name: [[_value(a) for a in row] for row in rows] for name, rows in columns.items()}
    if sharing.unassigned >= 0:  # what stands there means nothing
        values["nominal"][sharing.unassigned] = [0] * pools
    shares = [[[isinstance(a, Share) for a in row] for row in rows] for rows in columns.values()]
    none = lambda x: NO_AMOUNT if x is None else x  # noqa: E731
    return spec.Sharing(
        parent=np.array([node.parent for node in nodes]),
        **{name: np.array(rows) for name, rows in values.items()},
        shares=np.array(shares),
        strict=np.array([t.strict for t in tenants]),
        within=np.array([WITHIN.index(t.within) for t in tenants]),
        reclaim=np.array([RECLAIM.index(t.reclaim) for t in tenants]),
        borrow_preempts=np.array(
            [NO_THRESHOLD if t.borrow_preempts is None else t.borrow_preempts for t in tenants]
        ),
        max_gpus=np.array([none(t.max_gpus) for t in tenants]),
        max_jobs=np.array([none(t.max_jobs) for t in tenants]),
        preemptible=np.array([c.preemptible for c in classes]),
        urgent=np.array([c.urgent for c in classes]),
        requeue=np.array([REQUEUE.index(c.requeue) for c in classes]),
        exempt=np.array([c.exempt for c in classes]),
        grace=np.array([c.grace for c in classes]),
        checkpoint=np.array([c.checkpoint or 0 for c in classes]),
        checkpoint_cost=np.array([c.checkpoint_cost for c in classes]),
        restart=np.array([c.restart for c in classes]),
        unassigned=sharing.unassigned,
        borrowers_last=sharing.borrowers == "last",
        users=np.array([t.users for t in tenants]),
        user_max_gpus=np.array([none(t.user_max_gpus) for t in tenants]),
        user_max_jobs=np.array([none(t.user_max_jobs) for t in tenants]),
    )


def engine_fairness(fairness: Fairness) -> spec.Fairness:
    """The oracle's terms as the engine's columns."""
    scalars = (
        *("calc_period", "decay_q32", "w_age", "w_fairshare", "w_size", "w_qos", "max_age"),
        *("over_quota", "center_pools"),
    )
    return spec.Fairness(
        np.array(fairness.weight),
        np.array(fairness.account_parent) if fairness.account_parent else None,
        qos=np.array(fairness.qos) if fairness.qos else None,
        **{name: getattr(fairness, name) for name in scalars},
    )


def _filled(amounts: tuple[Amount, ...], pools: int, zero: bool) -> tuple[Amount, ...]:
    filled = amounts or (None,) * pools
    return tuple(0 if a is None and zero else a for a in filled)


def _value(amount: Amount) -> int:
    if amount is None:
        return NO_AMOUNT
    return amount.ppm if isinstance(amount, Share) else amount


def shared_differences(result: BatchResult, expected: oracle.Outcome) -> dict[str, tuple[object, object]]:
    """Every field in which the engine's only cell differs from the oracle: (engine's, oracle's)."""
    counts = [{k: v for k, v in row.items() if k not in COUNTS_OF_SHARING} for row in expected.counts]
    sums = [{k: v for k, v in row.items() if k not in COUNTS_OF_SHARING} for row in expected.sums]
    found = differences(result, replace(expected, counts=counts, sums=sums))
    evictions = [
        {name: {**count, **total}[name] for name in EVICTIONS}
        for count, total in zip(expected.counts, expected.sums, strict=True)
    ]
    mine = {
        "evictions": _rows(result.evictions, EVICTIONS),
        "causes": _rows(result.causes, CAUSES),
        "longest_cascade": int(result.longest_cascade[0]),
    }
    theirs = {
        "evictions": evictions,
        "causes": [{name: row[name] for name in CAUSES} for row in expected.causes],
        "longest_cascade": expected.longest_cascade,
        "idle": [{name: row[name] for name in IDLE} for row in expected.idle],
    }
    mine["idle"] = _rows(result.idle, IDLE)
    if result.records is not None:
        mine["preemptions"] = result.records.preemptions.tolist()
        theirs["preemptions"] = expected.preemptions
    return found | {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}


def _rows(table: npt.NDArray[np.int64] | None, names: Sequence[str]) -> list[dict[str, int]]:
    assert table is not None
    return [dict(zip(names, row, strict=True)) for row in table[0].tolist()]
