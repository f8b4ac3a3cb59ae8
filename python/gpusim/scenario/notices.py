"""What a scenario may say, but probably does not mean. Each notice has a stable code.

==============================  ============================================================================
code                            meaning
==============================  ============================================================================
scenario/no-warm-up             an empty center flatters the answer
scenario/short-horizon          the counted time is shorter than the longest run
scenario/gang-over-have         a gang larger than the center would be refused
scenario/few-jobs               fewer than 100 counted jobs of a level: it is met or missed by chance
scenario/many-jobs              a replication has more than ten million jobs: slow
scenario/overload               the demand is larger than the center
scenario/patience-below-limit   jobs leave before the level's limit, and leaving violates it
scenario/limit-kills            the limit kills more than one job in twenty
scenario/short-round-up         runs may be longer than the last limit that requests are rounded up to
scenario/gang-over-quota        jobs larger than their tenant may use at most: they are rejected
scenario/tenant-overload        a tenant's demand is larger than all it may use
scenario/idle-cohort            tenants in a cohort in which nobody borrows, or nobody lends
scenario/idle-preemption        jobs may evict others, but no class is there to be evicted
scenario/never-evicted          a preemptible class that nobody may evict
scenario/nothing-lost           an evicted job saves all its work within its grace
scenario/all-taken-back         every lease uses less than the threshold of its review
scenario/slow-start             approvals take longer than the warm-up
scenario/reservation-blocks     a reservation comes again before longer jobs could end
scenario/unused                 a value without effect: a range, window or deadline that nothing asks for
==============================  ============================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpusim.errors import Problem
from gpusim.scenario.arrivals import Stream
from gpusim.scenario.checks_demand import jobs_of
from gpusim.scenario.limits import JobLimit
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass
from gpusim.scenario.notices_agreements import agreement_notices
from gpusim.scenario.notices_preemption import preemption_notices
from gpusim.scenario.notices_quotas import quota_notices
from gpusim.scenario.reader import Places
from gpusim.scenario.run_time import RunTime
from gpusim.units import format_duration, format_share

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario

FEWEST_JOBS = 100  # counted jobs of a level in a replication
MOST_JOBS = 10_000_000  # jobs in a replication
LONGEST_SHARE = 0.999  # a law without max counts as this quantile long
KILLED_SHARE = 0.05  # of the jobs of a stream


def notices(scenario: Scenario, places: Places) -> tuple[Problem, ...]:
    """Return the notices of a valid scenario, in the order of the table above."""
    parts = (
        _study,
        _levels,
        _center,
        _classes,
        quota_notices,
        preemption_notices,
        agreement_notices,
        _unused,
    )
    return tuple(places.problem(notice) for part in parts for notice in part(scenario))


def _notice(code: str, path: Path, what: str, found: str, remedy: str) -> Mistake:
    return Mistake(what, remedy, found, path, code, at_key=True)


def _models(scenario: Scenario) -> Iterator[tuple[Path, JobClass]]:
    for index, tenant in enumerate(scenario.tenants):
        for position, job_class in enumerate(tenant.classes):
            yield ("tenants", index, "classes", position), job_class


def _study(scenario: Scenario) -> Iterator[Mistake]:
    study = scenario.study
    if study.warm_up == 0:
        yield _notice(
            "no-warm-up",
            ("study", "warm_up"),
            "no warm-up: counting starts in an empty center, which flatters the answer",
            "warm_up 0s",
            f"write for example warm_up: {format_duration(study.horizon / 4, digits=2)}",
        )
    counted = scenario.count_end - study.warm_up
    streams = (stream for _, model in _models(scenario) for stream in model.streams)
    longest = max((_longest_run(stream) for stream in streams if not _comes_once(stream)), default=0.0)
    if counted < longest:
        yield _notice(
            "short-horizon",
            ("study", "horizon"),
            "the counted time is shorter than the longest runs",
            f"{format_duration(counted, digits=3)} counted, runs up to {format_duration(longest, digits=3)}",
            f"write a horizon of at least {format_duration(study.horizon + 4 * longest - counted, digits=2)}",
        )


def _longest_run(stream: Stream) -> float:
    """Time that (almost) no job of a stream holds its GPUs longer than, or no chain [s]."""
    run = stream.run_time.quantile(LONGEST_SHARE)
    return min(run, stream.limit.fixed) if stream.limit.fixed and stream.segment is None else run


def _comes_once(stream: Stream) -> bool:
    return bool(stream.schedule) and all(item.at is not None for item in stream.schedule)


def _levels(scenario: Scenario) -> Iterator[Mistake]:
    classes = list(scenario.classes())
    judged = [index for index, slo in enumerate(scenario.slos) if slo.judges_jobs]
    for index, slo in zip(judged, scenario.resolved_slos(), strict=True):
        path: Path = ("slos", index)
        expected = scenario.expected_jobs(slo)
        if expected < FEWEST_JOBS and not (slo.share == 1 and _all_come_once(scenario, slo.classes)):
            yield _notice(
                "few-jobs",
                path,
                f"a replication counts fewer than {FEWEST_JOBS} jobs of this SLO",
                f"about {expected:.3g} expected",
                "write a longer horizon, or give this SLO a larger scope",
            )
        if slo.metric not in ("wait", "turnaround", "deadline"):
            continue
        for member, limit in zip(slo.classes, slo.limits, strict=True):
            _, tenant, job_class = classes[member]
            if job_class.patience is not None and job_class.patience < limit:
                yield _notice(
                    "patience-below-limit",
                    path,
                    f"{tenant}/{job_class.name} jobs leave before the limit of this SLO; leaving violates it",
                    f"patience {format_duration(job_class.patience)} < {format_duration(limit)}",
                    "nothing to do if this is meant",
                )


def _all_come_once(scenario: Scenario, classes: tuple[int, ...]) -> bool:
    """Whether the number of jobs is given, not random: then 'every job' asks nothing of chance."""
    models = [model for _, model in _models(scenario)]
    return all(_comes_once(stream) for member in classes for stream in models[member].streams)


def _center(scenario: Scenario) -> Iterator[Mistake]:
    center = scenario.center
    sizes = [center.have] if center.pools is None else [pool.have for pool in center.pools]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return
    have, path = sum(known), ("center", "have" if center.pools is None else "pools")
    if center.pools is None:  # with pools it is a mistake
        for where, job_class in _models(scenario):
            if job_class.largest_gang > have:
                yield _notice(
                    "gang-over-have",
                    (*where, "gpus"),
                    "a gang is larger than the center and would be refused",
                    f"{job_class.largest_gang} GPUs > have {have}",
                    "make the gang smaller, or read the answer: it needs a larger center",
                )
    if scenario.offered_load > have:
        yield _notice(
            "overload",
            path,
            "the demand is larger than the center",
            f"offered load {scenario.offered_load:.1f} GPUs > have {have}",
            "expect an answer above it",
        )


def _classes(scenario: Scenario) -> Iterator[Mistake]:
    study, phase = scenario.study, scenario.week_phase
    streams = [stream for _, model in _models(scenario) for stream in model.streams]
    jobs = study.demand * math.fsum(jobs_of(stream, phase, study.horizon) for stream in streams)
    if jobs > MOST_JOBS:
        yield _notice(
            "many-jobs",
            ("study", "horizon"),
            "a replication has very many jobs and will be slow",
            f"about {jobs:.3g}",
            "write a shorter horizon, or check the units of the rates",
        )
    for path, job_class in _models(scenario):
        told: set[Path] = set()
        for index, stream in enumerate(job_class.streams):
            own = job_class.entries[index].limit is not None
            where = (*path, *(job_class.arrivals_path(index) if own else ()), "limit")
            if where not in told:
                found = list(_limits(stream, where))
                told |= {where} if found else set()
                yield from found


def _limits(stream: Stream, path: Path) -> Iterator[Mistake]:
    limit, run_time = stream.limit, stream.run_time
    killed = share_killed(run_time, limit, stream.segment)
    if killed > KILLED_SHARE:
        longer = f"run longer than {format_duration(limit.fixed)}" if limit.fixed else "reach their limit"
        yield _notice(
            "limit-kills",
            path,
            "the limit kills many jobs of this class",
            f"{format_share(killed, digits=2)} {longer}",
            "nothing to do if this is meant; else write a longer limit, or exact",
        )
    if limit.round_up:
        longest = run_time.max if run_time.max is not None else run_time.quantile(LONGEST_SHARE)
        longest = longest if stream.segment is None else min(longest, stream.segment)
        if longest > limit.round_up[-1]:
            yield _notice(
                "short-round-up",
                path,
                "runs may be longer than the last limit; such jobs ask for exactly their run time",
                f"runs up to {format_duration(longest, digits=3)}, last {format_duration(limit.round_up[-1])}",
                f"add {format_duration(longest, digits=3)} to round_up, or a shorter max to the run time",
            )


def share_killed(run_time: RunTime, limit: JobLimit, segment: float | None) -> float:
    """Share of the jobs that are killed at their limit; of chains, of those that have a segment killed so."""
    if limit.fixed is not None:
        return 0.0 if segment is not None and limit.fixed >= segment else run_time.share_above(limit.fixed)
    if limit.pick is not None:
        short = {each: share for each, share in limit.pick.items() if segment is None or each < segment}
        killed = math.fsum(share * run_time.share_above(each) for each, share in short.items())
        return killed / math.fsum(limit.pick.values())
    if limit.factor is None or limit.factor[0] >= 1 or limit.round_up:
        return 0.0
    low, high = limit.factor
    return 1.0 if high <= 1 else (1 - low) / (high - low)


def _unused(scenario: Scenario) -> Iterator[Mistake]:
    study, policy = scenario.study, scenario.policy
    ranges = ("min_gpus", "max_gpus") if study.vary == "demand" else ("min_demand", "max_demand")
    for key in ranges:
        if getattr(study, key) is not None:
            what = f"'{key}' has no effect while the study varies {study.vary}"
            remedy = "remove it, or write vary: demand" if "demand" in key else "remove it, or another vary"
            yield _notice("unused", ("study", key), what, f"vary {study.vary}", remedy)
    if policy.window is not None and policy.backfill in ("none", "skip"):
        what, remedy = "'window' bounds reservations, and there are none", "remove it, or write backfill: 1"
        yield _notice("unused", ("policy", "window"), what, f"backfill {policy.backfill}", remedy)
    judged = {
        member for slo in scenario.resolved_slos() if slo.metric == "deadline" for member in slo.classes
    }
    for index, (path, job_class) in enumerate(_models(scenario)):
        if job_class.deadline is not None and index not in judged:
            yield _notice(
                "unused",
                (*path, "deadline"),
                "no service level judges this deadline",
                format_duration(job_class.deadline),
                f"add the SLO 'deadline met for 90% of {scenario.class_names[index]} jobs', or remove it",
            )
