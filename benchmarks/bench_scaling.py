"""How the time of a job changes with what may be large: jobs, running jobs, waiting jobs, depth, runs, threads."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

import numpy as np
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import ALL
from gpusim.plan.experiment import run_spec
from gpusim.scenario import example
from gpusim.stats.queueing import mean_wait
from workloads import CENTER_GPUS, SERVICE, center_mix, mmc, standing_queue


def submitted(result: BatchResult) -> int:
    return int(result.jobs.sum())


@pytest.mark.parametrize("jobs", [10_000, 100_000, 1_000_000, 10_000_000])
def test_number_of_jobs(jobs: int, timed: Any) -> None:
    result = timed(partial(run_batch, mmc(100, 0.8, jobs), 0, 100, threads=1), jobs=submitted, x=jobs)
    assert submitted(result) == pytest.approx(jobs, abs=5 * math.sqrt(jobs))  # a Poisson count


@pytest.mark.parametrize("servers", [100, 1_000, 10_000])
def test_running_jobs(servers: int, timed: Any) -> None:
    spec = mmc(servers, 0.95, max(300_000, 30 * servers), warm_up=0.5)
    result = timed(partial(run_batch, spec, 0, servers, threads=1), jobs=submitted, x=servers)
    counted = spec.windows.count_end - spec.windows.warm_up
    assert result.integrals[0, 3] / counted == pytest.approx(0.95 * servers, rel=0.05)
    assert (
        result.sums[0, 0, 0] / result.counts[0, 0, 4] < 3 * SERVICE * mean_wait(servers, 0.95 * servers) + 1
    )


@pytest.mark.parametrize("running", [300, 1_000, 5_000])
def test_running_jobs_under_easy(running: int, timed: Any) -> None:
    gpus = running * CENTER_GPUS // 135  # at this load about 135 jobs run on 10,000 GPUs
    spec = center_mix(max(100_000, 60 * running), load=0.95, backfill=1, gpus=gpus)
    result = timed(partial(run_batch, spec, 0, gpus, threads=1), jobs=submitted, x=running)
    mean = result.integrals[0, 3] / (spec.windows.count_end - spec.windows.warm_up)
    assert mean == pytest.approx(running, rel=0.15)
    assert result.counts[0, :, 4].sum() > 0.85 * submitted(result)  # started


@pytest.mark.parametrize("backfill", [0, 1], ids=["FIFO", "EASY"])
@pytest.mark.parametrize("waiting", [10, 100, 1_000, 10_000, 100_000])
def test_waiting_jobs(waiting: int, backfill: int, timed: Any) -> None:
    spec = standing_queue(waiting, 20_000, backfill=backfill)
    whole = run_batch(spec, 0, 256, threads=1)
    mean = whole.integrals[0, 1] / whole.extremes[0, 2]  # waiting jobs over the whole run
    result = timed(partial(run_batch, spec, 0, 256, threads=1), jobs=submitted, x=waiting, mean_waiting=mean)
    assert result.extremes[0, 0] >= 0.7 * waiting  # max_waiting: 256 GPUs start some at once
    assert result.counts[0, 0, 5] == submitted(result)  # all finish


@pytest.mark.parametrize("depth", [1, 2, 4, 16, 64, ALL], ids=["1", "2", "4", "16", "64", "all"])
def test_backfill_depth(depth: int, timed: Any) -> None:
    spec = center_mix(30_000, load=0.9, backfill=depth)
    result = timed(partial(run_batch, spec, 0, CENTER_GPUS, threads=1), jobs=submitted, x=depth)
    plain = run_batch(center_mix(30_000, load=0.9), 0, CENTER_GPUS, threads=1)
    assert result.jobs[0] == plain.jobs[0]
    assert result.sums[0, :, 0].sum() < plain.sums[0, :, 0].sum()


@pytest.mark.parametrize("replications", [1, 10, 100])
def test_replications(replications: int, timed: Any) -> None:
    spec = run_spec(example("quickstart"), 1)
    which = np.arange(replications)
    result = timed(partial(run_batch, spec, which, 512, threads=1), jobs=submitted, x=replications)
    assert np.array_equal(
        result.counts[0], run_batch(spec, 0, 512).counts[0]
    )  # more runs change no earlier one


@pytest.mark.benchmark(timer=time.perf_counter)  # clock time: CPU time adds threads up
def test_two_threads(timed: Any) -> None:
    """In turns with one thread: a machine's speed may change by more than what is measured."""
    spec, which, one_thread = center_mix(50_000, backfill=1), np.arange(32), []

    def run(threads: int) -> Any:
        return run_batch(spec, which, CENTER_GPUS, threads=threads)

    def before() -> None:
        begin = time.perf_counter()
        run(1)
        one_thread.append(time.perf_counter() - begin)

    result = timed(partial(run, 2), jobs=submitted, before=before, more=5, x=2, one_thread=one_thread)
    if len(one_thread) > 1:
        del one_thread[0]  # belongs to the untimed call
    assert np.array_equal(result.sums, run(1).sums)
