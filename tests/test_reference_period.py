"""Passes at the multiples of a scheduler period only (S9): schedules worked out by hand.

Notation as in test_reference_worked_cases: A(submit, GPUs, run time); "A 0-5" holds its GPUs during ticks 0..4.
"""

from __future__ import annotations

import pytest

from gpusim.engine.reference import NONE, SKIP, Job, JobClass, Outcome, Policy, Windows, simulate

EASY = 1
H = 1000


def job(submit: int, gpus: int, run: int, c: int = 0) -> Job:
    return Job(submit, run, run, gpus, c)


def run(
    jobs: list[Job], gpus: int, policy: Policy, *, patience: tuple[int, ...] = (-1,), horizon: int = H
) -> Outcome:
    """Class c has the c-th patience."""
    classes = [JobClass(patience=p) for p in patience]
    return simulate(jobs, classes, policy, gpus, Windows(0, horizon, horizon), [])


def test_jobs_start_at_the_next_multiple_after_a_change_and_end_at_any_tick() -> None:
    # N = 1, period 5. tick 0....5....10...15...20   A(1,3) starts at 5, ends at 8. B(2,4) waits at 5, next pass 10.
    #   A                        ===                 C(20,1) arrives on a multiple: starts at once.
    #   B                             ====           C ends at 21: a pass is due at 25, over an empty queue.
    #   C                                       =
    jobs = [job(1, 1, 3), job(2, 1, 4), job(20, 1, 1)]
    out = run(jobs, 1, Policy(period=5))
    assert (out.start, out.end) == ([5, 10, 20], [8, 14, 21])
    assert out.eligible == [1, 2, 20]
    assert out.end_tick == 25
    assert out.sums[0]["wait"] == 4 + 8


def test_there_is_no_pass_at_a_multiple_without_a_change() -> None:
    # N = 2, period 5, one test a pass. A(0,1,12) starts at 0, B(0,1,12) is not looked at.
    # Nothing changes until A ends at 12: pass at 15: B.   C(6) is a change: pass at 10: B.
    policy = Policy(period=5, max_tests=1)
    assert run([job(0, 1, 12), job(0, 1, 12)], 2, policy).start == [0, 15]
    assert run([job(0, 1, 12), job(0, 1, 12), job(6, 1, 1)], 2, policy).start == [0, 10, 15]


def test_patience_ends_between_passes_and_a_start_wins_only_at_a_pass() -> None:
    # N = 9, period 10. All arrive at 1 with patience 3, 8, 9, 10 to an idle center: the pass is at 10.
    # They leave at 4 and 9; wait 9 = patience: starts at 10; 10: too.
    jobs = [job(1, 1, 2, c) for c in range(4)]
    out = run(jobs, 9, Policy(period=10), patience=(3, 8, 9, 10))
    assert out.start == [-1, -1, 10, 10]
    assert out.outcome == ["abandoned", "abandoned", "finished", "finished"]
    assert out.integrals["waiting_jobs"] == 3 + 8 + 9 + 9
    assert out.max_waiting == 4


@pytest.mark.parametrize(("patience", "start"), [(6, 10), (7, 10), (8, 10), (9, 15), (13, 15), (14, 20)])
def test_a_job_that_leaves_lets_others_start_at_once_on_a_multiple_and_else_at_the_next(
    patience: int, start: int
) -> None:
    # N = 2, none, period 5. A(0,1,30) B(2,2,1) C(2,1,3): B is blocked and stands before C.
    # B leaves at 2 + patience = 8, 9, 10, 11, 15, 16; at 10 and 15 in the very pass.
    jobs = [job(0, 1, 30), job(2, 2, 1, 1), job(2, 1, 3)]
    assert run(jobs, 2, Policy(NONE, period=5), patience=(-1, patience)).start == [0, -1, start]


def test_newcomers_are_refused_at_once_between_passes() -> None:
    # N = 9, at most 1 waits, period 10. A(1) waits for the pass; B(2) is over: refused at 2. 10: A starts, C(10) too:
    # the pass comes first. D(11) waits, E(11) and F(11) have higher indices: refused. 20: D.
    jobs = [job(1, 1, 5), job(2, 1, 5), job(10, 1, 5), job(11, 1, 5), job(11, 1, 5), job(11, 1, 5)]
    out = run(jobs, 9, Policy(period=10, max_waiting=1))
    assert out.start == [10, -1, 10, 20, -1, -1]
    assert out.outcome.count("rejected_full") == 3
    assert out.max_waiting == 1
    assert out.integrals["waiting_jobs"] == 9 + 9  # a refused newcomer has not waited


def test_a_center_that_lets_nobody_wait_serves_only_arrivals_on_multiples() -> None:
    # N = 1, period 3, max_waiting 0. A(0,4) starts, B(1) refused, C(3) blocked and refused, D(6,4) starts.
    jobs = [job(0, 1, 4), job(1, 1, 4), job(3, 1, 4), job(6, 1, 4)]
    assert run(jobs, 1, Policy(period=3, max_waiting=0)).start == [0, -1, -1, 6]


def test_a_refusal_on_a_multiple_is_followed_by_another_pass_in_that_tick() -> None:
    # N = 2, none, period 5, at most 1 waits. A(0,1,20). B(8,1,3) waits for the pass at 10. C(10,2,1; larger tier):
    # pass at 10: C is blocked and stands before B; two wait, C is the newcomer: refused; pass again: B 10-13.
    jobs = [job(0, 1, 20), job(8, 1, 3), job(10, 2, 1, 1)]
    policy, window = Policy(NONE, period=5, max_waiting=1), Windows(0, H, H)
    out = simulate(jobs, [JobClass(), JobClass(tier=1)], policy, 2, window, [])
    assert (out.start, out.outcome[2]) == ([0, 10, -1], "rejected_full")


def test_a_rejected_submit_makes_no_pass_due() -> None:
    # N = 2, period 5, one test. A(0,1,12), B(0,1,12) not looked at. C(3, 9 GPUs) is rejected: no pass at 5. B: 15.
    jobs = [job(0, 1, 12), job(0, 1, 12), job(3, 9, 1)]
    assert run(jobs, 2, Policy(period=5, max_tests=1)).start == [0, 15, -1]


def test_a_pass_due_at_the_horizon_never_runs() -> None:
    # N = 1, period 5, horizon 10. A(0,4) 0-4, B(5,1) 5-6, C(6,1) would start at 10.
    jobs = [job(0, 1, 4), job(5, 1, 1), job(6, 1, 1)]
    out = run(jobs, 1, Policy(period=5), horizon=10)
    assert (out.start, out.outcome[2], out.end_tick) == ([0, 5, -1], "waiting", 6)
    assert run(jobs, 1, Policy(period=5), horizon=11).start == [0, 5, 10]


def test_reservations_are_drawn_from_the_tick_of_the_pass() -> None:
    # N = 2, EASY, period 4. A(0,1,9) 0-9. B(1,2,3): 4: res 9-12 (it can in fact start at 12 only). C(2,1,5): would
    # run 4-9: yes. D(3,1,6): no GPU. 9: A, C end: pass at 12: B 12-15. 15: pass at 16: D.
    jobs = [job(0, 1, 9), job(1, 2, 3), job(2, 1, 5), job(3, 1, 6)]
    assert run(jobs, 2, Policy(EASY, period=4)).start == [0, 12, 4, 16]


def test_skip_with_a_period_starts_what_fits_at_the_pass_in_queue_order() -> None:
    # N = 2, skip, period 6. A(1,2,4) B(2,1,9) C(3,1,2). 6: A takes both. 10: A ends; pass at 12: B, C.
    jobs = [job(1, 2, 4), job(2, 1, 9), job(3, 1, 2)]
    assert run(jobs, 2, Policy(SKIP, period=6)).start == [6, 12, 12]
