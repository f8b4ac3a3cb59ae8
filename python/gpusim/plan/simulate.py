"""`simulate`: everything measured at one capacity."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpusim.engine.cpu import usable_cores
from gpusim.engine.result import BatchResult
from gpusim.errors import NotConverged, Problem, UsageError
from gpusim.plan.agreements import Agreements, agreements
from gpusim.plan.answer import Spent
from gpusim.plan.axis import GPUS, Axis, demand_of, pool_sizes
from gpusim.plan.band import OccupancyOutcome, occupancy_outcome
from gpusim.plan.evictions import Evictions, evictions
from gpusim.plan.experiment import Experiment, horizon_in_words
from gpusim.plan.measure import (
    Attainment,
    ClassOutcome,
    Estimate,
    PoolOutcome,
    SloOutcome,
    class_outcomes,
    occupancy,
    pool_outcomes,
)
from gpusim.plan.output import finite
from gpusim.plan.provenance import Provenance, load_call, provenance
from gpusim.plan.reserved import reserved_gpus
from gpusim.plan.runs import Progress, Runs
from gpusim.plan.why import Why, replications_for_causes, why
from gpusim.scenario import Scenario
from gpusim.suggest import did_you_mean
from gpusim.workload.ticks import MAX_GPUS

SIMULATION_SCHEMA = 2
"""Version of the JSON form."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """What one capacity gives.

    Attributes
    ----------
    gpus : int
        Of the whole center.
    pools : tuple of PoolOutcome
        Each pool, with its use.
    attainment : Attainment
        P(all levels met), with its exact interval.
    required : float
        `study.attainment`.
    slos : tuple of SloOutcome
    classes : tuple of ClassOutcome
        Every class, then "all".
    occupancy : Estimate
        Share of GPUs allocated in the counted window.
    occupancy_levels : tuple of OccupancyOutcome
        Levels on occupancy; they are no part of `attainment`.
    evictions : Evictions or None
        What preemption costs; None where no class is preemptible.
    agreements : Agreements or None
        What leases, approvals and reservations come to; None without any.
    why : Why or None
        Why jobs waited and GPUs were idle; None if the time limit left no run for it.
    offered_load, peak_load : float
        Mean and largest number of GPUs in use if nobody waited.
    batch : BatchResult
        The integers behind it, one row per replication.
    """

    gpus: int
    attainment: Attainment
    required: float
    confidence: float
    slos: tuple[SloOutcome, ...]
    classes: tuple[ClassOutcome, ...]
    occupancy: Estimate
    pools: tuple[PoolOutcome, ...]
    occupancy_levels: tuple[OccupancyOutcome, ...]
    evictions: Evictions | None
    agreements: Agreements | None
    why: Why | None
    offered_load: float
    peak_load: float
    horizon: str
    warnings: tuple[str, ...]
    batch: BatchResult
    spent: Spent
    provenance: Provenance

    @property
    def slos_met(self) -> bool:
        """Whether all levels were met in at least the required share of the replications."""
        return self.attainment.share >= self.required

    def to_dict(self) -> dict[str, Any]:
        """Return the stable JSON form as plain data; numbers without a finite value are None."""
        data: dict[str, Any] = {
            "schema": SIMULATION_SCHEMA,
            "kind": "simulate",
            "gpus": self.gpus,
            "replications": self.attainment.replications,
            "slos_met": self.slos_met,
            "attainment": dataclasses.asdict(self.attainment),
            "required": self.required,
            "confidence": self.confidence,
            "slos": [dataclasses.asdict(slo) for slo in self.slos],
            "classes": [dataclasses.asdict(c) for c in self.classes],
            "occupancy": dataclasses.asdict(self.occupancy),
            "pools": [dataclasses.asdict(pool) for pool in self.pools],
            "occupancy_levels": [dataclasses.asdict(each) for each in self.occupancy_levels],
            "evictions": None if self.evictions is None else dataclasses.asdict(self.evictions),
            "agreements": None if self.agreements is None else dataclasses.asdict(self.agreements),
            "why": None if self.why is None else dataclasses.asdict(self.why),
            "offered_load": self.offered_load,
            "peak_load": self.peak_load,
            "horizon": self.horizon,
            "warnings": list(self.warnings),
            "spent": dataclasses.asdict(self.spent),
            "provenance": dataclasses.asdict(self.provenance),
        }
        return finite(data)  # type: ignore[no-any-return]


def simulate(
    scenario: Scenario,
    *,
    gpus: int | Mapping[str, int] | None = None,
    replications: int = 64,
    seed: int | None = None,
    time_limit: float | None = None,
    backend: str = "auto",
    threads: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    command: str | None = None,
) -> Simulation:
    """Run a scenario at one capacity and measure everything.

    Parameters
    ----------
    scenario : Scenario
    gpus : int or mapping, optional
        GPUs of the center; with several pools, GPUs by name of the pool. Default: what the center has.
    replications : int, default 64
        Independent periods; adding more never changes earlier ones.
    seed : int, optional
        Default: the scenario's.
    time_limit : float, optional
        Seconds after which no further replication is finished; the result counts the first ones that were.
    backend, threads, on_progress, command
        As in `gpusim.size`.

    Returns
    -------
    Simulation

    Raises
    ------
    UsageError
        If no capacity is given and the scenario has none, or a number is out of range.
    NotConverged
        If not even the first replication was finished within the time limit.
    """
    pools, problems = _pools(scenario, gpus)
    if replications < 1:
        what = "is too small"
        problems.append(
            Problem("replications", what, "use at least 1", "plan/replications", str(replications))
        )
    if problems:
        raise UsageError(problems)
    names = scenario.pool_names
    seed = scenario.study.seed if seed is None else seed
    confidence = scenario.study.confidence
    threads = threads or usable_cores()
    axis = Axis(
        GPUS if len(names) == 1 else names[0], names, pools, demand_of(scenario), reserved_gpus(scenario)
    )
    runs = Runs(
        Experiment(scenario, seed),
        axis,
        scenario.study.attainment,
        backend,
        threads,
        on_progress=on_progress,
        stage="simulate",
    )
    runs.deadline = None if time_limit is None else runs.started + time_limit
    batch = runs.measure(np.arange(replications, dtype=np.int64), pools[0], histogram=True)
    wanted = sum(pools)
    asked = pools[0] if len(pools) == 1 else dict(zip(names, pools, strict=True))
    if not len(batch.status):
        what, remedy = "no replication was finished in time", "allow more time, or shorten study.horizon"
        raise NotConverged(Problem("time_limit", what, remedy, "plan/no-replication"))
    sizes = dict(zip(names, pools, strict=True))
    explained = runs.causes(np.arange(replications_for_causes(batch), dtype=np.int64), pools[0])
    return Simulation(
        gpus=wanted,
        attainment=Attainment.of(wanted, batch.passed, confidence),
        required=scenario.study.attainment,
        confidence=confidence,
        slos=runs.outcomes(np.arange(replications, dtype=np.int64), pools[0], batch),
        classes=class_outcomes(scenario, batch, confidence),
        occupancy=occupancy(scenario, batch, wanted, confidence),
        pools=pool_outcomes(scenario, batch, sizes, confidence),
        occupancy_levels=tuple(
            occupancy_outcome(scenario, level, batch, wanted) for level in scenario.occupancy_slos()
        ),
        evictions=evictions(scenario, runs.experiment.spec, batch, confidence),
        agreements=agreements(scenario, batch, confidence),
        why=why(scenario, explained, sizes),
        offered_load=scenario.offered_load,
        peak_load=scenario.peak_load,
        horizon=horizon_in_words(scenario),
        warnings=tuple(f"{notice.what} ({notice.remedy})" for notice in scenario.notices()),
        batch=batch,
        spent=Spent(runs.count, runs.jobs, runs.seconds(), threads),
        provenance=provenance(
            scenario,
            "simulate",
            {"gpus": asked, "replications": replications, "time_limit": time_limit},
            seed=seed,
            backend=backend,
            command=command
            or f"gpusim.simulate({load_call(scenario)}, gpus={asked!r}, replications={replications}, seed={seed})",
        ),
    )


def _pools(scenario: Scenario, gpus: int | Mapping[str, int] | None) -> tuple[tuple[int, ...], list[Problem]]:
    """GPUs of every pool, and what is wrong with them."""
    names, have = scenario.pool_names, pool_sizes(scenario)
    given: dict[str, int | None] = dict(zip(names, have, strict=True))
    problems = []
    if isinstance(gpus, Mapping):
        for name in sorted(set(gpus) - set(names)):
            near = did_you_mean(name, names)
            remedy = f"did you mean '{near}'?" if near else f"known: {', '.join(names)}"
            problems.append(Problem("gpus", "no pool has this name", remedy, "plan/pool", name))
        given |= gpus
    elif gpus is not None and len(names) > 1:
        remedy = f"give each pool its number: {', '.join(f'{name}=N' for name in names)}"
        what = "is one number for several pools"
        problems.append(Problem("gpus", what, remedy, "plan/pool", str(gpus)))
    elif gpus is not None:
        given[names[0]] = gpus
    for name in names:
        size = given[name]
        where = "gpus" if len(names) == 1 else f"gpus of {name}"
        if size is None:
            what, remedy = "is not given", "name a number of GPUs, or set center.have"
            problems.append(Problem(where, what, remedy, "plan/gpus"))
        elif not 1 <= size <= MAX_GPUS:
            what, remedy = "is out of range", "use 1 to 2,147,483,646"
            problems.append(Problem(where, what, remedy, "plan/gpus", str(size)))
    return tuple(given[name] or 0 for name in names), problems
