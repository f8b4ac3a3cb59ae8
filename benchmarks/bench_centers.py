"""Whole centers on one core: the 10,000-GPU mix under FIFO and EASY, and the built-in `korea-nacc`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS, BatchResult
from gpusim.plan.experiment import run_spec
from gpusim.scenario import example
from workloads import CENTER_GPUS, center_mix

JOBS = 300_000
NATIONAL_GPUS = 9_800
"""About what `korea-nacc` needs."""


def submitted(result: BatchResult) -> int:
    return int(result.jobs.sum())


def each_counted_job_has_one_fate(result: BatchResult) -> bool:
    counts = dict(zip(COUNTS, result.counts.sum(axis=(0, 1)).tolist(), strict=True))
    started = counts.pop("started")  # those have another fate as well
    return counts.pop("submitted") == sum(counts.values()) and started > 0


@pytest.mark.parametrize(
    ("load", "backfill"), [(0.85, 0), (0.85, 1), (0.95, 1)], ids=["FIFO-.85", "EASY-.85", "EASY-.95"]
)
def test_mix_of_ten_thousand_gpus(load: float, backfill: int, timed: Any) -> None:
    spec = center_mix(JOBS, load=load, backfill=backfill)
    result = timed(partial(run_batch, spec, 0, CENTER_GPUS, threads=1), jobs=submitted)
    assert each_counted_job_has_one_fate(result)
    counted = spec.windows.count_end - spec.windows.warm_up
    used = result.integrals[0, 0] / (counted * CENTER_GPUS)
    assert used == pytest.approx(
        load, rel=0.1
    )  # what is asked for is served: the queue does not grow for ever
    if backfill:
        plain = run_batch(center_mix(JOBS, load=load), 0, CENTER_GPUS, threads=1)
        assert result.sums[0, :, 0].sum() < plain.sums[0, :, 0].sum()  # backfill saves waiting


def test_national_center(timed: Any) -> None:
    spec = run_spec(example("korea-nacc"), 1)
    result = timed(partial(run_batch, spec, 0, NATIONAL_GPUS, threads=1), jobs=submitted)
    assert each_counted_job_has_one_fate(result)
    assert np.array_equal(result.counts, run_batch(spec, [0, 1], NATIONAL_GPUS, threads=2).counts[:1])


def test_national_center_stopped_at_its_verdict(timed: Any) -> None:
    spec = run_spec(example("korea-nacc"), 1)
    result = timed(partial(run_batch, spec, 0, NATIONAL_GPUS, early=True, threads=1))
    assert result.passed[0] == run_batch(spec, 0, NATIONAL_GPUS, threads=1).passed[0]
