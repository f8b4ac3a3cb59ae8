"""Measurements at one capacity: how often every level is met, by how much, and what users see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.engine.result import COUNTS, INTEGRALS, SLO_COUNTS, SUMS, BatchResult, bin_edges
from gpusim.plan.experiment import windows
from gpusim.scenario import Scenario
from gpusim.stats.binomial import Interval, clopper_pearson
from gpusim.stats.means import mean_interval, ratio_interval

Int64 = npt.NDArray[np.int64]

MET, VIOLATED, CENSORED = (SLO_COUNTS.index(name) for name in ("met", "violated", "censored"))


@dataclass(frozen=True)
class Estimate:
    """A point estimate with the interval at the study's confidence."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, interval: Interval) -> Estimate:
        """Join a value and its interval."""
        return cls(value, interval.low, interval.high)


@dataclass(frozen=True)
class SloOutcome:
    """One service level at one capacity.

    Attributes
    ----------
    sentence, scope : str
    metric : str
        "wait", "turnaround", "slowdown", "turned_away", "deadline" or "preemptions"; of a whole period "delivered",
        "fair_share_error" or "longest_cascade".
    limit : float
        [s]; of a slowdown the factor, of evictions their number, of delivered and the fair-share error a share; nan
        where the level has no limit of its own.
    required : float
        Share of jobs that must meet the limit.
    share : Estimate or None
        Share of decided jobs that met it, over all replications (asymptotic interval); None if no job of its
        scope was decided.
    slack : float or None
        share - required; negative where the level fails on average.
    attainment : Estimate
        Share of replications in which the level was met (exact interval).
    jobs : int
        Decided jobs, over all replications.
    censored : int
        Jobs undecided at the end of their run: unknown, left out.
    vacuous : int
        Replications without a single decided job, or without anything to judge, which count as met.
    below : Estimate or None
        `attainment` one step below the interval of a sizing answer: who pays if there are fewer GPUs.
    measured : Estimate or None
        What a level on a whole period limits, mean over replications; None for levels on jobs.
    """

    sentence: str
    scope: str
    metric: str
    limit: float
    required: float
    share: Estimate | None
    slack: float | None
    attainment: Estimate
    jobs: int
    censored: int
    vacuous: int
    below: Estimate | None = None
    measured: Estimate | None = None

    @property
    def censored_share(self) -> float:
        """Share of the counted jobs that nobody can judge."""
        return self.censored / max(self.jobs + self.censored, 1)


@dataclass(frozen=True)
class ClassShare:
    """How often a class occurs at all, and how much of it.

    Attributes
    ----------
    name : str
    occurs : Estimate
        Share of replications with at least one counted job (exact interval).
    jobs : float
        Counted jobs in a replication, mean.
    gpus_in_use : float
        Mean GPUs in use.
    """

    name: str
    occurs: Estimate
    jobs: float
    gpus_in_use: float


@dataclass(frozen=True)
class ClassOutcome:
    """What the jobs of one class, or of all, saw; times in seconds.

    `rejected` counts jobs larger than the center and those refused by `max_waiting`; `cancelled` segments of chains
    that broke; `unfinished` waits, runs or is held at the end. Percentiles are over jobs that started, to within 1 %
    (histogram bins).
    """

    name: str
    jobs: int
    started: int
    killed: int
    rejected: int
    abandoned: int
    cancelled: int
    unfinished: int
    mean_wait: Estimate
    p50_wait: float
    p95_wait: float
    p99_wait: float
    gpus_in_use: Estimate


@dataclass(frozen=True)
class PoolOutcome:
    """One pool: its GPUs, and the share of them that was allocated in the counted window."""

    name: str
    gpus: int
    occupancy: Estimate


@dataclass(frozen=True)
class Attainment:
    """P(all levels met) at one capacity.

    `implied` of the replications were not run there: they passed with less, or failed with more.
    """

    gpus: int
    replications: int
    passed: int
    share: float
    low: float
    high: float
    implied: int = 0

    @classmethod
    def of(cls, gpus: int, passed: npt.NDArray[np.bool_], confidence: float, implied: int = 0) -> Attainment:
        """From the verdicts of replications."""
        met, n = int(passed.sum()), len(passed)
        interval = clopper_pearson(met, n, confidence)
        return cls(gpus, n, met, met / n, interval.low, interval.high, implied)


def counted_ticks(scenario: Scenario) -> int:
    """Length of the counted window [tick]."""
    window = windows(scenario)
    return window.count_end - window.warm_up


def slo_outcomes(scenario: Scenario, result: BatchResult, confidence: float) -> tuple[SloOutcome, ...]:
    """Every level, from whole (not early) runs at one capacity."""
    outcomes = []
    for s, level in enumerate(scenario.resolved_slos()):
        met, violated = result.slo[:, s, MET], result.slo[:, s, VIOLATED]
        decided = met + violated
        held = met * 1_000_000 >= level.share_ppm * decided
        interval = clopper_pearson(int(held.sum()), len(held), confidence)
        total = int(decided.sum())
        share = _share(met, decided, confidence) if total else None
        outcomes.append(
            SloOutcome(
                sentence=level.sentence,
                scope=level.scope,
                metric=level.metric,
                limit=level.limit,
                required=level.share,
                share=share,
                slack=None if share is None else share.value - level.share,
                attainment=Estimate.of(float(held.mean()), interval),
                jobs=total,
                censored=int(result.slo[:, s, CENSORED].sum()),
                vacuous=int((decided == 0).sum()),
            )
        )
    return tuple(outcomes)


def _share(met: Int64, decided: Int64, confidence: float) -> Estimate:
    share, n = float(met.sum() / decided.sum()), len(met)
    if share in (0.0, 1.0):  # nothing varies: at most so many periods may hold a job of the other kind
        return Estimate.of(share, clopper_pearson(round(share * n), n, confidence))
    bounds = ratio_interval(met, decided, confidence)
    return Estimate(share, max(0.0, bounds.low), min(1.0, bounds.high))


def class_outcomes(scenario: Scenario, result: BatchResult, confidence: float) -> tuple[ClassOutcome, ...]:
    """Every class, then all together; needs histograms."""
    names = scenario.class_names
    every: list[tuple[str, Sequence[int]]] = [(name, [k]) for k, name in enumerate(names)]
    return tuple(
        _class_outcome(scenario, result, name, list(rows), confidence)
        for name, rows in (*every, ("all", range(len(names))))
    )


def class_shares(scenario: Scenario, result: BatchResult, confidence: float) -> tuple[ClassShare, ...]:
    """How often each class occurs in the counted window, in class order."""
    submitted = result.counts[:, :, COUNTS.index("submitted")]
    use = result.sums[:, :, SUMS.index("gpu_ticks")].mean(axis=0) / max(counted_ticks(scenario), 1)
    n = len(submitted)
    shares = []
    for k, name in enumerate(scenario.class_names):
        seen = int((submitted[:, k] > 0).sum())
        occurs = Estimate.of(seen / n, clopper_pearson(seen, n, confidence))
        shares.append(ClassShare(name, occurs, float(submitted[:, k].mean()), float(use[k])))
    return tuple(shares)


def _class_outcome(
    scenario: Scenario, result: BatchResult, name: str, rows: list[int], confidence: float
) -> ClassOutcome:
    assert result.histogram is not None
    counts = dict(zip(COUNTS, result.counts[:, rows].sum(axis=1).T, strict=True))
    sums = dict(zip(SUMS, result.sums[:, rows].sum(axis=1).T, strict=True))
    started = counts["started"]
    window = counted_ticks(scenario)
    wait = ratio_interval(sums["wait"] * scenario.tick, started, confidence)
    use = sums["gpu_ticks"] / max(window, 1)
    waits = result.histogram[:, rows].sum(axis=(0, 1))
    return ClassOutcome(
        name=name,
        jobs=int(counts["submitted"].sum()),
        started=int(started.sum()),
        killed=int(counts["killed_limit"].sum()),
        rejected=int((counts["rejected"] + counts["rejected_full"]).sum()),
        abandoned=int(counts["abandoned"].sum()),
        cancelled=int(counts["cancelled"].sum()),
        unfinished=int((counts["waiting"] + counts["running"] + counts["held"]).sum()),
        mean_wait=Estimate.of(float(sums["wait"].sum()) * scenario.tick / max(int(started.sum()), 1), wait),
        p50_wait=histogram_quantile(waits, 0.50) * scenario.tick,
        p95_wait=histogram_quantile(waits, 0.95) * scenario.tick,
        p99_wait=histogram_quantile(waits, 0.99) * scenario.tick,
        gpus_in_use=Estimate.of(float(use.mean()), mean_interval(use, confidence)),
    )


def histogram_quantile(bins: npt.NDArray[np.int64], share: float) -> float:
    """Smallest wait [tick] that at least `share` of the jobs did not exceed, to the bin's upper end; nan if none."""
    total = int(bins.sum())
    if total == 0:
        return math.nan
    k = int(np.searchsorted(np.cumsum(bins), math.ceil(share * total)))
    return float(bin_edges(len(bins))[k + 1] - 1)


def occupancies(scenario: Scenario, result: BatchResult, gpus: int) -> npt.NDArray[np.float64]:
    """Share of the GPUs that were allocated in the counted window, per replication."""
    window = counted_ticks(scenario)
    return np.asarray(
        result.integrals[:, INTEGRALS.index("allocated")] / max(window * gpus, 1), dtype=np.float64
    )


def occupancy(scenario: Scenario, result: BatchResult, gpus: int, confidence: float) -> Estimate:
    """Mean of `occupancies` over replications."""
    use = occupancies(scenario, result, gpus)
    return Estimate.of(float(use.mean()), mean_interval(use, confidence))


def pool_outcomes(
    scenario: Scenario, result: BatchResult, pools: Mapping[str, int], confidence: float
) -> tuple[PoolOutcome, ...]:
    """Use of every pool; `pools` holds their GPUs in the order of the engine."""
    window = counted_ticks(scenario)
    outcomes = []
    for k, (name, gpus) in enumerate(pools.items()):
        use = result.pool_gpu_ticks[:, k] / max(window * gpus, 1)
        outcomes.append(
            PoolOutcome(name, gpus, Estimate.of(float(use.mean()), mean_interval(use, confidence)))
        )
    return tuple(outcomes)
