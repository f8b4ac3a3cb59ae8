"""What leases, approvals and reservations come to: partly measured, partly expected from the scenario's own laws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gpusim.engine.result import COUNTS, SUMS, BatchResult
from gpusim.plan.measure import Estimate, counted_ticks
from gpusim.plan.reserved import used_reservations
from gpusim.scenario import Scenario
from gpusim.scenario.approval import mean_until_call
from gpusim.scenario.lease import Lease
from gpusim.scenario.model import JobClass
from gpusim.scenario.reservations import when_in_words
from gpusim.scenario.views import Reserved, approval_phase
from gpusim.stats.means import mean_interval

_GPU_TICKS, _STARTED = SUMS.index("gpu_ticks"), COUNTS.index("started")


@dataclass(frozen=True)
class LeaseOutcome:
    """Leases of one class.

    Attributes
    ----------
    name : str
    leases : float
        Counted leases that started, mean of a replication.
    leased : Estimate
        GPUs held by leases, mean over the counted time: measured.
    use : float
        Share of that GPU-time that holders use: expected, from the law of use factors, over the leases kept and those
        taken back, each weighted by the GPU-time it is expected to hold.
    used : float
        leased x use [GPUs]: expected, not measured.
    taken_back : float
        Share of the leases that use less than the threshold.
    returned : float
        GPUs that leases taken back would hold until the end of their term, mean over the counted time: expected.
    """

    name: str
    leases: float
    leased: Estimate
    use: float
    used: float
    taken_back: float
    returned: float


@dataclass(frozen=True)
class ApprovalOutcome:
    """Applications of one class: all of it is expected, from the scenario alone.

    Attributes
    ----------
    name : str
    asked, granted : float
        Applications of the counted time, and those of them that are granted.
    accept : float
        The share granted; 1 / accept is how often the supply is asked for.
    until_call, decision : float
        Mean time from an application to its call, and from there to the decision [s].
    """

    name: str
    asked: float
    granted: float
    accept: float
    until_call: float
    decision: float

    @property
    def time(self) -> float:
        """Mean time of an approval [s]."""
        return self.until_call + self.decision


@dataclass(frozen=True)
class ReservationOutcome:
    """One reservation.

    Attributes
    ----------
    name, pool, when : str
    gpus : int
    open : float
        Share of the counted time in which it is open.
    used : Estimate or None
        Share of its GPUs that its jobs hold while it is open; None where nobody may use it, or it is not open in the
        counted time.
    """

    name: str
    pool: str
    when: str
    gpus: int
    open: float
    used: Estimate | None


@dataclass(frozen=True)
class Agreements:
    """Leases, approvals and reservations at one capacity."""

    leases: tuple[LeaseOutcome, ...]
    approvals: tuple[ApprovalOutcome, ...]
    reservations: tuple[ReservationOutcome, ...]


def agreements(scenario: Scenario, result: BatchResult, confidence: float) -> Agreements | None:
    """What the scenario's leases, approvals and reservations come to; None without any.

    Parameters
    ----------
    scenario : Scenario
    result : BatchResult
        Whole runs.
    confidence : float
        Of the intervals.
    """
    found = Agreements(
        leases=tuple(_leases(scenario, result, confidence)) if len(result.status) else (),
        approvals=approvals(scenario),
        reservations=tuple(_reservations(scenario, result, confidence)) if len(result.status) else (),
    )
    return found if found.leases or found.approvals or found.reservations else None


def _leases(scenario: Scenario, result: BatchResult, confidence: float) -> list[LeaseOutcome]:
    window = max(counted_ticks(scenario), 1)
    found = []
    for k, (name, entry) in enumerate(zip(scenario.class_names, scenario.classes(), strict=True)):
        lease = entry.job_class.lease
        if lease is None:
            continue
        held = result.sums[:, k, _GPU_TICKS] / window
        leased = Estimate.of(float(held.mean()), mean_interval(held, confidence))
        use, returned = expected_use(entry.job_class, lease)
        found.append(
            LeaseOutcome(
                name=name,
                leases=float(result.counts[:, k, _STARTED].mean()),
                leased=leased,
                use=use,
                used=leased.value * use,
                taken_back=lease.clawed,
                returned=leased.value * returned,
            )
        )
    return found


def expected_use(job_class: JobClass, lease: Lease) -> tuple[float, float]:
    """(share of the leased GPU-time that is used, what is returned early as a share of the leased GPU-time)."""
    rates = [stream.long_run_rate for stream in job_class.streams]
    weights = rates if math.fsum(rates) > 0 else [1.0] * len(rates)
    kept = taken = whole = 0.0
    for weight, stream in zip(weights, job_class.streams, strict=True):
        parts = lease.parts(stream.run_time, math.inf)
        kept += weight * stream.gpus.mean * parts[0]
        taken += weight * stream.gpus.mean * parts[1]
        whole += weight * stream.gpus.mean * stream.run_time.mean()
    of_taken, of_kept = lease.mean_uses()
    held = kept + taken
    return (of_kept * kept + of_taken * taken) / held, (whole - held) / held


def approvals(scenario: Scenario) -> tuple[ApprovalOutcome, ...]:
    """What is asked for, what is granted, and how long that takes."""
    found = []
    window = (scenario.study.warm_up, scenario.count_end)
    for k, (name, entry) in enumerate(zip(scenario.class_names, scenario.classes(), strict=True)):
        approval = entry.job_class.approval
        if approval is None:
            continue
        granted = scenario.expected_jobs([k])
        until = 0.0
        if approval.calls is not None:
            streams = entry.job_class.streams
            rates = [stream.long_run_rate for stream in streams]
            phase = approval_phase(scenario, approval)
            times = [
                mean_until_call(approval.calls, phase, window, stream.profile, scenario.week_phase)
                for stream in streams
            ]
            until = float(np.average(times, weights=rates if math.fsum(rates) > 0 else None))
        found.append(
            ApprovalOutcome(
                name=name,
                asked=granted / approval.accept,
                granted=granted,
                accept=approval.accept,
                until_call=until,
                decision=approval.mean_delay,
            )
        )
    return tuple(found)


def _reservations(scenario: Scenario, result: BatchResult, confidence: float) -> list[ReservationOutcome]:
    start, end = scenario.study.warm_up, scenario.count_end
    pool = len(scenario.pool_names)
    used = {id(each.terms): pool + k for k, each in enumerate(used_reservations(scenario))}
    return [
        ReservationOutcome(
            name=each.terms.name,
            pool=scenario.pool_names[each.pool],
            when=when_in_words(each.terms),
            gpus=each.terms.gpus,
            open=_inside(each, start, end) / (end - start),
            used=_use(scenario, result, each, used.get(id(each.terms)), confidence),
        )
        for each in scenario.reserved()
    ]


def _inside(each: Reserved, start: float, end: float) -> float:
    """Time between two moments in which a reservation is open [s]."""
    return math.fsum(max(0.0, min(b, end) - max(a, start)) for a, b in each.windows)


def _use(
    scenario: Scenario, result: BatchResult, each: Reserved, pool: int | None, confidence: float
) -> Estimate | None:
    seconds = _inside(each, scenario.study.warm_up, scenario.count_end)
    if pool is None or seconds <= 0:
        return None
    share = result.pool_gpu_ticks[:, pool] * scenario.tick / (seconds * each.terms.gpus)
    return Estimate.of(float(share.mean()), mean_interval(share, confidence))
