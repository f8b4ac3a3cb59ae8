"""The workloads that are timed: what the engine is asked to run, in ticks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gpusim.engine.sharing import NO_THRESHOLD
from gpusim.engine.spec import SKIP, ClassTable, Policy, RunSpec, Sharing, Windows
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Distribution, Exponential, LogNormal
from gpusim.workload.jobs import Jobs
from gpusim.workload.limit_mode import SCALE_ONE, LimitMode
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator, Source, source_key

SERVICE = 100_000
"""Mean service time of M/M/c [tick]."""
CENTER_GPUS = 10_000
HOUR = 3_600
"""Ticks of an hour in the mix of the 10,000-GPU center: a tick is a second."""
SIGMA = 1.6
"""Of the lognormal run times of that mix."""


def poisson_source(
    job_class: int,
    gap: float,
    service: Distribution,
    gpus: int,
    segment: int = 0,
    choices: list[int] | None = None,
) -> Source:
    """Poisson arrivals of jobs of one size; requests are exact, or rounded up to `choices`."""
    counts = compile_alias([gpus], [1.0])
    rounded = choices is not None
    return Source(
        key=source_key("bench", f"class {job_class}"),
        job_class=job_class,
        active=True,
        gap=compile_table(Exponential(gap), 1.0, 20),
        service=compile_table(service, 1.0, 16),
        gpus=counts.gpus,
        threshold=counts.threshold,
        alias=counts.alias,
        limit_mode=LimitMode.FACTOR if rounded else LimitMode.EXACT,
        limit_a=SCALE_ONE if rounded else 0,
        limit_b=SCALE_ONE if rounded else 0,
        choices=np.array(choices or [], np.int64),
        segment=segment,
    )


def mmc(servers: int, utilization: float, jobs: int, *, warm_up: float = 0.1, segment: int = 0) -> RunSpec:
    """M/M/c, FIFO, about `jobs` jobs; run times longer than `segment` ticks become chains of jobs.

    `warm_up` is the share of the horizon that is simulated but not counted.
    """
    gap = SERVICE / (servers * utilization)
    source = poisson_source(0, gap, Exponential(SERVICE), 1, segment)
    horizon = round(gap * jobs)
    windows = Windows(round(warm_up * horizon), horizon, horizon)
    return RunSpec(Generator(sources=(source,), seed=1), ClassTable.single(), Policy(), windows)


def center_mix(jobs: int, *, load: float = 0.85, backfill: int = 0, gpus: int = CENTER_GPUS) -> RunSpec:
    """A center of so many GPUs: eleven classes of 1, 2, 4, .. 1024 GPUs with lognormal run times, about `jobs` jobs.

    Class k asks for 2^k GPUs; its mean run time rises evenly from 2 h (k = 0) to 10 h (k = 10), its share of the
    jobs is in proportion to 1 / sqrt(2^k). Requests are the run times rounded up to 1, 2, 4, .. 128 h.
    """
    sizes = 2 ** np.arange(11)
    means = HOUR * np.linspace(2.0, 10.0, 11)
    shares = 1.0 / np.sqrt(sizes)
    shares /= shares.sum()
    gap = float((shares * sizes * means).sum()) / (load * gpus)  # between any two jobs [tick]
    limits = [HOUR * 2**k for k in range(8)]
    sources = tuple(
        poisson_source(
            k,
            gap / float(shares[k]),
            LogNormal(float(means[k]) / math.exp(SIGMA**2 / 2), SIGMA),
            int(sizes[k]),
            choices=limits,
        )
        for k in range(11)
    )
    classes = ClassTable(np.zeros(11, np.int32), np.zeros(11, np.int32), np.full(11, -1, np.int64), 1)
    horizon = round(gap * jobs)
    windows = Windows(horizon // 10, horizon, horizon)
    return RunSpec(Generator(sources=sources, seed=1), classes, Policy(backfill), windows)


def standing_queue(waiting: int, jobs: int, *, backfill: int) -> RunSpec:
    """`waiting` jobs at once, then `jobs` more at about the rate at which 256 GPUs can work them off.

    Sizes are 1 to 64 GPUs, evenly likely; run times exponential, with a mean of 1,000 ticks; requests exact.
    """
    draw = np.random.default_rng(7)
    n = waiting + jobs
    size = draw.integers(1, 65, n)
    service = np.ceil(draw.exponential(1_000.0, n)).astype(np.int64)
    gap = float((size * service).mean()) / 256
    submit = np.zeros(n, np.int64)
    submit[waiting:] = np.floor(gap * np.arange(jobs)).astype(np.int64)
    table = Jobs(id=np.arange(n), submit=submit, service=service, limit=service, gpus=size.astype(np.int32))
    return RunSpec(table, ClassTable.single(), Policy(backfill, kill_at_limit=False))


def shared_mix(
    jobs: int, *, tenants: int = 16, load: float = 0.85, backfill: int = SKIP, gpus: int = CENTER_GPUS
) -> RunSpec:
    """The center of `center_mix`, shared by tenants of equal quotas with three priorities each.

    Jobs are spread evenly over tenants, and 2 : 3 : 5 over the priorities 2, 1, 0. Tenants borrow from each other
    without a limit, reclaim what is theirs from anybody, and evict lower priorities of their own. Jobs of priorities 0
    and 1 may be evicted and save their work every 30 minutes.
    """
    sizes = 2 ** np.arange(11)
    size_shares = 1.0 / np.sqrt(sizes)
    size_shares /= size_shares.sum()
    mean = 6.0 * HOUR
    gap = float((size_shares * sizes).sum()) * mean / (load * gpus)  # between any two jobs [tick]
    priorities = {2: 0.2, 1: 0.3, 0: 0.5}
    counts = compile_alias(sizes.tolist(), size_shares.tolist())
    sources, tiers, owners = [], [], []
    for tenant in range(tenants):
        for priority, share in priorities.items():
            job_class = len(tiers)
            source = poisson_source(
                job_class,
                gap * tenants / share,
                LogNormal(mean / math.exp(SIGMA**2 / 2), SIGMA),
                1,
                choices=[HOUR * 2**k for k in range(8)],
            )
            sources.append(replace(source, gpus=counts.gpus, threshold=counts.threshold, alias=counts.alias))
            tiers.append(priority)
            owners.append(tenant)
    n = len(tiers)
    classes = ClassTable(np.array(tiers), np.array(owners), np.full(n, -1, np.int64), tenants)
    none = np.full((tenants + 1, 1), -1)
    sharing = Sharing(
        parent=np.array([tenants] * tenants + [-1]),
        nominal=np.array([[1_000_000 // tenants]] * tenants + [[0]]),
        borrow=none,
        lend=none,
        shares=np.array([[[True]] * (tenants + 1), *[[[False]] * (tenants + 1)] * 2]),
        strict=np.zeros(tenants, np.bool_),
        within=np.full(tenants, 1),
        reclaim=np.full(tenants, 2),
        borrow_preempts=np.full(tenants, NO_THRESHOLD),
        max_gpus=np.full(tenants, -1),
        max_jobs=np.full(tenants, -1),
        preemptible=np.array(tiers) < 2,
        urgent=np.zeros(n, np.bool_),
        requeue=np.zeros(n, np.int64),
        exempt=np.zeros(n, np.int64),
        grace=np.zeros(n, np.int64),
        checkpoint=np.full(n, HOUR // 2),
        checkpoint_cost=np.zeros(n, np.int64),
        restart=np.zeros(n, np.int64),
    )
    horizon = round(gap * jobs)
    windows = Windows(horizon // 10, horizon, horizon)
    generator = Generator(sources=tuple(sources), seed=1)
    return RunSpec(generator, classes, Policy(backfill), windows, sharing=sharing)
