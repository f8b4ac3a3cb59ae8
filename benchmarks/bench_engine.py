"""Speed of the engine on one core, each benchmark with a check that the fast answer is right.

Rates are jobs per second of one core (two events a job: arrival and completion).
Run: pytest benchmarks --benchmark-columns=median,iqr,rounds
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpusim.engine.batch import generate_jobs, run_batch
from gpusim.engine.spec import ALL, SJF, ClassTable, Policy, RunSpec, SloTable, Windows
from gpusim.plan.experiment import run_spec
from gpusim.scenario import example
from gpusim.stats.queueing import mean_wait
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Exponential
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator, LimitMode, Source, source_key

SERVICE = 100_000  # mean service [tick]


def mmc(servers: int, utilization: float, jobs: int, segment: int = 0) -> RunSpec:
    """M/M/c, FIFO; run times longer than `segment` ticks become chains of jobs."""
    gap = SERVICE / (servers * utilization)
    counts = compile_alias([1], [1.0])
    source = Source(
        key=source_key("bench", "job"),
        job_class=0,
        active=True,
        gap=compile_table(Exponential(gap), 1.0, 20),
        service=compile_table(Exponential(SERVICE), 1.0, 16),
        gpus=counts.gpus,
        threshold=counts.threshold,
        alias=counts.alias,
        limit_mode=LimitMode.EXACT,
        segment=segment,
    )
    horizon = round(gap * jobs)
    return RunSpec(
        Generator(sources=(source,), seed=1),
        ClassTable.single(),
        Policy(),
        Windows(horizon // 10, horizon, horizon),
    )


def rate(benchmark: Any, jobs: int) -> None:
    """Record jobs/s of the median round."""
    if benchmark.stats is not None:
        benchmark.extra_info["jobs_per_second"] = round(jobs / benchmark.stats.stats.median)


def test_mm100_fifo(benchmark: Any) -> None:
    spec = mmc(100, 0.95, 300_000)
    result = benchmark(run_batch, spec, 0, 100, threads=1)
    wait = result.sums[0, 0, 0] / result.counts[0, 0, 4] / SERVICE
    assert wait == pytest.approx(mean_wait(100, 95.0), rel=0.5)  # one run of 3e5 jobs spreads this much
    rate(benchmark, int(result.jobs[0]))


def test_chains_of_segments(benchmark: Any) -> None:
    spec = mmc(100, 0.9, 100_000, segment=SERVICE // 4)
    whole = mmc(100, 0.9, 100_000, segment=100 * SERVICE)
    result = benchmark(run_batch, spec, 0, 100, threads=1)
    assert result.jobs[0] > 4 * run_batch(whole, 0, 100).jobs[0]
    used = [run_batch(s, 0, 10**6).integrals[0, 0] for s in (spec, whole)]
    assert used[0] == used[1]  # where nobody waits, the pieces of a chain follow at once
    rate(benchmark, int(result.jobs[0]))


def test_three_pools_shortest_first(benchmark: Any) -> None:
    base = mmc(100, 0.9, 100_000)
    classes = ClassTable(0, 0, -1, 1, pools=((2, 0, 1),), n_pools=3)
    spec = RunSpec(base.jobs, classes, Policy(1, order=SJF), base.windows)
    result = benchmark(run_batch, spec, 0, [30, 30, 40], threads=1)
    joined = RunSpec(base.jobs, ClassTable.single(), Policy(1, order=SJF), base.windows)
    alone = run_batch(joined, 0, 100)  # with one GPU a job, pools are one queue of servers
    assert np.array_equal(result.sums, alone.sums)
    rate(benchmark, int(result.jobs[0]))


@pytest.mark.parametrize("backfill", [0, 1, -1, 4, ALL], ids=["none", "EASY", "skip", "K=4", "all"])
def test_quickstart_replications(benchmark: Any, backfill: int) -> None:
    base = run_spec(example("quickstart"), 1)
    spec = RunSpec(base.jobs, base.classes, Policy(backfill), base.windows, base.slos)
    replications = np.arange(20)
    result = benchmark(run_batch, spec, replications, 512, threads=1)
    counts = result.counts.sum(axis=(0, 1))
    assert counts[0] == np.delete(counts, [0, 4]).sum()  # every counted job has one fate
    rate(benchmark, int(result.jobs.sum()))


def test_stored_jobs_easy(benchmark: Any) -> None:
    spec = run_spec(example("quickstart"), 1)
    stored = RunSpec(generate_jobs(spec, 0), spec.classes, spec.policy, spec.windows, spec.slos)
    result = benchmark(run_batch, stored, 0, 512, threads=1)
    assert np.array_equal(result.counts, run_batch(spec, 0, 512).counts)
    rate(benchmark, int(result.jobs[0]))


def test_levels_do_not_slow_a_run_down(benchmark: Any) -> None:
    spec = mmc(100, 0.9, 100_000)
    levels = SloTable([SERVICE // 100 * k for k in range(10)], [500_000] * 10, [[True]] * 10)
    spec = RunSpec(spec.jobs, spec.classes, spec.policy, spec.windows, levels)
    result = benchmark(run_batch, spec, 0, 100, threads=1)
    assert (np.diff(result.slo[0, :, 0]) >= 0).all()  # a longer limit is met by at least as many
    rate(benchmark, int(result.jobs[0]))
