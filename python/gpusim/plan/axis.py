"""What `size` searches over: the GPUs of the center, those of one pool, or the demand that the GPUs there are carry.

A search knows integers only. An `Axis` says what such an integer is in a run: a number of GPUs, or a factor on
all demand in millionths. On the axis of demand less is easier, so its grid descends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, UsageError
from gpusim.plan.reserved import most_reserved, reserved_gpus
from gpusim.plan.staffing import carried_guess, staffing_guess
from gpusim.scenario import Scenario
from gpusim.stats.grid import CapacityGrid
from gpusim.suggest import did_you_mean
from gpusim.workload.ticks import MAX_GPUS

GPUS, DEMAND = "gpus", "demand"
"""Names of the axes that are not a pool."""
NOMINAL = 1_000_000
"""A demand of 100 %, in millionths."""

_CEILING = 16
"""Without `max_gpus` the search ends at this multiple of the first guess."""
_DEMAND_RANGE = (0.01, 4.0)
"""Factors considered without `min_demand` and `max_demand`."""

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """What varies between candidates, and what stays.

    Attributes
    ----------
    vary : str
        "gpus", "demand", or the name of a pool.
    pools : tuple of str
        Names of all pools.
    have : tuple of int or None
        GPUs there are in each pool; None where that is not known (only in the pool that varies).
    demand : int
        Factor on all demand [millionths], where demand does not vary.
    reserved : tuple of int
        GPUs of the pools of reservations, which follow those of the center.
    """

    vary: str
    pools: tuple[str, ...]
    have: tuple[int | None, ...]
    demand: int = NOMINAL
    reserved: tuple[int, ...] = ()

    @property
    def pool(self) -> int | None:
        """The pool that varies; None if demand does."""
        if self.vary == DEMAND:
            return None
        return 0 if len(self.pools) == 1 else self.pools.index(self.vary)

    @property
    def descending(self) -> bool:
        """Whether a smaller value is easier."""
        return self.vary == DEMAND

    @property
    def fixed(self) -> int:
        """GPUs of the pools that do not vary."""
        return sum(n or 0 for k, n in enumerate(self.have) if k != self.pool)

    def gpus(self, values: Int64) -> Int64:
        """GPUs of each cell: (n,) for one pool, (n, P) for several."""
        rows = np.tile(np.array([n or 0 for n in self.have], dtype=np.int64), (len(values), 1))
        if self.pool is not None:
            rows[:, self.pool] = values
        if self.reserved:
            apart = np.tile(np.array(self.reserved, dtype=np.int64), (len(values), 1))
            return np.concatenate((rows, apart), axis=1)
        return rows[:, 0] if len(self.pools) == 1 else rows

    def demand_ppm(self, values: Int64) -> Int64:
        """Demand of each cell [millionths]."""
        return values if self.vary == DEMAND else np.full(len(values), self.demand, dtype=np.int64)

    def total(self, value: int) -> int:
        """GPUs of the whole center at a value."""
        return self.fixed + (value if self.pool is not None else 0)


def axis_of(scenario: Scenario, vary: str | None = None) -> Axis:
    """The axis that a scenario asks for, or another one.

    Parameters
    ----------
    scenario : Scenario
    vary : str, optional
        "gpus", "demand" or the name of a pool. Default: `study.vary`.

    Raises
    ------
    UsageError
        If there is no such pool, the GPUs that do not vary are not given, or quotas are in GPUs of the pool that
        varies and no tenant owns the rest.
    """
    wanted = scenario.study.vary if vary is None else vary
    names = scenario.pool_names
    have = pool_sizes(scenario)
    allowed = [DEMAND, *names] if len(names) > 1 else [GPUS, DEMAND, *names]
    if wanted not in allowed:
        several = wanted == GPUS and len(names) > 1
        what = "does not say which of several pools" if several else "names neither a pool nor demand"
        near = None if several else did_you_mean(wanted, allowed)
        remedy = f"did you mean '{near}'?" if near else f"use {', '.join(allowed)}"
        raise UsageError(Problem("study.vary", what, remedy, "plan/vary", wanted))
    axis = Axis(
        GPUS if len(names) == 1 and wanted != DEMAND else wanted,
        names,
        have,
        demand_of(scenario),
        reserved_gpus(scenario),
    )
    missing = [name for k, name in enumerate(names) if k != axis.pool and have[k] is None]
    fixed = [] if axis.pool is None else fixed_quotas(scenario, names[axis.pool])
    if fixed and scenario.quotas.unassigned < 0:
        what = "is in GPUs, but their number varies: nobody would own the others"
        remedy = "write a share, such as 25%, or quota: rest for one tenant"
        raise UsageError(
            [Problem(f"{name}.quota", what, remedy, "plan/quota", f"{gpus:,}") for name, gpus in fixed]
        )
    if missing:
        where = "center.have" if len(names) == 1 else "center.pools"
        what, remedy = (
            "GPUs there are stay as they are, but are not given",
            "give the number of GPUs there are",
        )
        raise UsageError([Problem(where, what, f"{remedy} (have)", "plan/have", name) for name in missing])
    return axis


def fixed_quotas(scenario: Scenario, pool: str) -> list[tuple[str, int]]:
    """(tenant or cohort, GPUs) of each quota that does not grow with a pool."""
    if scenario.policy.contract == "shared":
        return []
    amounts = [
        (node.name, None if node.quota is None else node.quota.of(pool)) for node in scenario.quotas.nodes
    ]
    return [(name, amount.gpus) for name, amount in amounts if amount is not None and amount.gpus]


def pool_sizes(scenario: Scenario) -> tuple[int | None, ...]:
    """GPUs there are, per pool; None where the scenario does not say."""
    if scenario.center.pools:
        return tuple(pool.have for pool in scenario.center.pools)
    return (scenario.center.have,)


def demand_of(scenario: Scenario) -> int:
    """`study.demand` in millionths."""
    return max(1, round(scenario.study.demand * NOMINAL))


def grid_of(scenario: Scenario, axis: Axis) -> CapacityGrid:
    """Values considered.

    GPUs: multiples of the granularity, from the largest gang that needs this pool and what is reserved of it, up to
    `max_gpus` or far above need.
    Demand: multiples of `demand_step` from `min_demand` to `max_demand`.
    """
    study = scenario.study
    if axis.vary == DEMAND:
        step = max(1, round(study.demand_step * NOMINAL))
        least = _DEMAND_RANGE[0] if study.min_demand is None else study.min_demand
        most = _DEMAND_RANGE[1] if study.max_demand is None else study.max_demand
        low = step * max(1, math.ceil(round(least * NOMINAL) / step))
        count = max(0, round(most * NOMINAL) - low) // step + 1
        return CapacityGrid(low, step, count, descending=True)
    step = study.granularity
    kept = 0 if axis.pool is None else most_reserved(scenario, axis.pool)
    low = step * max(1, math.ceil(max(study.min_gpus or 0, _largest_gang(scenario, axis), kept) / step))
    guess = max(start_of(scenario, axis), low)
    high = study.max_gpus or _CEILING * guess
    return CapacityGrid(low, step, max(0, min(high, MAX_GPUS) - low) // step + 1)


def start_of(scenario: Scenario, axis: Axis) -> int:
    """First guess of the answer, in the unit of the axis; a bad one only costs runs."""
    if axis.vary == DEMAND:
        return round(carried_guess(scenario, axis.fixed) * NOMINAL)
    return max(1, staffing_guess(scenario) - axis.fixed)


def _largest_gang(scenario: Scenario, axis: Axis) -> int:
    """Largest gang that no other pool may take."""
    only = {axis.pool}
    gangs = (
        job_class.largest_gang
        for k, (_, _, job_class) in enumerate(scenario.classes())
        if set(scenario.class_pools(k)) == only
    )
    return max(gangs, default=1)
