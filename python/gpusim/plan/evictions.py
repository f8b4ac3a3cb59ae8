"""What preemption costs, from whole runs at one capacity (S27).

Unsaved work and restarts are lost by the class that is evicted, the grace by the class that waits for it: it holds the
GPUs meanwhile. So a class that nobody can evict may lose GPU-time, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.engine.result import COUNTS, EVICTIONS, SUMS, BatchResult
from gpusim.engine.sharing import REQUEUE
from gpusim.engine.spec import RunSpec, Sharing
from gpusim.plan.measure import Estimate
from gpusim.scenario import Scenario
from gpusim.stats.means import ratio_interval

Int64 = npt.NDArray[np.int64]

_NONE = Estimate(0.0, 0.0, 0.0)
_CANCEL = REQUEUE.index("cancel")


@dataclass(frozen=True)
class ClassEvictions:
    """What jobs of one class, or of all, went through.

    Attributes
    ----------
    name : str
    per_job : Estimate or None
        Evictions / counted jobs; None where the class cannot be evicted, as for the next three.
    evicted : Estimate or None
        Share of the counted jobs that were evicted at least once.
    cancelled : Estimate or None
        Share of the counted jobs that an eviction ended for good: all that were evicted, of a class with
        `requeue: cancel`, and none of others. Later segments of their chains are not among them.
    requeued_wait : Estimate or None
        Wait after the first eviction, mean over the jobs that were evicted and waited again [s]; None if none did.
    lost : Estimate
        GPU-time lost to unsaved work, overheads and grace / GPU-time used, in the counted window, of all its jobs.
    """

    name: str
    per_job: Estimate | None
    evicted: Estimate | None
    cancelled: Estimate | None
    requeued_wait: Estimate | None
    lost: Estimate


@dataclass(frozen=True)
class Evictions:
    """Preemption at one capacity.

    Attributes
    ----------
    replications : int
    classes : tuple of ClassEvictions
        Every class that can be evicted or lost GPU-time, then "all" classes.
    longest_cascade : int
        Most evictions in one tick of any replication.
    mean_cascade : float
        The longest of each replication, mean over replications.
    """

    replications: int
    classes: tuple[ClassEvictions, ...]
    longest_cascade: int
    mean_cascade: float


def evictions(scenario: Scenario, spec: RunSpec, result: BatchResult, confidence: float) -> Evictions | None:
    """Sums over replications; None where no class is preemptible.

    Parameters
    ----------
    scenario : Scenario
    spec : RunSpec
        What was run.
    result : BatchResult
        Whole runs.
    confidence : float
        Of the intervals (delta method over replications).
    """
    if spec.sharing is None or result.evictions is None or result.longest_cascade is None:
        return None
    if not spec.sharing.preemptible.any() or not len(result.status):
        return None
    lost = result.evictions[:, :, EVICTIONS.index("lost")].sum(axis=0)
    told = np.flatnonzero(spec.sharing.preemptible | (lost > 0)).tolist()
    every = [(scenario.class_names[k], [k]) for k in told]
    rows = [(name, some) for name, some in (*every, ("all", list(range(len(lost)))))]
    return Evictions(
        replications=len(result.status),
        classes=tuple(_class(scenario, spec.sharing, result, name, some, confidence) for name, some in rows),
        longest_cascade=int(result.longest_cascade.max()),
        mean_cascade=float(result.longest_cascade.mean()),
    )


def _class(
    scenario: Scenario, sharing: Sharing, result: BatchResult, name: str, rows: list[int], confidence: float
) -> ClassEvictions:
    assert result.evictions is not None
    of = dict(zip(EVICTIONS, result.evictions[:, rows].sum(axis=1).T, strict=True))
    jobs = result.counts[:, rows, COUNTS.index("submitted")].sum(axis=1)
    used = result.sums[:, rows, SUMS.index("gpu_ticks")].sum(axis=1)
    ends = [k for k in rows if sharing.requeue[k] == _CANCEL]
    ended: Int64 = result.evictions[:, ends, EVICTIONS.index("preempted")].sum(axis=1)
    again = of["preempted"] - ended

    def ratio(numerator: Int64, denominator: Int64, scale: float = 1.0) -> Estimate:
        total = int(denominator.sum())
        if total == 0:
            return _NONE
        value = scale * float(numerator.sum()) / total
        bounds = ratio_interval(numerator * scale, denominator, confidence)
        return Estimate(value, max(0.0, bounds.low), bounds.high)

    lost = ratio(of["lost"], used)
    if not sharing.preemptible[rows].any():
        return ClassEvictions(name, None, None, None, None, lost)
    return ClassEvictions(
        name=name,
        per_job=ratio(of["preemptions"], jobs),
        evicted=ratio(of["preempted"], jobs),
        cancelled=ratio(ended, jobs),
        requeued_wait=ratio(of["requeued_wait"], again, scenario.tick) if again.any() else None,
        lost=lost,
    )
