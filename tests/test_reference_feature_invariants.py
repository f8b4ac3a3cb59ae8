"""What must hold with pools, chains, periods and levels: properties of the oracle on the centers of `cases`."""

from __future__ import annotations

from dataclasses import fields, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from cases import Case, cases
from gpusim.engine.reference import (
    ALL,
    COUNTS,
    FIFO,
    NONE,
    SJF,
    SKIP,
    SLOWDOWN,
    TURNED_AWAY,
    Job,
    Outcome,
    Slo,
    Windows,
)

LOST = ("rejected", "rejected_full", "abandoned", "cancelled")
ENDED = ("finished", "killed_limit")
LATE = 100_000  # [tick] after everything that happens in a case

on_many = settings(deadline=None, derandomize=True, max_examples=40)


def run_ticks(case: Case, job: Job) -> int:
    return min(job.service, job.limit) if case.policy.kill_at_limit else job.service


def schedule(out: Outcome) -> tuple[list[int], list[int], list[str]]:
    return out.start, out.pool, out.outcome


# --- capacity and pools -------------------------------------------------------------------------------------


@on_many
@given(case=cases())
def test_no_pool_ever_runs_more_than_it_has_and_its_gpu_ticks_add_up(case: Case) -> None:
    out = case.answer()
    window = range(case.windows.warm_up, min(case.windows.count_end, case.windows.horizon))
    used = [0] * len(case.gpus)
    for job, start, pool in zip(case.jobs, out.start, out.pool, strict=True):
        if start < 0:
            continue
        end = start + run_ticks(case, job)
        used[pool] += job.gpus * len(range(max(start, window.start), min(end, window.stop)))
        in_use = sum(  # use rises only at starts: it is enough to look there
            other.gpus
            for other, begin, where in zip(case.jobs, out.start, out.pool, strict=True)
            if where == pool and begin <= start < begin + run_ticks(case, other)
        )
        assert in_use <= case.gpus[pool]
    assert out.pool_gpu_ticks == used
    assert sum(used) == out.integrals["allocated"] == sum(row["gpu_ticks"] for row in out.sums)


@on_many
@given(case=cases())
def test_a_job_runs_in_an_allowed_pool_that_holds_its_gang_and_is_rejected_only_without_one(
    case: Case,
) -> None:
    out = case.answer()
    for job, start, pool, outcome in zip(case.jobs, out.start, out.pool, out.outcome, strict=True):
        large_enough = [p for p in case.classes[job.job_class].pools if case.gpus[p] >= job.gpus]
        assert (pool >= 0) == (start >= 0)
        assert pool in large_enough or start < 0
        assert (outcome == "rejected") == (not large_enough and outcome != "unsubmitted")


@on_many
@given(case=cases(), numbers=st.permutations(range(3)))
def test_the_numbers_of_the_pools_mean_nothing(case: Case, numbers: list[int]) -> None:
    new = [number for number in numbers if number < len(case.gpus)]  # new[p]: another number for pool p
    gpus = tuple(case.gpus[new.index(p)] for p in range(len(new)))
    classes = tuple(replace(c, pools=tuple(new[p] for p in c.pools)) for c in case.classes)
    out, renumbered = case.answer(), replace(case, gpus=gpus, classes=classes).answer()
    assert renumbered.pool == [new[p] if p >= 0 else -1 for p in out.pool]
    assert (renumbered.start, renumbered.slo) == (out.start, out.slo)


@on_many
@given(case=cases())
def test_a_pool_without_gpus_changes_nothing(case: Case) -> None:
    empty = len(case.gpus)
    classes = tuple(replace(c, pools=(empty, *c.pools)) for c in case.classes)
    assert schedule(replace(case, gpus=(*case.gpus, 0), classes=classes).answer()) == schedule(case.answer())


# --- states and times of a job ------------------------------------------------------------------------------


@on_many
@given(case=cases())
def test_every_counted_job_is_in_exactly_one_state_held_and_cancelled_among_them(case: Case) -> None:
    out = case.answer()
    for c, row in enumerate(out.counts):
        counted = [
            i
            for i, job in enumerate(case.jobs)
            if job.job_class == c and case.windows.warm_up <= job.submit < case.windows.count_end
        ]
        states = [name for name in COUNTS if name not in ("submitted", "started")]
        assert {name: row[name] for name in states} == {
            name: sum(out.outcome[i] == name for i in counted) for name in states
        }
        assert row["submitted"] == len(counted) == sum(row[name] for name in states)
        assert row["started"] == row["finished"] + row["killed_limit"] + row["running"]


@on_many
@given(case=cases())
def test_a_job_is_eligible_when_its_chain_allows_and_never_starts_before(case: Case) -> None:
    out = case.answer()
    for i, job in enumerate(case.jobs):
        eligible, outcome = out.eligible[i], out.outcome[i]
        assert (eligible >= 0) == (outcome not in ("rejected", "cancelled", "held", "unsubmitted"))
        if eligible >= 0:
            released = out.end[job.after] + job.delay if job.after >= 0 else 0
            assert eligible == max(job.submit, released) < case.windows.horizon
            assert job.after < 0 or out.outcome[job.after] in ENDED
        if out.start[i] >= 0:
            assert eligible <= out.start[i]
            patience = case.classes[job.job_class].patience
            assert patience < 0 or out.start[i] - eligible <= patience


@on_many
@given(case=cases())
def test_a_chain_is_cancelled_behind_the_first_job_it_loses_and_nowhere_else(case: Case) -> None:
    out = case.answer()
    for job, outcome in zip(case.jobs, out.outcome, strict=True):
        before = out.outcome[job.after] if job.after >= 0 else "finished"
        if before in LOST:
            assert outcome in ("cancelled", "rejected", "unsubmitted")
        else:
            assert outcome != "cancelled"
        if before in ("held", "waiting", "running", "unsubmitted"):
            assert outcome in ("held", "rejected", "unsubmitted")
        if outcome == "held" and before in ENDED:  # only its delay can hold it still
            assert job.after >= 0
            assert out.end[job.after] + job.delay >= case.windows.horizon


@on_many
@given(case=cases())
def test_the_queue_is_as_long_as_its_jobs_wait_from_eligible(case: Case) -> None:
    # Little's law within a run whose window is all of it.
    out = replace(case, windows=Windows(0, LATE, LATE)).answer()
    waits = [0] * len(case.jobs)
    for i, job in enumerate(case.jobs):
        if out.start[i] >= 0:
            waits[i] = out.start[i] - out.eligible[i]
        elif out.outcome[i] == "abandoned":
            waits[i] = case.classes[job.job_class].patience
        elif out.outcome[i] == "waiting":  # nobody looks at it: max_tests, or nothing changes any more
            waits[i] = LATE - out.eligible[i]
    assert out.integrals["waiting_jobs"] == sum(waits)
    assert out.integrals["waiting_gpus"] == sum(w * j.gpus for w, j in zip(waits, case.jobs, strict=True))


@on_many
@given(case=cases(), sooner=st.integers(0, 100))
def test_a_shorter_run_is_the_beginning_of_a_longer_one(case: Case, sooner: int) -> None:
    horizon = max(0, case.windows.horizon - sooner)
    long, short = (replace(case, windows=Windows(0, h, h)).answer() for h in (case.windows.horizon, horizon))
    for name in ("eligible", "start", "end"):
        expected = [tick if tick < horizon else -1 for tick in getattr(long, name)]
        assert getattr(short, name) == expected


# --- time ---------------------------------------------------------------------------------------------------


@on_many
@given(case=cases(), period=st.integers(1, 9))
def test_jobs_start_at_multiples_of_the_period_only(case: Case, period: int) -> None:
    out = replace(case, policy=replace(case.policy, period=period)).answer()
    assert all(start % period == 0 for start in out.start if start >= 0)


def twice(n: int) -> int:
    """Twice as many ticks; -1 stands for none."""
    return 2 * n if n >= 0 else -1


@on_many
@given(case=cases())
def test_doubling_all_times_doubles_all_waits_and_changes_no_verdict(case: Case) -> None:
    # R40. Limits are enforced: the one tick that R8 adds to an overdue job does not scale.
    policy = replace(case.policy, kill_at_limit=True)
    slower = Case(
        tuple(
            replace(j, submit=2 * j.submit, service=2 * j.service, limit=2 * j.limit, delay=2 * j.delay)
            for j in case.jobs
        ),
        tuple(replace(c, patience=twice(c.patience)) for c in case.classes),
        replace(policy, window=twice(policy.window), period=2 * policy.period),
        case.gpus,
        Windows(*(2 * getattr(case.windows, field.name) for field in fields(Windows))),
        tuple(
            replace(
                slo,
                limit=slo.limit if slo.metric == SLOWDOWN else 2 * slo.limit,
                limits={c: n if slo.metric == SLOWDOWN else 2 * n for c, n in slo.limits.items()},
                bound=2 * slo.bound,
                hours_from=2 * slo.hours_from,
                hours_to=2 * slo.hours_to,
            )
            for slo in case.slos
        ),
    )
    out, slow = replace(case, policy=policy).answer(), slower.answer()
    for name in ("eligible", "start", "end"):
        assert getattr(slow, name) == [twice(tick) for tick in getattr(out, name)]
    assert (slow.outcome, slow.pool, slow.counts) == (out.outcome, out.pool, out.counts)
    assert (slow.slo, slow.passed) == (out.slo, out.passed)
    assert slow.sums == [{name: 2 * n for name, n in row.items()} for row in out.sums]
    assert slow.integrals == {name: 2 * n for name, n in out.integrals.items()}
    assert slow.end_tick == 2 * out.end_tick


@on_many
@given(case=cases(), periods=st.integers(1, 20))
def test_a_beginning_later_by_whole_periods_moves_every_start_by_as_much(case: Case, periods: int) -> None:
    later = periods * case.policy.period
    case = replace(case, windows=Windows(0, LATE, LATE))
    moved = replace(case, jobs=tuple(replace(j, submit=j.submit + later) for j in case.jobs)).answer()
    out = case.answer()
    assert moved.start == [start + later if start >= 0 else -1 for start in out.start]
    assert moved.outcome == out.outcome


# --- policies that come to the same -------------------------------------------------------------------------


@on_many
@given(case=cases(), backfill=st.sampled_from([1, 2, ALL]))
def test_a_window_of_nothing_is_skip_and_an_endless_one_is_none(case: Case, backfill: int) -> None:
    policy = replace(case.policy, backfill=backfill)
    nothing, endless, none, skip = (
        schedule(replace(case, policy=p).answer())
        for p in (
            replace(policy, window=0),
            replace(policy, window=LATE),
            replace(policy, window=-1),
            replace(policy, backfill=SKIP),
        )
    )
    assert nothing == skip
    assert endless == none


@on_many
@given(case=cases())
def test_looking_at_as_many_jobs_as_there_are_is_looking_at_all(case: Case) -> None:
    some, everybody = (
        replace(case, policy=replace(case.policy, max_tests=n)).answer() for n in (len(case.jobs), -1)
    )
    assert some == everybody


@on_many
@given(case=cases())
def test_as_many_reservations_as_jobs_are_conservative_backfill(case: Case) -> None:
    plenty, everyone = (
        replace(case, policy=replace(case.policy, backfill=k)).answer() for k in (len(case.jobs) + 1, ALL)
    )
    assert plenty == everyone


@on_many
@given(case=cases(), limit=st.integers(1, 20))
def test_sjf_among_equal_limits_is_fifo(case: Case, limit: int) -> None:
    jobs = tuple(replace(job, limit=limit) for job in case.jobs)
    first, shortest = (
        replace(case, jobs=jobs, policy=replace(case.policy, order=order)).answer() for order in (FIFO, SJF)
    )
    assert first == shortest


@on_many
@given(case=cases())
@pytest.mark.slow
def test_under_strict_fifo_with_a_period_one_more_gpu_delays_nobody(case: Case) -> None:
    # R40: one tier, one pool, nobody leaves. Every job fits the smaller center.
    gpus = max(1, case.gpus[0])
    strict = replace(
        case,
        jobs=tuple(replace(j, gpus=min(j.gpus, gpus), after=-1) for j in case.jobs),
        classes=tuple(replace(c, tier=0, patience=-1, pools=(0,)) for c in case.classes),
        policy=replace(
            case.policy, backfill=NONE, order=FIFO, max_tests=-1, max_waiting=-1, tenant_max_waiting=()
        ),
        windows=Windows(0, LATE, LATE),
    )
    fewer, more = (replace(strict, gpus=(n,)).answer().start for n in (gpus, gpus + 1))
    assert all(0 <= b <= a for a, b in zip(fewer, more, strict=True))


@on_many
@given(case=cases())
def test_with_room_for_all_a_chain_takes_the_sum_of_its_runs_and_delays(case: Case) -> None:
    policy = replace(case.policy, max_tests=-1, period=1)
    plenty = replace(
        case, gpus=tuple(10**6 for _ in case.gpus), policy=policy, windows=Windows(0, LATE, LATE)
    )
    out = plenty.answer()
    assert out.start == out.eligible
    assert set(out.outcome) <= set(ENDED)
    for i, job in enumerate(case.jobs):
        begin = job.submit if job.after < 0 else max(job.submit, out.end[job.after] + job.delay)
        assert out.end[i] == begin + run_ticks(case, job)


# --- levels -------------------------------------------------------------------------------------------------


@on_many
@given(case=cases(), more=st.integers(1, 50))
def test_a_looser_limit_meets_no_less_and_violates_no_more(case: Case, more: int) -> None:
    looser = tuple(
        replace(s, limit=s.limit + more, limits={c: n + more for c, n in s.limits.items()}) for s in case.slos
    )
    for tight, loose in zip(case.answer().slo, replace(case, slos=looser).answer().slo, strict=True):
        assert loose["met"] >= tight["met"]
        assert loose["violated"] <= tight["violated"]
        assert sum(loose.values()) == sum(tight.values())


@on_many
@given(case=cases())
@pytest.mark.slow
def test_levels_of_single_days_add_up_to_the_level_of_the_whole_week(case: Case) -> None:
    by_day = [tuple(replace(slo, days=1 << day) for slo in case.slos) for day in range(7)]
    whole = replace(case, slos=tuple(replace(slo, days=127) for slo in case.slos)).answer().slo
    parts = [replace(case, slos=slos).answer().slo for slos in by_day]
    for s, row in enumerate(whole):
        assert row == {name: sum(part[s][name] for part in parts) for name in row}


@on_many
@given(case=cases())
def test_turned_away_of_everybody_counts_who_started_and_who_was_lost(case: Case) -> None:
    everybody = frozenset(range(len(case.classes)))
    out = replace(case, slos=(Slo(0, 0, everybody, metric=TURNED_AWAY),)).answer()
    total = {name: sum(row[name] for row in out.counts) for name in COUNTS}
    assert out.slo[0] == {
        "met": total["started"],
        "violated": sum(total[name] for name in LOST),
        "censored": total["waiting"] + total["held"],
    }
