"""M/M/100, FIFO, load .95, beside other engines: one replication, one thread, CPU time, compilation left out.

Each peer's repeats alternate with gpusim's, so that a machine whose speed drifts slows both. The answer is the mean
wait over all repeats against Erlang C; its tolerance is four standard deviations of that mean.
"""

from __future__ import annotations

import importlib
import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from gpusim.engine.batch import run_batch
from gpusim.stats.queueing import mean_wait
from workloads import SERVICE, mmc

JOBS = 1_000_000
"""Jobs of a repeat of gpusim, a compiled engine."""
SPREAD = 0.07
"""Relative standard deviation of the mean wait of a million jobs: `test_spread_of_the_mean_wait` says so."""
EXACT = mean_wait(100, 95.0)


def tolerance(jobs: int) -> float:
    """Four standard deviations, relative; the variance of a mean falls as 1 / jobs."""
    return 4 * SPREAD * math.sqrt(1e6 / jobs)


def ours() -> Callable[[int], float]:
    """The run of gpusim: every job counts, the first ones included, as with the peers."""
    spec = mmc(100, 0.95, JOBS, warm_up=0.0)

    def run(seed: int) -> float:
        result = run_batch(spec, seed, 100, threads=1)
        return float(result.sums[0, 0, 0] / result.counts[0, 0, 4] / SERVICE)

    run(0)  # finds out how much working memory a run needs
    return run


def test_spread_of_the_mean_wait(timed: Any) -> None:
    spec = mmc(100, 0.95, JOBS, warm_up=0.0)

    def spread() -> Any:
        return run_batch(spec, range(12), 100, threads=1)

    result = timed(spread, jobs=lambda result: int(result.jobs.sum()))
    means = result.sums[:, 0, 0] / result.counts[:, 0, 4] / SERVICE
    assert means.mean() == pytest.approx(EXACT, rel=tolerance(12 * JOBS))
    assert (
        0.4 * SPREAD < means.std(ddof=1) / EXACT < 1.7 * SPREAD
    )  # chi-square with 11 degrees, 1 in 1,000 outside


def test_mm100(timed: Any) -> None:
    run, seeds, waits = ours(), itertools.count(1), []
    timed(lambda: waits.append(run(next(seeds))), jobs=JOBS, engine="gpusim")
    assert sum(waits) / len(waits) == pytest.approx(EXACT, rel=tolerance(JOBS * len(waits)))


@pytest.mark.parametrize("name", ["cimba", "simpy", "ciw"])
def test_mm100_of_peers(name: str, timed: Any) -> None:
    package = pytest.importorskip(name)
    peer = importlib.import_module(f"peers.{name}")
    jobs, beside, waits = peer.JOBS, [], []
    run, our_run = peer.prepare(jobs), ours()
    seeds, our_seeds = itertools.count(1), itertools.count(1)

    def before() -> None:
        begin = time.process_time()
        our_run(next(our_seeds))
        beside.append(time.process_time() - begin)

    facts = {"engine": name, "version": package.__version__, "beside": beside, "beside_jobs": JOBS}
    timed(lambda: waits.append(run(next(seeds))), jobs=jobs, before=before, **facts)
    if len(beside) > 1:
        del beside[0]  # belongs to the untimed call
    assert sum(waits) / len(waits) == pytest.approx(EXACT, rel=tolerance(jobs * len(waits)))
