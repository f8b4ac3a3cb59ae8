"""The ceiling bounds every center: what is met with some number of GPUs is met when nobody ever waits.

The proof is in `gpusim.plan.infeasible`; here the engine is asked, on centers with everything that could break it:
chains, scheduler periods, bounded queues, few tests in a pass, patience, limits that kill, other orders and backfills.
"""

from __future__ import annotations

import numpy as np
import pytest

import gpusim
from gpusim.engine.batch import run_batch
from gpusim.plan.axis import axis_of
from gpusim.plan.experiment import Experiment
from gpusim.plan.infeasible import ceiling, unlimited
from gpusim.workload.ticks import MAX_GPUS

TEXT = """
schema: 1
name: ceiling
center: {have: 40}
tenants:
  - name: lab
    classes:
      - name: small
        arrivals: {load: 10, batch: {mean: 4, within: 20s}}
        gpus: {1: 60%, 4: 40%}
        run_time: {lognormal: {median: 30min, sigma: 1.5, max: 12h}}
        limit: {factor: [0.8, 4]}
        patience: 6h
        priority: 1
      - name: campaign
        arrivals: {rate: 1/day}
        gpus: 8
        run_time: {lognormal: {median: 10h, sigma: 0.4, max: 24h}}
        segment: 4h
        limit: 4h
policy: {backfill: 1, period: 3min}
slos:
  - wait <= 10min for 80% of small jobs
  - turnaround <= 3h for 70% of small jobs
  - bounded slowdown <= 3 for 60% of small jobs
  - abandoned <= 5% of small jobs
  - turnaround <= 14h for 50% of campaign jobs
study: {horizon: 6d, warm_up: 1d, attainment: 80%, granularity: 4}
"""
REPLICATIONS = np.arange(40)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["policy.backfill=none", "policy.period=null"],
        ["policy.backfill=skip", "policy.order=sjf", "policy.max_tests=2"],
        ["policy.max_waiting=3", "policy.period=1min"],
        ["study.cool_down=15h", "tenants.lab.classes.campaign.killed_ok=true"],
    ],
    ids=["easy", "strict", "sjf", "bounded queue", "killed ok"],
)
def test_no_center_meets_what_the_ceiling_misses(changes: list[str]) -> None:
    scenario = gpusim.Scenario.from_yaml(TEXT, overrides=changes)
    spec = Experiment(scenario, 7).spec
    best = run_batch(unlimited(spec, scenario), REPLICATIONS, MAX_GPUS)
    for gpus in (12, 20, 32, 64, 400):
        finite = run_batch(spec, REPLICATIONS, gpus)
        assert not (finite.passed & ~best.passed).any()
        met, missed = finite.slo[:, :, 0], finite.slo[:, :, 1]
        assert (met <= best.slo[:, :, 0]).all()
        assert (missed >= best.slo[:, :, 1]).all()


def test_nobody_waits_in_the_ceiling_but_for_the_period() -> None:
    scenario = gpusim.Scenario.from_yaml(TEXT)
    best = run_batch(unlimited(Experiment(scenario, 7).spec, scenario), REPLICATIONS, MAX_GPUS)
    assert best.sums[:, :, 0].sum() == 0  # chains: without a period nobody waits at all
    plain = scenario.override(
        ["tenants.lab.classes.campaign.segment=null", "tenants.lab.classes.campaign.limit=24h"]
    )
    held = run_batch(unlimited(Experiment(plain, 7).spec, plain), REPLICATIONS, MAX_GPUS, histogram=True)
    assert held.histogram is not None
    assert held.histogram.sum(axis=(0, 1))[180:].sum() == 0  # no wait reaches the period of 3 min
    assert held.sums[:, :, 0].sum() > 0


def test_a_possible_center_is_not_called_impossible() -> None:
    scenario = gpusim.Scenario.from_yaml(TEXT, overrides=["policy.period=null"])
    found = ceiling(Experiment(scenario, 1), axis_of(scenario))
    easy = scenario.override(["slos[2]=bounded slowdown <= 40 for 50% of small jobs"])
    assert not ceiling(Experiment(easy, 1), axis_of(easy)).infeasible
    assert found.attainment.replications in (8, 32, 88)


def test_jobs_killed_at_their_limit_are_named_where_no_limit_of_the_level_helps() -> None:
    changes = [
        "tenants.lab.classes.small.limit=20min",
        "slos[1]=turnaround <= 3h for 90% of small jobs",
        "slos[2]=wait <= 1h for 10% of all jobs",
    ]
    scenario = gpusim.Scenario.from_yaml(TEXT, overrides=changes)
    found = ceiling(Experiment(scenario, 1), axis_of(scenario))
    assert found.infeasible
    assert "killed at their limit" in found.impossible[0].remedy
    assert found.impossible[0].stretch is None
    allowed = scenario.override(["tenants.lab.classes.small.killed_ok=true"])
    assert not ceiling(Experiment(allowed, 1), axis_of(allowed)).infeasible


def test_the_relaxed_limit_that_is_named_is_met() -> None:
    scenario = gpusim.Scenario.from_yaml(
        TEXT, overrides=["slos[4]=turnaround <= 5h for 90% of campaign jobs"]
    )
    found = ceiling(Experiment(scenario, 1), axis_of(scenario))
    named = {each.sentence: each for each in found.impossible}
    hours = named["turnaround <= 5h for 90% of campaign jobs"].remedy.rpartition(" ")[2]
    relaxed = scenario.override([f"slos[4]=turnaround <= {hours} for 90% of campaign jobs"])
    again = ceiling(Experiment(relaxed, 1), axis_of(relaxed))
    assert all("campaign" not in each.sentence for each in again.impossible)
