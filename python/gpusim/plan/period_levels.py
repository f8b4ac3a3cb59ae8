"""Levels that judge a whole period once: delivered of granted, fair-share error, longest cascade.

*Delivered.* The GPU-time that a tenant's jobs used in the counted window, less what preemption lost, over what it
could have had: the smaller of what it is granted (its quota times the window, all pools, whatever the contract makes of
it; where no tenant has a quota, its share of the center by weight: `entitlements.py`) and what it demanded (the
GPU-time its jobs would use in the window if nobody ever waited: the same period run with unlimited GPUs, where no
quota stops and nobody is evicted). "Demand-backed", as allocations are settled: a tenant that asks for less than it
is granted violates nothing. A tenant that demanded or is granted nothing meets the level.

*Fair-share error.* The largest distance, over tenants, between the share of all delivered GPU-time that a tenant
got and the share it was entitled to. Entitled to is max-min fairness with weights (Bertsekas and Gallager, Data
Networks, 1992, 6.5.2; with one resource DRF is the same): what was delivered in all is divided in proportion to
what tenants are granted, but nobody gets more than it demanded, and what that leaves goes to the others in the same
proportion. Tenants that are granted nothing get what is left when all others have all they asked for. Work carried
into the window may be more than was demanded there; then the tenant demanded what it got.

*Longest cascade.* The most evictions in one tick (S27).

All of it is decided in whole numbers and fractions of them. Such a level cannot be decided before the run is over,
so runs of a scenario that has one are never stopped early.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import run_batch
from gpusim.engine.result import EVICTIONS, STATUS_OK, SUMS, BatchResult
from gpusim.plan.axis import Axis
from gpusim.plan.entitlements import entitlements
from gpusim.plan.experiment import Experiment
from gpusim.plan.infeasible import unlimited
from gpusim.plan.measure import Estimate, SloOutcome
from gpusim.scenario import ResolvedSlo
from gpusim.stats.binomial import clopper_pearson
from gpusim.stats.means import mean_interval
from gpusim.workload.ticks import MAX_GPUS

Int64 = npt.NDArray[np.int64]

_MILLION = 1_000_000
_USED, _LOST = SUMS.index("gpu_ticks"), EVICTIONS.index("lost")


@dataclass(frozen=True)
class Judged:
    """One level in some replications: what was measured (None: nothing to judge), and whether it holds."""

    level: ResolvedSlo
    measured: tuple[Fraction | None, ...]
    holds: npt.NDArray[np.bool_]


@dataclass
class PeriodLevels:
    """Judges whole runs of one experiment; remembers what each replication demands."""

    experiment: Experiment
    axis: Axis
    threads: int = 1
    levels: tuple[ResolvedSlo, ...] = field(init=False)
    _demanded: dict[tuple[int, int], Int64] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.levels = self.experiment.scenario.period_slos()

    def judge(self, replications: Int64, values: Int64, result: BatchResult) -> tuple[Judged, ...]:
        """Every level in every row of whole, completed runs; row i is a replication at a value of the axis."""
        if not self.levels or not len(result.status):
            return tuple(Judged(level, (), np.zeros(0, np.bool_)) for level in self.levels)
        delivered, demanded, granted = self._gpu_time(replications, values, result)
        judged = []
        for level in self.levels:
            rows = [
                self._measure(level, result, i, delivered[i], demanded[i], granted[i])
                for i in range(len(replications))
            ]
            holds = [row is None or _holds(level, row) for row in rows]
            judged.append(Judged(level, tuple(rows), np.array(holds, dtype=np.bool_)))
        return tuple(judged)

    def _measure(
        self,
        level: ResolvedSlo,
        result: BatchResult,
        row: int,
        delivered: list[int],
        demanded: list[int],
        granted: Sequence[Fraction],
    ) -> Fraction | None:
        if level.metric == "longest_cascade":
            return Fraction(0 if result.longest_cascade is None else int(result.longest_cascade[row]))
        if level.metric == "fair_share_error":
            return fair_share_error(delivered, demanded, granted)
        owners = sorted({self._owner[k] for k in level.classes})
        backed = {t: min(granted[t], Fraction(demanded[t])) for t in owners}
        shares = [delivered[t] / backed[t] for t in owners if backed[t] > 0]
        return min(shares, default=None)

    @property
    def _owner(self) -> list[int]:
        """Tenant of each class."""
        return [tenant for tenant, _, _ in self.experiment.scenario.classes()]

    def _gpu_time(
        self, replications: Int64, values: Int64, result: BatchResult
    ) -> tuple[list[list[int]], list[list[int]], list[list[Fraction]]]:
        """GPU-ticks delivered to, demanded by, and granted to each tenant in the window, by row."""
        spec = self.experiment.spec
        if all(level.metric == "longest_cascade" for level in self.levels):
            nothing: list[list[int]] = [[]] * len(values)
            return nothing, nothing, [[]] * len(values)
        window = spec.windows.count_end - spec.windows.warm_up
        rows = self.axis.gpus(values).reshape(len(values), -1)[:, : len(self.axis.pools)].tolist()
        granted = {
            row: [gpus * window for gpus in entitlements(self.experiment.scenario, row)]
            for row in set(map(tuple, rows))
        }
        demand = self.axis.demand_ppm(values).tolist()
        self._ask(zip(replications.tolist(), demand, strict=True))
        asked = np.array([self._demanded[key] for key in zip(replications.tolist(), demand, strict=True)])
        return (
            self._by_tenant(_useful(result)),
            self._by_tenant(asked),
            [granted[tuple(row)] for row in rows],
        )

    def _by_tenant(self, by_class: Int64) -> list[list[int]]:
        totals = np.zeros((len(by_class), self.experiment.spec.classes.tenants), np.int64)
        for k, tenant in enumerate(self._owner):
            totals[:, tenant] += by_class[:, k]
        rows: list[list[int]] = totals.tolist()
        return rows

    def _ask(self, keys: Iterable[tuple[int, int]]) -> None:
        """Run those that are not known with unlimited GPUs."""
        missing = sorted({key for key in keys if key not in self._demanded})
        if not missing:
            return
        replications = np.array([r for r, _ in missing], dtype=np.int64)
        spec, draw = self.experiment.compiled(replications)
        free = replace(unlimited(self.experiment.spec, self.experiment.scenario), jobs=spec.jobs)
        result = run_batch(
            free,
            replications,
            np.full((len(missing), spec.classes.n_pools), MAX_GPUS // spec.classes.n_pools, dtype=np.int64),
            demand_ppm=np.array([demand for _, demand in missing], dtype=np.int64),
            draw=0 if draw is None else draw,
            backend="cpu",
            threads=self.threads,
        )
        assert (result.status == STATUS_OK).all()
        self._demanded.update(zip(missing, _useful(result), strict=True))


def _useful(result: BatchResult) -> Int64:
    """GPU-ticks used in the window and not lost, by class."""
    used = result.sums[:, :, _USED]
    return used if result.evictions is None else np.maximum(used - result.evictions[:, :, _LOST], 0)


def fair_share_error(
    delivered: Sequence[int], demanded: Sequence[int], weights: Sequence[int | Fraction]
) -> Fraction | None:
    """Largest distance between delivered and entitled, as a share of all that was delivered; None if nothing was."""
    total = sum(delivered)
    if not total:
        return None
    caps = [max(pair) for pair in zip(delivered, demanded, strict=True)]
    entitled = fair_division(total, caps, weights)
    return max(abs(got - due) for got, due in zip(delivered, entitled, strict=True)) / total


def fair_division(total: int, caps: Sequence[int], weights: Sequence[int | Fraction]) -> list[Fraction]:
    """Weighted max-min fair division of `total`, nobody above its cap; weight 0 gets what is left, in equal parts."""
    given = [Fraction(0)] * len(caps)
    left = Fraction(total)
    for weighted in (True, False):
        open_ = {k for k, weight in enumerate(weights) if (weight > 0) == weighted}
        while open_ and left:
            weight = {k: Fraction(weights[k]) if weighted else Fraction(1) for k in open_}
            level = left / sum(weight.values())
            full = {k for k in open_ if caps[k] <= level * weight[k]}
            for k in full or open_:
                given[k] = Fraction(caps[k]) if full else level * weight[k]
            left -= sum(given[k] for k in full or open_)
            open_ = open_ - full if full else set()
    return given


def period_outcomes(judged: Sequence[Judged], confidence: float) -> tuple[SloOutcome, ...]:
    """Every level on whole periods, in the form of the others."""
    outcomes = []
    for each in judged:
        held, n = int(each.holds.sum()), len(each.holds)
        known = np.array([float(value) for value in each.measured if value is not None])
        mean = Estimate.of(float(known.mean()), mean_interval(known, confidence)) if len(known) else None
        outcomes.append(
            SloOutcome(
                sentence=each.level.sentence,
                scope=each.level.scope,
                metric=each.level.metric,
                limit=each.level.limit,
                required=1.0,
                share=None,
                slack=None,
                attainment=Estimate.of(held / n, clopper_pearson(held, n, confidence)),
                jobs=0,
                censored=0,
                vacuous=n - len(known),
                measured=mean,
            )
        )
    return tuple(outcomes)


def _holds(level: ResolvedSlo, measured: Fraction) -> bool:
    if level.metric == "longest_cascade":
        return measured <= round(level.limit)
    limit = Fraction(round(level.limit * _MILLION), _MILLION)
    return measured >= limit if level.metric == "delivered" else measured <= limit
