"""What preemption costs those who are evicted, from whole runs at one capacity (S27)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.engine.result import COUNTS, EVICTIONS, SUMS, BatchResult
from gpusim.engine.spec import RunSpec
from gpusim.plan.measure import Estimate
from gpusim.scenario import Scenario
from gpusim.stats.means import ratio_interval

Int64 = npt.NDArray[np.int64]

_NONE = Estimate(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class ClassEvictions:
    """What jobs of one class, or of all preemptible ones, went through.

    Attributes
    ----------
    name : str
    per_job : Estimate
        Evictions / counted jobs.
    evicted : Estimate
        Share of the counted jobs that were evicted at least once.
    requeued_wait : Estimate or None
        Wait after the first eviction, mean over the jobs that were evicted [s]; None if none was.
    lost : Estimate
        GPU-time lost to unsaved work, overheads and grace / GPU-time used, in the counted window, of all its jobs.
    """

    name: str
    per_job: Estimate
    evicted: Estimate
    requeued_wait: Estimate | None
    lost: Estimate


@dataclass(frozen=True)
class Evictions:
    """Preemption at one capacity.

    Attributes
    ----------
    replications : int
    classes : tuple of ClassEvictions
        Every preemptible class, then "all" of them.
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
    rows = np.flatnonzero(spec.sharing.preemptible).tolist()
    if not rows or not len(result.status):
        return None
    every = [(scenario.class_names[k], [k]) for k in rows]
    return Evictions(
        replications=len(result.status),
        classes=tuple(
            _class(scenario, result, name, some, confidence) for name, some in (*every, ("all", rows))
        ),
        longest_cascade=int(result.longest_cascade.max()),
        mean_cascade=float(result.longest_cascade.mean()),
    )


def _class(
    scenario: Scenario, result: BatchResult, name: str, rows: list[int], confidence: float
) -> ClassEvictions:
    assert result.evictions is not None
    of = dict(zip(EVICTIONS, result.evictions[:, rows].sum(axis=1).T, strict=True))
    jobs = result.counts[:, rows, COUNTS.index("submitted")].sum(axis=1)
    used = result.sums[:, rows, SUMS.index("gpu_ticks")].sum(axis=1)

    def ratio(numerator: str, denominator: Int64, scale: float = 1.0) -> Estimate:
        total = int(denominator.sum())
        if total == 0:
            return _NONE
        value = scale * float(of[numerator].sum()) / total
        bounds = ratio_interval(of[numerator] * scale, denominator, confidence)
        return Estimate(value, max(0.0, bounds.low), bounds.high)

    again = of["preempted"]
    return ClassEvictions(
        name=name,
        per_job=ratio("preemptions", jobs),
        evicted=ratio("preempted", jobs),
        requeued_wait=ratio("requeued_wait", again, scenario.tick) if again.any() else None,
        lost=ratio("lost", used),
    )
