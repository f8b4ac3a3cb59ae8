"""Why jobs wait: causes sum to the waiting GPU-time, idle ones to the idle GPUs, and the page says both in words."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

import gpusim
from cases import random_case
from cli_calls import TINY
from gpusim.engine.batch import run_batch
from gpusim.engine.result import CAUSES, IDLE, INTEGRALS, BatchResult
from gpusim.engine.spec import Sharing
from gpusim.plan.axis import Axis
from gpusim.plan.experiment import Experiment, windows
from gpusim.plan.runs import Runs
from gpusim.plan.why import REASONS, IdleShares, WaitingShares, Why, replications_for_causes, why
from gpusim.report import simulation_page, size_page, to_text
from gpusim.report.why import why_section

TWO_POOLS = """\
schema: 1
name: two-pools
center: {pools: [{name: old, have: 6}, {name: new, have: 10}]}
tenants:
  - name: lab
    classes:
      - {name: small, arrivals: {load: 5}, gpus: 1, run_time: {exponential: {mean: 1h}}, pools: [new, old]}
      - {name: large, arrivals: {load: 6}, gpus: 8, run_time: {exponential: {mean: 1h}}, pools: [new]}
  - name: shop
    classes:
      - {name: runs, arrivals: {load: 3}, gpus: 2, run_time: {exponential: {mean: 1h}}, pools: [old, new]}
policy: {backfill: 1}
slos: [wait <= 30min for 90% of all jobs]
study: {horizon: 2d, warm_up: 5h, seed: 3}
"""


@pytest.fixture(scope="module")
def scenario() -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TWO_POOLS)


@pytest.fixture(scope="module")
def told(scenario: gpusim.Scenario) -> tuple[BatchResult, BatchResult]:
    """Whole runs as they are, and with causes."""
    replications = np.arange(12, dtype=np.int64)
    axis = Axis(scenario.pool_names[0], scenario.pool_names, (6, 10))
    runs = Runs(Experiment(scenario, 3), axis, 0.9)
    return runs.measure(replications, 6), runs.causes(replications, 6)


def columns(result: BatchResult) -> dict[str, list[int]]:
    names = ("counts", "sums", "slo", "passed", "pool_gpu_ticks", "integrals", "extremes", "jobs")
    return {name: getattr(result, name).tolist() for name in names}


@pytest.mark.parametrize("seed", range(25))
def test_where_nobody_owns_anything_the_integers_are_those_without_sharing(seed: int) -> None:
    case = random_case(random.Random(seed).randrange(2**62))
    spec = case.spec()
    classes = spec.classes
    nobody = Sharing.nobody(classes.tenants, len(classes), classes.n_pools)
    with_causes = dataclasses.replace(spec, sharing=nobody)
    result = run_batch(with_causes, 0, list(case.gpus), causes=True)
    assert columns(result) == columns(run_batch(spec, 0, list(case.gpus)))
    assert result.causes is not None
    assert not result.causes[:, :, CAUSES.index("quota")].any()


def test_causes_do_not_change_what_is_measured(told: tuple[BatchResult, BatchResult]) -> None:
    plain, explained = told
    assert columns(plain) == columns(explained)


def test_causes_but_held_sum_to_the_waiting_gpu_time(told: tuple[BatchResult, BatchResult]) -> None:
    _, explained = told
    assert explained.causes is not None
    waited = explained.integrals[:, INTEGRALS.index("waiting_gpus")]
    reasons = [CAUSES.index(name) for name in CAUSES if name != "held"]
    assert explained.causes[:, :, reasons].sum(axis=(1, 2)).tolist() == waited.tolist()
    assert waited.sum() > 0


def test_shares_are_those_of_the_sums(
    scenario: gpusim.Scenario, told: tuple[BatchResult, BatchResult]
) -> None:
    _, explained = told
    found = why(scenario, explained, {"old": 6, "new": 10})
    assert found is not None
    assert explained.causes is not None
    assert explained.idle is not None
    window = windows(scenario)
    ticks = len(explained.status) * (window.count_end - window.warm_up)
    lab, shop, every = found.tenants
    assert [row.name for row in found.tenants] == ["lab", "shop", "all"]
    assert every.gpus == explained.integrals[:, INTEGRALS.index("waiting_gpus")].sum() / ticks
    assert lab.gpus + shop.gpus == pytest.approx(every.gpus)
    assert lab.gpus == pytest.approx(sum(row.gpus for row in found.classes[:2]))
    for row in (*found.tenants, *found.classes):
        assert sum(getattr(row, cause) for cause in REASONS) == pytest.approx(1.0)
    assert lab.capacity == explained.causes[:, :2, CAUSES.index("capacity")].sum() / round(lab.gpus * ticks)
    for k, pool in enumerate(found.pools):
        assert pool.allocated + pool.reserved + pool.quota_idle + pool.free == pytest.approx(1.0)
        whole = ticks * pool.gpus
        assert explained.idle[:, k].sum() + explained.pool_gpu_ticks[:, k].sum() == whole
        assert pool.free == explained.idle[:, k, IDLE.index("free")].sum() / whole
    assert found.pools[1].reserved > 0  # small jobs wait while the large one's GPUs are drained


def test_a_large_center_is_explained_from_fewer_periods(told: tuple[BatchResult, BatchResult]) -> None:
    plain, _ = told
    assert replications_for_causes(plain) == 12
    assert replications_for_causes(dataclasses.replace(plain, jobs=plain.jobs * 0 + 350_000)) == 2
    assert replications_for_causes(dataclasses.replace(plain, jobs=plain.jobs * 0 + 9_000_000)) == 1
    assert replications_for_causes(plain.head(0)) == 0


def text(found: Why) -> str:
    section = why_section(found)
    assert section is not None
    return " ".join(to_text(section).split())


def test_the_page_says_in_a_sentence_why_the_tenant_that_waits_most_waits(scenario: gpusim.Scenario) -> None:
    result = gpusim.simulate(scenario, replications=8)
    assert result.why is not None
    assert result.why.replications == 8
    lab = dataclasses.replace(
        result.why.tenants[0],
        gpus=9.0,
        behind_own=0.62,
        quota=0.0,
        reservation=0.0,
        priority=0.08,
        capacity=0.3,
    )
    said = text(dataclasses.replace(result.why, tenants=(lab, *result.why.tenants[1:])))
    assert (
        "Of the GPU-time that jobs of lab waited, 62.0% was behind their own earlier jobs, 30.0% was for GPUs to "
        "become free, 8.0% was for their turn." in said
    )
    assert "Told from 8 periods." in said
    assert "quota" not in said.lower()  # nobody waited for one
    assert "Why jobs wait" in to_text(simulation_page(result))
    assert result.to_dict()["why"]["tenants"][2]["name"] == "all"


def test_an_answer_says_why_jobs_wait_there() -> None:
    answer = gpusim.size(gpusim.Scenario.from_yaml(TINY))
    found = answer.findings.why
    assert found is not None
    assert found.pools[0].gpus == answer.gpus
    assert "Of the GPU-time that jobs waited, " in to_text(size_page(answer))


def test_a_center_in_which_nobody_waits_says_so(scenario: gpusim.Scenario) -> None:
    result = gpusim.simulate(scenario, gpus={"old": 900, "new": 900}, replications=2)
    assert result.why is not None
    assert result.why.tenants[-1].capacity is None
    assert "No job waited. Told from 2 periods." in text(result.why)


@pytest.mark.parametrize("cause", REASONS)
def test_every_cause_has_words_that_hold_under_every_policy(cause: str) -> None:
    """What is booked may be a job's or the calendar's, the order may have looked at nobody: nothing more is said."""
    row = WaitingShares("all", 4.0, 0.0, **{name: float(name == cause) for name in REASONS})
    idle = IdleShares("gpus", 8, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 3.0)
    said = text(Why(1, (row, row), (row,), (idle,)))
    words = {
        "behind_own": ("behind their own earlier jobs", "an earlier job of the same tenant and priority"),
        "quota": ("for quota", "a quota or limit allows no more, or what is left is held for an owner"),
        "reservation": (
            "because GPUs were reserved for later",
            "before a job ahead, or a reservation, needs them",
        ),
        "priority": ("for their turn", "lets the job pass nobody, or has not looked so far"),
        "capacity": ("for GPUs to become free", "too few GPUs are free"),
    }
    for name, both in words.items():
        assert all((each in said) == (name == cause) for each in both)
    assert "10.0% idle because quotas or limits stop every job that waits for them" in said
    assert "kept for one ahead, or nobody may pass" in said
    assert "because a job that fits would not end before a reservation" in said
