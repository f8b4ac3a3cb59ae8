"""Schedules of 4-10 jobs worked out by hand from the rules, for the oracle and later for every backend.

Each comment shows how the expected starts follow. Notation: A(submit, GPUs, run time) or
A(submit, GPUs, run/limit), without GPUs where all ask for 1; "A 0-5" means that A holds its GPUs during
ticks 0..4; "res 10-15" is a reservation of the pass under discussion.
"""

from __future__ import annotations

import pytest

from gpusim.engine.reference import (
    ALL,
    NONE,
    SKIP,
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
ONE_CLASS = (JobClass(),)
LOW_HIGH = (JobClass(tier=0), JobClass(tier=1))


def job(submit: int, gpus: int, run: int, limit: int | None = None, c: int = 0) -> Job:
    """A job in the order of the comments; the limit is exact unless given."""
    return Job(submit, run, run if limit is None else limit, gpus, c)


def run(
    jobs: list[Job],
    gpus: int,
    backfill: int = NONE,
    *,
    classes: tuple[JobClass, ...] = ONE_CLASS,
    kill: bool = True,
    max_waiting: int = -1,
    tenant_max_waiting: tuple[int, ...] = (),
    windows: Windows = Windows(0, H, H),  # noqa: B008 (frozen)
    slos: tuple[Slo, ...] = (),
) -> Outcome:
    policy = Policy(backfill, kill, max_waiting, tenant_max_waiting)
    return simulate(jobs, classes, policy, gpus, windows, slos)


# --- order and backfill -------------------------------------------------------------------------------------


def test_fifo_lets_nobody_past_a_blocked_job() -> None:
    # N = 4. A(0,3,5) B(1,2,4) C(2,1,2) D(3,1,1) E(4,4,3)
    # tick 0....5....10.   A 0-5 leaves 1 GPU. B needs 2: blocked. C and D would fit but stand behind B.
    #   A  =====           5: A ends, 4 free: B, C, D start; E needs 4.
    #   B       ====       6: 1 free. 7: 2 free. 9: 4 free, E starts.
    #   C       ==
    #   D       =
    #   E           ===
    jobs = [job(0, 3, 5), job(1, 2, 4), job(2, 1, 2), job(3, 1, 1), job(4, 4, 3)]
    out = run(jobs, 4)
    assert out.start == [0, 5, 5, 5, 9]
    assert out.end == [5, 9, 7, 6, 12]
    assert (out.max_waiting, out.max_running, out.end_tick, out.jobs) == (4, 3, 12, 5)


def test_easy_backfills_what_ends_by_the_shadow_time_and_nothing_longer() -> None:
    # N = 5. A(0,3,10) B(1,5,5) C(2,1,9) D(2,1,8) E(3,1,7)
    # B: res 10-15 on all 5 GPUs, no spare. C would run 2-11: no. D 2-10: ends just at 10: yes. E 3-10: yes.
    # 10: A, D, E end, B 10-15. C: 15.
    jobs = [job(0, 3, 10), job(1, 5, 5), job(2, 1, 9), job(2, 1, 8), job(3, 1, 7)]
    assert run(jobs, 5, EASY).start == [0, 10, 15, 2, 3]


def test_easy_backfills_past_the_shadow_time_on_spare_gpus_only() -> None:
    # N = 6. A(0,4,10) B(1,5,5) C(2,1,100) D(3,1,100) E(4,1,6)
    # B: res 10-15 on 5 of 6: one spare. C takes it: 2-102. D: 1 free now but no spare at 10: no. E 4-10: yes.
    # 10: A and E end, 5 free, B 10-15. D: 15.
    jobs = [job(0, 4, 10), job(1, 5, 5), job(2, 1, 100), job(3, 1, 100), job(4, 1, 6)]
    assert run(jobs, 6, EASY).start == [0, 10, 2, 15, 4]


def test_all_jobs_with_the_same_estimated_end_free_their_gpus_at_the_shadow_time() -> None:
    # N = 5. A(0,2,5) B(0,2,5) C(1,3,2) D(1,1,100) E(1,1,100) F(1,3,1)
    # C needs 3: 1 free + 2 of A would do, but B ends at 5 too: 5 free at 5, so 2 spare beside C.
    # D 1-101 on a spare. E: nothing free now. 5: A, B end, 4 free: C 5-7, E starts; F needs 3: C ends at 7.
    jobs = [job(0, 2, 5), job(0, 2, 5), job(1, 3, 2), job(1, 1, 100), job(1, 1, 100), job(1, 3, 1)]
    assert run(jobs, 5, EASY).start == [0, 0, 5, 1, 5, 7]


def test_easy_with_loose_limits_can_delay_the_first_job_behind_its_fifo_start() -> None:
    # N = 4. A(0,3,4/10) B(1,4,2) C(2,1,8) D(5,3,5) E(6,1,1)
    # EASY: B res 10. C 2-10: yes. 4: A ends early, but C holds a GPU until 10: B res 10. D 5-10: yes.
    #       6: E finds nothing free. 10: B 10-12. E: 12.
    # FIFO: B 4-6. 6: C 6-14 and D 6-11 take 4 GPUs. E: 11.
    jobs = [job(0, 3, 4, 10), job(1, 4, 2), job(2, 1, 8), job(5, 3, 5), job(6, 1, 1)]
    assert run(jobs, 4, EASY).start == [0, 10, 2, 5, 12]
    assert run(jobs, 4, NONE).start == [0, 4, 6, 6, 11]


def test_skip_starts_whatever_fits_and_may_starve_the_first_job() -> None:
    # N = 4. A(0,3,5) B(1,4,3) C(2,1,10) D(3,1,1) E(5,3,4)
    # tick 0....5....10....15   2: C takes the last GPU in spite of B. D: none free.
    #   A  =====                5: A ends, 3 free: B no, D 5-6, E needs 3 of 2: no.
    #   C    ==========         6: 3 free: B no, E 6-10. 10: 3 free, B no. 12: C ends, B.
    #   D       =
    #   E        ====
    #   B              ===
    jobs = [job(0, 3, 5), job(1, 4, 3), job(2, 1, 10), job(3, 1, 1), job(5, 3, 4)]
    assert run(jobs, 4, SKIP).start == [0, 12, 2, 5, 6]


def test_two_reservations_protect_the_second_blocked_job_too() -> None:
    # N = 5. A(0,4,10) B(1,4,10) C(2,5,5) D(3,1,30) E(4,1,15)
    # K=1: B res 10-20, one spare: D 3-33. 10: B 10-20. 20: C needs 5 of 4: res 33-38 on all; E would run
    #      20-35: no. 33: C 33-38. 38: E.
    # K=2: B res 10-20, C res 20-25 on all 5. D would run 3-33: no, and gets no reservation. E 4-19: yes.
    #      10: B 10-20; C res 20-25, D res 25. 19: E ends; D would meet C: no. 20: C 20-25. D: 25.
    jobs = [job(0, 4, 10), job(1, 4, 10), job(2, 5, 5), job(3, 1, 30), job(4, 1, 15)]
    assert run(jobs, 5, EASY).start == [0, 10, 33, 3, 38]
    assert run(jobs, 5, 2).start == [0, 10, 20, 25, 4]
    assert run(jobs, 5, ALL).start == [0, 10, 20, 25, 4]


def test_conservative_backfill_protects_every_blocked_job() -> None:
    # N = 5. A(0,4,10) B(1,4,10) C(2,4,5) D(3,5,5) E(4,1,22) F(5,1,20)
    # K=2: B res 10-20, C res 20-25, both leave a spare GPU, D has no reservation: E 4-26. F: none free.
    #      10: B. 20: C. 25: C ends, 4 free: D res 26-31, F would run 25-45: no. 26: D 26-31. F: 31.
    # ALL: D res 25-30 on all: E (4-26) meets it, res 30-52. F 5-25 meets nobody: starts into the hole.
    #      10: B. 20: C. 25: C, F end: D 25-30. 30: E.
    jobs = [job(0, 4, 10), job(1, 4, 10), job(2, 4, 5), job(3, 5, 5), job(4, 1, 22), job(5, 1, 20)]
    assert run(jobs, 5, 2).start == [0, 10, 20, 26, 4, 31]
    assert run(jobs, 5, 3).start == [0, 10, 20, 25, 30, 5]
    assert run(jobs, 5, ALL).start == [0, 10, 20, 25, 30, 5]


def test_conservative_reservations_are_forgotten_and_drawn_again_at_each_pass() -> None:
    # N = 2. A(0,2,3/10) B(1,1,5) C(2,2,4) D(2,1,4)
    # 2: B res 10-15, C res 15-19, D res 10-14 beside B.
    # 3: A ends 7 ticks early: B 3-8, C res 8-12, D 3-7 fits before it. 8: C.
    jobs = [job(0, 2, 3, 10), job(1, 1, 5), job(2, 2, 4), job(2, 1, 4)]
    assert run(jobs, 2, ALL).start == [0, 3, 8, 3]


def test_a_reservation_lasts_the_whole_limit() -> None:
    # N = 5, K = 2. A(0,4,10) B(1,4,2/5) C(2,5,3) D(3,1,11) E(4,1,3)
    # 3: B res 10-15, C res 15-18, not 12-15: D 3-14. 10: B 10-12. 12: C waits for D: res 14-17; E would run
    # 12-15: no. 14: C 14-17. 17: E.
    jobs = [job(0, 4, 10), job(1, 4, 2, 5), job(2, 5, 3), job(3, 1, 11), job(4, 1, 3)]
    assert run(jobs, 5, 2).start == [0, 10, 14, 3, 17]


def test_a_job_started_by_backfill_counts_for_those_behind_it_in_the_same_pass() -> None:
    # N = 6. A(0,3,10) B(1,6,5) C(5,2,5) D(5,2,5) E(5,1,5) F(5,1,5)
    # 5: B res 10-15 on all; 3 free now. C 5-10. D needs 2 of 1: no. E 5-10. F: none free.
    # 10: B 10-15. 15: D and F.
    jobs = [job(0, 3, 10), job(1, 6, 5), job(5, 2, 5), job(5, 2, 5), job(5, 1, 5), job(5, 1, 5)]
    for backfill in (EASY, 2, ALL):
        assert run(jobs, 6, backfill).start == [0, 10, 5, 15, 5, 15]


# The anomaly: one more GPU (or backfill at all) can make a job wait much longer.
# A(0,3,10) B(1,3,1) C(1,4,1) D(1,2,100)
ANOMALY = [job(0, 3, 10), job(1, 3, 1), job(1, 4, 1), job(1, 2, 100)]


@pytest.mark.parametrize(
    ("gpus", "waits"),
    [
        (4, [0, 9, 10, 11]),  # B res 10-11; 1 free: C, D no. 10: B. 11: C takes all. 12: D.
        (5, [0, 9, 100, 0]),  # B res 10-11 leaves 2 spare: D 1-101. 10: B. C needs 4 of 3 until 101.
        (6, [0, 0, 9, 1]),  # 1: B fits. C res 10-11. 2: B ends, C res 10 leaves 2: D 2-102. 10: C.
        (7, [0, 0, 1, 2]),  # 1: B fits. C res 2-3. D: 1 free. 2: C, 0 free. 3: D.
        (8, [0, 0, 1, 2]),  # 1: B fits. C res 2-3 leaves 1: D no. 2: C, 1 free. 3: D.
    ],
)
def test_under_easy_more_gpus_can_mean_a_longer_wait(gpus: int, waits: list[int]) -> None:
    out = run(ANOMALY, gpus, EASY)
    assert [s - j.submit for s, j in zip(out.start, ANOMALY, strict=True)] == waits


@pytest.mark.parametrize(
    ("gpus", "waits"),
    [
        (4, [0, 9, 10, 11]),  # 10: B. 11: C. 12: D.
        (5, [0, 9, 10, 11]),  # 10: B, 2 free, C no. 11: C, 1 free. 12: D.
        (6, [0, 0, 9, 9]),  # 1: B. 2: 3 free, C no. 10: C and D.
        (7, [0, 0, 1, 2]),  # 1: B. 2: C, 0 free. 3: D.
        (8, [0, 0, 1, 2]),  # 1: B. 2: C, 1 free. 3: D.
        (9, [0, 0, 1, 1]),  # 1: B, 3 free, C no. 2: 6 free, C and D.
        (12, [0, 0, 0, 0]),
    ],
)
def test_under_fifo_more_gpus_shorten_every_wait_of_the_same_jobs(gpus: int, waits: list[int]) -> None:
    out = run(ANOMALY, gpus, NONE)
    assert [s - j.submit for s, j in zip(out.start, ANOMALY, strict=True)] == waits


# --- ties ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backfill", [NONE, SKIP, EASY, 2, ALL])
def test_gpus_freed_at_a_tick_serve_jobs_that_arrive_at_it(backfill: int) -> None:
    # N = 2. A(0,2,3) B(3,2,2) C(3,1,4) D(5,1,1)
    # 3: A ends first, then B and C arrive, then the pass: B 3-5, C blocked. 5: B ends, D arrives: C, D start.
    jobs = [job(0, 2, 3), job(3, 2, 2), job(3, 1, 4), job(5, 1, 1)]
    assert run(jobs, 2, backfill).start == [0, 3, 5, 5]


def test_a_job_in_the_queue_goes_before_one_that_arrives_as_its_gpus_come_free() -> None:
    # N = 2. A(0,2,5) B(1,2,5) C(5,1,1) D(5,1,1)
    # 5: A ends and C, D arrive: B stands in front, 5-10. C and D fit together at 10.
    jobs = [job(0, 2, 5), job(1, 2, 5), job(5, 1, 1), job(5, 1, 1)]
    assert run(jobs, 2, EASY).start == [0, 5, 10, 10]


# --- limits -------------------------------------------------------------------------------------------------


def test_a_run_ends_at_its_limit_and_a_run_just_as_long_as_its_limit_finishes() -> None:
    # N = 2. A(0,2,10/4) B(1,2,3/3) C(1,1,6/5) D(2,1,5/5)
    # A 0-4 killed, B 4-7 finished, C 7-12 killed, D 7-12 finished.
    jobs = [job(0, 2, 10, 4), job(1, 2, 3, 3), job(1, 1, 6, 5), job(2, 1, 5, 5)]
    out = run(jobs, 2)
    assert out.start == [0, 4, 7, 7]
    assert out.end == [4, 7, 12, 12]
    assert out.outcome == ["killed_limit", "finished", "killed_limit", "finished"]


# N = 4, EASY. A(0,3,10/4) B(1,4,2) C(2,1,3) D(5,1,1) E(5,1,2)
OVERDUE = [job(0, 3, 10, 4), job(1, 4, 2), job(2, 1, 3), job(5, 1, 1), job(5, 1, 2)]


def test_an_overdue_job_is_expected_to_end_at_the_next_tick() -> None:
    # Limits not enforced: A runs 0-10. 2: B res 4, C would run 2-5: no. No event at 4.
    # 5: A is overdue, estimated end 6: B res 6. C 5-8: no. D 5-6: yes. E: none free.
    # 6: D ends, B res 7. C 6-9: no. E 6-8: no. 10: A ends, B 10-12. 12: C and E.
    assert run(OVERDUE, 4, EASY, kill=False).start == [0, 10, 12, 5, 12]
    # Enforced: A 0-4. 4: B 4-6. 5: none free. 6: C, D, E.
    assert run(OVERDUE, 4, EASY, kill=True).start == [0, 4, 6, 6, 6]


def test_doubling_all_times_need_not_double_waits_while_jobs_are_overdue() -> None:
    # The one tick of R8 does not double. 10: A is overdue, estimated end 11. D would run 10-12: no.
    # So all wait for A to end at 20: B 20-24. 24: C, D, E.
    doubled = [job(2 * j.submit, j.gpus, 2 * j.service, 2 * j.limit) for j in OVERDUE]
    assert run(doubled, 4, EASY, kill=False).start == [0, 20, 24, 24, 24]


# --- when a pass runs ---------------------------------------------------------------------------------------
# N = 5, EASY, limits not enforced. A(0,3,20/4) X(0,1,20/6) B(1,4,2) C(2,1,100) ... D(8,1,1)
# As long as A is expected before X, B is reserved where exactly 4 are free, so C finds no spare. Once both
# are overdue they are expected together, B leaves a spare GPU, and the next pass starts C, whenever that is.
# 20: A and X end, C holds 1: B 20-22. D: 22.


def test_a_rejected_arrival_causes_no_pass() -> None:
    # R(6,6,1) can never fit. No pass at 6; C starts at 8, when D arrives.
    jobs = [job(0, 3, 20, 4), job(0, 1, 20, 6), job(1, 4, 2), job(2, 1, 100), job(6, 6, 1), job(8, 1, 1)]
    out = run(jobs, 5, EASY, kill=False)
    assert out.start == [0, 0, 20, 8, -1, 22]
    assert out.outcome[4] == "rejected"


def test_the_patience_of_a_job_that_has_started_causes_no_pass() -> None:
    # P(3,1,1) with patience 3: B res 4, so P 3-4. 4: A estimated 5, X 6, B res 5 without a spare: C no.
    # 6: P's patience is stale. C starts at 8.
    classes = (JobClass(), JobClass(patience=3))
    jobs = [job(0, 3, 20, 4), job(0, 1, 20, 6), job(1, 4, 2), job(2, 1, 100), job(3, 1, 1, c=1), job(8, 1, 1)]
    assert run(jobs, 5, EASY, kill=False, classes=classes).start == [0, 0, 20, 8, 3, 22]


def test_the_patience_of_a_waiting_job_causes_a_pass() -> None:
    # P(3,5,1) with patience 3 waits behind C. 6: its patience ends: a pass runs, C starts; P leaves.
    classes = (JobClass(), JobClass(patience=3))
    jobs = [job(0, 3, 20, 4), job(0, 1, 20, 6), job(1, 4, 2), job(2, 1, 100), job(3, 5, 1, c=1), job(8, 1, 1)]
    out = run(jobs, 5, EASY, kill=False, classes=classes)
    assert out.start == [0, 0, 20, 6, -1, 22]
    assert out.outcome[4] == "abandoned"


# --- tiers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backfill", [NONE, SKIP, EASY, ALL])
def test_larger_tiers_go_first_and_earlier_submits_inside_a_tier(backfill: int) -> None:
    # N = 1. A(0,5) low, B(1,2) low, C(2,2) high, D(3,2) middle, E(4,2) high. 5: C, then E, D, B.
    classes = (JobClass(tier=-1), JobClass(tier=0), JobClass(tier=7))
    jobs = [job(0, 1, 5), job(1, 1, 2), job(2, 1, 2, c=2), job(3, 1, 2, c=1), job(4, 1, 2, c=2)]
    assert run(jobs, 1, backfill, classes=classes).start == [0, 11, 5, 9, 7]


def test_a_higher_tier_takes_the_reservation_of_a_job_it_arrives_in_front_of() -> None:
    # N = 5, EASY. A(0,4,10) B(1,3,5) C(2,1,20) H(3,5,5 high) D(4,1,30)
    # 2: B res 10-15 leaves 2 spare: C 2-22. 3: H goes in front, res 22-27 on all; B has none any more.
    # 10: A ends, 4 free: H no, B 10-15 ends before 22: yes. D 10-40: no. 15: D 15-45: no.
    # 22: C ends, H. 27: D.
    jobs = [job(0, 4, 10), job(1, 3, 5), job(2, 1, 20), job(3, 5, 5, c=1), job(4, 1, 30)]
    assert run(jobs, 5, EASY, classes=LOW_HIGH).start == [0, 10, 2, 22, 27]


def test_a_higher_tier_can_delay_a_reserved_job_but_not_a_running_one() -> None:
    # N = 4. A(0,4,10) B(1,3,5) H(2,4,5 high) C(3,1,2)
    # A keeps its GPUs. 10: H in front of B: H 10-15. 15: B and C.
    jobs = [job(0, 4, 10), job(1, 3, 5), job(2, 4, 5, c=1), job(3, 1, 2)]
    for backfill in (NONE, EASY, ALL):
        assert run(jobs, 4, backfill, classes=LOW_HIGH).start == [0, 15, 10, 15]


def test_a_blocked_job_of_a_higher_tier_stops_lower_tiers_unless_they_may_skip_it() -> None:
    # N = 4. A(0,3,10) H(1,2,5 high) B(2,1,20) C(3,2,3)
    # none: B waits behind H. 10: H 10-15, B 10-30, C needs 2 of 1. 15: C.
    # skip: B 2-22. 10: 3 free: H 10-15, C needs 2 of 1. 15: C.
    # EASY: H res 10-15 leaves 2: B 2-22. C: none free. 10: H, C as with skip.
    jobs = [job(0, 3, 10), job(1, 2, 5, c=1), job(2, 1, 20), job(3, 2, 3)]
    assert run(jobs, 4, NONE, classes=LOW_HIGH).start == [0, 10, 10, 15]
    assert run(jobs, 4, SKIP, classes=LOW_HIGH).start == [0, 10, 2, 15]
    assert run(jobs, 4, EASY, classes=LOW_HIGH).start == [0, 10, 2, 15]


# --- patience -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backfill", [NONE, SKIP, EASY, ALL])
def test_a_job_may_start_in_the_tick_its_patience_ends_and_not_later(backfill: int) -> None:
    # N = 1, patience 4 but for A. A(0,1,5) B(1,1,2) C(1,1,2) D(2,1,3) E(3,1,1)
    # 5: A ends; B and C have waited 4: B 5-7, C leaves. 6: D has waited 4: leaves.
    # 7: B ends, E has waited 4: 7-8.
    classes = (JobClass(), JobClass(patience=4))
    jobs = [job(0, 1, 5), job(1, 1, 2, c=1), job(1, 1, 2, c=1), job(2, 1, 3, c=1), job(3, 1, 1, c=1)]
    out = run(jobs, 1, backfill, classes=classes)
    assert out.start == [0, 5, -1, -1, 7]
    assert out.outcome == ["finished", "finished", "abandoned", "abandoned", "finished"]
    # waiting: B 1-5, C 1-5, D 2-6, E 3-7
    assert out.integrals["waiting_jobs"] == 16
    assert (out.counts[1]["abandoned"], out.sums[1]["wait"]) == (2, 8)


def test_a_job_that_gives_up_lets_those_behind_it_start_in_the_same_tick() -> None:
    # N = 2. A(0,1,10) B(1,2,5 patience 3) C(2,1,3) D(3,1,2)
    # 4: pass: B blocked; B leaves; pass: C 4-7, D none free. 7: D.
    classes = (JobClass(), JobClass(patience=3))
    jobs = [job(0, 1, 10), job(1, 2, 5, c=1), job(2, 1, 3), job(3, 1, 2)]
    assert run(jobs, 2, NONE, classes=classes).start == [0, -1, 4, 7]


def test_the_reservation_of_a_job_that_gives_up_holds_nobody() -> None:
    # N = 2, EASY. A(0,1,10) B(1,2,5 patience 3) C(2,1,20) D(3,1,7) E(4,1,7)
    # 2: B res 10-15 on both: C 2-22: no. 3: D 3-10: yes. 4: E: none free; B leaves; none free.
    # 10: A and D end: C and E.
    classes = (JobClass(), JobClass(patience=3))
    jobs = [job(0, 1, 10), job(1, 2, 5, c=1), job(2, 1, 20), job(3, 1, 7), job(4, 1, 7)]
    assert run(jobs, 2, EASY, classes=classes).start == [0, -1, 10, 3, 10]
    # Without D the GPU is free at 4, but C 4-24 and E 4-11 meet B; B leaves: C 4-24. 10: A ends, E.
    assert run([*jobs[:3], jobs[4]], 2, EASY, classes=classes).start == [0, -1, 4, 10]


# --- max_waiting --------------------------------------------------------------------------------------------


def test_newcomers_over_max_waiting_are_refused_last_index_first() -> None:
    # N = 1, at most 2 waiting. A(0,10) B(1,1) C(2,1) D(2,1) E(2,1) F(10,1)
    # 2: B, C, D, E wait: E, then D refused. 10: F arrives, pass first: B starts, C and F wait: 2 is allowed.
    # 11: C. 12: F.
    jobs = [job(0, 1, 10), job(1, 1, 1), job(2, 1, 1), job(2, 1, 1), job(2, 1, 1), job(10, 1, 1)]
    out = run(jobs, 1, max_waiting=2)
    assert out.start == [0, 10, 11, -1, -1, 12]
    assert out.outcome[3:5] == ["rejected_full", "rejected_full"]
    assert out.max_waiting == 2


def test_a_tenant_is_refused_over_its_own_max_waiting_and_over_the_centers() -> None:
    # N = 1, at most 3 waiting, of tenant 0 at most 1, no bound for tenant 1.
    # A(0,10 t0) B(1,2 t0) C(2,2 t1) D(3,2 t0) E(3,2 t1) F(4,2 t1) G(4,2 t0)
    # 3: B, C, D, E wait. E: 4 in all: refused. D: 3 in all, but B and D are 2 of t0: refused.
    # 4: B, C, F, G wait. G: 4 in all: refused. F: 3 in all, no bound for t1: stays. 10: B. 12: C. 14: F.
    classes = (JobClass(tenant=0), JobClass(tenant=1))
    jobs = [
        job(0, 1, 10),
        job(1, 1, 2),
        job(2, 1, 2, c=1),
        job(3, 1, 2),
        job(3, 1, 2, c=1),
        job(4, 1, 2, c=1),
        job(4, 1, 2),
    ]
    out = run(jobs, 1, classes=classes, max_waiting=3, tenant_max_waiting=(1, -1))
    assert out.start == [0, 10, 12, -1, -1, 14, -1]
    assert [out.outcome[i] for i in (3, 4, 6)] == ["rejected_full"] * 3


def test_each_newcomer_is_judged_once_by_both_limits() -> None:
    # N = 1, at most 2 waiting, of tenant 0 nobody. A(0,10 t1) X(1,1 t1) Y(1,1 t0) Z(1,1 t1)
    # 1: X, Y, Z wait. Z: 3 > 2: refused. Y: 2 in all, but 1 > 0 of t0: refused. X stays; Z is not taken back.
    classes = (JobClass(tenant=1), JobClass(tenant=0))
    jobs = [job(0, 1, 10), job(1, 1, 1), job(1, 1, 1, c=1), job(1, 1, 1)]
    out = run(jobs, 1, classes=classes, max_waiting=2, tenant_max_waiting=(0,))
    assert out.start == [0, 10, -1, -1]


def test_tenant_limits_are_shared_by_the_classes_of_a_tenant() -> None:
    # N = 1, one of tenant 0 may wait. A(0,10 c0) B(1,1 c0) C(2,1 c1) D(3,1 c2 of tenant 1). C refused for B.
    classes = (JobClass(tenant=0), JobClass(tenant=0), JobClass(tenant=1))
    jobs = [job(0, 1, 10), job(1, 1, 1), job(2, 1, 1, c=1), job(3, 1, 1, c=2)]
    assert run(jobs, 1, classes=classes, tenant_max_waiting=(1,)).start == [0, 10, -1, 11]


def test_patience_is_applied_before_newcomers_are_counted() -> None:
    # N = 1, at most 1 waiting. A(0,10) B(1,1 patience 2) C(3,1) D(3,1)
    # 3: pass; B leaves; C, D wait: D refused. 10: C.
    classes = (JobClass(), JobClass(patience=2))
    jobs = [job(0, 1, 10), job(1, 1, 1, c=1), job(3, 1, 1), job(3, 1, 1)]
    out = run(jobs, 1, classes=classes, max_waiting=1)
    assert out.start == [0, -1, 10, -1]
    assert out.outcome[1:] == ["abandoned", "finished", "rejected_full"]


def test_a_refused_newcomer_lets_others_start_in_the_same_tick() -> None:
    # N = 3, FIFO, at most 1 waiting. A(0,1,10) A'(0,1,30) B(1,2,5) H(10,3,5 high) C(11,1,1)
    # 10: A ends, 2 free; H in front of B is blocked and ends the scan; B, H wait: H refused; pass: B 10-15.
    # 11: C: none free. 15: C.
    jobs = [job(0, 1, 10), job(0, 1, 30), job(1, 2, 5), job(10, 3, 5, c=1), job(11, 1, 1)]
    out = run(jobs, 3, classes=LOW_HIGH, max_waiting=1)
    assert out.start == [0, 0, 10, -1, 15]
    assert out.max_waiting == 1


@pytest.mark.parametrize("backfill", [NONE, SKIP, EASY, ALL])
def test_nobody_waits_in_a_loss_system(backfill: int) -> None:
    # N = 2. A(0,1,5) B(1,1,5) C(2,1,5) D(5,1,5) E(5,1,1) F(6,1,1)
    # 2: both busy, C lost. 5: A ends, D in, E lost. 6: B ends, F in.
    jobs = [job(0, 1, 5), job(1, 1, 5), job(2, 1, 5), job(5, 1, 5), job(5, 1, 1), job(6, 1, 1)]
    refused = run(jobs, 2, backfill, max_waiting=0)
    gave_up = run(jobs, 2, backfill, classes=(JobClass(patience=0),))
    assert refused.start == gave_up.start == [0, 1, -1, 5, -1, 6]
    assert refused.outcome[2] == "rejected_full"
    assert gave_up.outcome[2] == "abandoned"
    assert refused.integrals["waiting_jobs"] == gave_up.integrals["waiting_jobs"] == 0
    assert refused.max_waiting == gave_up.max_waiting == 0


# --- rejection, horizon, windows, verdicts ------------------------------------------------------------------


def test_a_job_larger_than_the_center_is_rejected_at_submit_and_blocks_nobody() -> None:
    # N = 4. A(0,5,10) rejected, B(0,4,3) 0-3, C(1,9,1) rejected, D(2,1,1) 3-4, E(7,5,1) rejected.
    jobs = [job(0, 5, 10), job(0, 4, 3), job(1, 9, 1), job(2, 1, 1), job(7, 5, 1)]
    out = run(jobs, 4)
    assert out.start == [-1, 0, -1, 3, -1]
    assert out.counts[0]["rejected"] == 3
    assert out.integrals["waiting_jobs"] == 1
    assert out.end_tick == 7  # the rejected arrival is the last thing applied
    assert out.jobs == 5


def test_nothing_that_happens_at_the_horizon_is_processed() -> None:
    # N = 1, horizon 10. A(0,1,5) B(1,1,5) C(2,1,1 patience 8) D(10,1,1)
    # A 0-5. B 5-10: its end is at the horizon. C would start, or leave, at 10. D is never submitted.
    classes = (JobClass(), JobClass(patience=8))
    jobs = [job(0, 1, 5), job(1, 1, 5), job(2, 1, 1, c=1), job(10, 1, 1)]
    out = run(jobs, 1, classes=classes, windows=Windows(0, 10, 10))
    assert out.start == [0, 5, -1, -1]
    assert out.end == [5, -1, -1, -1]
    assert out.outcome == ["finished", "running", "waiting", "unsubmitted"]
    assert out.jobs == 3
    assert out.end_tick == 5
    assert out.max_waiting == 2
    assert out.integrals == {"allocated": 10, "waiting_jobs": 4 + 8, "waiting_gpus": 12, "running_jobs": 10}


def test_a_job_can_end_and_another_start_in_the_last_tick() -> None:
    # N = 1, horizon 10. A(0,1,5) B(1,1,4) C(2,1,1) D(9,1,1). A 0-5, B 5-9, C starts at 9 and runs. D waits.
    jobs = [job(0, 1, 5), job(1, 1, 4), job(2, 1, 1), job(9, 1, 1)]
    out = run(jobs, 1, windows=Windows(0, 10, 10))
    assert out.start == [0, 5, 9, -1]
    assert out.end == [5, 9, -1, -1]
    assert out.outcome == ["finished", "finished", "running", "waiting"]


def test_only_jobs_submitted_in_the_window_are_counted_but_all_gpu_time_in_it_is() -> None:
    # N = 2, all gangs of 2, counted [5, 12), horizon 20.
    # A(0,6) 0-6, B(4,3) 6-9, C(5,2) 9-11, D(11,6) 11-17, E(12,1) 17-18. Counted: C (wait 4), D (wait 0).
    # Busy from 5 to 12: A 1 + B 3 + C 2 + D 1 = 7 ticks. Waiting from 5 to 12: B 1 + C 4 = 5.
    jobs = [job(0, 2, 6), job(4, 2, 3), job(5, 2, 2), job(11, 2, 6), job(12, 2, 1)]
    out = run(jobs, 2, windows=Windows(5, 12, 20))
    assert out.start == [0, 6, 9, 11, 17]
    assert out.counts[0] == {
        "submitted": 2,
        "rejected": 0,
        "rejected_full": 0,
        "abandoned": 0,
        "started": 2,
        "finished": 2,
        "killed_limit": 0,
        "waiting": 0,
        "running": 0,
        "held": 0,
        "cancelled": 0,
    }
    assert out.sums[0] == {"wait": 4, "turnaround": 6 + 6, "gpu_ticks": 14}
    assert out.integrals == {"allocated": 14, "waiting_jobs": 5, "waiting_gpus": 10, "running_jobs": 7}
    assert (out.jobs, out.end_tick) == (5, 18)


def test_verdicts_are_known_from_the_start_or_from_waiting_too_long_already() -> None:
    # N = 1, counted [0, 18), horizon 20, wait <= 3.
    # A(0,4)   0-4   wait 0: met              D(15,1) waits, 20 - 15 > 3: violated
    # B(1,10)  4-14  wait 3: met              E(17,1) waits, could start at 20 with 3: censored
    # C(2,20) 14-    wait 12: violated        F(18,1) not counted
    # G(17, 9 GPUs) rejected: violated however late
    jobs = [
        job(0, 1, 4),
        job(1, 1, 10),
        job(2, 1, 20),
        job(15, 1, 1),
        job(17, 1, 1),
        job(17, 9, 1),
        job(18, 1, 1),
    ]
    window = Windows(0, 18, 20)
    both = frozenset({0})
    slos = (Slo(3, 400_000, both), Slo(2, 0, both), Slo(3, 10**6, frozenset()))
    out = run(jobs, 1, windows=window, slos=slos)
    assert out.start == [0, 4, 14, -1, -1, -1, -1]
    assert out.slo[0] == {"met": 2, "violated": 3, "censored": 1}
    assert out.slo[1] == {"met": 1, "violated": 5, "censored": 0}  # B by 3 > 2, E by 20 - 17 > 2
    assert out.slo[2] == {"met": 0, "violated": 0, "censored": 0}  # nobody decided: nothing is missed
    assert out.passed  # 2 of 5 is just 400,000 ppm
    assert not run(jobs, 1, windows=window, slos=(Slo(3, 400_001, both),)).passed


def test_refusing_and_losing_jobs_violates_and_being_killed_does_not() -> None:
    # N = 1, at most 1 waiting, wait <= 5. A(0,10/4) killed at 4. B(1,1 patience 2) leaves at 3.
    # C(2,1) refused. D(3,3): 3: pass, B leaves, D waits: 4-7.
    # Class 0: A met (killed, but it waited 0), C violated, D met. Class 1: B violated.
    classes = (JobClass(), JobClass(patience=2))
    jobs = [job(0, 1, 10, 4), job(1, 1, 1, c=1), job(2, 1, 1), job(3, 1, 3)]
    slos = (Slo(5, 10**6, frozenset({0})), Slo(5, 0, frozenset({1})), Slo(5, 0, frozenset({0, 1})))
    out = run(jobs, 1, classes=classes, max_waiting=1, slos=slos)
    assert out.outcome == ["killed_limit", "abandoned", "rejected_full", "finished"]
    assert out.start == [0, -1, -1, 4]
    assert out.slo == [
        {"met": 2, "violated": 1, "censored": 0},
        {"met": 0, "violated": 1, "censored": 0},
        {"met": 2, "violated": 2, "censored": 0},
    ]
    assert not out.passed
    assert out.sums[0]["turnaround"] == 4 + 4


def test_a_center_without_gpus_rejects_everybody() -> None:
    out = run([job(0, 1, 1), job(5, 2, 2)], 0)
    assert out.outcome == ["rejected", "rejected"]
    assert (out.end_tick, out.max_running, out.integrals["allocated"]) == (5, 0, 0)


def test_a_run_without_jobs_is_empty_and_passes() -> None:
    out = run([], 4, slos=(Slo(0, 10**6, frozenset({0})),))
    assert (out.start, out.jobs, out.end_tick, out.passed) == ([], 0, 0, True)


# --- input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "problem"),
    [
        ([job(3, 1, 1), job(2, 1, 1)], r"submit before the job in front \(2, job 1\)"),
        ([job(-1, 1, 1)], r"submit below 0 \(-1, job 0\)"),
        ([job(0, 1, 0, 1)], r"service below 1 \(0, job 0\)"),
        ([job(0, 1, 1, 0)], r"limit below 1 \(0, job 0\)"),
        ([job(0, 0, 1)], r"gpus below 1 \(0, job 0\)"),
        ([job(0, 1, 1, c=1)], r"no such class \(1, job 0\)"),
    ],
)
def test_wrong_jobs_are_named(jobs: list[Job], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        run(jobs, 4)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(ValueError, match="service below 1") as caught:
        run([job(0, 0, 0, 1)], -1, backfill=-3, windows=Windows(5, 4, 10))
    assert len(str(caught.value).splitlines()) == 5
