"""Speed of the engine on one core, each benchmark with a check that the fast answer is right.

Rates are jobs per second of one core (two events a job: arrival and completion).
Run: pytest benchmarks --benchmark-columns=median,iqr,rounds
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from gpusim.engine.batch import generate_jobs, run_batch
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import ALL, SJF, ClassTable, Policy, RunSpec, SloTable
from gpusim.plan.experiment import run_spec
from gpusim.scenario import example
from workloads import SERVICE, mmc


def submitted(result: BatchResult) -> int:
    return int(result.jobs.sum())


def test_chains_of_segments(timed: Any) -> None:
    spec = mmc(100, 0.9, 100_000, segment=SERVICE // 4)
    whole = mmc(100, 0.9, 100_000, segment=100 * SERVICE)
    result = timed(partial(run_batch, spec, 0, 100, threads=1), jobs=submitted)
    assert result.jobs[0] > 4 * run_batch(whole, 0, 100).jobs[0]
    used = [run_batch(s, 0, 10**6).integrals[0, 0] for s in (spec, whole)]
    assert used[0] == used[1]  # where nobody waits, the pieces of a chain follow at once


def test_three_pools_shortest_first(timed: Any) -> None:
    base = mmc(100, 0.9, 100_000)
    classes = ClassTable(0, 0, -1, 1, pools=((2, 0, 1),), n_pools=3)
    spec = RunSpec(base.jobs, classes, Policy(1, order=SJF), base.windows)
    result = timed(partial(run_batch, spec, 0, [30, 30, 40], threads=1), jobs=submitted)
    joined = RunSpec(base.jobs, ClassTable.single(), Policy(1, order=SJF), base.windows)
    alone = run_batch(joined, 0, 100)  # with one GPU a job, pools are one queue of servers
    assert np.array_equal(result.sums, alone.sums)


@pytest.mark.parametrize("backfill", [0, 1, -1, 4, ALL], ids=["none", "EASY", "skip", "K=4", "all"])
def test_quickstart_replications(timed: Any, backfill: int) -> None:
    base = run_spec(example("quickstart"), 1)
    spec = RunSpec(base.jobs, base.classes, Policy(backfill), base.windows, base.slos)
    replications = np.arange(20)
    result = timed(partial(run_batch, spec, replications, 512, threads=1), jobs=submitted)
    counts = result.counts.sum(axis=(0, 1))
    assert counts[0] == np.delete(counts, [0, 4]).sum()  # every counted job has one fate


def test_stored_jobs_easy(timed: Any) -> None:
    spec = run_spec(example("quickstart"), 1)
    stored = RunSpec(generate_jobs(spec, 0), spec.classes, spec.policy, spec.windows, spec.slos)
    result = timed(partial(run_batch, stored, 0, 512, threads=1), jobs=submitted)
    assert np.array_equal(result.counts, run_batch(spec, 0, 512).counts)


def test_levels_do_not_slow_a_run_down(timed: Any) -> None:
    spec = mmc(100, 0.9, 100_000)
    levels = SloTable([SERVICE // 100 * k for k in range(10)], [500_000] * 10, [[True]] * 10)
    spec = RunSpec(spec.jobs, spec.classes, spec.policy, spec.windows, levels)
    result = timed(partial(run_batch, spec, 0, 100, threads=1), jobs=submitted)
    assert (np.diff(result.slo[0, :, 0]) >= 0).all()  # a longer limit is met by at least as many
