"""A scenario as the engine sees it."""

from __future__ import annotations

import math

import numpy as np

from gpusim.engine.spec import ALL, NONE, SKIP, ClassTable, Policy, RunSpec, SloTable, Windows
from gpusim.scenario import Scenario
from gpusim.units import format_duration
from gpusim.workload.compile import compile_sources

BACKFILL = {"none": NONE, "skip": SKIP, "all": ALL}
"""Names of the backfill policies that are not a number."""


def backfill_code(backfill: str | int) -> int:
    """The engine's code of `none | skip | K | all`."""
    return BACKFILL[backfill] if isinstance(backfill, str) else backfill


def run_spec(scenario: Scenario, seed: int) -> RunSpec:
    """Compile a scenario: sources, classes, policy, windows in ticks, service levels in millionths.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        Seed of the random streams, [0, 2^64).

    Returns
    -------
    RunSpec
    """
    entries = list(scenario.classes())
    policy, levels = scenario.policy, scenario.resolved_slos()
    patience = [-1 if c.patience is None else scenario.ticks(c.patience) for _, _, c in entries]
    bounds = tuple(-1 if t.max_waiting is None else t.max_waiting for t in scenario.tenants)
    return RunSpec(
        jobs=compile_sources(scenario, seed),
        classes=ClassTable(
            np.array([c.priority if policy.tiers else 0 for _, _, c in entries], dtype=np.int32),
            np.array([tenant for tenant, _, _ in entries], dtype=np.int32),
            np.array(patience, dtype=np.int64),
            len(scenario.tenants),
        ),
        policy=Policy(
            backfill=backfill_code(policy.backfill),
            max_waiting=-1 if policy.max_waiting is None else policy.max_waiting,
            tenant_max_waiting=bounds,
        ),
        windows=windows(scenario),
        slos=SloTable(
            np.array([math.floor(s.limit / scenario.tick + 1e-9) for s in levels], dtype=np.int64),
            np.array([s.share_ppm for s in levels], dtype=np.int64),
            np.array([[k in s.classes for k in range(len(entries))] for s in levels], dtype=np.bool_),
        ),
    )


def windows(scenario: Scenario) -> Windows:
    """Warm-up, counted window and horizon in ticks; the cool-down is never shorter than asked."""
    horizon, warm_up = scenario.ticks(scenario.study.horizon), scenario.ticks(scenario.study.warm_up)
    cool_down = math.ceil(scenario.cool_down / scenario.tick - 1e-9)
    return Windows(warm_up, max(warm_up, horizon - cool_down), horizon)


def is_pathwise_monotone(scenario: Scenario) -> bool:
    """Whether R40 holds: a replication that passes at a size passes at every larger one.

    Strict order, one tier, one flat pool, nobody leaves and nobody is refused.
    """
    classes = [c for _, _, c in scenario.classes()]
    one_tier = not scenario.policy.tiers or len({c.priority for c in classes}) == 1
    patient = all(c.patience is None for c in classes)
    unbounded = scenario.policy.max_waiting is None and all(t.max_waiting is None for t in scenario.tenants)
    return scenario.policy.backfill == "none" and one_tier and patient and unbounded


def horizon_in_words(scenario: Scenario) -> str:
    """The simulated period as a sentence."""
    study = scenario.study
    counted = format_duration(scenario.count_end - study.warm_up, 3)
    warm_up, cool_down = format_duration(study.warm_up, 3), format_duration(scenario.cool_down, 3)
    return f"{counted} of submissions counted, after {warm_up} of warm-up from an empty center, {cool_down} to finish"
