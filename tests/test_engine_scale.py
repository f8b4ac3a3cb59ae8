"""The engine at the size of a national center, and its manners while it works.

5,000 running and 100,000 waiting jobs: starts are frozen as hashes, equal on every path through the core, and for FIFO
and EASY equal to independent implementations written here for speed at this size (the oracle would need days).
"""

from __future__ import annotations

import hashlib
import heapq
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.result import STATUS_OK
from gpusim.engine.spec import ALL, FOREVER, NONE, SKIP, ClassTable, Policy, RunSpec, Windows
from gpusim.workload.jobs import Jobs

Int64 = npt.NDArray[np.int64]

GPUS = 42_000
JOBS = 105_000
TINY = {"running_slots": 32, "queue_slots": 4, "profile_slots": 4}
SIZES = np.repeat([1, 2, 3, 4, 8, 256], [30, 20, 20, 15, 13, 2])  # of gangs, with their weights in percent


def words(stream: int, n: int) -> npt.NDArray[np.uint64]:
    """SplitMix64: the same jobs whatever the version of NumPy's generators."""
    with np.errstate(over="ignore"):
        z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(stream << 32)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def crowd(n: int, step: int) -> Jobs:
    """Jobs submitted within eight steps that run 10,000 to 40,000 ticks; all times are multiples of the step.

    The step is the number of ticks between passes, so that it sets how many there are.
    """
    submit, service, factor, size, job_class = (words(stream, n) for stream in range(5))
    lasts = (10_000 // step + service % np.uint64(30_000 // step)).astype(np.int64) * step
    return Jobs(
        submit=np.sort(submit % np.uint64(9)).astype(np.int64) * step,
        service=lasts,
        limit=lasts * (1 + factor % np.uint64(3)).astype(np.int64),
        gpus=SIZES[size % np.uint64(100)],
        job_class=(job_class % np.uint64(3)).astype(np.int64),
    )


def center(jobs: Jobs, backfill: int, tiers: tuple[int, int, int] = (0, 0, 0)) -> RunSpec:
    return RunSpec(jobs, ClassTable(tiers, [0, 0, 0], [-1, -1, -1], 1), Policy(backfill))


def starts(spec: RunSpec, gpus: int, **room: int) -> Int64:
    records = run_batch(spec, 0, gpus, records=True, **room).records
    assert records is not None
    return records.start


def digest(values: Int64) -> str:
    return hashlib.sha256(values.astype("<i8").tobytes()).hexdigest()


# name: policy, tiers, step, hash of the starts
CROWDS = {
    "fifo": (NONE, (0, 0, 0), 250, ""),
    "easy": (1, (0, 0, 0), 250, ""),
    "skip": (SKIP, (0, 0, 0), 250, ""),
    "easy with tiers": (1, (0, 1, 2), 250, ""),
    "four reservations": (4, (0, 0, 0), 1000, ""),
}


@pytest.mark.parametrize("name", CROWDS)
def test_a_crowd_of_a_hundred_thousand_starts_as_ever(name: str) -> None:
    backfill, tiers, step, frozen = CROWDS[name]
    spec = center(crowd(JOBS, step), backfill, tiers)
    roomy = run_batch(spec, 0, GPUS, running_slots=16_384, queue_slots=1 << 18, profile_slots=1 << 15, records=True)
    assert roomy.reruns == 0
    assert roomy.records is not None
    most_waiting, most_running, _ = roomy.extremes[0]
    assert most_waiting >= 99_000
    assert most_running >= 5000
    assert digest(roomy.records.start) == frozen
    cramped = run_batch(spec, 0, GPUS, records=True, **TINY)
    assert cramped.reruns > 15
    assert cramped.records is not None
    assert digest(cramped.records.start) == frozen
    several = run_batch(spec, 0, [GPUS + 64, GPUS, GPUS - 64, GPUS], threads=2)
    for field in ("counts", "sums", "integrals", "extremes", "jobs"):
        for row in (1, 3):
            assert np.array_equal(getattr(roomy, field)[0], getattr(several, field)[row]), field


