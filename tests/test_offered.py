"""Offered load over time is that of the generated jobs, counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gpusim.engine.batch import generate_jobs
from gpusim.engine.offered import OfferedLoad, offered_load
from gpusim.engine.spec import ClassTable, RunSpec, Windows
from gpusim.errors import RunError
from gpusim.workload.jobs import Jobs
from test_generator_kinds import HORIZON, PHASE, every_kind

Int64 = NDArray[np.int64]
SPEC = RunSpec(
    every_kind(),
    ClassTable([0] * 3, [0] * 3, [-1] * 3, 1),
    windows=Windows(20_000, 240_000, HORIZON, week_phase=PHASE),
)


EVERY = 29  # instants at which the jobs held are counted by hand


def by_hand(spec: RunSpec, jobs: Jobs, spacing: int, marked: tuple[int, ...]) -> tuple[Int64, Int64]:
    """GPUs held at some instants, and asked for between all of them, job by job."""
    start = jobs.submit + np.where(jobs.after < 0, jobs.delay, 0)
    run = np.minimum(jobs.service, jobs.limit) if spec.policy.kill_at_limit else jobs.service
    for i in np.flatnonzero(jobs.after >= 0):
        before = jobs.after[i]
        start[i] = max(start[i], start[before] + run[before] + jobs.delay[i])
    instants = range(0, spec.windows.horizon, spacing)
    held = [jobs.gpus[(start <= tick) & (tick < start + run)].sum() for tick in instants[::EVERY]]
    asked = np.zeros(len(instants), dtype=np.int64)
    for tick, gpus, job_class in zip(jobs.submit, jobs.gpus, jobs.job_class, strict=True):
        if job_class in marked and spec.windows.warm_up <= tick < spec.windows.count_end:
            asked[-(-tick // spacing)] += gpus
    return np.array(held), asked


@pytest.mark.parametrize("demand_ppm", [300_000, 2_000_000])
def test_it_is_that_of_the_generated_jobs(demand_ppm: int) -> None:
    load = offered_load(SPEC, [0, 5, 77], classes=(1, 2), demand_ppm=demand_ppm)
    assert load.spacing == 64
    for row, replication in enumerate((0, 5, 77)):
        jobs = generate_jobs(SPEC, replication, demand_ppm=demand_ppm)
        held, asked = by_hand(SPEC, jobs, load.spacing, (1, 2))
        assert np.array_equal(load.held[row, ::EVERY], held)
        assert np.array_equal(load.asked[row], asked)
        assert held.max() > 0
        assert asked.sum() > 0


def test_it_is_that_of_stored_jobs_and_their_chains() -> None:
    table = Jobs(
        id=[1, 2, 3, 4],
        submit=[0, 10, 12, 60],
        gpus=[2, 3, 5, 7],
        service=[20, 50, 10, 9],
        limit=[20, 20, 10, 9],
        after=[-1, -1, 1, 2],
        delay=[0, 0, 5, 0],
    )
    spec = RunSpec((table,), ClassTable([0], [0], [-1], 1), windows=Windows(5, 90, 90))
    load = offered_load(spec, 0, classes=(0,))
    held, asked = np.zeros(90, np.int64), np.zeros(90, np.int64)
    held[0:20] += 2
    held[10:30] += 3  # killed at its limit
    held[35:45] += 5  # five ticks after that
    held[60:69] += 7
    asked[[10, 12, 60]] = 3, 5, 7  # the first job comes before the counted time
    assert (load.spacing, load.held.shape) == (1, (1, 90))
    assert np.array_equal(load.held[0], held)
    assert np.array_equal(load.asked[0], asked)


def test_threads_and_order_do_not_matter() -> None:
    def same(one: OfferedLoad, other: OfferedLoad) -> bool:
        return np.array_equal(one.held, other.held) and np.array_equal(one.asked, other.asked)

    numbers = np.arange(12)
    one = offered_load(SPEC, numbers, classes=(0,))
    assert same(one, offered_load(SPEC, numbers, classes=(0,), threads=3))
    back = offered_load(SPEC, numbers[::-1], classes=(0,), threads=2)
    assert np.array_equal(one.held, back.held[::-1])
    none = offered_load(SPEC, numbers[:0])
    assert none.held.shape == (0, one.held.shape[1])


def test_what_cannot_be_meant_is_refused() -> None:
    endless = RunSpec(
        (Jobs(id=[1], submit=[0], gpus=[1], service=[1], limit=[1]),), ClassTable([0], [0], [-1], 1)
    )
    with pytest.raises(RunError, match=r"windows.horizon.*is missing"):
        offered_load(endless, 0)
    with pytest.raises(RunError, match=r"classes.*is out of range"):
        offered_load(SPEC, 0, classes=(3,))
    with pytest.raises(RunError, match=r"replication.*is out of range"):
        offered_load(SPEC, 1 << 32)
    with pytest.raises(RunError, match=r"demand_ppm.*is out of range"):
        offered_load(SPEC, 0, demand_ppm=0)
