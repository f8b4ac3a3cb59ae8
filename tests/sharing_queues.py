"""Queues of theory as shared centers: what `queues.py` builds, with tenants, quotas and preemption."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpusim.engine.result import EVICTIONS
from gpusim.engine.sharing import NO_AMOUNT, Sharing
from gpusim.engine.spec import ClassTable, RunSpec
from queues import UNIT, Estimate, Replications, ratio

FINE = 1
"""[ticks] between checkpoints that lose nothing: a tick of work, at no cost."""

LONG = pytest.mark.parametrize("times", [1, pytest.param(16, marks=pytest.mark.slow)])
"""A quick check, and one with runs sixteen times as long and intervals a quarter as wide."""
RUNS = 32  # replications
MOST = 4.0  # standard errors
CHECKS: list[tuple[str, float, Estimate]] = []
"""What was compared: the exact value, and what was found."""


def agree(what: str, estimate: Estimate, exact: float, *, within: float) -> None:
    """The exact value is within four standard errors, and these are small: 99.9 % half-width at most `within` of it.

    Four, as there are 360 checks: by Bonferroni fresh seeds would raise a false alarm in one of them with at most 0.03.
    The errors keep what they promise: over 150 seeds of one tree of quotas the deviations of its five classes had means
    of -0.14 to 0.07 and spreads of 0.89 to 1.06.
    """
    assert 0.0 < estimate.half_width <= within * exact, (what, estimate, exact)
    CHECKS.append((what, exact, estimate))
    deviation = estimate.deviation(exact)
    assert abs(deviation) <= MOST, f"{what}: {estimate} should be {exact}, z = {deviation:.2f}"


def seed(*case: object) -> int:
    """A seed for each case, so that cases do not share their luck."""
    return zlib.crc32(repr(case).encode())


def shared(spec: RunSpec, tenants: Sequence[int], sharing: Sharing, patience: int = -1) -> RunSpec:
    """The same center, class i of tenant `tenants[i]`."""
    classes = ClassTable(spec.classes.tier, tenants, [patience] * len(tenants), sharing.tenants)
    policy = replace(spec.policy, tenant_max_waiting=[-1] * sharing.tenants)
    return replace(spec, classes=classes, sharing=sharing, policy=policy)


def terms(tenants: int, classes: int, **changes: Any) -> Sharing:
    """Nobody owns anything and nobody is evicted, but for what is said."""
    return replace(
        Sharing.nobody(tenants, classes, 1), **{name: np.asarray(value) for name, value in changes.items()}
    )


def cohort(
    tenants: int,
    classes: int,
    parent: Sequence[int],
    nominal: Sequence[int],
    borrow: Sequence[int | None] | None = None,
    lend: Sequence[int | None] | None = None,
    **changes: Any,
) -> Sharing:
    """Amounts in GPUs of the one pool, by node; None: no limit."""
    none: list[int | None] = [None] * len(parent)
    limits = {
        name: [[NO_AMOUNT if amount is None else amount] for amount in given or none]
        for name, given in (("borrow", borrow), ("lend", lend))
    }
    nobody = terms(tenants, classes, **changes)
    return replace(
        nobody,
        parent=np.array(parent),
        nominal=np.array([[n] for n in nominal]),
        shares=None,
        **{name: np.array(rows) for name, rows in limits.items()},
    )


def sojourn(runs: Replications, job_class: int) -> Estimate:
    """E[T] of a class; the cool-down must let all of its counted jobs end."""
    for name in ("waiting", "running"):
        assert not runs.count(name, job_class).any()
    return ratio(runs.total("turnaround", job_class), runs.count("finished", job_class))


def abandoned(runs: Replications, job_class: int) -> Estimate:
    """Share of jobs that gave up."""
    return ratio(runs.count("abandoned", job_class), runs.count("submitted", job_class))


def evicted(runs: Replications, name: str, job_class: int, unit: float = UNIT) -> np.ndarray[Any, Any]:
    """A column of `EVICTIONS` by replication, in units of time (or of `unit`)."""
    assert runs.result.evictions is not None
    return runs.result.evictions[:, job_class, EVICTIONS.index(name)] / unit
