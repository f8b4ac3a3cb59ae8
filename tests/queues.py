"""Queues of theory as runs of the engine, and intervals for what theory says about them.

Times are in units of `UNIT` ticks, mostly the mean service time, so that rounding to ticks is a matter of millionths.
Every number compared with theory is a ratio of sums of exact integers, one pair of sums a replication. Replications
are independent, so the spread over them gives the error without any theory about runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS, INTEGRALS, SLO_COUNTS, SUMS, BatchResult
from gpusim.engine.spec import ClassTable, Policy, RunSpec, SloTable, Windows
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Distribution, Exponential
from gpusim.workload.quantile_table import QuantileTable, compile_table
from gpusim.workload.source import Generator, LimitMode, Source, source_key

UNIT = 1_000_000
"""Ticks in the unit of time."""
LEVEL = 0.999
"""Confidence of every interval."""


@dataclass(frozen=True)
class Poisson:
    """Poisson stream of jobs: the arrivals the formulas are about.

    `gpus` maps gang sizes to probabilities; `longest` above 1 draws limits from 1 to `longest` service times.
    """

    rate: float
    service: Distribution = field(default=Exponential(1.0))
    gpus: Mapping[int, float] = field(default_factory=lambda: {1: 1.0})
    tier: int = 0
    longest: float = 1.0


def queue(
    *streams: Poisson,
    seed: int,
    count: float,
    warm_up: float = 0.0,
    cool_down: float = 0.0,
    policy: Policy | None = None,
    limits: Sequence[float] = (),
) -> RunSpec:
    """A center fed by the streams, one class each; level s counts waits above `limits[s]` in all classes."""
    windows = Windows(*(round(t * UNIT) for t in (warm_up, warm_up + count, warm_up + count + cool_down)))
    max_shift = 62 - windows.horizon.bit_length()
    classes = len(streams)
    return RunSpec(
        Generator(
            sources=tuple(_source(i, stream, max_shift) for i, stream in enumerate(streams)),
            seed=seed,
        ),
        ClassTable([s.tier for s in streams], [0] * classes, [-1] * classes, 1),
        policy or Policy(),
        windows,
        SloTable([round(t * UNIT) for t in limits], [0] * len(limits), np.ones((len(limits), classes), bool)),
    )


def _source(job_class: int, stream: Poisson, max_shift: int) -> Source:
    name = f"class {job_class}"
    alias = compile_alias(list(stream.gpus), list(stream.gpus.values()))
    exact = stream.longest == 1.0
    return Source(
        key=source_key("theory", name),
        job_class=job_class,
        active=True,
        gap=_table(Exponential(1.0 / stream.rate), max_shift),
        service=_table(stream.service, 8),
        gpus=alias.gpus,
        threshold=alias.threshold,
        alias=alias.alias,
        limit_mode=LimitMode.EXACT if exact else LimitMode.FACTOR,
        limit_a=0 if exact else 1 << 16,
        limit_b=0 if exact else round(stream.longest * (1 << 16)),
        name=name,
    )


@cache
def _table(distribution: Distribution, max_shift: int) -> QuantileTable:
    return compile_table(distribution, 1.0 / UNIT, max_shift)


def replicate(spec: RunSpec, gpus: int, replications: int) -> Replications:
    """Independent runs of one center."""
    return Replications(run_batch(spec, np.arange(replications), gpus))


@dataclass(frozen=True)
class Replications:
    """Columns of a result by name, one row a replication; of one class, or summed over all."""

    result: BatchResult

    def count(self, name: str, job_class: int | None = None) -> npt.NDArray[np.int64]:
        return _of(self.result.counts, COUNTS.index(name), job_class)

    def total(self, name: str, job_class: int | None = None) -> npt.NDArray[np.float64]:
        return _of(self.result.sums, SUMS.index(name), job_class) / UNIT

    def level(self, name: str, s: int) -> npt.NDArray[np.int64]:
        return self.result.slo[:, s, SLO_COUNTS.index(name)]

    def integral(self, name: str) -> npt.NDArray[np.float64]:
        return self.result.integrals[:, INTEGRALS.index(name)] / UNIT

    def late(self, s: int) -> Estimate:
        """P(W > limits[s]); the cool-down must be at least the limit."""
        assert not self.level("censored", s).any()
        violated = self.level("violated", s)
        return ratio(violated, self.level("met", s) + violated)

    def wait(self, job_class: int | None = None) -> Estimate:
        """E[W] of the jobs that were not refused; the cool-down must let all of them start."""
        assert not self.count("waiting", job_class).any()
        return ratio(self.total("wait", job_class), self.count("started", job_class))

    def lost(self, job_class: int | None = None) -> Estimate:
        """Share of jobs refused because of `max_waiting`."""
        return ratio(self.count("rejected_full", job_class), self.count("submitted", job_class))


def _of(values: npt.NDArray[np.int64], column: int, job_class: int | None) -> npt.NDArray[np.int64]:
    return values[:, :, column].sum(axis=1) if job_class is None else values[:, job_class, column]


@dataclass(frozen=True)
class Estimate:
    """A ratio with its standard error, from `n` independent replications."""

    value: float
    error: float
    n: int

    @property
    def half_width(self) -> float:
        """Of the Student interval at `LEVEL`."""
        return float(stats.t.isf((1.0 - LEVEL) / 2.0, self.n - 1)) * self.error

    def holds(self, exact: float) -> bool:
        """Whether the interval holds the value."""
        return abs(self.value - exact) <= self.half_width

    def deviation(self, exact: float) -> float:
        """Distance from the exact value, as the normal deviate of the same probability."""
        t = (self.value - exact) / self.error
        return math.copysign(float(stats.norm.isf(stats.t.sf(abs(t), self.n - 1))), t)


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Estimate:
    """Sum over sum, with the delta method's error; an entry a replication, or one denominator for all."""
    x = np.asarray(numerator, dtype=np.float64)
    y = np.broadcast_to(np.asarray(denominator, dtype=np.float64), x.shape)
    value = float(x.sum() / y.sum())
    error = float((x - value * y).std(ddof=1) / y.mean() / math.sqrt(len(x)))
    return Estimate(value, error, len(x))


def relaxation(servers: int, offered: float) -> float:
    """Time in which M/M/c forgets its past: 1 / (sqrt c - sqrt a)^2 mean service times."""
    return 1.0 / (math.sqrt(servers) - math.sqrt(offered)) ** 2
