"""Service levels of every metric and scope, judged by hand (R37, R38, R39, S12).

Centers are large enough that jobs start when eligible unless the comment says otherwise. Notation as in
test_reference_worked_cases: A(submit, GPUs, run/limit); "A 0-5" holds its GPUs during ticks 0..4; H is the horizon.
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from gpusim.engine.reference import (
    SLOWDOWN,
    TURNAROUND,
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

MONDAY, TUESDAY, SUNDAY = 1, 2, 64
WEEKDAYS, WEEKEND = 31, 96
ONE_CLASS = (JobClass(),)


def job(
    submit: int, gpus: int, run: int, limit: int | None = None, c: int = 0, *, after: int = -1, delay: int = 0
) -> Job:
    return Job(submit, run, run if limit is None else limit, gpus, c, after, delay)


def level(metric: int, limit: int = 0, classes: Collection[int] = (0,), **scope: int) -> Slo:
    return Slo(limit, 500_000, frozenset(classes), metric=metric, **scope)  # type: ignore[arg-type]


def judged(
    slo: Slo,
    jobs: list[Job],
    gpus: int = 99,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    *,
    classes: tuple[JobClass, ...] = ONE_CLASS,
    windows: Windows = Windows(0, 1000, 1000),  # noqa: B008 (frozen)
) -> tuple[int, int, int]:
    """(met, violated, censored) of one level."""
    row = simulate(jobs, classes, policy, gpus, windows, [slo]).slo[0]
    return row["met"], row["violated"], row["censored"]


# --- every metric, every fate -------------------------------------------------------------------------------


def fates() -> Outcome:
    """One job of each fate, each in a class of its own, in a center of 1 GPU where H = 20.

    A(0, 4)           0-4       finished, class 0
    B(0, 9/3)         4-7       killed at its limit, class 1
    C(1, patience 2)  leaves 3  abandoned, class 2
    D(2, 9 GPUs)      rejected, class 3
    E(2) after D      cancelled, class 4
    F(3, 30)          7-        running at H, class 5
    G(12)             waits since 12 at H, class 6
    K(13) after F     held at H, class 7
    """
    jobs = [
        job(0, 1, 4, c=0),
        job(0, 1, 9, 3, c=1),
        job(1, 1, 1, c=2),
        job(2, 9, 1, c=3),
        job(2, 1, 1, c=4, after=3),
        job(3, 1, 30, c=5),
        job(12, 1, 2, c=6),
        job(13, 1, 1, c=7, after=5),
    ]
    classes = [JobClass(patience=2 if c == 2 else -1) for c in range(8)]
    levels = [
        Slo(limit, 0, frozenset({c}), metric=metric, bound=bound)
        for metric, limit, bound in FATE_LEVELS
        for c in range(8)
    ]
    return simulate(jobs, classes, Policy(), 1, Windows(0, 20, 20), levels)


# fates A..K: m met, v violated, c censored, - not counted
# wait:        A 0, B 4, F 4; G waits for 8 so far
# turnaround:  A 4, B killed; F for 17 from 3, with K a chain; G for 8; K is no first job
# slowdown:    A 4/4, B killed; F for 17 of 30; G for 8 of 2, or of its bound 10
FATE_LEVELS = ((WAIT, 4, 1), (WAIT, 3, 1), (WAIT, 8, 1), (WAIT, 7, 1))
FATE_LEVELS += ((TURNAROUND, 17, 1), (TURNAROUND, 16, 1), (TURNAROUND, 7, 1), (TURNAROUND, 3, 1))
FATE_LEVELS += ((SLOWDOWN, 4000, 1), (SLOWDOWN, 3999, 1), (SLOWDOWN, 1000, 10), (SLOWDOWN, 799, 10))
FATE_LEVELS += ((SLOWDOWN, 566, 1), (SLOWDOWN, 567, 1), (TURNED_AWAY, 0, 1))
VERDICTS = (
    "mmvvvmvc",
    "mvvvvvvc",
    "mmvvvmcc",
    "mmvvvmvc",
    "mvvv-cc-",
    "mvvv-vc-",
    "mvvv-vv-",
    "vvvv-vv-",
    "mvvvvccc",
    "mvvvvcvc",
    "mvvvvccc",
    "mvvvvcvc",
    "vvvvvvvc",
    "vvvvvcvc",
    "mmvvvmcc",
)


def test_every_metric_judges_every_fate() -> None:
    letters = {(1, 0, 0): "m", (0, 1, 0): "v", (0, 0, 1): "c", (0, 0, 0): "-"}
    out = fates()
    assert out.outcome == [
        "finished",
        "killed_limit",
        "abandoned",
        "rejected",
        "cancelled",
        "running",
        "waiting",
        "held",
    ]
    found = "".join(letters[row["met"], row["violated"], row["censored"]] for row in out.slo)
    assert [found[i : i + 8] for i in range(0, len(found), 8)] == list(VERDICTS)


def test_refused_jobs_violate_every_metric() -> None:
    # N = 1, nobody may wait: A 0-5, B(1) refused.
    jobs = [job(0, 1, 5), job(1, 1, 5)]
    for metric in (WAIT, TURNAROUND, SLOWDOWN, TURNED_AWAY):
        assert judged(level(metric, 10**6), jobs, 1, Policy(max_waiting=0)) == (1, 1, 0)


# --- slowdown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "bound", "limit", "verdict"),
    [
        (4, 1, 3500, "met"),  # 14 / 4 = 3.5
        (4, 1, 3499, "violated"),
        (4, 10, 1400, "met"),  # 14 / 10
        (4, 10, 1399, "violated"),
        (3, 1, 4334, "met"),  # 13 / 3 = 4.3333.. is just below 4.334
        (3, 1, 4333, "violated"),
        (3, 13, 1000, "met"),
        (30, 10, 1334, "met"),  # 40 / 30: the bound matters for short jobs only
        (30, 10, 1333, "violated"),
    ],
)
def test_slowdown_is_turnaround_over_the_larger_of_run_time_and_bound(
    run: int, bound: int, limit: int, verdict: str
) -> None:
    # N = 1. A(0,10) 0-10. B(0, run) waits for 10: turnaround 10 + run.
    slo = level(SLOWDOWN, limit, [1], bound=bound)
    two = (JobClass(), JobClass())
    found = judged(slo, [job(0, 1, 10), job(0, 1, run, c=1)], 1, classes=two)
    assert found == ((1, 0, 0) if verdict == "met" else (0, 1, 0))


def test_slowdown_in_a_chain_counts_each_job_from_eligible() -> None:
    # N = 1. A(0,4) 0-4. B(0,2) after A +5: eligible at 9, 9-11: slowdown 1, though it was submitted 11 ticks ago.
    jobs = [job(0, 1, 4), job(0, 1, 2, after=0, delay=5)]
    assert judged(level(SLOWDOWN, 1000), jobs, 1) == (2, 0, 0)


def test_a_killed_job_has_its_slowdown_over_the_run_time_it_needed_if_being_killed_is_ok() -> None:
    # N = 1. A(0,6) 0-6. B(0, 12/3) 6-9, killed: turnaround 9, 9 / 12 = 0.75.
    jobs = [job(0, 1, 6), job(0, 1, 12, 3, c=1)]
    for ok, limit, expected in ((True, 750, (1, 0, 0)), (True, 749, (0, 1, 0)), (False, 10**6, (0, 1, 0))):
        two = (JobClass(), JobClass(killed_ok=ok))
        assert judged(level(SLOWDOWN, limit, [1]), jobs, 1, classes=two) == expected


# --- turnaround ---------------------------------------------------------------------------------------------


def test_turnaround_of_a_chain_counts_once_from_its_first_submit_to_its_last_end() -> None:
    # A(2,4) 2-6, B(2,3) after A +5: 11-14, C(20,1) after B: 20-21. From 2 to 21: 19.  D(0,19): single, 19.
    jobs = [job(0, 1, 19), job(2, 1, 4), job(2, 1, 3, after=1, delay=5), job(20, 1, 1, after=2)]
    assert judged(level(TURNAROUND, 19), jobs) == (2, 0, 0)
    assert judged(level(TURNAROUND, 18), jobs) == (0, 2, 0)


def test_a_single_job_has_its_turnaround_from_submit_to_end() -> None:
    # N = 1. A(0,4) 0-4: 4. B(1,2) 4-6: 5.
    jobs = [job(0, 1, 4), job(1, 1, 2)]
    assert judged(level(TURNAROUND, 5), jobs, 1) == (2, 0, 0)
    assert judged(level(TURNAROUND, 4), jobs, 1) == (1, 1, 0)


def test_a_chain_is_counted_by_its_first_job() -> None:
    # A(0, 1 GPU, class 0), B(9, 4 GPUs, class 1) after A. Counted by class 0, gangs of 1, hours before 5, window
    # [0, 5). The turnaround of both is 12.
    two = (JobClass(), JobClass())
    jobs = [job(0, 1, 4), job(9, 4, 3, c=1, after=0)]
    assert judged(level(TURNAROUND, 12, [0]), jobs, classes=two) == (1, 0, 0)
    assert judged(level(TURNAROUND, 11, [0, 1]), jobs, classes=two) == (0, 1, 0)
    assert judged(level(TURNAROUND, 12, [1]), jobs, classes=two) == (0, 0, 0)
    assert judged(level(TURNAROUND, 12, gpus_high=1), jobs, classes=two) == (1, 0, 0)
    assert judged(level(TURNAROUND, 12, gpus_low=4), jobs, classes=two) == (0, 0, 0)
    assert judged(level(TURNAROUND, 12, hours_from=0, hours_to=5), jobs, classes=two) == (1, 0, 0)
    assert judged(level(TURNAROUND, 12, hours_from=5, hours_to=10), jobs, classes=two) == (0, 0, 0)
    early, late = Windows(0, 5, 100), Windows(5, 20, 100)
    assert judged(level(TURNAROUND, 12), jobs, classes=two, windows=early) == (1, 0, 0)
    assert judged(level(TURNAROUND, 12, [0, 1]), jobs, classes=two, windows=late) == (0, 0, 0)


def test_a_chain_has_the_limit_of_the_class_of_its_first_job() -> None:
    two = (JobClass(), JobClass())
    jobs = [job(0, 1, 4), job(9, 1, 3, c=1, after=0)]  # turnaround 12
    slo = Slo(11, 0, frozenset({0, 1}), metric=TURNAROUND, limits={0: 12})
    assert judged(slo, jobs, classes=two) == (1, 0, 0)
    slo = Slo(11, 0, frozenset({0, 1}), metric=TURNAROUND, limits={1: 12})
    assert judged(slo, jobs, classes=two) == (0, 1, 0)


@pytest.mark.parametrize("ok", [False, True])
def test_only_the_last_job_of_a_chain_violates_by_being_killed(ok: bool) -> None:
    # A(0, 9/4) killed at 4, B(0,3) after A: 4-7: the chain is done at 7 either way.
    # C(0,3), D(0, 9/4) after C, in class 1: killed at 7, the last one: done only if killed_ok.
    two = (JobClass(), JobClass(killed_ok=ok))
    assert judged(level(TURNAROUND, 7), [job(0, 1, 9, 4), job(0, 1, 3, after=0)], classes=two) == (1, 0, 0)
    last_killed = [job(0, 1, 3), job(0, 1, 9, 4, c=1, after=0)]
    expected = (1, 0, 0) if ok else (0, 1, 0)
    assert judged(level(TURNAROUND, 7), last_killed, classes=two) == expected
    assert judged(level(TURNAROUND, 6), last_killed, classes=two) == (0, 1, 0)
    assert judged(level(TURNAROUND, 4, [1]), [job(0, 1, 9, 4, c=1)], classes=two) == expected


def test_a_dead_chain_violates_its_turnaround_once_and_every_job_level_once_a_job() -> None:
    # A(0,4), B(0, 200 GPUs) after A: rejected; C(0), D(0) after: cancelled. A itself did well.
    jobs = [job(0, 1, 4), job(0, 200, 1, after=0), job(0, 1, 1, after=1), job(0, 1, 1, after=2)]
    assert judged(level(TURNAROUND, 99), jobs) == (0, 1, 0)
    for metric in (WAIT, SLOWDOWN, TURNED_AWAY):
        assert judged(level(metric, 10**6), jobs) == (1, 3, 0)


@pytest.mark.parametrize(("limit", "expected"), [(20, (0, 0, 1)), (19, (0, 1, 0))])
@pytest.mark.parametrize("state", ["running", "held", "unsubmitted"])
def test_an_undecided_chain_is_violated_once_it_has_lasted_longer_than_the_limit(
    limit: int, expected: tuple[int, int, int], state: str
) -> None:
    # H = 25. A(5,4) 5-9, B after A: submitted at 10 and running, held by its delay, or submitted at H only: 20 ticks.
    second = {
        "running": job(10, 1, 99, after=0),
        "held": job(10, 1, 1, after=0, delay=16),
        "unsubmitted": job(25, 1, 1, after=0),
    }[state]
    window = Windows(0, 25, 25)
    jobs = [job(5, 1, 4), second]
    assert simulate(jobs, ONE_CLASS, Policy(), 1, window, []).outcome[1] == state
    assert judged(level(TURNAROUND, limit), jobs, 1, windows=window) == expected


def test_a_chain_that_is_dead_is_violated_though_its_rest_is_not_submitted() -> None:
    # H = 25. A(5, 9 GPUs of 1) rejected, B(30) after A.
    jobs = [job(5, 9, 1), job(30, 1, 1, after=0)]
    assert judged(level(TURNAROUND, 99), jobs, 1, windows=Windows(0, 25, 25)) == (0, 1, 0)


# --- turned away --------------------------------------------------------------------------------------------


def test_starting_decides_turned_away_whatever_comes_after_and_however_late() -> None:
    # N = 1, H = 30. A(0, 9/3) 0-3, killed. B(0,40) 3-, runs at H. C(1; patience 2) leaves at 3. D(4) waits: unknown.
    classes = (JobClass(), JobClass(patience=2))
    jobs = [job(0, 1, 9, 3), job(0, 1, 40), job(1, 1, 1, c=1), job(4, 1, 1)]
    window = Windows(0, 30, 30)
    assert judged(level(TURNED_AWAY, 0, [0, 1]), jobs, 1, classes=classes, windows=window) == (2, 1, 1)


# --- scope --------------------------------------------------------------------------------------------------


def test_gang_sizes_are_counted_with_both_ends() -> None:
    jobs = [job(0, gpus, 1) for gpus in (1, 2, 4, 8, 8)]
    assert judged(level(WAIT, gpus_low=2, gpus_high=8), jobs) == (4, 0, 0)
    assert judged(level(WAIT, gpus_low=8, gpus_high=8), jobs) == (2, 0, 0)
    assert judged(level(WAIT, gpus_low=3, gpus_high=3), jobs) == (0, 0, 0)
    assert judged(level(WAIT, gpus_high=1), jobs) == (1, 0, 0)


def test_each_class_has_its_own_limit() -> None:
    # N = 1. A(0,5) 0-5; B(0,1, class 1) waits 5; C(0,1, class 2) waits 6.
    three = (JobClass(), JobClass(), JobClass())
    jobs = [job(0, 1, 5), job(0, 1, 1, c=1), job(0, 1, 1, c=2)]
    everybody = frozenset({0, 1, 2})
    assert judged(Slo(5, 0, everybody), jobs, 1, classes=three) == (2, 1, 0)
    assert judged(Slo(5, 0, everybody, limits={2: 6}), jobs, 1, classes=three) == (3, 0, 0)
    assert judged(Slo(9, 0, everybody, limits={1: 4, 2: 5}), jobs, 1, classes=three) == (1, 2, 0)


def at(*submits: int) -> list[Job]:
    return [job(submit, 1, 1) for submit in submits]


DAY = 24  # [ticks]


def week(phase: int = 0) -> Windows:
    return Windows(0, 9 * DAY, 20 * DAY, day=DAY, week_phase=phase)


def test_hours_begin_with_the_first_tick_and_end_before_the_last() -> None:
    # Submitted 08-20 h: 8 and 19 are in, 7 and 20 are not; 32 is 8 h on Tuesday.
    slo = level(WAIT, hours_from=8, hours_to=20)
    assert judged(slo, at(7, 8, 19, 20, 32), windows=week()) == (3, 0, 0)


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    # Submitted 22-06 h on Mondays: Monday 5 h is Sunday's night, Monday 22 h and Tuesday 5 h are in, Tuesday 6 h and
    # Tuesday 22 h are not; the next Monday 5 h is Sunday's night again.
    slo = level(WAIT, hours_from=22, hours_to=6, days=MONDAY)
    submits = (5, 21, 22, 24 + 5, 24 + 6, 24 + 22, 7 * DAY + 5)
    assert [judged(slo, at(t), windows=week())[0] for t in submits] == [0, 0, 1, 1, 0, 0, 0]
    slo = level(WAIT, hours_from=22, hours_to=6, days=SUNDAY)
    assert [judged(slo, at(t), windows=week())[0] for t in submits] == [1, 0, 0, 0, 0, 0, 1]


def test_days_without_hours_are_calendar_days() -> None:
    monday_to_sunday = [d * DAY for d in range(7)]
    last_ticks = [d * DAY + 23 for d in range(7)]
    for days, inside in ((WEEKDAYS, 5), (WEEKEND, 2), (TUESDAY, 1), (127, 7), (0, 0)):
        slo = level(WAIT, days=days, hours_from=5, hours_to=5)
        assert judged(slo, at(*monday_to_sunday), windows=week()) == (inside, 0, 0)
        assert judged(slo, at(*last_ticks), windows=week()) == (inside, 0, 0)


def test_the_phase_says_when_in_the_week_a_run_begins() -> None:
    # The run begins on Saturday at 20 h: tick 3 is Saturday 23 h, 4 Sunday 0 h, 28 Monday 0 h, 36 Monday 8 h.
    phase = 5 * DAY + 20
    slo = level(WAIT, days=WEEKEND)
    assert [judged(slo, at(t), windows=week(phase))[0] for t in (0, 3, 4, 27, 28)] == [1, 1, 1, 1, 0]
    slo = level(WAIT, days=MONDAY, hours_from=8, hours_to=9)
    assert [judged(slo, at(t), windows=week(phase))[0] for t in (35, 36, 37)] == [0, 1, 0]


def test_a_held_job_is_in_scope_by_the_hour_of_its_submit() -> None:
    # A(7,1) runs 7-8, B(7,1) after A +5 is eligible at 13. Hours 12-14: none. Hours 7-8: both.
    jobs = [job(7, 1, 1), job(7, 1, 1, after=0, delay=5)]
    assert judged(level(WAIT, hours_from=12, hours_to=14), jobs, windows=week()) == (0, 0, 0)
    assert judged(level(WAIT, hours_from=7, hours_to=8), jobs, windows=week()) == (2, 0, 0)


# --- verdict ------------------------------------------------------------------------------------------------


def test_a_center_passes_if_every_level_is_met_and_a_level_that_nobody_decides_is_met() -> None:
    # N = 1. A(0,5) 0-5, B(0,1) 5-6. Half the jobs wait 0 ticks, half are done within 5.
    jobs = [job(0, 1, 5), job(0, 1, 1)]
    window = Windows(0, 99, 99)
    half = [level(WAIT, 0), level(TURNAROUND, 5), level(TURNED_AWAY), level(SLOWDOWN, 1000, gpus_low=9)]
    assert simulate(jobs, ONE_CLASS, Policy(), 1, window, half).passed
    assert not simulate(jobs, ONE_CLASS, Policy(), 1, window, [*half, level(TURNAROUND, 4)]).passed
