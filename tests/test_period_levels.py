"""Levels on whole periods: what they measure, and that a replication passes only if they hold too."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import gpusim
from gpusim.engine.batch import run_batch
from gpusim.engine.result import EVICTIONS, SUMS
from gpusim.errors import ScenarioError
from gpusim.plan.entitlements import entitlements, weight_shares
from gpusim.plan.experiment import Experiment
from gpusim.plan.infeasible import unlimited
from gpusim.plan.period_levels import fair_division, fair_share_error
from gpusim.plan.simulate import Simulation
from gpusim.report import simulation_page, to_text
from shared_scenario import TEXT, scenario, share, sharing

USED, LOST = SUMS.index("gpu_ticks"), EVICTIONS.index("lost")


QUOTAS = ("tenants.owner.quota=60%", "tenants.guest.quota=40%")


def simulated(sentence: str, replications: int = 10, changes: tuple[str, ...] = QUOTAS) -> Simulation:
    return gpusim.simulate(scenario(*changes, f'slos[0]="{sentence}"'), replications=replications)


# ---- who is entitled to what -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "caps", "weights", "due"),
    [
        (90, [100, 100, 100], [1, 1, 1], [30, 30, 30]),
        (90, [10, 100, 100], [1, 1, 1], [10, 40, 40]),
        (90, [10, 30, 100], [1, 1, 1], [10, 30, 50]),
        (90, [100, 100], [2, 1], [60, 30]),
        (90, [15, 100, 100], [2, 2, 1], [15, 50, 25]),
        (90, [30, 100], [1, 0], [30, 60]),  # without quota: what is left
        (60, [100, 100], [1, 0], [60, 0]),
        (40, [100, 10], [0, 0], [30, 10]),
    ],
)
def test_fair_division_by_hand(total: int, caps: list[int], weights: list[int], due: list[int]) -> None:
    assert fair_division(total, caps, weights) == due


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 5)), min_size=1, max_size=6))
def test_nobody_is_entitled_to_more_than_it_asks_for_while_another_lacks(
    rows: list[tuple[int, int, int]],
) -> None:
    delivered, demanded, weights = ([row[k] for row in rows] for k in range(3))
    caps = [max(pair) for pair in zip(delivered, demanded, strict=True)]
    due = fair_division(sum(delivered), caps, weights)
    assert sum(due) == sum(delivered)
    assert all(0 <= one <= cap for one, cap in zip(due, caps, strict=True))
    short = [k for k, one in enumerate(due) if weights[k] and one < caps[k]]
    levels = {due[k] / weights[k] for k in short}
    assert len(levels) <= 1  # max-min: those who lack something have the same for each unit of weight
    if levels:
        assert all(one / weight <= min(levels) for one, weight in zip(due, weights, strict=True) if weight)


@given(
    st.integers(1, 900), st.lists(st.tuples(st.integers(0, 400), st.integers(1, 5)), min_size=1, max_size=6)
)
def test_with_one_resource_dominant_resource_fairness_is_max_min_fairness(
    gpus: int, rows: list[tuple[int, int]]
) -> None:
    """Progressive filling (Ghodsi et al., NSDI 2011, algorithm 1), GPU by GPU: a dominant share is a share of GPUs."""
    wanted, weights = ([row[k] for row in rows] for k in range(2))
    given_out = [0] * len(rows)
    for _ in range(min(gpus, sum(wanted))):
        open_ = [k for k in range(len(rows)) if given_out[k] < wanted[k]]
        given_out[min(open_, key=lambda k: given_out[k] * 60 // weights[k])] += 1  # 60: weights divide it
    due = fair_division(sum(given_out), wanted, weights)
    assert all(abs(got - one) <= len(rows) for got, one in zip(given_out, due, strict=True))  # GPUs are whole


def test_the_error_is_the_largest_distance_of_shares() -> None:
    assert fair_share_error([60, 40], [100, 100], [1, 1]) == Fraction(1, 10)
    assert fair_share_error([60, 40], [100, 40], [1, 1]) == 0  # the other asked for no more
    assert fair_share_error([0, 0], [5, 5], [1, 1]) is None


@pytest.mark.parametrize("contract", ["quotas", "shared", "partitioned"])
@pytest.mark.parametrize(
    ("quotas", "granted"), [(("60%", "40%"), [12, 8]), (("5", "rest"), [5, 15]), (("33%", "33%"), [7, 6])]
)
def test_quotas_are_granted_as_the_file_says_them(
    contract: str, quotas: tuple[str, str], granted: list[int]
) -> None:
    made = scenario(
        f"tenants.owner.quota={quotas[0]}", f"tenants.guest.quota={quotas[1]}", f"policy.contract={contract}"
    )
    assert list(entitlements(made, (20,))) == granted  # S14: the largest remainder has what is left


def test_without_quotas_weights_share_out_the_center() -> None:
    equal = scenario("policy.order=fairshare")
    assert list(entitlements(equal, (21,))) == [Fraction(21, 2)] * 2
    weighed = scenario("tenants.owner.weight=3", "tenants.guest.weight=0.6")
    assert list(entitlements(weighed, (18,))) == [15, 3]
    last = scenario("tenants.guest.weight=0")
    assert list(entitlements(last, (18,))) == [18, 0]


def test_inside_an_account_weights_share_out_what_it_has() -> None:
    rows = "[{name: public, weight: 2}, {name: firms}, {name: labs, account: public}]"
    base = scenario("policy.order=fair_tree")
    tenants = [base.to_dict()["tenants"][0] | {"name": name} for name in "abcd"]
    terms = [("labs", 1), ("public", 3), ("firms", 1), ("firms", 2)]
    named = [
        tenant | {"account": account, "weight": weight}
        for tenant, (account, weight) in zip(tenants, terms, strict=True)
    ]
    made = scenario(
        "policy.order=fair_tree",
        f"accounts={rows}",
        f"tenants={json.dumps(named)}",
        "slos=[wait <= 30min for 50% of a jobs]",
    )
    of_public, of_firms = Fraction(2, 3), Fraction(1, 3)
    assert list(weight_shares(made)) == [
        of_public / 4,
        of_public * 3 / 4,
        of_firms / 3,
        of_firms * 2 / 3,
    ]


# ---- delivered of granted --------------------------------------------------------------------------------------------


def test_delivered_is_what_was_used_over_what_is_owned_or_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing(nominal=np.array([[400_000], [600_000], [0]])))
    made = scenario(
        "tenants.owner.quota=40%",
        "tenants.guest.quota=60%",
        'slos[0]="delivered >= 99% of granted for guest"',
    )
    result = gpusim.simulate(made, replications=10)
    experiment = Experiment(made, made.study.seed)
    free = run_batch(unlimited(experiment.spec, made), np.arange(10), 1_000_000)
    window = experiment.spec.windows.count_end - experiment.spec.windows.warm_up
    assert result.batch.evictions is not None
    delivered = result.batch.sums[:, 1, USED] - result.batch.evictions[:, 1, LOST]
    assert result.batch.evictions[:, 1, LOST].sum() > 0
    backed = np.minimum(12 * window, free.sums[:, 1, USED])  # 60 % of 20 GPUs
    (level,) = result.slos
    assert level.measured is not None
    assert level.measured.value == pytest.approx(float((delivered / backed).mean()))
    held = delivered * 100 >= 99 * backed
    assert level.attainment.value == held.mean()
    assert result.attainment.passed == held.sum()
    assert 0 < held.sum() < 10
    assert (backed < 12 * window).any()
    assert (backed == 12 * window).any()


def test_a_tenant_that_asks_for_little_violates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    most = np.array([[950_000], [50_000], [0]])
    share(monkeypatch, sharing(nominal=most))
    made = scenario(
        "tenants.owner.quota=95%", "tenants.guest.quota=5%", 'slos[0]="delivered >= 90% of granted for owner"'
    )
    result = gpusim.simulate(made, replications=6, gpus=60)
    (level,) = result.slos
    assert level.measured is not None
    assert result.occupancy.value < 0.5  # far below its 57 GPUs
    assert level.attainment.value == 1.0


# ---- fairness and cascades -------------------------------------------------------------------------------------------


def test_the_longest_cascade_of_each_period_is_held_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing())
    cascades = simulated("longest cascade <= 0").batch.longest_cascade
    assert cascades is not None
    middle = int(np.median(cascades))
    result = simulated(f"longest cascade <= {middle}")
    assert result.batch.passed.tolist() == (cascades <= middle).tolist()
    (level,) = result.slos
    assert level.measured is not None
    assert level.measured.value == cascades.mean()
    assert level.limit == middle


def test_fairness_is_better_where_owners_reclaim(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = []
    for terms in (sharing(), sharing(reclaim=np.zeros(2, np.int32), borrowers_last=False)):
        with monkeypatch.context() as patch:
            share(patch, terms)
            made = scenario(
                *QUOTAS, 'slos[0]="fair-share error <= 5%"', "tenants.guest.classes.sweep.arrivals.load=30"
            )
            (level,) = gpusim.simulate(made, replications=8).slos
        assert level.measured is not None
        errors.append(level.measured.value)
    assert errors[0] < errors[1]


def test_without_sharing_nobody_is_evicted() -> None:
    result = simulated("longest cascade <= 0", 3)
    assert result.attainment.share == 1.0


# ---- studies ---------------------------------------------------------------------------------------------------------


def test_a_period_passes_only_if_both_kinds_of_levels_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing())
    jobs = "wait <= 30min for 50% of owner jobs"
    alone, period = (
        simulated(jobs).batch.passed,
        simulated("delivered >= 95% of granted for guest").batch.passed,
    )
    both = gpusim.simulate(
        scenario(*QUOTAS, f'slos=["{jobs}", "delivered >= 95% of granted for guest"]'), replications=10
    )
    assert both.batch.passed.tolist() == (alone & period).tolist()
    assert [level.metric for level in both.slos] == ["wait", "delivered"]
    text = to_text(simulation_page(both))
    assert "delivered >= 95% of granted for guest" in text
    assert "mean " in text


def test_a_size_is_found_for_a_level_on_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing(preemptible=np.zeros(2, np.bool_)))
    made = scenario(
        *QUOTAS, 'slos[0]="delivered >= 80% of granted for all"', "study.min_gpus=12", "study.max_gpus=36"
    )
    answer = gpusim.size(made)
    assert answer.gpus is not None
    assert answer.binding_slo == "delivered >= 80% of granted for all"
    assert answer.slos[0].attainment.value >= 0.8
    assert answer.slos[0].below is not None
    assert answer.slos[0].below.value < answer.slos[0].attainment.value


@pytest.mark.parametrize("sentence", ["delivered >= 90% of granted for owner", "fair-share error <= 10%"])
@pytest.mark.parametrize("all_last", [False, True])
def test_a_file_without_quotas_and_weights_is_refused_where_the_level_stands(
    sentence: str, all_last: bool
) -> None:
    text = TEXT.replace("wait <= 30min for 50% of owner jobs", sentence)
    if all_last:
        text = text.replace("{backfill: 1}", "{backfill: 1, order: fairshare}")
        text = text.replace("- name: owner", "- name: owner\n    weight: 0").replace(
            "- name: guest", "- name: guest\n    weight: 0"
        )
    with pytest.raises(ScenarioError, match="none has a quota or a weight") as caught:
        gpusim.Scenario.from_yaml(text, "center.yaml")
    (problem,) = caught.value.problems
    assert problem.code == "scenario/slo-granted"
    line = 1 + text[: text.index(sentence)].count("\n")
    assert problem.where.startswith(f"center.yaml:{line}:")
    assert "give each a quota, such as 50%" in problem.remedy


def test_a_level_on_a_tenant_without_a_quota_names_one_that_has_it() -> None:
    with pytest.raises(ScenarioError, match="it has no quota") as caught:
        scenario("tenants.owner.quota=60%", 'slos[0]="delivered >= 90% of granted for guest"')
    assert "owner" in caught.value.problems[0].remedy
    scenario("tenants.owner.quota=60%", 'slos[0]="delivered >= 90% of granted for all"')


def test_contracts_are_compared_by_the_same_levels() -> None:
    terms = (*QUOTAS, "tenants.owner.cohort=both", "tenants.guest.cohort=both")
    load = ("tenants.guest.classes.sweep.arrivals.load=30",)
    errors = {}
    for contract in ("quotas", "shared", "partitioned"):
        result = simulated("fair-share error <= 5%", 6, (*terms, *load, f"policy.contract={contract}"))
        (level,) = result.slos
        assert level.measured is not None
        errors[contract] = level.measured.value
    assert errors["quotas"] < errors["shared"]  # one queue for all: who asks for more gets more
    assert errors["partitioned"] < errors["shared"]


def test_a_fair_order_is_judged_by_the_weights_that_it_goes_by() -> None:
    weights = ("tenants.owner.weight=3", "tenants.guest.weight=2")  # as the quotas
    load = ("tenants.guest.classes.sweep.arrivals.load=30",)
    fair = simulated("fair-share error <= 5%", 6, (*weights, *load, "policy.order=fairshare"))
    queue = simulated("fair-share error <= 5%", 6, (*weights, *load))
    assert fair.slos[0].measured is not None
    assert queue.slos[0].measured is not None
    assert fair.slos[0].measured.value < queue.slos[0].measured.value
    quotas = simulated("fair-share error <= 5%", 6, (*QUOTAS, *load, "policy.contract=shared"))
    assert quotas.slos == queue.slos


def test_the_default_center_takes_such_a_level_with_its_fair_order() -> None:
    sentence = "slos[0]=fair-share error <= 10%"
    korea = gpusim.load_scenario("korea-nacc").variant("fairshare").override([sentence])
    assert [float(gpus) for gpus in entitlements(korea, (10_456,))] == [6120, 112, 2624, 1288, 312]
    with pytest.raises(ScenarioError, match="none has a quota or a weight"):
        gpusim.load_scenario("korea-nacc", overrides=[sentence])


def test_the_number_of_evictions_of_a_job_is_a_level_on_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing())
    none = simulated("preemptions <= 0 for 90% of sweep jobs")
    assert none.evictions is not None
    assert none.slos[0].share is not None
    evicted = none.evictions.classes[0].evicted
    assert evicted is not None
    assert none.slos[0].share.value == pytest.approx(
        1.0 - evicted.value, abs=0.02
    )  # those undecided are left out
    many = simulated("preemptions <= 50 for 90% of sweep jobs")
    assert many.attainment.share == 1.0
    assert dataclasses.asdict(many.slos[0])["limit"] == 50.0


def test_a_change_is_priced_by_levels_on_periods_too(monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, sharing(preemptible=np.zeros(2, np.bool_)))
    made = scenario(
        *QUOTAS, 'slos[0]="delivered >= 90% of granted for all"', "study.min_gpus=12", "study.max_gpus=36"
    )
    compared = gpusim.compare(made, changes=["study.demand=120%"], replications=10)
    assert compared.base.gpus is not None
    (changed,) = compared.variants
    assert [each.sentence for each in changed.binding] == ["delivered >= 90% of granted for all"]
