"""Runs of scenarios with fair orders, users, contracts, leases, approvals and reservations do what the words say.

Each claim is one that follows from the words alone: what is leased, when nobody may start, who goes first. Bounds are
four standard errors wide, on fixed seeds.
"""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpusim
from gpusim.engine.batch import run_batch
from gpusim.engine.result import CAUSES
from gpusim.plan.experiment import run_spec
from gpusim.report.layout import to_text
from gpusim.report.simulate_page import simulation_page
from gpusim.report.size_page import size_page
from gpusim.scenario import Scenario

DAY, HOUR = 86_400, 3600
EXAMPLE = Path(__file__).resolve().parent.parent / "examples/leased-center.yaml"

TWO = textwrap.dedent("""\
    schema: 1
    name: two
    center: {have: 32}
    tenants:
      - name: a
        classes:
          - {name: work, arrivals: {load: 14}, gpus: 1, run_time: {exponential: {mean: 1h}}, limit: 12h}
      - name: b
        classes:
          - {name: work, arrivals: {load: 14}, gpus: 1, run_time: {exponential: {mean: 1h}}, limit: 12h}
    policy: {backfill: 1}
    slos: [wait <= 4h for 50% of all jobs]
    study: {horizon: 6d, warm_up: 1d, granularity: 4, tolerance: 20%, attainment: 80%, start: 2026-02-02, seed: 3}
    """)


def two(changes: dict[str, Any] | None = None) -> Scenario:
    return Scenario.from_yaml(TWO).override(changes or {})


def waits(scenario: Scenario, replications: int = 8) -> list[float]:
    result = gpusim.simulate(scenario, replications=replications, threads=1)
    return [c.mean_wait.value for c in result.classes]


# ---- fair orders, users, contracts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["fairshare", "fair_tree", "multifactor"])
def test_who_has_the_larger_weight_waits_less(order: str) -> None:
    fair = {
        "policy.order": order,
        "policy.fairness.weights": {"fairshare": 1},
        "policy.fairness.half_life": "12h",
    }
    heavy = waits(two({**fair, "tenants.a.weight": 4}))
    light = waits(two({**fair, "tenants.b.weight": 4}))
    assert heavy[0] < heavy[1] / 2
    assert light[1] < light[0] / 2


def test_accounts_are_compared_before_their_tenants() -> None:
    changes = {
        "policy.order": "fair_tree",
        "accounts": [{"name": "x", "weight": 1}, {"name": "y", "weight": 6}],
        "tenants.a.account": "x",
        "tenants.a.weight": 100,  # against nobody: it is alone in its account
        "tenants.b.account": "y",
    }
    found = waits(two(changes))
    assert found[1] < found[0] / 2


def test_weighted_share_admits_who_borrows_least() -> None:
    quotas = {
        "tenants.a.quota": "75%",
        "tenants.b.quota": "25%",
        "tenants.a.cohort": "all",
        "tenants.b.cohort": "all",
    }
    found = waits(two({**quotas, "policy.order": "weighted_share"}))
    assert found[0] < found[1] / 2


@pytest.mark.slow
def test_limits_of_users_hold_jobs_back() -> None:
    limited = {"tenants.a.users": 2, "tenants.a.user_max_jobs": 6}  # 12 GPUs for a load of 14
    free = two({"center.have": 64, "study.horizon": "3d"})
    spec = run_spec(free.override(limited), 1)
    result = run_batch(spec, np.arange(4), np.full(4, 64), causes=True, backend="cpu")
    assert result.causes is not None
    quota = result.causes[:, :, CAUSES.index("quota")].sum(axis=0)
    assert quota[0] > 0
    assert quota[1] == 0
    assert waits(free)[0] == 0.0
    assert waits(free.override(limited))[0] > HOUR


@pytest.mark.slow
def test_a_contract_is_priced_with_one_key() -> None:
    quotas = two(
        {
            "tenants.a.quota": "60%",
            "tenants.b.quota": "40%",
            "tenants.a.cohort": "all",
            "tenants.b.cohort": "all",
        }
    )
    alone = quotas.override(["policy.contract=partitioned"])
    written = quotas.override({"tenants.a.cohort": None, "tenants.b.cohort": None})
    shared = quotas.override(["policy.contract=shared"])
    assert waits(alone, 3) == waits(written, 3)  # the same as taking the cohorts away
    assert waits(shared, 3) == waits(two(), 3)  # and as having no quotas
    assert waits(alone, 3)[1] > waits(quotas, 3)[1]


# ---- leases and approvals --------------------------------------------------------------------------------------------


def leased(changes: dict[str, Any] | None = None) -> Scenario:
    grants = {
        "tenants.b.classes.work.arrivals": {"rate": "4/day"},
        "tenants.b.classes.work.gpus": 8,
        "tenants.b.classes.work.run_time": {"deterministic": "2d"},
        "tenants.b.classes.work.limit": "exact",
        "tenants.b.classes.work.lease": {"use": {"uniform": ["0%", "100%"]}},
        "center.have": 512,
        "study.horizon": "24d",
        "study.warm_up": "4d",
    }
    return two({**grants, **(changes or {})})


def test_what_is_leased_is_what_was_asked_for() -> None:
    result = gpusim.simulate(leased(), replications=40, threads=1)
    assert result.agreements is not None
    (lease,) = result.agreements.leases
    expected = 4 * 2 * 8  # leases a day x days x GPUs
    assert abs(lease.leased.value - expected) < 4 * (lease.leased.high - lease.leased.low) / 2 / 1.96
    assert lease.use == pytest.approx(0.5)
    assert lease.used == pytest.approx(lease.leased.value / 2)
    assert (lease.taken_back, lease.returned) == (0.0, 0.0)


def test_leases_below_the_threshold_end_at_their_review() -> None:
    review = {
        "tenants.b.classes.work.lease.reclaim_below": "30%",
        "tenants.b.classes.work.lease.review": "12h",
    }
    result = gpusim.simulate(leased(review), replications=40, threads=1)
    assert result.agreements is not None
    (lease,) = result.agreements.leases
    expected = 4 * 8 * (0.7 * 2 + 0.3 * 0.5)
    error = (lease.leased.high - lease.leased.low) / 2 / 1.96
    assert abs(lease.leased.value - expected) < 4 * error
    assert lease.taken_back == pytest.approx(0.3)
    assert lease.leased.value + lease.returned == pytest.approx(64, abs=6 * error)
    assert lease.use == pytest.approx((1.4 * 0.65 + 0.15 * 0.15) / 1.55)


def records(scenario: Scenario, gpus: Any = 512) -> Any:
    spec = run_spec(scenario, 1)
    return run_batch(spec, 0, gpus, records=True, backend="cpu").records


def test_jobs_wait_for_their_call_and_its_decision() -> None:
    approved = leased(
        {
            "tenants.b.classes.work.approval": {
                "calls": "2d",
                "first": "2026-02-03",
                "accept": "50%",
                "delay": "6h",
            }
        }
    )
    found = records(approved)
    mine = (found.job_class == 1) & (found.start >= 0)
    assert mine.sum() > 20
    assert set(found.eligible[mine] % (2 * DAY)) == {DAY + 6 * HOUR}
    held = found.eligible[mine] - found.submit[mine]
    assert held.min() >= 6 * HOUR
    assert held.max() < 2 * DAY + 6 * HOUR
    asked = records(leased())
    assert 0.35 < (found.job_class == 1).sum() / (asked.job_class == 1).sum() < 0.65


# ---- reservations ----------------------------------------------------------------------------------------------------

COURSE = {
    "reservations": [
        {"name": "course", "gpus": 8, "every": "weekdays", "hours": "09-15", "classes": ["b"], "only": True}
    ],
    "tenants.b.classes.work.arrivals": {"load": 1},
    "tenants.b.classes.work.limit": "2h",
    "slos": ["wait <= 4h for 50% of a jobs"],
}


def test_jobs_of_a_reservation_run_in_its_hours_only_and_others_leave_for_it() -> None:
    found = records(two({**COURSE, "tenants.a.classes.work.limit": "4h"}), np.array([[32, 8]]))
    b = (found.job_class == 1) & (found.start >= 0)
    assert b.sum() > 10
    assert ((found.start[b] % DAY >= 9 * HOUR) & (found.end[b] % DAY <= 15 * HOUR)).all()
    assert (found.pool[b] == 1).all()
    a = (found.job_class == 0) & (found.start >= 0)
    noon = np.arange(5) * DAY + 12 * HOUR
    running = [(a & (found.start <= t) & (t < np.where(found.end < 0, t + 1, found.end))).sum() for t in noon]
    assert max(running) <= 24
    assert found.pool[a].max() == 0


def test_pages_and_json_tell_what_reservations_cost() -> None:
    full = two(
        {
            **COURSE,
            "tenants.a.classes.work.arrivals.load": 26,
            "tenants.a.classes.work.limit": "4h",
            "study.horizon": "3d",
        }
    )
    result = gpusim.simulate(full, replications=4, threads=1)
    assert result.agreements is not None
    assert result.why is not None
    (course,) = result.agreements.reservations
    assert 0.2 < course.open < 0.3  # 6 h of each day, but for the ends of the counted time
    assert course.used is not None
    assert 0 < course.used.value < 1
    (pool,) = result.why.pools
    assert pool.drained > 0
    assert pool.closed == pytest.approx(course.open * 8 / 32, rel=1e-6)
    labels = (pool.allocated, pool.reserved, pool.quota_idle, pool.free, pool.drained, pool.closed)
    assert sum(labels) == pytest.approx(1.0)
    counted = result.to_dict()
    hours = counted["why"]["pools"][0]["drained_gpu_hours"]
    window = full.count_end - full.study.warm_up
    assert hours == pytest.approx(pool.drained * 32 * window / HOUR)
    page = to_text(simulation_page(result), 120)
    assert "Draining costs" in page
    assert "on weekdays 09:00-15:00" in page


@pytest.mark.slow
def test_size_answers_with_a_reservation() -> None:
    answer = gpusim.size(two({**COURSE, "study.horizon": "3d"}), threads=1)
    assert answer.gpus is not None
    assert answer.gpus >= 8
    assert answer.findings.agreements is not None
    text = to_text(size_page(answer), 120)
    assert "Reservations" in text
    assert answer.pools == {"gpus": 32}


@pytest.mark.slow
def test_the_example_is_told_in_full() -> None:
    center = gpusim.load_scenario(EXAMPLE)
    page = to_text(simulation_page(gpusim.simulate(center, replications=4, threads=1)), 120)
    for line in (
        "GPUs leased on average",
        "oversubscribed 2 x",
        "classroom",
        "Draining costs",
        "expected to be used",
    ):
        assert line in page
    for name in center.variants:
        result = gpusim.simulate(center.variant(name), replications=2, threads=1)
        assert dataclasses.is_dataclass(result.attainment)


def test_sources_have_no_more_users_than_their_tenant() -> None:
    spec = run_spec(two({"tenants.a.users": 4, "tenants.a.user_max_jobs": 2}), 1)
    assert spec.sharing is not None
    fewer = dataclasses.replace(spec.sharing, users=np.array([3, 1], np.int32))
    with pytest.raises(gpusim.errors.RunError, match="are more than its tenant has"):
        dataclasses.replace(spec, sharing=fewer)
