"""Why jobs wait and GPUs idle: the GPU-time of both by cause, from whole runs at one capacity (R34-R36, S28, S29).

The engine charges every GPU-tick that a job waits to one cause, and every idle one to another, where it keeps an
account of shares. It keeps one for a center whose tenants own nothing too, `Sharing.nobody`: the same integers as
without, only slower. So causes are told from a few replications, never from the runs of a search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.engine.result import CAUSES, IDLE, BatchResult
from gpusim.plan.measure import counted_ticks
from gpusim.scenario import Scenario

_MOST_RUNS = 20
"""Replications that causes are told from: shares of sums settle soon."""
_MOST_JOBS = 700_000
"""Jobs in them together, so that a large center does not take longer to explain than to size."""

REASONS = ("behind_own", "quota", "reservation", "priority", "capacity")
"""Causes of waiting on pools of single GPUs that never fail."""
HELD = CAUSES.index("held")
_UNSEEN = [CAUSES.index(name) for name in CAUSES if name not in (*REASONS, "held")]


@dataclass(frozen=True)
class WaitingShares:
    """Why the jobs of a tenant, a class, or all waited.

    Attributes
    ----------
    name : str
    gpus : float
        GPUs that waiting jobs asked for, mean over time and replications.
    held : float
        The same of jobs that were not eligible yet: they follow another one, or wait for approval.
    behind_own, quota, reservation, priority, capacity : float or None
        Shares of the waiting GPU-time, which sum to 1; None if nobody waited.
    """

    name: str
    gpus: float
    held: float
    behind_own: float | None
    quota: float | None
    reservation: float | None
    priority: float | None
    capacity: float | None


@dataclass(frozen=True)
class IdleShares:
    """What the GPUs of a pool did: shares of its GPU-time, which sum to 1.

    `drained` are idle while a waiting job that fits would not end before a reservation begins, `closed` are reserved;
    `drained_gpu_hours` is the same of one replication [GPU h].
    """

    name: str
    gpus: int
    allocated: float
    reserved: float
    quota_idle: float
    free: float
    drained: float
    closed: float
    drained_gpu_hours: float


@dataclass(frozen=True)
class Why:
    """Why jobs wait and GPUs idle.

    Attributes
    ----------
    replications : int
        Those it is told from: the first ones of the measurement.
    tenants : tuple of WaitingShares
        Every tenant, then "all".
    classes : tuple of WaitingShares
    pools : tuple of IdleShares
    """

    replications: int
    tenants: tuple[WaitingShares, ...]
    classes: tuple[WaitingShares, ...]
    pools: tuple[IdleShares, ...]


def replications_for_causes(measured: BatchResult) -> int:
    """How many of the measured replications causes are told from; depends on their jobs alone."""
    if not len(measured.status):
        return 0
    jobs = max(int(measured.jobs.max()), 1)
    return min(max(_MOST_JOBS // jobs, 1), _MOST_RUNS, len(measured.status))


def why(scenario: Scenario, result: BatchResult, pools: Mapping[str, int]) -> Why | None:
    """Shares by cause.

    Parameters
    ----------
    scenario : Scenario
    result : BatchResult
        With causes; None is returned if it has no rows.
    pools : mapping of str to int
        GPUs of each pool, in the order of the engine.
    """
    n = len(result.status)
    if n == 0 or result.causes is None or result.idle is None:
        return None
    by_class = result.causes.sum(axis=0)
    assert not by_class[:, _UNSEEN].any()
    window = max(n * counted_ticks(scenario), 1)
    owner = np.array([tenant for tenant, _, _ in scenario.classes()])
    names = [tenant.name for tenant in scenario.tenants]
    by_tenant = [by_class[owner == t].sum(axis=0) for t in range(len(names))]
    return Why(
        replications=n,
        tenants=tuple(
            _shares(name, ticks, window)
            for name, ticks in (*zip(names, by_tenant, strict=True), ("all", by_class.sum(axis=0)))
        ),
        classes=tuple(
            _shares(name, ticks, window) for name, ticks in zip(scenario.class_names, by_class, strict=True)
        ),
        pools=tuple(
            _idle(name, gpus, used, idle, max(window * gpus, 1), scenario.tick / (3600.0 * n))
            for (name, gpus), used, idle in zip(  # without the pools of reservations, which come last
                pools.items(), result.pool_gpu_ticks.sum(axis=0), result.idle.sum(axis=0), strict=False
            )
        ),
    )


def _shares(name: str, ticks: npt.NDArray[np.int64], window: int) -> WaitingShares:
    by_cause = [int(ticks[CAUSES.index(cause)]) for cause in REASONS]
    total = sum(by_cause)
    shares: Sequence[float | None] = [part / total if total else None for part in by_cause]
    return WaitingShares(name, total / window, int(ticks[HELD]) / window, *shares)


def _idle(
    name: str, gpus: int, used: np.int64, idle: npt.NDArray[np.int64], whole: int, hours: float
) -> IdleShares:
    of = {label: int(ticks) for label, ticks in zip(IDLE, idle, strict=True)}
    return IdleShares(
        name=name,
        gpus=gpus,
        allocated=int(used) / whole,
        reserved=of["reserved"] / whole,
        quota_idle=of["quota_idle"] / whole,
        free=of["free"] / whole,
        drained=of["drained"] / whole,
        closed=of["closed"] / whole,
        drained_gpu_hours=of["drained"] * hours,
    )
