"""What holds in every run of the engine, whatever the jobs and the policy (model.md 10).

Checked on the records and sums of random small centers, from nothing but the definition of the property: none of these
tests asks the oracle. The centers are those of `cases`, changed where a property needs a narrower kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from cases import Case, cases
from gpusim.engine.batch import run_batch
from gpusim.engine.reference import Windows
from gpusim.engine.result import COUNTS, INTEGRALS, OUTCOMES, BatchResult, Records
from gpusim.engine.spec import ALL, FOREVER, NONE, Policy
from queues import Poisson, queue

FINAL = ("rejected", "rejected_full", "abandoned", "finished", "killed_limit", "waiting", "running")
ON_MANY: list[Any] = []


def holds_for(**strategies: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property checked on 40 centers at once, and on 500 by the slow test at the end."""

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        ON_MANY.append(
            pytest.param(settings(max_examples=500)(given(**strategies)(check)), id=check.__name__)
        )
        return settings(max_examples=40)(given(**strategies)(check))

    return decorate


class Run(NamedTuple):
    """One run of a case: what the engine returned, and the records with their times."""

    result: BatchResult
    records: Records

    @property
    def start(self) -> npt.NDArray[np.int64]:
        return self.records.start

    def count(self, name: str) -> npt.NDArray[np.int64]:
        return self.result.counts[0, :, COUNTS.index(name)]

    def integral(self, name: str) -> int:
        return int(self.result.integrals[0, INTEGRALS.index(name)])

    def had(self, outcome: str) -> npt.NDArray[np.bool_]:
        return self.records.outcome == OUTCOMES.index(outcome)


def run(case: Case, gpus: int | None = None) -> Run:
    result = run_batch(case.spec(), 0, case.gpus if gpus is None else gpus, records=True)
    assert result.records is not None
    return Run(result, result.records)


def column(case: Case, name: str) -> npt.NDArray[np.int64]:
    return np.array([getattr(job, name) for job in case.jobs], dtype=np.int64)


def everything(case: Case) -> Case:
    return replace(case, windows=Windows(0, FOREVER, FOREVER))


def patient(case: Case) -> Case:
    """Without patience and bounds on the queue: whoever fits the center starts some time."""
    classes = tuple(replace(c, patience=-1) for c in case.classes)
    return replace(case, classes=classes, policy=replace(case.policy, max_waiting=-1, tenant_max_waiting=()))


def strict(case: Case) -> Case:
    """Strict FIFO in one tier, every gang small enough for the center."""
    case = patient(everything(case))
    return replace(
        case,
        jobs=tuple(replace(job, gpus=min(job.gpus, case.gpus)) for job in case.jobs),
        classes=tuple(replace(c, tier=0) for c in case.classes),
        policy=replace(case.policy, backfill=NONE),
    )


# ---- any policy -----------------------------------------------------------------------------------------------------


@holds_for(case=cases())
def test_running_gangs_never_hold_more_than_all_gpus_and_the_integrals_add_them_up(case: Case) -> None:
    out = run(case)
    window = case.windows
    ran = out.start >= 0
    start, gpus = out.start[ran], out.records.gpus[ran].astype(np.int64)
    end = np.where(out.records.end[ran] >= 0, out.records.end[ran], window.horizon)
    times = np.unique(np.concatenate([start, end]))  # the load is constant in between
    held = [int(gpus[(start <= t) & (t < end)].sum()) for t in times]
    assert max(held, default=0) <= case.gpus
    inside = np.maximum(0, np.minimum(end, window.count_end) - np.maximum(start, window.warm_up))
    assert out.integral("running_jobs") == inside.sum()
    assert out.integral("allocated") == (inside * gpus).sum() == out.result.sums[0, :, 2].sum()


@holds_for(case=cases())
def test_every_submitted_job_is_in_exactly_one_state(case: Case) -> None:
    out = run(case)
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
def test_jobs_start_after_their_submit_run_their_time_and_are_killed_only_at_their_limit(case: Case) -> None:
    out = run(case)
    submit, service, limit = (column(case, name) for name in ("submit", "service", "limit"))
    lasts = np.minimum(service, limit) if case.policy.kill_at_limit else service
    ran = out.start >= 0
    assert np.array_equal(ran, out.had("running") | out.had("finished") | out.had("killed_limit"))
    assert (out.start[ran] >= submit[ran]).all()
    done = ran & (out.start + lasts < case.windows.horizon)
    assert np.array_equal(out.records.end, np.where(done, out.start + lasts, -1))
    assert np.array_equal(out.had("killed_limit"), done & (service > lasts))


@holds_for(case=cases())
def test_waiting_jobs_integrate_to_the_sum_of_the_waits(case: Case) -> None:
    # Little's law within a run, exactly: the window covers everything, so L T = sum of W.
    out = run(everything(case))
    patience = np.array([case.classes[c].patience for c in out.records.job_class])
    wait = np.where(out.start >= 0, out.start - out.records.submit, 0)
    wait[out.had("abandoned")] = patience[out.had("abandoned")]
    assert out.integral("waiting_jobs") == wait.sum()
    assert out.integral("waiting_gpus") == (wait * out.records.gpus).sum()
    assert out.result.sums[0, :, 0].sum() == wait[out.start >= 0].sum()


@holds_for(case=cases(), windows=st.lists(st.integers(0, 300), min_size=2, max_size=2).map(sorted))
def test_what_is_counted_changes_nobodys_start(case: Case, windows: list[int]) -> None:
    whole = run(case)
    warm_up, count_end = (min(t, case.windows.horizon) for t in windows)
    other = run(replace(case, windows=replace(case.windows, warm_up=warm_up, count_end=count_end), slos=()))
    for name in ("start", "end", "outcome"):
        assert np.array_equal(getattr(whole.records, name), getattr(other.records, name))
    assert np.array_equal(whole.result.extremes, other.result.extremes)


@holds_for(case=cases(), cut=st.integers(0, 250))
def test_a_shorter_run_is_the_beginning_of_a_longer_one(case: Case, cut: int) -> None:
    whole = run(everything(case))
    short = run(replace(case, windows=Windows(0, cut, cut)))
    for name in ("start", "end"):
        expected = getattr(whole.records, name)
        assert np.array_equal(getattr(short.records, name), np.where(expected < cut, expected, -1))


@holds_for(case=cases(), exact=st.booleans())
def test_doubling_all_times_doubles_all_waits(case: Case, exact: bool) -> None:
    # Jobs may not outlive their limits: the one tick that an overdue job is given (R8) does not scale.
    if exact:
        case = replace(case, jobs=tuple(replace(job, limit=job.service) for job in case.jobs))
    else:
        case = replace(case, policy=replace(case.policy, kill_at_limit=True))
    window = case.windows
    twice = replace(
        case,
        jobs=tuple(
            replace(j, submit=2 * j.submit, service=2 * j.service, limit=2 * j.limit) for j in case.jobs
        ),
        classes=tuple(replace(c, patience=2 * c.patience if c.patience >= 0 else -1) for c in case.classes),
        windows=Windows(2 * window.warm_up, 2 * window.count_end, 2 * window.horizon),
        slos=tuple(replace(slo, limit=2 * slo.limit) for slo in case.slos),
    )
    once, slow = run(case), run(twice)
    assert np.array_equal(slow.start, np.where(once.start >= 0, 2 * once.start, -1))
    assert np.array_equal(slow.result.counts, once.result.counts)
    assert np.array_equal(slow.result.sums, 2 * once.result.sums)
    assert np.array_equal(slow.result.integrals, 2 * once.result.integrals)
    assert np.array_equal(slow.result.slo, once.result.slo)


@holds_for(case=cases())
def test_as_many_reservations_as_jobs_are_conservative_backfill(case: Case) -> None:
    few, everyone = (
        run(replace(case, policy=replace(case.policy, backfill=backfill)))
        for backfill in (len(case.jobs), ALL)
    )
    for name in ("start", "end", "outcome"):
        assert np.array_equal(getattr(few.records, name), getattr(everyone.records, name))
    assert np.array_equal(few.result.integrals, everyone.result.integrals)


# ---- strict order ---------------------------------------------------------------------------------------------------


@holds_for(case=cases())
def test_strict_fifo_starts_jobs_in_their_order(case: Case) -> None:
    out = run(strict(case))
    assert (out.start >= 0).all()
    assert (np.diff(out.start) >= 0).all()


@holds_for(case=cases(), more=st.integers(1, 12))
def test_under_strict_fifo_more_gpus_delay_nobody(case: Case, more: int) -> None:
    case = strict(case)  # R40; every gang fits the smaller center, or the larger one has more jobs
    assert (run(case, case.gpus + more).start <= run(case).start).all()


@holds_for(case=cases())
def test_strict_fifo_keeps_the_order_inside_every_tier(case: Case) -> None:
    tiers = tuple(c.tier for c in case.classes)
    case = strict(case)
    case = replace(case, classes=tuple(replace(c, tier=t) for c, t in zip(case.classes, tiers, strict=True)))
    out = run(case)
    tier = np.array([case.classes[job.job_class].tier for job in case.jobs])
    for t in set(tiers):
        assert (np.diff(out.start[tier == t]) >= 0).all()


# ---- batches --------------------------------------------------------------------------------------------------------


@holds_for(
    case=cases(),
    order=st.permutations(range(12)),
    sizes=st.lists(st.integers(0, 26), min_size=12, max_size=12),
)
def test_a_cell_has_the_integers_it_has_alone_whatever_else_is_run(
    case: Case, order: list[int], sizes: list[int]
) -> None:
    spec = case.spec()
    together = run_batch(spec, 0, np.array(sizes)[order], histogram=True, threads=2)
    for row, i in enumerate(order[:4]):
        alone = run_batch(spec, 0, sizes[i], histogram=True)
        for name in (
            "status",
            "counts",
            "sums",
            "slo",
            "passed",
            "integrals",
            "extremes",
            "jobs",
            "histogram",
        ):
            assert np.array_equal(getattr(alone, name)[0], getattr(together, name)[row]), name


@pytest.mark.parametrize("backfill", [NONE, 1, 3])
def test_more_replications_and_other_sizes_never_change_earlier_ones(backfill: int) -> None:
    stream = Poisson(8.0, gpus={1: 0.7, 4: 0.3}, longest=3.0)
    spec = queue(stream, seed=1, count=200.0, limits=[0.1], policy=Policy(backfill))
    few = run_batch(spec, np.arange(3), 17, histogram=True)
    many = run_batch(spec, np.repeat(np.arange(10), 2), np.tile([17, 20], 10), histogram=True)
    for name in ("counts", "sums", "slo", "integrals", "extremes", "jobs", "histogram"):
        assert np.array_equal(getattr(few, name), getattr(many, name)[0:6:2]), name
    assert len(np.unique(many.sums[::2, 0, 0])) == 10  # and no two are alike


@pytest.mark.slow
@pytest.mark.parametrize("check", ON_MANY)
def test_property_holds_for_hundreds_of_centers(check: Callable[[], None]) -> None:
    check()
