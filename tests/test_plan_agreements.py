"""Fair orders, contracts, leases, approvals and reservations, from a scenario's words to the engine's columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from agreed_scenario import agreed
from gpusim.engine.limits import FOREVER
from gpusim.engine.policy import MULTIFACTOR, WEIGHTED_SHARE
from gpusim.plan.agreements import approvals, expected_use
from gpusim.plan.axis import axis_of, grid_of
from gpusim.plan.experiment import is_pathwise_monotone, run_spec
from gpusim.plan.fairness import decay_q32, fairness
from gpusim.plan.infeasible import unlimited
from gpusim.plan.reserved import all_pools, allowed_pools, closures, most_reserved
from gpusim.plan.sharing import is_shared, sharing
from gpusim.report import check_page
from gpusim.report.layout import to_text
from gpusim.scenario import Scenario
from gpusim.scenario.lease import Lease
from gpusim.workload.compile import compile_sources

DAY = 86_400


@pytest.fixture(scope="module")
def base() -> Scenario:
    return agreed()


# ---- fair orders -----------------------------------------------------------------------------------------------------


def test_what_is_kept_from_one_calculation_to_the_next() -> None:
    assert decay_q32(300.0, 300.0) == 1 << 31
    assert decay_q32(600.0, 300.0) == 1 << 30
    assert decay_q32(300.0, "never") == 1 << 32
    kept = decay_q32(300.0, 7 * DAY) / 2**32
    assert kept**2016 == pytest.approx(0.5, rel=1e-6)  # 2,016 times five minutes are a week


def test_weights_and_accounts_become_columns(base: Scenario) -> None:
    found = fairness(base)
    assert found is not None
    assert found.weight.tolist() == [3, 1, 1, 2, 1, 1]  # lab, firm, ministry; public, labs, private
    assert found.account_parent is not None
    assert found.account_parent.tolist() == [4, 5, 3, -1, 3, -1]
    assert (found.w_age, found.w_fairshare, found.w_size, found.w_qos) == (5, 20, 1, 10)
    assert (found.calc_period, found.max_age, found.decay_q32) == (300, 7 * DAY, decay_q32(300.0, 7 * DAY))
    assert found.qos is not None
    assert found.qos.tolist() == [1 << 19, 0, 0]
    spec = run_spec(base, 1)
    assert spec.policy.order == MULTIFACTOR
    assert spec.fairness is not None
    assert spec.sharing is not None


def test_the_center_is_its_own_pools_and_usage_what_the_file_says(base: Scenario) -> None:
    found = run_spec(base, 1)
    assert found.fairness is not None
    assert found.classes.n_pools == 2  # one of them of a reservation, whose GPUs the other one holds too
    assert (found.fairness.over_quota, found.fairness.center_pools) == (False, 1)
    beyond = run_spec(base.override({"policy.fairness.usage": "over_quota"}), 1)
    assert beyond.fairness is not None
    assert beyond.fairness.over_quota
    alone = run_spec(base.override({"reservations": []}), 1)
    assert alone.fairness is not None
    assert alone.fairness.center_pools == 0  # all pools
    borrows = base.override({"policy.order": "weighted_share"})  # remembers nothing
    spec = run_spec(borrows.override({"policy.fairness": {"usage": "over_quota"}}), 1)
    assert spec.fairness is not None
    assert not spec.fairness.over_quota


def test_accounts_count_in_trees_only(base: Scenario) -> None:
    flat = fairness(base.override({"policy.order": "fairshare"}))
    assert flat is not None
    assert flat.weight.tolist() == [3, 1, 1]
    assert fairness(base.override({"policy.order": "fifo"})) is None
    named = base.override({"accounts": [], "policy.order": "fair_tree"})  # accounts that are only named
    found = fairness(named)
    assert found is not None
    assert found.weight.tolist() == [3, 1, 1, 1, 1, 1]


def test_weighted_share_makes_one_sweep(base: Scenario) -> None:
    share = base.override({"policy.order": "weighted_share"})
    spec = run_spec(share, 1)
    assert (spec.policy.order, spec.policy.max_tests) == (WEIGHTED_SHARE, -1)
    assert spec.sharing is not None
    assert not spec.sharing.borrowers_last
    assert base.policy.borrowers_last
    assert not base.override(["policy.borrowers=in_order"]).policy.borrowers_last


# ---- users and contracts ---------------------------------------------------------------------------------------------


def test_users_and_their_limits(base: Scenario) -> None:
    found = sharing(base)
    assert found is not None
    assert found.users.tolist() == [200, 1, 1]
    assert found.user_max_gpus.tolist() == [64, -1, -1]
    assert found.user_max_jobs.tolist() == [10, -1, -1]
    users = {source.name.split("/")[0]: source.users for source in compile_sources(base, 1).sources}
    assert users == {"lab": 200, "firm": 1, "ministry": 1}


def test_contracts_decide_who_owns_what(base: Scenario) -> None:
    plain = base.override(
        {"policy.order": "fifo", "reservations": [], "tenants.lab.cohort": "a", "tenants.firm.cohort": "a"}
    )
    limited = {
        "tenants.lab.users": None,
        "tenants.lab.user_max_gpus": None,
        "tenants.lab.user_max_jobs": None,
    }
    quotas, parts = sharing(plain), sharing(plain.override(["policy.contract=partitioned"]))
    assert quotas is not None
    assert parts is not None
    assert quotas.parent.tolist() == [3, 3, -1, -1]
    assert parts.parent.tolist() == [-1, -1, -1]
    assert parts.nominal[:, 0].tolist() == [500_000, 300_000, 200_000]
    assert not is_shared(plain.override({**limited, "policy.contract": "shared"}))


# ---- leases and approvals --------------------------------------------------------------------------------------------


def test_sources_of_leases_and_applications(base: Scenario) -> None:
    grant = next(s for s in compile_sources(base, 1).sources if s.name == "firm/grant")
    assert grant.claw_threshold == 1 << 30  # a quarter
    assert grant.claw_after == 3 * DAY
    assert (grant.call_period, grant.call_phase) == (7 * DAY, DAY)
    assert grant.hold is not None
    train = next(s for s in compile_sources(base, 1).sources if s.name == "lab/train")
    assert (train.claw_threshold, train.call_period, train.hold) == (0, 0, None)


def test_use_is_weighted_by_the_gpu_time_held(base: Scenario) -> None:
    grant = base.tenants[1].classes[0]
    assert grant.lease is not None
    rng = np.random.default_rng(1)
    use, term = rng.uniform(0.1, 0.9, 1_000_000), rng.uniform(5, 9, 1_000_000)
    held = np.where(use < 0.3, np.minimum(term, 3), term)
    found, returned = expected_use(grant, grant.lease)
    assert found == pytest.approx((use * held).sum() / held.sum(), rel=2e-3)
    assert returned == pytest.approx((term - held).sum() / held.sum(), rel=5e-3)
    assert expected_use(grant, Lease(use="40%"))[0] == pytest.approx(0.4)


def test_applications_are_told_before_anything_runs(base: Scenario) -> None:
    (asked,) = approvals(base)
    assert asked.granted == pytest.approx(base.expected_jobs([1]))
    assert asked.asked == pytest.approx(asked.granted / 0.31)
    assert asked.decision == DAY
    assert 3.0 * DAY < asked.until_call < 4.0 * DAY  # half a week, but for the ends of the counted time


def test_nobody_waits_in_the_ceiling(base: Scenario) -> None:
    spec = unlimited(run_spec(base, 1), base)
    assert (spec.fairness, spec.closures, spec.policy.order) == (None, None, 0)
    assert not is_pathwise_monotone(base)


def test_the_page_of_check_tells_what_was_agreed(base: Scenario) -> None:
    page = " ".join(to_text(check_page(base, ()), 120).split())
    for line in (
        "larger priority first, then largest priority first, of 1 x age + 4 x fair share + 0.2 x size + 2 x qos",
        "lab 3, firm 1, ministry 1, account public 2, account labs 1, account private 1",
        "use counts half after 7d; places change every 5min, when 99.9656% is kept",
        "200, each with at most 64 GPUs and 10 running jobs",
        "after 3d those below 30% are taken back, 25% of them",
        "47.7 applications in a period, 14.8 granted (31.0%): oversubscribed 3.23 x; approval takes 4.51d on average",
        "32 GPUs on weekdays 09:00-12:00, for ministry/audit",
        "512 GPUs from 10d to 10.3d, for nobody",
    ):
        assert line in page
    parts = base.override({"policy.contract": "partitioned", "policy.order": "sjf", "policy.tiers": False})
    page = to_text(check_page(parts, ()), 120)
    assert "shortest request first" in page
    assert "each tenant has its quota and nobody borrows" in page


def test_the_page_of_check_tells_which_use_counts(base: Scenario) -> None:
    page = " ".join(
        to_text(check_page(base.override({"policy.fairness.usage": "over_quota"}), ()), 120).split()
    )
    assert "use beyond quotas counts half after 7d" in page


# ---- reservations ----------------------------------------------------------------------------------------------------


def test_a_reservation_closes_its_pool_and_opens_its_own(base: Scenario) -> None:
    assert all_pools(base) == ("gpus", "course")
    assert [allowed_pools(base, k) for k in range(3)] == [(0,), (0,), (1, 0)]
    assert allowed_pools(base.override({"reservations[0].only": True}), 2) == (1,)
    found = closures(base)
    assert found is not None
    rows = list(
        zip(found.pool.tolist(), found.start.tolist(), found.end.tolist(), found.gpus.tolist(), strict=True)
    )
    assert rows == sorted(rows)
    main, own = ([row[1:] for row in rows if row[0] == p] for p in (0, 1))
    assert (10 * DAY, 10 * DAY + 8 * 3600, 512) in main
    course = [row for row in main if row[2] == 32]
    assert course[0] == (9 * 3600, 12 * 3600, 32)
    assert len(course) == 30 + 7  # those of 9 days after the horizon, the longest term, keep jobs out too
    assert own[0] == (0, 9 * 3600, 32)
    assert own[-1][1] == FOREVER
    opened = [(a[1], b[0]) for a, b in pairwise(own)]
    assert opened == [row[:2] for row in course]


def test_quotas_bind_nobody_in_a_reservation(base: Scenario) -> None:
    found = sharing(base.override({"tenants.lab.cohort": "a", "tenants.firm.cohort": "a"}))
    assert found is not None
    assert found.nominal[:, 1].tolist() == [32, 32, -1, 0]  # lab, firm, ministry (alone), the cohort
    assert found.shares is not None
    assert not found.shares[:, :, 1].any()


def test_candidates_hold_what_is_reserved(base: Scenario) -> None:
    assert most_reserved(base, 0) == 512
    base = base.override(["reservations[1].to=10d10h"])  # a Thursday: the course begins at 9
    assert most_reserved(base, 0) == 544
    axis = axis_of(base)
    assert axis.gpus(np.array([600, 800])).tolist() == [[600, 32], [800, 32]]
    assert grid_of(base, axis).first == 544
    alone = base.override({"reservations": []})
    assert axis_of(alone).gpus(np.array([600])).tolist() == [600]
