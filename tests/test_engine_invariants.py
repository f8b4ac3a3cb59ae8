"""What holds in every run of the engine, whatever the jobs and the policy: pools, states and time (model.md 10).

Checked on the records and sums of random small centers, from nothing but the definition of the property: none of these
tests asks the oracle. The centers are those of `cases`, with pools, chains, periods and levels of every metric, changed
where a property needs a narrower kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest

from cases import Case, cases
from engine_runs import (
    FINAL,
    LOST,
    NEVER_ELIGIBLE,
    Properties,
    column,
    everything,
    lasts,
    one_pool,
    overlap,
    run,
)
from gpusim.engine.reference import SLOWDOWN, Windows
from gpusim.engine.spec import FOREVER

holds_for = Properties()


# ---- GPUs and pools -------------------------------------------------------------------------------------------------


@holds_for(case=cases())
def test_no_pool_ever_runs_more_than_it_has_and_the_integrals_add_up(case: Case) -> None:
    out = run(case)
    ran = out.start >= 0
    end = np.where(out.records.end >= 0, out.records.end, case.windows.horizon)
    gpus, pool = out.records.gpus.astype(np.int64), out.records.pool
    for p, capacity in enumerate(case.gpus):  # use rises only at starts: it is enough to look there
        here = ran & (pool == p)
        for t in np.unique(out.start[here]):
            assert gpus[here & (out.start <= t) & (t < end)].sum() <= capacity
    inside = overlap(case, out)
    used = [int((inside * gpus)[pool == p].sum()) for p in range(len(case.gpus))]
    assert out.result.pool_gpu_ticks[0].tolist() == used
    assert out.integral("running_jobs") == inside.sum()
    assert out.integral("allocated") == sum(used) == out.result.sums[0, :, 2].sum()
    of_class = np.bincount(out.records.job_class, inside * gpus, minlength=len(case.classes))
    assert np.array_equal(out.result.sums[0, :, 2], of_class.astype(np.int64))


@holds_for(case=cases())
def test_a_job_runs_in_an_allowed_pool_that_holds_its_gang_and_is_rejected_only_without_one(
    case: Case,
) -> None:
    out = run(case)
    for i, job in enumerate(case.jobs):
        large = [p for p in case.classes[job.job_class].pools if case.gpus[p] >= job.gpus]
        assert (out.records.pool[i] >= 0) == (out.start[i] >= 0)
        assert out.start[i] < 0 or out.records.pool[i] in large
        submitted = job.submit < case.windows.horizon
        assert (out.outcome(i) == "rejected") == (submitted and not large)
        assert (out.outcome(i) == "unsubmitted") == (not submitted)


@holds_for(case=cases())
def test_with_one_pool_everything_runs_in_pool_0(case: Case) -> None:
    out = run(one_pool(case))
    assert np.array_equal(out.records.pool, np.where(out.start >= 0, 0, -1))
    assert out.result.pool_gpu_ticks.shape == (1, 1)


@holds_for(case=cases(), order=st.permutations(range(3)))
def test_the_numbers_of_the_pools_mean_nothing(case: Case, order: list[int]) -> None:
    new = [p for p in order if p < len(case.gpus)]  # pool p is now pool new[p]
    gpus = tuple(case.gpus[new.index(p)] for p in range(len(new)))
    classes = tuple(replace(c, pools=tuple(new[p] for p in c.pools)) for c in case.classes)
    out, other = run(case), run(replace(case, gpus=gpus, classes=classes))
    assert np.array_equal(out.start, other.start)
    assert np.array_equal(out.result.slo, other.result.slo)
    assert np.array_equal(np.append(new, -1)[out.records.pool], other.records.pool)
    assert np.array_equal(out.result.pool_gpu_ticks[0], other.result.pool_gpu_ticks[0, new])


@holds_for(case=cases())
def test_a_pool_without_gpus_changes_nothing(case: Case) -> None:
    empty = len(case.gpus)
    classes = tuple(replace(c, pools=(empty, *c.pools)) for c in case.classes)
    out, other = run(case), run(replace(case, gpus=(*case.gpus, 0), classes=classes))
    assert np.array_equal(out.start, other.start)
    assert np.array_equal(out.result.extremes, other.result.extremes)
    assert other.result.pool_gpu_ticks[0, empty] == 0


# ---- states and times of a job --------------------------------------------------------------------------------------


@holds_for(case=cases())
def test_every_submitted_job_is_in_exactly_one_state_held_and_cancelled_among_them(case: Case) -> None:
    out = run(case)  # R33
    records = out.records
    assert np.array_equal(out.count("submitted"), sum(out.count(state) for state in FINAL))
    assert np.array_equal(
        out.count("started"), sum(out.count(s) for s in ("finished", "killed_limit", "running"))
    )
    counted = (case.windows.warm_up <= records.submit) & (records.submit < case.windows.count_end)
    for state in FINAL:
        in_class = np.bincount(records.job_class[counted & out.had(state)], minlength=len(case.classes))
        assert np.array_equal(out.count(state), in_class), state
    submitted = column(case, "submit") < case.windows.horizon
    assert out.result.jobs[0] == submitted.sum() == (~out.had("unsubmitted")).sum()


@holds_for(case=cases())
def test_a_job_is_eligible_once_its_chain_allows_and_never_starts_before(case: Case) -> None:
    out = run(case)
    eligible, end = out.records.eligible, out.records.end
    assert np.array_equal(eligible >= 0, ~out.had(*NEVER_ELIGIBLE))
    for i, job in enumerate(case.jobs):
        if eligible[i] < 0:
            continue
        ready = end[job.after] + job.delay if job.after >= 0 else 0
        assert eligible[i] == max(job.submit, ready) >= job.submit
        assert job.after < 0 or out.outcome(job.after) in ("finished", "killed_limit")
    ran = out.start >= 0
    assert (out.start[ran] >= eligible[ran]).all()
    patience = np.array([case.classes[job.job_class].patience for job in case.jobs])
    assert ((out.start - eligible <= patience) | (patience < 0))[ran].all()  # a start wins over patience


@holds_for(case=cases())
def test_a_chain_is_cancelled_behind_the_first_job_it_loses_and_nowhere_else(case: Case) -> None:
    out = run(case)
    for i, job in enumerate(case.jobs):
        before = out.outcome(job.after) if job.after >= 0 else "finished"
        if before in LOST:
            assert out.outcome(i) in ("cancelled", "rejected", "unsubmitted")
        else:
            assert out.outcome(i) != "cancelled"
        if before in ("held", "waiting", "running", "unsubmitted"):
            assert out.outcome(i) in ("held", "rejected", "unsubmitted")
        if out.outcome(i) == "held" and before in ("finished", "killed_limit"):  # only its delay holds it
            assert out.records.end[job.after] + job.delay >= case.windows.horizon


@holds_for(case=cases())
def test_jobs_run_their_time_and_are_killed_only_at_their_limit(case: Case) -> None:
    out = run(case)
    time = lasts(case)
    ran = out.start >= 0
    assert np.array_equal(ran, out.had("running", "finished", "killed_limit"))
    done = ran & (out.start + time < case.windows.horizon)
    assert np.array_equal(out.records.end, np.where(done, out.start + time, -1))
    assert np.array_equal(out.had("killed_limit"), done & (column(case, "service") > time))


@holds_for(case=cases())
def test_waiting_jobs_integrate_to_the_sum_of_the_waits(case: Case) -> None:
    # Little's law within a run, exactly: the window covers everything, so L T = sum of W.
    case = everything(case)
    out = run(case)
    patience = np.array([case.classes[c].patience for c in out.records.job_class])
    eligible = out.records.eligible
    wait = np.where(out.start >= 0, out.start - eligible, 0)
    wait[out.had("abandoned")] = patience[out.had("abandoned")]
    wait[out.had("waiting")] = FOREVER - eligible[out.had("waiting")]  # nobody looks at them: max_tests
    # refused jobs leave at the tick at which they became eligible
    assert out.integral("waiting_jobs") == wait.sum()
    assert out.integral("waiting_gpus") == (wait * out.records.gpus).sum()
    assert out.result.sums[0, :, 0].sum() == wait[out.start >= 0].sum()


@holds_for(case=cases(), bound=st.integers(0, 3), of_tenant=st.integers(0, 3))
def test_no_queue_is_longer_than_its_bound_after_any_tick(case: Case, bound: int, of_tenant: int) -> None:
    tenant = [case.classes[job.job_class].tenant for job in case.jobs]
    policy = replace(case.policy, max_waiting=bound, tenant_max_waiting=(of_tenant, -1, -1))
    case = replace(everything(case), policy=policy)
    out = run(case)
    eligible = out.records.eligible
    patience = np.array([case.classes[job.job_class].patience for job in case.jobs])
    leaves = np.where(out.start >= 0, out.start, eligible)  # the refused leave at once
    leaves[out.had("abandoned")] += patience[out.had("abandoned")]
    leaves[out.had("waiting")] = FOREVER
    for t in np.unique(eligible[eligible >= 0]):  # queues grow at these ticks only
        waits = (eligible >= 0) & (eligible <= t) & (t < leaves)
        assert waits.sum() <= bound
        assert waits[np.array(tenant) == 0].sum() <= of_tenant


# ---- time -----------------------------------------------------------------------------------------------------------


@holds_for(case=cases(), period=st.integers(1, 9))
def test_jobs_start_at_multiples_of_the_period_only(case: Case, period: int) -> None:
    out = run(replace(case, policy=replace(case.policy, period=period)))
    assert not (out.start[out.start >= 0] % period).any()


@holds_for(case=cases(), windows=st.lists(st.integers(0, 300), min_size=2, max_size=2).map(sorted))
def test_what_is_counted_changes_nobodys_start(case: Case, windows: list[int]) -> None:
    whole = run(case)
    warm_up, count_end = (min(t, case.windows.horizon) for t in windows)
    other = run(replace(case, windows=replace(case.windows, warm_up=warm_up, count_end=count_end), slos=()))
    for name in ("eligible", "start", "end", "pool", "outcome"):
        assert np.array_equal(getattr(whole.records, name), getattr(other.records, name))
    assert np.array_equal(whole.result.extremes, other.result.extremes)


@holds_for(case=cases(), cut=st.integers(0, 250))
def test_a_shorter_run_is_the_beginning_of_a_longer_one(case: Case, cut: int) -> None:
    whole = run(everything(case))
    short = run(replace(case, windows=replace(case.windows, warm_up=0, count_end=cut, horizon=cut)))
    for name in ("eligible", "start", "end"):
        expected = getattr(whole.records, name)
        assert np.array_equal(getattr(short.records, name), np.where(expected < cut, expected, -1))


def twice(n: int) -> int:
    """Twice as many ticks; -1 stands for none."""
    return 2 * n if n >= 0 else -1


def slower(case: Case) -> Case:
    """The case with all its times doubled. Thousandths of a slowdown are no time, and no limit of `turned_away`
    means anything.
    """
    window = case.windows
    return replace(
        case,
        jobs=tuple(
            replace(j, submit=2 * j.submit, service=2 * j.service, limit=2 * j.limit, delay=2 * j.delay)
            for j in case.jobs
        ),
        classes=tuple(replace(c, patience=twice(c.patience)) for c in case.classes),
        policy=replace(case.policy, window=twice(case.policy.window), period=2 * case.policy.period),
        windows=Windows(*(2 * getattr(window, name) for name in window.__dataclass_fields__)),
        slos=tuple(
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


@holds_for(case=cases(), exact=st.booleans())
def test_doubling_all_times_doubles_all_waits_and_changes_no_verdict(case: Case, exact: bool) -> None:
    # Jobs may not outlive their limits: the one tick that an overdue job is given (R8) does not scale.
    if exact:
        case = replace(case, jobs=tuple(replace(job, limit=job.service) for job in case.jobs))
    else:
        case = replace(case, policy=replace(case.policy, kill_at_limit=True))
    once, slow = run(case), run(slower(case))
    for name in ("eligible", "start", "end"):
        expected = getattr(once.records, name)
        assert np.array_equal(getattr(slow.records, name), np.where(expected >= 0, 2 * expected, -1)), name
    for name in ("pool", "outcome"):
        assert np.array_equal(getattr(slow.records, name), getattr(once.records, name)), name
    for name in ("counts", "slo", "passed"):
        assert np.array_equal(getattr(slow.result, name), getattr(once.result, name)), name
    for name in ("sums", "integrals", "pool_gpu_ticks"):
        assert np.array_equal(getattr(slow.result, name), 2 * getattr(once.result, name)), name
    assert slow.result.extremes[0].tolist() == (once.result.extremes[0] * [1, 1, 2]).tolist()


@holds_for(case=cases(), periods=st.integers(1, 20))
def test_beginning_later_by_whole_periods_moves_every_start_by_as_much(case: Case, periods: int) -> None:
    later, case = periods * case.policy.period, everything(case)
    moved = run(replace(case, jobs=tuple(replace(j, submit=j.submit + later) for j in case.jobs)))
    out = run(case)
    assert np.array_equal(moved.start, np.where(out.start >= 0, out.start + later, -1))
    assert np.array_equal(moved.records.pool, out.records.pool)


@pytest.mark.slow
@pytest.mark.parametrize("check", holds_for.on_many)
def test_property_holds_for_hundreds_of_centers(check: Callable[[], None]) -> None:
    check()
