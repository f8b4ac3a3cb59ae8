"""Passes with many reservations: the pass of a single pool against the general one, with hundreds of jobs.

The oracle is too slow for these. The general pass, which `always_profile` asks for, equals it on small centers
(`test_engine_oracle.py`).
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import ALL, FIFO, SJF, ClassTable, Policy, RunSpec
from gpusim.workload.jobs import Jobs

GPUS = 300


def crowded(seed: int, jobs: int) -> RunSpec:
    """A center that is asked for more than it has: a queue of hundreds of jobs for most of the time."""
    rng = random.Random(f"reserving {seed}")
    numbers = np.random.default_rng(seed)
    classes = rng.choice([1, 1, 3])
    tiers = [rng.randrange(2) for _ in range(classes)]
    patience = [rng.choice([-1, -1, 900]) for _ in range(classes)]
    table = ClassTable(tiers, [0] * classes, patience, 1)
    gpus = numbers.choice([1, 1, 1, 2, 4, 8, 9, 32, 100, 256], jobs)
    limit = numbers.choice([10, 40, 160, 640, 2560], jobs)
    service = np.ceil(limit * numbers.choice([0.1, 0.5, 1.0, 1.3], jobs)).astype(np.int64)
    gap = (gpus * np.minimum(service, limit)).mean() / (2.5 * GPUS)
    submit = np.sort(numbers.integers(0, int(gap * jobs), jobs))
    policy = Policy(
        backfill=rng.choice([2, 3, 5, 30, 100, ALL]),
        order=rng.choice([FIFO, FIFO, FIFO, SJF]),
        max_tests=rng.choice([-1, -1, -1, 40]),
        kill_at_limit=rng.random() < 0.5,
        max_waiting=rng.choice([-1, -1, 150]),
    )
    demand = Jobs(
        submit=submit, service=service, limit=limit, gpus=gpus, job_class=numbers.integers(0, classes, jobs)
    )
    return RunSpec(demand, table, policy)


def run(spec: RunSpec, lanes: int = 1) -> BatchResult:
    return run_batch(spec, 0, GPUS, records=True, lanes=lanes, threads=1)


def check(seed: int, jobs: int) -> int:
    """The most that waited."""
    spec = crowded(seed, jobs)
    general = run(replace(spec, policy=replace(spec.policy, always_profile=True)))
    for lanes in (1, 32):
        fast = run(spec, lanes)
        assert fast.records is not None
        assert general.records is not None
        for field in ("start", "end", "outcome", "pool"):
            assert np.array_equal(getattr(fast.records, field), getattr(general.records, field)), field
        for field in ("counts", "sums", "integrals", "extremes", "jobs"):
            assert np.array_equal(getattr(fast, field), getattr(general, field)), field
    return int(general.extremes[0][0])


def test_passes_that_stop_early_start_whom_the_general_pass_starts() -> None:
    assert max(check(seed, 400) for seed in range(12)) > 100


@pytest.mark.slow
def test_passes_that_stop_early_start_whom_the_general_pass_starts_in_hundreds_of_centers() -> None:
    assert sum(check(seed, 900) > 150 for seed in range(100, 400)) > 50
