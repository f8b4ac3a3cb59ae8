"""A center shared by tenants with quotas: 10,000 GPUs, load .85, three priorities each, borrowing and eviction.

What it is compared with takes turns with it, so that a machine whose speed drifts slows both.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.policy import SKIP
from gpusim.engine.result import COUNTS, BatchResult
from workloads import CENTER_GPUS, shared_mix

JOBS = 200_000
NANOSECONDS = 200
"""Goal: CPU time a job with 16 tenants, on one core."""
AS_FAST_AS_CIMBA = 1.5
"""Goal: times the jobs a second of its M/M/100."""
AS_FAST_AS_FEW = 0.667
"""Goal: of the jobs a second with 4 tenants, with 64: 1.5 times the cost at most."""


def submitted(result: BatchResult) -> int:
    return int(result.jobs.sum())


def center(tenants: int, backfill: int = SKIP) -> Callable[[], BatchResult]:
    return partial(run_batch, shared_mix(JOBS, tenants=tenants, backfill=backfill), 0, CENTER_GPUS, threads=1)


def in_turns(run: Callable[[], object]) -> tuple[list[float], Callable[[], None]]:
    """Where its CPU times are kept, and what runs it once more."""
    seconds: list[float] = []

    def turn() -> None:
        begin = time.process_time()
        run()
        seconds.append(time.process_time() - begin)

    return seconds, turn


def check(result: BatchResult) -> None:
    """Each counted job has one fate, some were evicted, and what is asked for is served."""
    counts = dict(zip(COUNTS, result.counts.sum(axis=(0, 1)).tolist(), strict=True))
    started = counts.pop("started")  # those have another fate as well
    assert counts.pop("submitted") == sum(counts.values())
    assert started > 0
    assert result.evictions is not None
    assert result.evictions[0, :, 0].sum() > 0
    span = shared_mix(JOBS).windows
    used = result.integrals[0, 0] / ((span.count_end - span.warm_up) * CENTER_GPUS)
    assert used == pytest.approx(0.85, rel=0.1)


@pytest.mark.parametrize(
    ("tenants", "backfill"), [(4, SKIP), (16, SKIP), (16, 1)], ids=["4-skip", "16-skip", "16-EASY"]
)
def test_shared_by_tenants(tenants: int, backfill: int, timed: Any) -> None:
    goals = {"goal_ns": NANOSECONDS} if (tenants, backfill) == (16, SKIP) else {}
    check(timed(center(tenants, backfill), jobs=submitted, **goals))


def test_shared_by_64_tenants(timed: Any) -> None:
    seconds, before = in_turns(center(4))
    facts = {"turns": seconds, "turns_jobs": JOBS, "turns_of": "4 tenants", "goal_rate": AS_FAST_AS_FEW}
    result = timed(center(64), jobs=submitted, before=before, **facts)
    check(result)
    del seconds[0]  # belongs to the untimed call
    assert np.array_equal(result.counts, center(64)().counts)


def test_shared_by_16_tenants_and_cimba(timed: Any) -> None:
    """In turns with cimba's M/M/100: a whole shared center beside the simplest queue of the fastest peer."""
    cimba = pytest.importorskip("cimba")
    import peers.cimba

    seeds = itertools.count(1)
    run = peers.cimba.prepare(peers.cimba.JOBS)
    seconds, before = in_turns(lambda: run(next(seeds)))
    facts = {
        "turns": seconds,
        "turns_jobs": peers.cimba.JOBS,
        "turns_of": f"cimba {cimba.__version__}'s M/M/100",
        "goal_rate": AS_FAST_AS_CIMBA,
    }
    check(timed(center(16), jobs=submitted, before=before, **facts))
    del seconds[0]
