"""What holds between runs and policies: those that come to the same, orders, levels, batches of cells (model.md 10).

As in `test_engine_invariants`, on random small centers, and without asking the oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest

from cases import Case, cases
from engine_runs import LOST, PER_CELL, Int64, Properties, everything, lasts, run, same_schedule, strict
from gpusim.engine.batch import run_batch
from gpusim.engine.reference import TURNED_AWAY, Slo
from gpusim.engine.spec import ALL, FIFO, FOREVER, NONE, SJF, SKIP, Policy
from queues import Poisson, queue

holds_for = Properties()


# ---- policies that come to the same ---------------------------------------------------------------------------------


@holds_for(case=cases())
def test_as_many_reservations_as_jobs_are_conservative_backfill(case: Case) -> None:
    few, everyone = (
        run(replace(case, policy=replace(case.policy, backfill=backfill)))
        for backfill in (len(case.jobs), ALL)
    )
    same_schedule(few, everyone)


@holds_for(case=cases(), backfill=st.sampled_from([1, 2, ALL]))
def test_a_window_of_nothing_is_skip_and_an_endless_one_is_none(case: Case, backfill: int) -> None:
    policy = replace(case.policy, backfill=backfill)
    nothing, skip, endless, none = (
        run(replace(case, policy=p))
        for p in (
            replace(policy, window=0),
            replace(policy, backfill=SKIP),
            replace(policy, window=FOREVER),
            replace(policy, window=-1),
        )
    )
    same_schedule(nothing, skip)
    same_schedule(endless, none)


@holds_for(case=cases())
def test_looking_at_as_many_jobs_as_there_are_is_looking_at_all_and_at_none_starts_none(case: Case) -> None:
    some, everybody, nobody = (
        run(replace(case, policy=replace(case.policy, max_tests=n))) for n in (len(case.jobs), -1, 0)
    )
    same_schedule(some, everybody)
    assert (nobody.start == -1).all()


@holds_for(case=cases(), limit=st.integers(1, 20))
def test_sjf_among_equal_limits_is_fifo(case: Case, limit: int) -> None:
    case = replace(case, jobs=tuple(replace(job, limit=limit) for job in case.jobs))
    first, shortest = (run(replace(case, policy=replace(case.policy, order=o))) for o in (FIFO, SJF))
    same_schedule(first, shortest)


@holds_for(case=cases())
def test_with_room_for_all_nobody_waits_and_a_chain_takes_its_runs_and_delays(case: Case) -> None:
    policy = replace(case.policy, max_tests=-1, period=1)
    case = everything(replace(case, gpus=tuple(10**6 for _ in case.gpus), policy=policy))
    out = run(case)
    assert np.array_equal(out.start, out.records.eligible)
    assert out.had("finished", "killed_limit").all()
    for i, job in enumerate(case.jobs):
        begin = max(job.submit, out.records.end[job.after] + job.delay) if job.after >= 0 else job.submit
        assert out.records.end[i] == begin + lasts(case)[i]


# ---- order ----------------------------------------------------------------------------------------------------------


@holds_for(case=cases())
def test_strict_fifo_starts_jobs_in_their_order(case: Case) -> None:
    out = run(strict(case))
    assert (out.start >= 0).all()
    assert (np.diff(out.start) >= 0).all()


@holds_for(case=cases(), more=st.integers(1, 12))
def test_under_strict_fifo_more_gpus_delay_nobody(case: Case, more: int) -> None:
    case = strict(case)  # R40; every gang fits the smaller center, or the larger one has more jobs
    larger = replace(case, gpus=(case.gpus[0] + more,))
    assert (run(larger).start <= run(case).start).all()


@holds_for(case=cases())
def test_strict_fifo_keeps_the_order_inside_every_tier(case: Case) -> None:
    tiers = tuple(c.tier for c in case.classes)
    case = strict(case)
    case = replace(case, classes=tuple(replace(c, tier=t) for c, t in zip(case.classes, tiers, strict=True)))
    out = run(case)
    tier = np.array([case.classes[job.job_class].tier for job in case.jobs])
    for t in set(tiers):
        assert (np.diff(out.start[tier == t]) >= 0).all()


@holds_for(case=cases())
def test_strict_sjf_starts_the_shorter_limit_first_whenever_both_wait(case: Case) -> None:
    # Of two jobs of one tier and pool that wait at the start of one of them, it has the shorter limit, or the same
    # and came first.
    case = strict(case)
    case = replace(case, policy=replace(case.policy, order=SJF))
    out = run(case)
    key = [(job.limit, job.submit, i) for i, job in enumerate(case.jobs)]
    for i in range(len(case.jobs)):
        waited = (out.records.eligible <= out.start[i]) & (out.start > out.start[i])
        assert all(key[i] < key[j] for j in np.flatnonzero(waited))


@holds_for(case=cases(), order=st.sampled_from([FIFO, SJF]))
def test_what_comes_first_and_fits_never_waits_behind_what_starts(case: Case, order: int) -> None:
    # Whatever the backfill: who stands before a job that starts and is no larger, with the same or a shorter
    # limit, in a tier at least as high and of a class with the same pools, starts no later. (A bound on the jobs
    # looked at changes nothing: who is looked at is a prefix of the queue.)
    case = replace(case, policy=replace(case.policy, order=order))
    out = run(case)
    jobs, eligible = case.jobs, out.records.eligible
    for i in np.flatnonzero(out.start >= 0):
        for j in np.flatnonzero((eligible >= 0) & (eligible <= out.start[i]) & (out.start > out.start[i])):
            mine, other = case.classes[jobs[j].job_class], case.classes[jobs[i].job_class]
            smaller = jobs[j].gpus <= jobs[i].gpus and jobs[j].limit <= jobs[i].limit
            ahead = (jobs[j].limit < jobs[i].limit and order == SJF) or (
                (eligible[j], j) < (eligible[i], i) and (order == FIFO or jobs[j].limit == jobs[i].limit)
            )
            first = mine.tier > other.tier or (mine.tier == other.tier and ahead)
            assert not (first and smaller and mine.pools == other.pools)


# ---- levels ---------------------------------------------------------------------------------------------------------


@holds_for(case=cases(), more=st.integers(1, 50))
def test_a_looser_limit_meets_no_less_and_violates_no_more(case: Case, more: int) -> None:
    looser = tuple(
        replace(s, limit=s.limit + more, limits={c: n + more for c, n in s.limits.items()}) for s in case.slos
    )
    tight, loose = run(case).result.slo[0], run(replace(case, slos=looser)).result.slo[0]
    assert (loose[:, 0] >= tight[:, 0]).all()
    assert (loose[:, 1] <= tight[:, 1]).all()
    assert np.array_equal(loose.sum(axis=1), tight.sum(axis=1))


@holds_for(case=cases())
@pytest.mark.slow
def test_levels_of_single_days_and_sizes_add_up_to_the_level_of_all(case: Case) -> None:
    largest = max(job.gpus for job in case.jobs)

    def judged(**scope: int) -> Int64:
        slos = tuple(replace(slo, **scope) for slo in case.slos)
        rows: Int64 = run(replace(case, slos=slos)).result.slo[0]
        return rows

    assert np.array_equal(judged(days=127), sum(judged(days=1 << day) for day in range(7)))
    sizes = sum(judged(gpus_low=n, gpus_high=n) for n in range(1, largest + 1))
    assert np.array_equal(judged(gpus_low=1, gpus_high=largest), sizes)


@holds_for(case=cases())
def test_turned_away_of_everybody_counts_who_started_and_who_was_lost(case: Case) -> None:
    everybody = frozenset(range(len(case.classes)))
    out = run(replace(case, slos=(Slo(0, 0, everybody, metric=TURNED_AWAY),)))
    lost = sum(out.count(state).sum() for state in LOST)
    still = out.count("waiting").sum() + out.count("held").sum()
    assert out.result.slo[0, 0].tolist() == [out.count("started").sum(), lost, still]


@holds_for(case=cases())
def test_a_center_passes_if_every_level_has_its_share(case: Case) -> None:
    out = run(case)
    held = [
        met * 1_000_000 >= slo.share_ppm * (met + violated)
        for slo, (met, violated, _) in zip(case.slos, out.result.slo[0].tolist(), strict=True)
    ]
    assert bool(out.result.passed[0]) == all(held)
    violated = int(out.result.first_violated[0])
    assert violated == (held.index(False) if not all(held) else -1)


# ---- batches --------------------------------------------------------------------------------------------------------


@holds_for(
    case=cases(),
    order=st.permutations(range(12)),
    sizes=st.lists(st.tuples(*[st.integers(0, 26)] * 3), min_size=12, max_size=12),
)
def test_a_cell_has_the_integers_it_has_alone_whatever_else_is_run(
    case: Case, order: list[int], sizes: list[tuple[int, ...]]
) -> None:
    spec = case.spec()
    cells = np.array(sizes, np.int32)[:, : len(case.gpus)]
    together = run_batch(spec, 0, cells[order], histogram=True, threads=2)
    for row, i in enumerate(order[:4]):
        alone = run_batch(spec, 0, cells[i : i + 1], histogram=True)
        for name in ("status", *PER_CELL, "passed"):
            assert np.array_equal(getattr(alone, name)[0], getattr(together, name)[row]), name


@pytest.mark.parametrize("backfill", [NONE, 1, 3])
def test_more_replications_and_other_sizes_never_change_earlier_ones(backfill: int) -> None:
    stream = Poisson(8.0, gpus={1: 0.7, 4: 0.3}, longest=3.0)
    spec = queue(stream, seed=1, count=200.0, limits=[0.1], policy=Policy(backfill))
    few = run_batch(spec, np.arange(3), 17, histogram=True)
    many = run_batch(spec, np.repeat(np.arange(10), 2), np.tile([17, 20], 10), histogram=True)
    for name in PER_CELL:
        assert np.array_equal(getattr(few, name), getattr(many, name)[0:6:2]), name
    assert len(np.unique(many.sums[::2, 0, 0])) == 10  # and no two are alike


@pytest.mark.slow
@pytest.mark.parametrize("check", holds_for.on_many)
def test_property_holds_for_hundreds_of_centers(check: Callable[[], None]) -> None:
    check()
