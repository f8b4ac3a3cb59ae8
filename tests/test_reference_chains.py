"""Chains: jobs that are held until another one has ended (R39, S11), worked out by hand.

Notation as in test_reference_worked_cases: A(submit, GPUs, run time), "A 0-5" holds its GPUs during ticks 0..4.
"B after A +4": B is eligible 4 ticks after the end of A, or when submitted, whatever is later.
"""

from __future__ import annotations

import pytest

from gpusim.engine.reference import (
    ALL,
    FIFO,
    NONE,
    SJF,
    SKIP,
    TURNED_AWAY,
    WAIT,
    Job,
    JobClass,
    Outcome,
    Policy,
    Slo,
    Windows,
    simulate,
)

EASY = 1
H = 1000


def job(submit: int, gpus: int, run: int, c: int = 0, *, after: int = -1, delay: int = 0) -> Job:
    return Job(submit, run, run, gpus, c, after, delay)


def run(
    jobs: list[Job],
    gpus: int,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    *,
    patience: tuple[int, ...] = (-1,),
    horizon: int = H,
    slos: tuple[Slo, ...] = (),
) -> Outcome:
    """Class c has the c-th patience."""
    classes = [JobClass(patience=p) for p in patience]
    return simulate(jobs, classes, policy, gpus, Windows(0, horizon, horizon), slos)


# --- when a job is eligible ---------------------------------------------------------------------------------


def test_a_job_is_eligible_a_delay_after_the_end_of_its_predecessor_and_waits_from_then_on() -> None:
    # N = 1. A(0,3), B(0,2) after A +4, C(1,5).   tick 0....5....10
    #   A  ===            A 0-3, C 3-8.
    #   C     =====       B: eligible at 3 + 4 = 7, waits one tick: 8-10.
    #   B       .  ==
    jobs = [job(0, 1, 3), job(0, 1, 2, after=0, delay=4), job(1, 1, 5)]
    out = run(jobs, 1)
    assert (out.eligible, out.start, out.end) == ([0, 7, 1], [0, 8, 3], [3, 10, 8])
    assert out.sums[0] == {"wait": 0 + 1 + 2, "turnaround": 3 + 3 + 7, "gpu_ticks": 10}
    assert out.integrals["waiting_jobs"] == 0 + 1 + 2
    assert out.max_waiting == 1


@pytest.mark.parametrize("backfill", [NONE, SKIP, EASY, ALL])
@pytest.mark.parametrize("order", [FIFO, SJF])
def test_without_a_delay_a_job_may_start_in_the_tick_its_predecessor_ends(backfill: int, order: int) -> None:
    # N = 1. A(0,3), B(0,2) after A, C(0,1) after B: 0-3, 3-5, 5-6.
    jobs = [job(0, 1, 3), job(0, 1, 2, after=0), job(0, 1, 1, after=1)]
    assert run(jobs, 1, Policy(backfill, order=order)).start == [0, 3, 5]


def test_a_waiting_job_goes_before_one_that_becomes_eligible_as_the_gpus_come_free() -> None:
    # N = 1. A(0,3), B(0,2) after A, C(1,4). 3: C has waited since 1, B is eligible since 3: C 3-7, B 7.
    assert run([job(0, 1, 3), job(0, 1, 2, after=0), job(1, 1, 4)], 1).start == [0, 7, 3]


@pytest.mark.parametrize(
    ("submit", "delay", "eligible"), [(10, 4, 10), (5, 4, 7), (7, 4, 7), (3, 0, 3), (2, 0, 3)]
)
def test_a_job_submitted_after_its_predecessor_ended_is_eligible_when_submitted_or_after_the_rest_of_the_delay(
    submit: int, delay: int, eligible: int
) -> None:
    # N = 1. A 0-3. B after A: max(submit, 3 + delay).
    out = run([job(0, 1, 3), job(submit, 1, 2, after=0, delay=delay)], 1)
    assert out.eligible == out.start == [0, eligible]


def test_a_run_killed_at_its_limit_is_followed_like_one_that_finished() -> None:
    # N = 1. A(0, 9 cut at 3): killed at 3. B after A +1: 4.
    jobs = [Job(0, 9, 3, 1), job(0, 1, 2, after=0, delay=1)]
    out = run(jobs, 1)
    assert (out.start, out.outcome) == ([0, 4], ["killed_limit", "finished"])


def test_with_a_period_a_job_eligible_between_passes_starts_at_the_next() -> None:
    # N = 1, period 5. A(0,3) 0-3. B after A +1: eligible at 4, starts at 5, ends at 7. C after B: eligible 7, 10.
    jobs = [job(0, 1, 3), job(0, 1, 2, after=0, delay=1), job(0, 1, 1, after=1)]
    out = run(jobs, 1, Policy(period=5))
    assert (out.eligible, out.start) == ([0, 4, 7], [0, 5, 10])


def test_becoming_eligible_is_a_change_and_being_submitted_while_held_is_none() -> None:
    # N = 3, one test a pass. A(0,1,9) starts at 0. B(0,1,9) is not looked at. C(4,1,1) after A is held at 4: no pass.
    # 9: A ends, C is eligible: pass: B. 18: B ends: C.
    jobs = [job(0, 1, 9), job(0, 1, 9), job(4, 1, 1, after=0)]
    assert run(jobs, 3, Policy(max_tests=1)).start == [0, 9, 18]
    # N = 3, one test. A(0,1,2) starts; B(0,1,9), C(0,1,9) are not looked at. D(0,1,1) after A +3.
    # 2: A ends: B. 5: D is eligible: a change: pass: C. 11: B ends: D.
    jobs = [job(0, 1, 2), job(0, 1, 9), job(0, 1, 9), job(0, 1, 1, after=0, delay=3)]
    assert run(jobs, 3, Policy(max_tests=1)).start == [0, 2, 5, 11]


# --- held jobs are in no queue ------------------------------------------------------------------------------


def test_held_jobs_block_nobody_and_count_in_no_bound() -> None:
    # N = 2, none, at most 1 waits. A(0,1,5), B(0,2,1) after A: held, though it is first by index. C(1,1,2): 1-3.
    # D(2,2,1) waits: one. E(2,1,1): over: refused. 5: A ends, D 5-6; B is eligible: waits, 6-7.
    jobs = [job(0, 1, 5), job(0, 2, 1, after=0), job(1, 1, 2), job(2, 2, 1), job(2, 1, 1)]
    out = run(jobs, 2, Policy(max_waiting=1))
    assert out.start == [0, 6, 1, 5, -1]
    assert out.outcome[4] == "rejected_full"
    assert out.max_waiting == 1


def test_patience_begins_when_a_job_is_eligible() -> None:
    # N = 1. A(0,10), B(0,2; patience 3) after A, C(1,12). 10: C 10-22. B: eligible 10, leaves at 13, not at 3.
    jobs = [job(0, 1, 10), job(0, 1, 2, 1, after=0), job(1, 1, 12)]
    out = run(jobs, 1, patience=(-1, 3))
    assert (out.eligible, out.start, out.outcome[1]) == ([0, 10, 1], [0, -1, 10], "abandoned")
    assert out.integrals["waiting_jobs"] == 3 + 9


def test_arrivals_and_jobs_that_become_eligible_are_newcomers_alike_refused_by_index() -> None:
    # N = 1, at most 1 waits. A(0,5); B(0,1) after A; C(1,2) waits; 5: D(5,1) arrives, B is eligible, C 5-7.
    # B and D wait, one too many: D has the higher index: refused. B 7-8.
    jobs = [job(0, 1, 5), job(0, 1, 1, after=0), job(1, 1, 2), job(5, 1, 1)]
    out = run(jobs, 1, Policy(max_waiting=1))
    assert (out.start, out.outcome[3]) == ([0, 7, 5, -1], "rejected_full")
    # If B is submitted at 5 behind D, B is refused.
    jobs = [job(0, 1, 5), job(1, 1, 2), job(5, 1, 1), job(5, 1, 1, after=0)]
    out = run(jobs, 1, Policy(max_waiting=1))
    assert (out.start, out.outcome[3]) == ([0, 5, 7, -1], "rejected_full")


def test_arrivals_and_jobs_that_become_eligible_queue_by_index() -> None:
    # N = 1. A(0,5) 0-5. B(0,3) after A; C(5,2) arrives at 5. Both eligible at 5: B, the lower index, 5-8; C 8.
    assert run([job(0, 1, 5), job(0, 1, 3, after=0), job(5, 1, 2)], 1).start == [0, 5, 8]
    # Submitted at 5 as well, behind C: C 5-7, B 7.
    assert run([job(0, 1, 5), job(5, 1, 2), job(5, 1, 3, after=0)], 1).start == [0, 5, 7]


# --- a chain that dies --------------------------------------------------------------------------------------


def test_a_rejected_job_cancels_all_that_follow_as_they_are_submitted() -> None:
    # N = 2. A(0,3 GPUs) rejected. B(0) after A, C(4) after B: cancelled. D(4,3 GPUs) after C: too large itself.
    jobs = [job(0, 3, 1), job(0, 1, 1, after=0), job(4, 1, 1, after=1), job(4, 3, 1, after=2)]
    out = run(jobs, 2)
    assert out.outcome == ["rejected", "cancelled", "cancelled", "rejected"]
    assert (out.start, out.eligible, out.end_tick) == ([-1] * 4, [-1] * 4, 4)
    assert (out.counts[0]["submitted"], out.counts[0]["cancelled"], out.counts[0]["rejected"]) == (4, 2, 2)
    assert out.integrals["waiting_jobs"] == 0


def test_a_later_job_that_is_rejected_leaves_those_in_front_alone() -> None:
    # N = 2. A(0,2,4) runs. B(0,9 GPUs) after A: rejected at 0. C(0,1,1) after B: cancelled at 0.
    jobs = [job(0, 2, 4), job(0, 9, 1, after=0), job(0, 1, 1, after=1)]
    out = run(jobs, 2)
    assert (out.outcome, out.end_tick) == (["finished", "rejected", "cancelled"], 4)


def test_a_job_that_gives_up_cancels_those_held_behind_it_at_once_and_later_ones_when_submitted() -> None:
    # N = 1. A(0,10). B(1; patience 2) leaves at 3. C(1) after B and D(2) after C: held, cancelled at 3.
    # E(20) after D: cancelled when submitted.
    jobs = [
        job(0, 1, 10),
        job(1, 1, 1, 1),
        job(1, 1, 1, after=1),
        job(2, 1, 1, after=2),
        job(20, 1, 1, after=3),
    ]
    out = run(jobs, 1, patience=(-1, 2))
    assert out.outcome == ["finished", "abandoned", "cancelled", "cancelled", "cancelled"]
    # At 5 C and D are cancelled already, E is not submitted: nothing is held.
    early = run(jobs, 1, patience=(-1, 2), horizon=5)
    assert early.outcome == ["running", "abandoned", "cancelled", "cancelled", "unsubmitted"]


def test_a_refused_job_cancels_its_chain() -> None:
    # N = 1, nobody may wait. A(0,5) runs. B(0,1) refused at 0; C(0,1) after B cancelled. D(5,1) runs.
    jobs = [job(0, 1, 5), job(0, 1, 1), job(0, 1, 1, after=1), job(5, 1, 1)]
    out = run(jobs, 1, Policy(max_waiting=0))
    assert out.outcome == ["finished", "rejected_full", "cancelled", "finished"]
    assert out.counts[0]["cancelled"] == 1


def test_cancelling_held_jobs_changes_nothing_for_the_queue() -> None:
    # N = 2, one test. A(0,1,20) B(0,1,20): B is not looked at. C(0, 9 GPUs) rejected, D(6) after C: cancelled at 6:
    # no pass. B starts when A ends.
    jobs = [job(0, 1, 20), job(0, 1, 20), job(0, 9, 1), job(6, 1, 1, after=2)]
    out = run(jobs, 2, Policy(max_tests=1))
    assert (out.start, out.outcome[3]) == ([0, 20, -1, -1], "cancelled")


# --- the end of the run -------------------------------------------------------------------------------------


def test_jobs_that_become_eligible_at_the_horizon_are_held() -> None:
    # N = 3, horizon 10. A 0-8, B after A +2: eligible at 10: held.  C 0-10 runs, D after C: held. E after D: held.
    # F(9,1) starts at 9 and ends at 10: runs. G(10) is not submitted.
    jobs = [
        job(0, 1, 8),
        job(0, 1, 1, after=0, delay=2),
        job(0, 1, 10),
        job(0, 1, 1, after=2),
        job(0, 1, 1, after=3),
        job(9, 1, 1),
        job(10, 1, 1, after=5),
    ]
    everybody = frozenset({0})
    levels = (Slo(0, 0, everybody, WAIT), Slo(0, 0, everybody, TURNED_AWAY))
    out = run(jobs, 3, horizon=10, slos=levels)
    assert out.outcome == ["finished", "held", "running", "held", "held", "running", "unsubmitted"]
    assert out.eligible == [0, -1, 0, -1, -1, 9, -1]
    assert (out.counts[0]["held"], out.counts[0]["submitted"], out.jobs) == (3, 6, 6)
    assert out.slo == [{"met": 3, "violated": 0, "censored": 3}] * 2
    # One tick more: B is eligible at 10, and so is D, behind F's GPU.
    out = run(jobs, 3, horizon=11)
    assert out.outcome == ["finished", "running", "finished", "running", "held", "finished", "running"]


# --- what cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "problem"),
    [
        ([job(0, 1, 1, after=0)], r"after names no earlier job \(0, job 0\)"),
        ([job(0, 1, 1, after=1), job(0, 1, 1)], r"after names no earlier job \(1, job 0\)"),
        (
            [job(0, 1, 1), job(0, 1, 1, after=0), job(0, 1, 1, after=0)],
            r"after names a job twice \(0, jobs 1 and 2\)",
        ),
        ([job(0, 1, 1), job(0, 1, 1, after=0, delay=-1)], r"delay below 0 \(-1, job 1\)"),
    ],
)
def test_chains_that_point_ahead_or_fork_are_named(jobs: list[Job], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        run(jobs, 4)
