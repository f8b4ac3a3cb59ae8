"""What a scenario may say about preemption, but probably does not mean: settings that never act, work that is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpusim.scenario.arrivals import Stream
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass, Tenant
from gpusim.units import format_duration, format_share

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario

_KILLED = 0.05
"""Share of a stream's jobs that overheads may kill without a word."""


def preemption_notices(scenario: Scenario) -> Iterator[Mistake]:
    """Yield the notices on preemption and checkpoints."""
    yield from _idle_preemption(scenario)
    yield from _never_evicted(scenario)
    yield from _checkpoints(scenario)


def _notice(code: str, path: Path, what: str, found: str, remedy: str) -> Mistake:
    return Mistake(what, remedy, found, path, code, at_key=True)


def _classes(scenario: Scenario) -> Iterator[tuple[int, Path, Tenant, JobClass]]:
    for index, tenant in enumerate(scenario.tenants):
        for position, job_class in enumerate(tenant.classes):
            yield index, ("tenants", index, "classes", position), tenant, job_class


def _priority(scenario: Scenario, job_class: JobClass) -> int:
    return job_class.priority if scenario.policy.tiers else 0


def _idle_preemption(scenario: Scenario) -> Iterator[Mistake]:
    """Preemption that finds no victims: nobody is preemptible, or of no lower priority, or in no cohort."""
    every = list(_classes(scenario))
    tree = scenario.quotas

    def victims(tenants: set[int]) -> list[int]:
        return [_priority(scenario, c) for i, _, _, c in every if i in tenants and c.preemptible is not None]

    def idle(path: Path, what: str, found: str, remedy: str) -> Mistake:
        return _notice("idle-preemption", path, what, found, remedy)

    remedy = "write preemptible: true in the classes that may be evicted, or remove it"
    for index, tenant in enumerate(scenario.tenants):
        asked, here = tenant.preempts, ("tenants", index, "preempts")
        highest = max(_priority(scenario, c) for c in tenant.classes)
        own, others = victims({index}), victims(set(tree.neighbours(index)))
        if asked.within != "never" and not _any_below(own, highest, asked.within == "lower_or_newer"):
            what = "no class of this tenant may be evicted by another of it"
            yield idle((*here, "within"), what, f"within {asked.within}", remedy)
        if asked.reclaim != "never" and scenario.policy.contract == "quotas":
            found = f"reclaim {asked.reclaim}"
            if tenant.cohort is None:
                what = "a tenant in no cohort lends nothing that it could reclaim"
                yield idle((*here, "reclaim"), what, found, "add the cohort, or remove reclaim")
            elif asked.while_borrowing == "never" and not tree.reclaims(index):
                what = "neither this tenant nor an inner cohort around it owns anything that it could reclaim"
                yield idle((*here, "reclaim"), what, found, "give it a quota, or remove reclaim")
            elif not (others if asked.reclaim == "any" else _any_below(others, highest)):
                what = "no class of the other tenants of the cohort may be evicted by this one's"
                yield idle((*here, "reclaim"), what, found, remedy)
        if (
            asked.while_borrowing != "never"
            and asked.reclaim != "never"
            and scenario.policy.contract == "quotas"
        ):
            found = f"while_borrowing {asked.while_borrowing}"
            most = highest if isinstance(asked.while_borrowing, str) else asked.while_borrowing + 1
            if tenant.borrow is not None and tenant.borrow.is_zero:
                what = "this tenant never borrows"
                yield idle((*here, "while_borrowing"), what, found, "raise borrow, or remove while_borrowing")
            elif not _any_below(others, min(highest, most)):
                what = "no class of the other tenants of the cohort is of a priority that low and preemptible"
                yield idle((*here, "while_borrowing"), what, found, remedy)
    for _, path, _, job_class in every:
        if job_class.urgent and not _any_below(
            victims(set(range(len(scenario.tenants)))), _priority(scenario, job_class)
        ):
            yield idle(
                (*path, "urgent"),
                "no preemptible class has a lower priority than these urgent jobs",
                f"priority {_priority(scenario, job_class)}",
                "raise its priority, or write preemptible: true in classes of lower priority",
            )


def _any_below(priorities: list[int], highest: int, or_equal: bool = False) -> bool:
    return any(each < highest or (or_equal and each == highest) for each in priorities)


def _never_evicted(scenario: Scenario) -> Iterator[Mistake]:
    """Preemptible classes whose jobs nobody may evict."""
    every = list(_classes(scenario))
    tree = scenario.quotas
    for index, path, _, job_class in every:
        if job_class.preemptible is None or scenario.policy.contract != "quotas":
            continue
        mine = _priority(scenario, job_class)
        near = set(tree.neighbours(index)) if index < tree.tenants else set()
        taken = any(
            (other.urgent and _priority(scenario, other) > mine)
            or (i == index and _takes_own(tenant, _priority(scenario, other), mine))
            or (i in near and _takes_others(tenant, _priority(scenario, other), mine))
            for i, _, tenant, other in every
        )
        if not taken:
            yield _notice(
                "never-evicted",
                (*path, "preemptible"),
                "nobody may evict these jobs",
                f"priority {mine}",
                "write preempts: {within: lower} or {reclaim: any} in a tenant, or urgent: true in a class",
            )


def _takes_own(tenant: Tenant, priority: int, victim: int) -> bool:
    within = tenant.preempts.within
    return within != "never" and (victim < priority or (within == "lower_or_newer" and victim == priority))


def _takes_others(tenant: Tenant, priority: int, victim: int) -> bool:
    reclaim = tenant.preempts.reclaim
    return reclaim == "any" or (reclaim == "lower" and victim < priority)


def _checkpoints(scenario: Scenario) -> Iterator[Mistake]:
    """Checkpoints and restarts without effect, that cost nothing, or that push jobs over their limit."""
    for _, path, _, job_class in _classes(scenario):
        terms, every = job_class.preemptible, job_class.checkpoint
        if terms is None:
            for key, value in (("checkpoint", every), ("restart_cost", job_class.restart_cost or None)):
                if value is not None and (key != "checkpoint" or job_class.checkpoint_cost == 0):
                    what = f"'{key}' has no effect on a class that is not preemptible"
                    found = format_duration(value)
                    yield _notice("unused", (*path, key), what, found, "remove it, or add preemptible: true")
        elif every is not None and terms.grace >= job_class.checkpoint_cost:
            yield _notice(
                "nothing-lost",
                (*path, "checkpoint"),
                "an evicted job loses no work: within its grace it saves all",
                f"grace {format_duration(terms.grace)}, checkpoint_cost {format_duration(job_class.checkpoint_cost)}",
                "nothing to do if this is meant; else write a checkpoint_cost above the grace",
            )
        if terms is not None and job_class.restart_cost and any(map(_exact, job_class.streams)):
            yield _notice(
                "limit-kills",
                (*path, "restart_cost"),
                "evicted jobs are killed: they ask for exactly their run time, and their restart takes longer",
                f"restart_cost {format_duration(job_class.restart_cost)}, limit exact",
                "write a longer limit, such as {factor: [1.5, 4]}",
            )
        for stream in job_class.streams:
            if (longest := _last_request_too_short(job_class, stream)) is not None:
                yield _notice(
                    "short-round-up",
                    (*path, "checkpoint_cost"),
                    "with its checkpoints the longest run is longer than the last limit, and killed",
                    f"{format_duration(longest, digits=4)}, last {format_duration(stream.limit.round_up[-1])}",
                    f"add {format_duration(longest, digits=4)} to round_up, or a shorter max to the run time",
                )
                break
        killed = max((_killed_by_cost(job_class, stream) for stream in job_class.streams), default=0.0)
        if killed > _KILLED:
            yield _notice(
                "limit-kills",
                (*path, "checkpoint_cost"),
                "the limit leaves no time for checkpoints and kills jobs of this class",
                f"{format_share(killed, digits=2)} of the jobs make at least one",
                "write a longer limit, such as {factor: [1.1, 4]}",
            )


def _killed_by_cost(job_class: JobClass, stream: Stream) -> float:
    """Share of a stream's jobs that ask for exactly their run time and make a checkpoint."""
    if job_class.checkpoint is None or not job_class.checkpoint_cost or not _exact(stream):
        return 0.0
    if stream.segment is not None and stream.segment <= job_class.checkpoint:
        return 0.0
    return stream.run_time.share_above(job_class.checkpoint)


def _last_request_too_short(job_class: JobClass, stream: Stream) -> float | None:
    """How long the longest run takes with its checkpoints, where only they make it too long for `round_up` [s]."""
    last, longest = stream.limit.round_up[-1:], stream.run_time.max
    if not last or longest is None or not job_class.checkpoint or stream.segment is not None:
        return None
    made = math.ceil(longest / job_class.checkpoint) - 1
    whole = longest + made * job_class.checkpoint_cost
    return whole if longest <= last[0] < whole else None


def _exact(stream: Stream) -> bool:
    limit = stream.limit
    return limit.fixed is None and limit.pick is None and limit.factor is None
