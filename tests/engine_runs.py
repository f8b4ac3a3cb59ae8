"""Runs of the centers of `cases`, and what the tests of properties make of them.

A property that holds only for a narrower kind of center restricts it with one of these functions, which say why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from cases import Case
from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS, INTEGRALS, OUTCOMES, BatchResult, Records
from gpusim.engine.spec import FIFO, FOREVER, NONE

LOST = ("rejected", "rejected_full", "abandoned", "cancelled")
FINAL = (*LOST, "finished", "killed_limit", "waiting", "running", "held")
NEVER_ELIGIBLE = ("rejected", "cancelled", "held", "unsubmitted")
PER_CELL = ("counts", "sums", "slo", "pool_gpu_ticks", "integrals", "extremes", "jobs", "histogram")

Int64 = npt.NDArray[np.int64]
Check = Callable[..., None]


class Properties:
    """The properties of one file: each checked on 25 centers at once, and on 500 by the file's slow test."""

    def __init__(self) -> None:
        self.on_many: list[Any] = []

    def __call__(self, **strategies: Any) -> Callable[[Check], Check]:
        def decorate(check: Check) -> Check:
            many = settings(max_examples=500)(given(**strategies)(check))
            self.on_many.append(pytest.param(many, id=check.__name__))
            return settings(max_examples=25)(given(**strategies)(check))

        return decorate


class Run(NamedTuple):
    """One run of a case: what the engine returned, and the records with their times."""

    result: BatchResult
    records: Records

    @property
    def start(self) -> Int64:
        return self.records.start

    def count(self, name: str) -> Int64:
        counts: Int64 = self.result.counts[0, :, COUNTS.index(name)]
        return counts

    def integral(self, name: str) -> int:
        return int(self.result.integrals[0, INTEGRALS.index(name)])

    def had(self, *outcomes: str) -> npt.NDArray[np.bool_]:
        return np.isin(self.records.outcome, [OUTCOMES.index(outcome) for outcome in outcomes])

    def outcome(self, job: int) -> str:
        return OUTCOMES[self.records.outcome[job]]


def run(case: Case) -> Run:
    result = run_batch(case.spec(), 0, case.cell, records=True, threads=1)
    assert result.records is not None
    return Run(result, result.records)


def column(case: Case, name: str) -> Int64:
    return np.array([getattr(job, name) for job in case.jobs], dtype=np.int64)


def lasts(case: Case) -> Int64:
    """How long each job runs if it starts [tick]."""
    service, limit = column(case, "service"), column(case, "limit")
    return np.minimum(service, limit) if case.policy.kill_at_limit else service


def overlap(case: Case, out: Run) -> Int64:
    """Ticks of the counted window in which each job runs."""
    ended = np.where(out.records.end >= 0, out.records.end, case.windows.horizon)
    inside = np.minimum(ended, case.windows.count_end) - np.maximum(out.start, case.windows.warm_up)
    return np.where(out.start >= 0, np.maximum(0, inside), 0)


def everything(case: Case) -> Case:
    return replace(case, windows=replace(case.windows, warm_up=0, count_end=FOREVER, horizon=FOREVER))


def unbounded(case: Case) -> Case:
    """Nobody is refused or gives up."""
    classes = tuple(replace(c, patience=-1) for c in case.classes)
    return replace(case, classes=classes, policy=replace(case.policy, max_waiting=-1, tenant_max_waiting=()))


def fitting(case: Case) -> Case:
    """Every gang fits the smallest pool of its class, so that nobody is rejected.

    Pools are at least one GPU.
    """
    gpus = tuple(max(1, n) for n in case.gpus)
    least = [min(gpus[p] for p in c.pools) for c in case.classes]
    jobs = tuple(replace(job, gpus=min(job.gpus, least[job.job_class])) for job in case.jobs)
    return replace(case, jobs=jobs, gpus=gpus)


def unchained(case: Case) -> Case:
    return replace(case, jobs=tuple(replace(job, after=-1, delay=0) for job in case.jobs))


def one_pool(case: Case) -> Case:
    """Only pool 0: orders of preference do not matter."""
    classes = tuple(replace(c, pools=(0,)) for c in case.classes)
    return replace(case, gpus=case.gpus[:1], classes=classes)


def strict(case: Case) -> Case:
    """Strict FIFO in one tier and one pool, without chains, everybody looked at, every gang small enough.

    With a second pool, or jobs that become eligible late, or `max_tests` = 0, the order of starts is not that of
    the submits. A period does no harm.
    """
    case = fitting(one_pool(unchained(unbounded(everything(case)))))
    policy = replace(case.policy, backfill=NONE, order=FIFO, max_tests=-1)
    return replace(case, classes=tuple(replace(c, tier=0) for c in case.classes), policy=policy)


def same_schedule(one: Run, other: Run) -> None:
    for name in ("eligible", "start", "end", "pool", "outcome"):
        assert np.array_equal(getattr(one.records, name), getattr(other.records, name)), name
    for name in ("counts", "sums", "slo", "integrals", "pool_gpu_ticks", "extremes"):
        assert np.array_equal(getattr(one.result, name), getattr(other.result, name)), name
