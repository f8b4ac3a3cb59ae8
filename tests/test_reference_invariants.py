"""What must hold for every set of jobs: property tests of the oracle on small random centers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpusim.engine.reference import (
    ALL,
    NONE,
    SKIP,
    Job,
    JobClass,
    Outcome,
    Policy,
    Windows,
    simulate,
)

H = 10_000  # later than anything can happen below
EVERYTHING = Windows(0, H, H)
ONE_CLASS = [JobClass()]

pytestmark = pytest.mark.slow

many = settings(deadline=None, derandomize=True, max_examples=200)


@st.composite
def job_lists(draw: st.DrawFn, *, classes: int = 1, exact: bool = False, largest: int = 6) -> list[Job]:
    """Up to 14 jobs close together, so that queues form and many events share a tick."""
    jobs = []
    for _ in range(draw(st.integers(0, 14))):
        service = draw(st.integers(1, 9))
        jobs.append(
            Job(
                submit=draw(st.integers(0, 15)),
                service=service,
                limit=service if exact else draw(st.integers(1, 9)),
                gpus=draw(st.integers(1, largest)),
                job_class=draw(st.integers(0, classes - 1)),
            )
        )
    return sorted(jobs, key=lambda job: job.submit)


backfills = st.sampled_from([NONE, SKIP, ALL, 1, 2, 3])
capacities = st.integers(1, 8)
class_tables = st.lists(
    st.builds(JobClass, tier=st.integers(-1, 1), tenant=st.integers(0, 1), patience=st.integers(-1, 6)),
    min_size=3,
    max_size=3,
)
policies = st.builds(
    Policy,
    backfill=backfills,
    kill_at_limit=st.booleans(),
    max_waiting=st.integers(-1, 4),
    tenant_max_waiting=st.sampled_from([(), (1,), (2, 0), (-1, 1)]),
)


@st.composite
def windows(draw: st.DrawFn) -> Windows:
    warm_up, count_end, horizon = sorted(draw(st.lists(st.integers(0, 60), min_size=3, max_size=3)))
    return Windows(warm_up, count_end, horizon)


def starts(jobs: list[Job], policy: Policy, gpus: int, classes: list[JobClass] = ONE_CLASS) -> list[int]:
    return simulate(jobs, classes, policy, gpus, EVERYTHING, []).start


def run_ticks(job: Job, policy: Policy) -> int:
    return min(job.service, job.limit) if policy.kill_at_limit else job.service


# --- any policy ---------------------------------------------------------------------------------------------


@given(job_lists(classes=3), class_tables, policies, capacities, windows())
@many
def test_capacity_is_never_exceeded_and_integrals_are_sums_over_ticks(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int, window: Windows
) -> None:
    out = simulate(jobs, classes, policy, gpus, window, [])
    allocated = running_jobs = 0
    for tick in range(window.horizon):
        running = [
            job
            for job, start in zip(jobs, out.start, strict=True)
            if 0 <= start <= tick < start + run_ticks(job, policy)
        ]
        in_use = sum(job.gpus for job in running)
        assert in_use <= gpus
        if window.warm_up <= tick < window.count_end:
            allocated += in_use
            running_jobs += len(running)
    assert out.integrals["allocated"] == allocated == sum(row["gpu_ticks"] for row in out.sums)
    assert out.integrals["running_jobs"] == running_jobs


@given(job_lists(classes=3), class_tables, policies, capacities, windows())
@many
def test_every_counted_job_is_in_exactly_one_state(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int, window: Windows
) -> None:
    out = simulate(jobs, classes, policy, gpus, window, [])
    final = ("rejected", "rejected_full", "abandoned", "finished", "killed_limit", "waiting", "running")
    for c, row in enumerate(out.counts):
        counted = [
            i
            for i, j in enumerate(jobs)
            if j.job_class == c and window.warm_up <= j.submit < window.count_end
        ]
        assert row["submitted"] == len(counted) == sum(row[state] for state in final)
        assert row["started"] == row["finished"] + row["killed_limit"] + row["running"]
        assert row["started"] == sum(out.start[i] >= 0 for i in counted)
    assert out.jobs == sum(job.submit < window.horizon for job in jobs)


@given(job_lists(classes=3), class_tables, policies, capacities, windows())
@many
def test_a_gang_that_starts_runs_whole_and_without_a_break(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int, window: Windows
) -> None:
    out = simulate(jobs, classes, policy, gpus, window, [])
    for i, job in enumerate(jobs):
        start, end, outcome = out.start[i], out.end[i], out.outcome[i]
        assert (start >= 0) == (outcome in ("finished", "killed_limit", "running"))
        if start < 0:
            assert end == -1
            continue
        assert job.gpus <= gpus
        assert job.submit <= start < window.horizon
        done = start + run_ticks(job, policy)
        assert end == (done if done < window.horizon else -1)
        assert (outcome == "running") == (end == -1)
        if end >= 0:
            assert (outcome == "killed_limit") == (policy.kill_at_limit and job.service > job.limit)


@given(job_lists(classes=3), class_tables, policies, capacities)
@many
def test_nobody_waits_longer_than_its_patience_and_the_queue_keeps_its_bound(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int
) -> None:
    out = simulate(jobs, classes, policy, gpus, EVERYTHING, [])
    for i, job in enumerate(jobs):
        patience = classes[job.job_class].patience
        if patience >= 0 and out.start[i] >= 0:
            assert out.start[i] - job.submit <= patience
        if out.outcome[i] == "abandoned":
            assert patience >= 0
        assert (out.outcome[i] == "rejected") == (job.gpus > gpus)
        assert out.outcome[i] not in ("waiting", "running", "unsubmitted")
    if policy.max_waiting >= 0:
        assert out.max_waiting <= policy.max_waiting


@given(job_lists(classes=3), class_tables, policies, capacities)
@many
def test_the_integral_of_the_queue_is_the_sum_of_the_waits(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int
) -> None:
    # Little's law within a run: windows cover everything, so L * T = lambda * T * W exactly.
    out = simulate(jobs, classes, policy, gpus, EVERYTHING, [])
    waits = [
        start - job.submit
        if start >= 0
        else classes[job.job_class].patience
        if outcome == "abandoned"
        else 0  # rejected or refused on arrival
        for job, start, outcome in zip(jobs, out.start, out.outcome, strict=True)
    ]
    assert out.integrals["waiting_jobs"] == sum(waits)
    assert out.integrals["waiting_gpus"] == sum(w * job.gpus for w, job in zip(waits, jobs, strict=True))


@given(job_lists(classes=3), class_tables, policies, capacities, st.integers(0, 60))
@many
def test_a_shorter_run_is_the_beginning_of_a_longer_one(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int, horizon: int
) -> None:
    long = simulate(jobs, classes, policy, gpus, EVERYTHING, [])
    short = simulate(jobs, classes, policy, gpus, Windows(0, horizon, horizon), [])
    assert short.start == [start if start < horizon else -1 for start in long.start]
    assert short.end == [end if end < horizon else -1 for end in long.end]


@given(job_lists(classes=3), class_tables, policies, capacities, st.integers(1, 50))
@many
def test_a_later_beginning_moves_every_start_by_as_much(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int, later: int
) -> None:
    moved = [replace(job, submit=job.submit + later) for job in jobs]
    expected = [start + later if start >= 0 else -1 for start in starts(jobs, policy, gpus, classes)]
    assert starts(moved, policy, gpus, classes) == expected


@given(job_lists(classes=3), class_tables, policies, capacities)
@many
def test_doubling_all_times_doubles_all_waits(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int
) -> None:
    # Limits are enforced: the one tick that R8 adds to an overdue job does not scale.
    policy = replace(policy, kill_at_limit=True)
    twice = [replace(j, submit=2 * j.submit, service=2 * j.service, limit=2 * j.limit) for j in jobs]
    slower = [replace(c, patience=2 * c.patience if c.patience >= 0 else -1) for c in classes]
    expected = [2 * start if start >= 0 else -1 for start in starts(jobs, policy, gpus, classes)]
    assert starts(twice, policy, gpus, slower) == expected


@given(job_lists(classes=3), class_tables, policies, capacities)
@many
def test_a_center_that_lets_nobody_wait_starts_the_jobs_of_one_where_nobody_has_patience(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int
) -> None:
    patient = [replace(c, patience=-1) for c in classes]
    impatient = [replace(c, patience=0) for c in classes]
    refuse = replace(policy, max_waiting=0, tenant_max_waiting=())
    accept = replace(policy, max_waiting=-1, tenant_max_waiting=())
    assert starts(jobs, refuse, gpus, patient) == starts(jobs, accept, gpus, impatient)


# --- one policy ---------------------------------------------------------------------------------------------


@given(job_lists(), st.booleans(), capacities)
@many
def test_strict_fifo_starts_jobs_in_order(jobs: list[Job], kill: bool, gpus: int) -> None:
    out = [start for start in starts(jobs, Policy(NONE, kill), gpus) if start >= 0]
    assert out == sorted(out)


@given(job_lists(largest=4), st.booleans(), st.integers(4, 12))
@many
def test_under_strict_fifo_one_more_gpu_delays_nobody(jobs: list[Job], kill: bool, gpus: int) -> None:
    # R40. Every job fits the smaller center: one that is rejected there would compete in the larger one.
    fewer, more = (starts(jobs, Policy(NONE, kill), n) for n in (gpus, gpus + 1))
    assert all(b <= a for a, b in zip(fewer, more, strict=True))


@given(job_lists(classes=3), class_tables, policies, capacities)
@many
def test_enough_reservations_are_conservative_backfill(
    jobs: list[Job], classes: list[JobClass], policy: Policy, gpus: int
) -> None:
    plenty, everyone = replace(policy, backfill=len(jobs) + 1), replace(policy, backfill=ALL)
    assert simulate(jobs, classes, plenty, gpus, EVERYTHING, []) == simulate(
        jobs, classes, everyone, gpus, EVERYTHING, []
    )


@given(job_lists(exact=True), capacities, st.integers(0, 14), st.sampled_from([NONE, ALL]))
@many
def test_with_exact_limits_later_jobs_delay_nobody_who_holds_a_reservation(
    jobs: list[Job], gpus: int, kept: int, backfill: int
) -> None:
    policy = Policy(backfill)
    assert starts(jobs, policy, gpus)[:kept] == starts(jobs[:kept], policy, gpus)


@given(job_lists(exact=True), capacities, st.integers(1, 3))
@many
def test_with_exact_limits_backfill_does_not_delay_the_first_job_that_is_ever_blocked(
    jobs: list[Job], gpus: int, reservations: int
) -> None:
    policy = Policy(reservations)
    out = starts(jobs, policy, gpus)
    blocked = [i for i, job in enumerate(jobs) if out[i] > job.submit]
    if blocked:
        first = blocked[0]
        assert out[first] == starts(jobs[: first + 1], policy, gpus)[first]


@given(job_lists(), backfills, st.booleans())
@many
def test_no_wait_when_capacity_is_unlimited(jobs: list[Job], backfill: int, kill: bool) -> None:
    everything = sum(job.gpus for job in jobs)
    assert starts(jobs, Policy(backfill, kill), everything) == [job.submit for job in jobs]


def test_the_same_input_gives_the_same_outcome() -> None:
    jobs = [Job(i // 2, 1 + i % 5, 1 + i % 3, 1 + i % 4) for i in range(30)]
    first, second = (
        simulate(jobs, ONE_CLASS, Policy(1, kill_at_limit=False), 4, EVERYTHING, []) for _ in range(2)
    )
    assert isinstance(first, Outcome)
    assert first == second
