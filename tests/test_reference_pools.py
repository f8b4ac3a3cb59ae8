"""Orders, pools, windows and tests of a pass: schedules worked out by hand from R10, R12-R15, S7, S8, S10.

Notation as in test_reference_worked_cases: A(submit, GPUs, run time) or A(submit, GPUs, run/limit); "A 0-5" holds
its GPUs during ticks 0..4; "res 10-15" is a reservation of the pass under discussion. {1, 0}: allowed in pool 1,
then in pool 0.
"""

from __future__ import annotations

import pytest

from gpusim.engine.reference import (
    ALL,
    FIFO,
    NONE,
    SJF,
    SKIP,
    Job,
    JobClass,
    Outcome,
    Policy,
    Windows,
    simulate,
)

EASY = 1
H = 1000
FIRST, EITHER, SECOND, SECOND_FIRST = range(4)  # classes by their pools
BY_POOL = (JobClass(pools=(0,)), JobClass(pools=(0, 1)), JobClass(pools=(1,)), JobClass(pools=(1, 0)))


def job(submit: int, gpus: int, run: int, limit: int | None = None, c: int = 0) -> Job:
    """A job in the order of the comments; the limit is exact unless given."""
    return Job(submit, run, run if limit is None else limit, gpus, c)


def run(
    jobs: list[Job],
    gpus: int | tuple[int, ...],
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    classes: tuple[JobClass, ...] = BY_POOL,
    windows: Windows = Windows(0, H, H),  # noqa: B008 (frozen)
) -> Outcome:
    pools = (gpus,) if isinstance(gpus, int) else gpus
    inside = tuple(c for c in classes if max(c.pools) < len(pools))  # one pool: only the first class is meant
    return simulate(jobs, inside, policy, pools, windows, [])


# --- order (S10) --------------------------------------------------------------------------------------------


def test_sjf_starts_the_shortest_limit_first_and_the_earlier_eligible_of_equal_ones() -> None:
    # N = 1. A(0,5) B(1,9) C(2,3) D(3,3) E(4,1).  A 0-5; 5: E 5-6; C before D: 6-9, 9-12; B 12-21.
    jobs = [job(0, 1, 5), job(1, 1, 9), job(2, 1, 3), job(3, 1, 3), job(4, 1, 1)]
    assert run(jobs, 1, Policy(order=SJF)).start == [0, 12, 6, 9, 5]
    assert run(jobs, 1, Policy(order=FIFO)).start == [0, 5, 14, 17, 20]


def test_sjf_asks_what_the_user_asked_for_not_what_the_job_will_run() -> None:
    # N = 1. A(0,5) B(1, 2/9) C(2, 4/4). C asks for less: 5-9. B 9-11.
    assert run([job(0, 1, 5), job(1, 1, 2, 9), job(2, 1, 4)], 1, Policy(order=SJF)).start == [0, 9, 5]


def test_a_larger_tier_goes_before_a_shorter_job() -> None:
    # N = 1. A(0,5) B(1,2) C(2,9, tier 1). 5: C 5-14. B 14.
    tiers = (JobClass(), JobClass(tier=1))
    jobs = [job(0, 1, 5), job(1, 1, 2), job(2, 1, 9, c=1)]
    assert run(jobs, 1, Policy(order=SJF), tiers).start == [0, 14, 5]


@pytest.mark.parametrize("order", [FIFO, SJF])
@pytest.mark.parametrize(("delay", "starts"), [(2, [0, 9, 2, 6]), (1, [0, 6, 2, 9])])
def test_equal_jobs_start_in_order_of_eligible_and_then_of_index(
    order: int, delay: int, starts: list[int]
) -> None:
    # N = 1. A(0,2) B(0,3, after A) C(1,4) D(3,3). A 0-2, C 2-6. D is eligible at 3, B at 2 + delay.
    # Delay 2: B at 4, D first: D 6-9, B 9. Delay 1: both at 3, B has the lower index: B 6-9, D 9.
    after = Job(0, 3, 3, 1, after=0, delay=delay)
    jobs = [job(0, 1, 2), after, job(1, 1, 4), job(3, 1, 3)]
    assert run(jobs, 1, Policy(order=order)).start == starts


def test_under_strict_sjf_a_shorter_job_passes_a_blocked_longer_one_but_not_the_other_way_round() -> None:
    # N = 2. A(0,1,10) B(1,2,5) C(1,1,2): C stands in front of B and starts at 1; B 10.   FIFO: B 10-15, C 15.
    #        A(0,1,10) B(1,2,2) C(1,1,5): B stands in front, blocks C: B 10-12, C 12.
    assert run([job(0, 1, 10), job(1, 2, 5), job(1, 1, 2)], 2, Policy(order=SJF)).start == [0, 10, 1]
    assert run([job(0, 1, 10), job(1, 2, 5), job(1, 1, 2)], 2, Policy(order=FIFO)).start == [0, 10, 15]
    assert run([job(0, 1, 10), job(1, 2, 2), job(1, 1, 5)], 2, Policy(order=SJF)).start == [0, 10, 12]


def test_under_sjf_the_reservation_goes_to_the_shortest_blocked_job() -> None:
    # N = 2, EASY. A(0,1,10) B(1,2,6) C(2,2,3) D(3,1,9) E(3,1,7)
    # 3: order C, B, E, D. C: res 10-13 on both; B none. E 3-10: yes. D: no GPU.
    # 10: C 10-13. 13: B 13-19. 19: D.
    # FIFO: B has the reservation: 10-16; C 16-19; D waits for both: 19; E 3-10 as well.
    jobs = [job(0, 1, 10), job(1, 2, 6), job(2, 2, 3), job(3, 1, 9), job(3, 1, 7)]
    assert run(jobs, 2, Policy(EASY, order=SJF)).start == [0, 13, 10, 19, 3]
    assert run(jobs, 2, Policy(EASY, order=FIFO)).start == [0, 10, 16, 19, 3]


# --- which pool (R12) ---------------------------------------------------------------------------------------


def test_a_job_starts_in_the_first_pool_of_its_preference_where_it_fits() -> None:
    # Pools 2, 2; all {1, 0}. A(0,2,5) in 1. B(1,2,9) in 0. C(2,1,1): none free; 5: A ends, C in 1.
    jobs = [job(0, 2, 5, c=SECOND_FIRST), job(1, 2, 9, c=SECOND_FIRST), job(2, 1, 1, c=SECOND_FIRST)]
    out = run(jobs, (2, 2))
    assert (out.start, out.pool) == ([0, 1, 5], [1, 0, 1])


def test_a_gang_is_never_split_over_pools() -> None:
    # Pools 2, 2. A(0,1,5) in 0, B(1,1,4) in 1 (class {1}). C(2,2,1): one GPU free in each, none has two.
    # 5: both ends come at 5, C takes the preferred pool 0.
    jobs = [job(0, 1, 5, c=FIRST), job(1, 1, 4, c=SECOND), job(2, 2, 1, c=EITHER)]
    out = run(jobs, (2, 2))
    assert (out.start, out.pool) == ([0, 1, 5], [0, 1, 0])


def test_a_job_is_rejected_only_if_every_allowed_pool_is_smaller() -> None:
    # Pools 4, 1, gangs of 2: {0} and {0, 1} and {1, 0} run in pool 0; {1} is rejected.
    jobs = [job(0, 2, 1, c=c) for c in (FIRST, EITHER, SECOND, SECOND_FIRST)]
    out = run(jobs, (4, 1))
    assert out.outcome == ["finished", "finished", "rejected", "finished"]
    assert out.pool == [0, 0, -1, 0]
    assert out.eligible == [0, 0, -1, 0]
    assert out.start == [0, 0, -1, 1]


def test_a_pool_without_gpus_is_no_pool() -> None:
    # Pools 0, 1. {0, 1} runs in 1; {0} is rejected.
    out = run([job(0, 1, 3, c=EITHER), job(0, 1, 3, c=FIRST), job(1, 1, 3, c=SECOND_FIRST)], (0, 1))
    assert (out.start, out.pool) == ([0, -1, 3], [1, -1, 1])


def test_gpu_ticks_are_counted_in_the_pool_where_they_are_used() -> None:
    # Pools 2, 3, counted [2, 8). A(0,2,5) {0} 0-5: 3 ticks x 2. B(1,2,4) {0,1}: in 1, 1-5: 3 x 2.
    # C(4,1,9) {1}: 4-13: 4 x 1. D(6,1,1) {1,0}: in 1, 6-7: 1.
    jobs = [job(0, 2, 5, c=FIRST), job(1, 2, 4, c=EITHER), job(4, 1, 9, c=SECOND), job(6, 1, 1, c=3)]
    out = run(jobs, (2, 3), windows=Windows(2, 8, 20))
    assert out.pool == [0, 1, 1, 1]
    assert out.pool_gpu_ticks == [6, 6 + 4 + 1]
    assert out.integrals["allocated"] == 17


# --- blocking without backfill (R13) ------------------------------------------------------------------------


def test_a_blocked_job_blocks_its_own_pools_and_no_other() -> None:
    # Pools 2, 2, none. A(0,1,10) {0}; B(1,2,4) {0}: blocked, pool 0 ends its scan.
    # C(2,1,3) {0, 1}: not in 0, though a GPU is free there: in 1. D(2,1,3) {0}: waits behind B.
    # 10: B 10-14 takes both. 14: D.
    jobs = [job(0, 1, 10, c=FIRST), job(1, 2, 4, c=FIRST), job(2, 1, 3, c=EITHER), job(2, 1, 3, c=FIRST)]
    out = run(jobs, (2, 2))
    assert (out.start, out.pool) == ([0, 10, 2, 14], [0, 0, 1, 0])


def test_a_job_blocked_everywhere_ends_the_scan_of_all_its_pools() -> None:
    # Pools 2, 2, none. A(0,1,10) {0}, B(0,1,10) {1}; C(1,2,5) {0, 1}: blocks both, though each has a free GPU.
    # D(2,1,1) {0} and E(2,1,1) {1} wait. 10: C in 0 until 15; D waits for it; E in 1 at 10.
    # skip: D and E start at 2, C at 10 as well.
    jobs = [
        job(0, 1, 10, c=FIRST),
        job(0, 1, 10, c=SECOND),
        job(1, 2, 5, c=EITHER),
        job(2, 1, 1, c=FIRST),
        job(2, 1, 1, c=SECOND),
    ]
    assert run(jobs, (2, 2), Policy(NONE)).start == [0, 0, 10, 15, 10]
    assert run(jobs, (2, 2), Policy(SKIP)).start == [0, 0, 10, 2, 2]


def test_a_job_that_finds_its_first_pool_blocked_blocks_the_others_too() -> None:
    # Pools 2, 2, none. A(0,2,10) {0}, B(0,1,8) {1}; C(1,1,1) {0}: blocks 0. D(2,2,3) {0, 1}: blocks 1 as well.
    # E(3,1,1) {1} waits behind D, though a GPU is free. 8: D in 1, 8-11. 10: C. 11: E.
    jobs = [
        job(0, 2, 10, c=FIRST),
        job(0, 1, 8, c=SECOND),
        job(1, 1, 1, c=FIRST),
        job(2, 2, 3, c=EITHER),
        job(3, 1, 1, c=SECOND),
    ]
    out = run(jobs, (2, 2))
    assert (out.start, out.pool) == ([0, 0, 10, 8, 11], [0, 1, 0, 1, 1])


def test_a_blocked_job_does_not_block_a_pool_that_is_too_small_for_it() -> None:
    # Pools 4, 1, none, all {0, 1}. A(0,1,10) in 0. B(1,4,5): pool 1 is never considered, 0 is blocked: 10-15.
    # C(2,1,3): in 1 at 2.
    jobs = [job(0, 1, 10, c=EITHER), job(1, 4, 5, c=EITHER), job(2, 1, 3, c=EITHER)]
    out = run(jobs, (4, 1))
    assert (out.start, out.pool) == ([0, 10, 2], [0, 0, 1])


# --- reservations over pools (R15, S8) ----------------------------------------------------------------------


def test_a_job_gets_one_reservation_in_the_pool_where_it_can_start_first() -> None:
    # Pools 3, 3, EASY. A(0,2,10) {0}, B(0,2,6) {1}. C(1,3,5) {0, 1}: 10 in 0, 6 in 1: res 6-11 in 1 only.
    # D(2,1,20) {0}: starts at 2, nothing is reserved there. E(2,1,20) {1}: would delay C. F(3,1,3) {1} 3-6: yes.
    # 6: C in 1, all of it. 11: E.
    jobs = [
        job(0, 2, 10, c=FIRST),
        job(0, 2, 6, c=SECOND),
        job(1, 3, 5, c=EITHER),
        job(2, 1, 20, c=FIRST),
        job(2, 1, 20, c=SECOND),
        job(3, 1, 3, c=SECOND),
    ]
    out = run(jobs, (3, 3), Policy(EASY))
    assert (out.start, out.pool) == ([0, 0, 6, 2, 11, 3], [0, 1, 1, 0, 1, 1])


@pytest.mark.parametrize(
    ("c", "starts", "pools"),
    [(EITHER, [0, 0, 6, 11, 2], [0, 1, 0, 0, 1]), (3, [0, 0, 6, 2, 11], [0, 1, 1, 0, 1])],
)
def test_of_pools_with_the_same_earliest_time_the_preferred_one_is_reserved(
    c: int, starts: list[int], pools: list[int]
) -> None:
    # Pools 3, 3, EASY. A(0,2,6) {0}, B(0,2,6) {1}, C(1,3,5): 6 in both. D(2,1,20) {0}, E(2,1,20) {1}.
    # C {0, 1}: res in 0: E starts at 2, D waits: 11.  C {1, 0}: res in 1: D starts at 2, E waits: 11.
    jobs = [
        job(0, 2, 6, c=FIRST),
        job(0, 2, 6, c=SECOND),
        job(1, 3, 5, c=c),
        job(2, 1, 20, c=FIRST),
        job(2, 1, 20, c=SECOND),
    ]
    out = run(jobs, (3, 3), Policy(EASY))
    assert (out.start, out.pool) == (starts, pools)


@pytest.mark.parametrize(("backfill", "last"), [(1, 6), (2, 3), (ALL, 3)])
def test_each_pool_holds_k_reservations(backfill: int, last: int) -> None:
    # Pools 3, 3. A(0,2,20) {0}, B(0,3,6) {1}; C(1,2,5) {1}: res 6-11 in 1. D(2,3,5) {0, 1}. E(3,1,30) {0}.
    # K = 1: pool 1 has its one: D res 20-25 on all of pool 0, E would delay it and waits.
    #        6: C in 1, 6-11. Now nobody has a reservation there: D res in 1 at 11, and E starts at 6.
    # K = 2, all: D res 11-16 in 1 from the first pass on: E starts at 3.
    jobs = [
        job(0, 2, 20, c=FIRST),
        job(0, 3, 6, c=SECOND),
        job(1, 2, 5, c=SECOND),
        job(2, 3, 5, c=EITHER),
        job(3, 1, 30, c=FIRST),
    ]
    out = run(jobs, (3, 3), Policy(backfill))
    assert out.start == [0, 0, 6, 11, last]
    assert out.pool == [0, 1, 1, 1, 0]


# --- window (R15, S8) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "starts"), [(7, [0, 22, 2]), (8, [0, 10, 15]), (-1, [0, 10, 15])])
def test_a_job_that_cannot_start_within_the_window_holds_nobody_back(window: int, starts: list[int]) -> None:
    # N = 2, EASY. A(0,1,10) B(1,2,5) C(2,1,20). 2: the earliest time of B is 10, 8 ticks ahead.
    # Window 7: no reservation: C 2-22, B after it: 22.   Window 8 or none: res 10-15: C waits: B 10, C 15.
    jobs = [job(0, 1, 10), job(1, 2, 5), job(2, 1, 20)]
    assert run(jobs, 2, Policy(EASY, window=window)).start == starts


@pytest.mark.parametrize(("window", "starts"), [(10, [0, 0, 20, 5, 9]), (-1, [0, 0, 20, 10, 2])])
def test_a_job_beyond_the_window_does_not_count_in_k(window: int, starts: list[int]) -> None:
    # N = 4, EASY. A(0,2,20) B(0,1,5) C(1,4,5) D(1,2,4) E(2,1,8); one GPU is free.
    # Window 10: C could start at 20: none. So D has the reservation: 5-9 on the 2 GPUs beside A; E would run 2-10.
    #            5: D 5-9. 9: E 9-17. 20: C.
    # No window: C: res 20-25. D none. E 2-10 starts. 5: one free, D needs 2. 10: D 10-14. 20: C.
    jobs = [job(0, 2, 20), job(0, 1, 5), job(1, 4, 5), job(1, 2, 4), job(2, 1, 8)]
    assert run(jobs, 4, Policy(EASY, window=window)).start == starts


@pytest.mark.parametrize("backfill", [EASY, 2, ALL])
def test_a_window_of_nothing_is_skip(backfill: int) -> None:
    # N = 2. A(0,1,10) B(1,2,5) C(2,1,20) D(3,1,1): C 2-22 in spite of B. 10: D 10-11. 22: B.
    jobs = [job(0, 1, 10), job(1, 2, 5), job(2, 1, 20), job(3, 1, 1)]
    expected = [0, 22, 2, 10]
    assert run(jobs, 2, Policy(backfill, window=0)).start == run(jobs, 2, Policy(SKIP)).start == expected


def test_a_full_pool_leaves_a_job_the_other_one_only_within_the_window() -> None:
    # Pools 2, 2, EASY, window 10. A(0,1,20) {0}, B(0,2,6) {1}; C(1,2,9) {1}: res 6-15 in 1.
    # D(2,2,5) {0, 1}: pool 1 has its reservation, pool 0 is free at 20 > 2 + 10: no reservation at all.
    # E(3,1,30) {0} starts at 3.   Window 20: D: res 20-25 in 0, E waits; 6: C 6-15 in 1, D: res in 1 at 15: E 6.
    jobs = [
        job(0, 1, 20, c=FIRST),
        job(0, 2, 6, c=SECOND),
        job(1, 2, 9, c=SECOND),
        job(2, 2, 5, c=EITHER),
        job(3, 1, 30, c=FIRST),
    ]
    near, far = (run(jobs, (2, 2), Policy(EASY, window=window)) for window in (10, 20))
    assert (near.start, near.pool) == ([0, 0, 6, 15, 3], [0, 1, 1, 1, 0])
    assert (far.start, far.pool) == ([0, 0, 6, 15, 6], [0, 1, 1, 1, 0])


def test_a_job_may_start_as_its_patience_ends_because_the_window_has_moved_on() -> None:
    # N = 4, EASY, window 11. A(0,2,20) B(0,1,12) C(1,3,5) D(1,2,4) E(1,1,30); one GPU is free.
    # 1: C could start at 20, 19 ahead: none. D: res 12-16 on both GPUs beside A; E would hold one of them.
    # From 9 on C is inside the window and has the only reservation, 20-25 on 3 of 4; D none: E may start.
    # Nothing changes between 1 and 12 but patience: with patience 8 E starts at 9, with 7 it leaves at 8.
    jobs = [job(0, 2, 20), job(0, 1, 12), job(1, 3, 5), job(1, 2, 4), job(1, 1, 30, c=1)]
    for patience, start in ((8, 9), (7, -1)):
        classes = (JobClass(), JobClass(patience=patience))
        assert run(jobs, 4, Policy(EASY, window=11), classes).start[4] == start


# --- jobs looked at (S7) ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_tests", "starts"), [(1, [0, 5, 8]), (2, [0, 5, 2]), (-1, [0, 5, 2])])
def test_a_pass_looks_only_at_the_first_jobs_of_the_queue(max_tests: int, starts: list[int]) -> None:
    # N = 2, skip. A(0,1,5) B(1,2,3) C(2,1,1). 2: with one test only B is looked at: C waits in spite of a free GPU.
    # 5: B 5-8. 8: C.
    jobs = [job(0, 1, 5), job(1, 2, 3), job(2, 1, 1)]
    assert run(jobs, 2, Policy(SKIP, max_tests=max_tests)).start == starts


def test_jobs_that_start_are_counted_among_those_looked_at() -> None:
    # N = 4, two tests. A, B, C(0,1,5) and D(1,1,1). 0: A and B; C is not looked at, and there is no second pass.
    # 1: C, D (a change: D arrives). With D at 6: C starts when A and B end, at 5.
    three = [job(0, 1, 5)] * 3
    assert run([*three, job(1, 1, 1)], 4, Policy(max_tests=2)).start == [0, 0, 1, 1]
    assert run([*three, job(6, 1, 1)], 4, Policy(max_tests=2)).start == [0, 0, 5, 6]


def test_without_tests_nobody_starts() -> None:
    out = run([job(0, 1, 1), job(3, 1, 1)], 4, Policy(max_tests=0), windows=Windows(0, 9, 9))
    assert (out.start, out.outcome) == ([-1, -1], ["waiting", "waiting"])
    assert (out.end_tick, out.integrals["waiting_jobs"]) == (3, 9 + 6)


def test_the_jobs_looked_at_are_the_first_of_the_order_over_all_tiers_and_pools() -> None:
    # Pools 1, 1, skip, one test, sjf. A(0,1,9) {0}. B(1,1,4) {0}, C(1,1,5) {1}: B is first and blocked; C is not
    # looked at though pool 1 is idle. 2: D(2,1,9, tier 1) {1} is first now: starts. 9: B. 11: D ends, C waits for
    # its turn behind nobody: C.
    classes = (*BY_POOL, JobClass(pools=(1,), tier=1))
    jobs = [job(0, 1, 9, c=FIRST), job(1, 1, 4, c=FIRST), job(1, 1, 5, c=SECOND), job(2, 1, 9, c=4)]
    assert run(jobs, (1, 1), Policy(SKIP, max_tests=1, order=SJF), classes).start == [0, 9, 11, 2]


def test_another_pass_in_the_same_tick_looks_further() -> None:
    # N = 2, skip, one test. A(0,1,9) B(1,2,1, patience 4) C(2,1,3). 5: pass: B; B leaves; pass again: C.
    classes = (JobClass(), JobClass(patience=4))
    jobs = [job(0, 1, 9), job(1, 2, 1, c=1), job(2, 1, 3)]
    assert run(jobs, 2, Policy(SKIP, max_tests=1), classes).start == [0, -1, 5]
