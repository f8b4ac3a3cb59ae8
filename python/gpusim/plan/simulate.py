"""`simulate`: everything measured at one capacity."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpusim.engine.cpu import usable_cores
from gpusim.engine.result import BatchResult
from gpusim.errors import NotConverged, Problem, UsageError
from gpusim.plan.answer import Spent
from gpusim.plan.experiment import horizon_in_words, run_spec
from gpusim.plan.measure import (
    Attainment,
    ClassOutcome,
    Estimate,
    SloOutcome,
    class_outcomes,
    occupancy,
    slo_outcomes,
)
from gpusim.plan.output import finite
from gpusim.plan.provenance import Provenance, load_call, provenance
from gpusim.plan.runs import Progress, Runs
from gpusim.scenario import Scenario
from gpusim.workload.ticks import MAX_GPUS

SIMULATION_SCHEMA = 1
"""Version of the JSON form."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """What one capacity gives.

    Attributes
    ----------
    gpus : int
    attainment : Attainment
        P(all levels met), with its exact interval.
    required : float
        `study.attainment`.
    slos : tuple of SloOutcome
    classes : tuple of ClassOutcome
        Every class, then "all".
    occupancy : Estimate
        Share of GPUs allocated in the counted window.
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
    offered_load: float
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
            "offered_load": self.offered_load,
            "horizon": self.horizon,
            "warnings": list(self.warnings),
            "spent": dataclasses.asdict(self.spent),
            "provenance": dataclasses.asdict(self.provenance),
        }
        return finite(data)  # type: ignore[no-any-return]


def simulate(
    scenario: Scenario,
    *,
    gpus: int | None = None,
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
    gpus : int, optional
        Default: `center.have`.
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
    wanted = scenario.center.have if gpus is None else gpus
    problems = []
    if wanted is None:
        problems.append(
            Problem("gpus", "is not given", "name a number of GPUs, or set center.have", "plan/gpus")
        )
    elif not 1 <= wanted <= MAX_GPUS:
        problems.append(
            Problem("gpus", "is out of range", "use 1 to 2,147,483,646", "plan/gpus", str(wanted))
        )
    if replications < 1:
        what = "is too small"
        problems.append(
            Problem("replications", what, "use at least 1", "plan/replications", str(replications))
        )
    if problems:
        raise UsageError(problems)
    assert wanted is not None
    seed = scenario.study.seed if seed is None else seed
    confidence = scenario.study.confidence
    threads = threads or usable_cores()
    runs = Runs(
        run_spec(scenario, seed), scenario.study.attainment, backend, threads, on_progress=on_progress
    )
    runs.stage = "simulate"
    runs.deadline = None if time_limit is None else runs.started + time_limit
    batch = runs.measure(np.arange(replications, dtype=np.int64), wanted, histogram=True)
    if not len(batch.status):
        what, remedy = "no replication was finished in time", "allow more time, or shorten study.horizon"
        raise NotConverged(Problem("time_limit", what, remedy, "plan/no-replication"))
    return Simulation(
        gpus=wanted,
        attainment=Attainment.of(wanted, batch.passed, confidence),
        required=scenario.study.attainment,
        confidence=confidence,
        slos=slo_outcomes(scenario, batch, confidence),
        classes=class_outcomes(scenario, batch, confidence),
        occupancy=occupancy(scenario, batch, wanted, confidence),
        offered_load=scenario.offered_load,
        horizon=horizon_in_words(scenario),
        warnings=tuple(f"{notice.what} ({notice.remedy})" for notice in scenario.notices()),
        batch=batch,
        spent=Spent(runs.count, runs.jobs, runs.seconds(), threads),
        provenance=provenance(
            seed=seed,
            backend=backend,
            scenario=scenario.name,
            scenario_hash=scenario.hash,
            command=command
            or f"gpusim.simulate({load_call(scenario)}, gpus={wanted}, replications={replications}, seed={seed})",
        ),
    )
