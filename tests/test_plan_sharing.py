"""Quotas and preemption of a scenario reach the engine, and what plans a search knows of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gpusim
from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS
from gpusim.engine.sharing import NO_AMOUNT, NO_THRESHOLD
from gpusim.errors import UsageError
from gpusim.plan.axis import axis_of, start_of
from gpusim.plan.experiment import Experiment, is_pathwise_monotone, run_spec
from gpusim.plan.infeasible import ceiling, unlimited
from gpusim.plan.sharing import is_shared, sharing
from gpusim.scenario import Scenario, example

TEXT = """\
schema: 1
name: shared
center: {have: 64}
tenants:
  - name: lab
    quota: 50%
    cohort: all
    borrow: 20%
    lend: 12
    queueing: strict
    preempts: {within: lower_or_newer, reclaim: any, while_borrowing: 5}
    classes:
      - name: train
        arrivals: {load: 30}
        gpus: {4: 60%, 8: 40%}
        run_time: {exponential: {mean: 2h, max: 24h}}
        limit: 25h
        preemptible: {exempt: 2h, grace: 5s, requeue: tail}
        checkpoint: 30min
        checkpoint_cost: 10s
        restart_cost: 5min
  - name: firm
    quota: rest
    max_gpus: 40
    max_running: 9
    preempts: {reclaim: lower, while_borrowing: lower}
    cohort: small
    classes:
      - {name: call, arrivals: {rate: 2/day}, gpus: 16, run_time: {deterministic: 2h}, priority: 9, urgent: true}
      - {name: sweep, arrivals: {load: 10}, gpus: 2, run_time: {deterministic: 2h}, limit: 3h, preemptible: true}
cohorts:
  - {name: small, cohort: all, quota: 5%, borrow: 50%}
  - {name: all}
slos: [turnaround <= 9h for 90% of train jobs, wait <= 1h for 90% of call jobs]
study: {horizon: 4d, warm_up: 1d, granularity: 4, tolerance: 20%}
"""


@pytest.fixture(scope="module")
def shared() -> Scenario:
    return Scenario.from_yaml(TEXT, "center.yaml")


def plain(load: float = 40, vary: str = "gpus", **tenant: Any) -> Scenario:
    """One tenant, one class."""
    job_class: dict[str, Any] = {"name": "work", "arrivals": {"load": load}, "gpus": {2: "50%", 8: "50%"}}
    job_class |= {"limit": "9h", "run_time": {"exponential": {"mean": "2h", "max": "8h"}}}
    study = {"horizon": "4d", "warm_up": "1d", "granularity": 4, "tolerance": "20%", "vary": vary}
    data = {"schema": 1, "name": "plain", "center": {"have": 64}, "slos": ["wait <= 1h for 90% of all jobs"]}
    tenants = [{"name": "t", "classes": [job_class], **tenant}]
    return Scenario.from_dict({**data, "study": study, "tenants": tenants})


# ---- columns ---------------------------------------------------------------------------------------------------------


def test_every_value_reaches_its_column(shared: Scenario) -> None:
    found = run_spec(shared, 1).sharing
    assert found is not None
    lab, firm, small, everyone = range(4)
    assert found.parent.tolist() == [everyone, small, everyone, -1]
    assert found.nominal[[lab, small, everyone], 0].tolist() == [500_000, 50_000, 0]
    assert found.unassigned == firm
    assert found.borrow[:, 0].tolist() == [200_000, NO_AMOUNT, 500_000, NO_AMOUNT]
    assert found.lend[:, 0].tolist() == [12, NO_AMOUNT, NO_AMOUNT, NO_AMOUNT]
    assert found.shares is not None
    assert found.shares[:, :, 0].tolist() == [
        [True, False, True, False],
        [True, False, True, False],
        [False] * 4,
    ]
    assert found.strict.tolist() == [True, False]
    assert (found.within.tolist(), found.reclaim.tolist()) == ([2, 0], [2, 1])
    assert found.borrow_preempts[0] == 5
    assert found.borrow_preempts[1] > 2**31 - 1
    assert (found.max_gpus.tolist(), found.max_jobs.tolist()) == ([-1, 40], [-1, 9])
    assert found.borrowers_last
    assert found.preemptible.tolist() == [True, False, True]
    assert found.urgent.tolist() == [False, True, False]
    assert found.requeue.tolist() == [1, 0, 0]
    assert (found.exempt.tolist(), found.grace.tolist()) == ([7200, 0, 0], [5, 0, 0])
    assert (found.checkpoint.tolist(), found.checkpoint_cost.tolist()) == ([1800, 0, 0], [10, 0, 0])
    assert found.restart.tolist() == [300, 0, 0]


def test_words_have_the_numbers_of_the_engine(shared: Scenario) -> None:
    changed = shared.override(
        [
            "policy.borrowers=in_order",
            "tenants.lab.preempts={within: lower, reclaim: lower}",
            "tenants.firm.preempts={}",
            "tenants.lab.classes.train.preemptible={requeue: cancel}",
        ]
    )
    found = run_spec(changed, 1).sharing
    assert found is not None
    assert not found.borrowers_last
    assert (found.within.tolist(), found.reclaim.tolist()) == ([1, 0], [1, 0])
    assert found.borrow_preempts.tolist() == [NO_THRESHOLD] * 2
    assert found.requeue.tolist() == [2, 0, 0]
    assert found.unassigned == 1


def test_amounts_of_several_pools_and_of_tenants_without_a_quota() -> None:
    scenario = plain(10).override(
        {"center": {"pools": [{"name": "a", "have": 64}, {"name": "b", "have": 32}]}, "study.vary": "b"}
        | {"tenants.t.quota": {"a": 16}, "tenants.t.max_gpus": 30}
    )
    found = run_spec(scenario, 1).sharing
    assert found is not None
    assert found.nominal.tolist() == [[16, 0]]  # a pool that is not named is not owned
    unbound = run_spec(plain(10, max_gpus=30), 1).sharing
    assert unbound is not None
    assert unbound.nominal.tolist() == [[NO_AMOUNT]]


@pytest.mark.parametrize("name", ["quickstart", "korea-nacc"])
def test_built_in_centers_are_not_shared(name: str) -> None:
    assert sharing(example(name)) is None


def test_what_cannot_act_makes_no_shared_center() -> None:
    idle = plain(preempts={"within": "lower"}, queueing="strict")
    assert run_spec(idle, 1).sharing is None  # nobody may be evicted
    assert run_spec(plain().override(["tenants.t.classes.work.preemptible=true"]), 1).sharing is None
    assert is_shared(
        plain().override(["tenants.t.classes.work.preemptible=true", "tenants.t.preempts.within=lower"])
    )
    costly = ["tenants.t.classes.work.checkpoint=1h", "tenants.t.classes.work.checkpoint_cost=10s"]
    assert is_shared(plain().override(costly))


@pytest.mark.parametrize("variant", ["quotas", "reclaim", "preemption"])
def test_variants_of_the_default_center_compile(variant: str) -> None:
    korea = example("korea-nacc").variant(variant)
    found = sharing(korea)
    assert found is not None
    owned = korea.quotas.nominal("gpus", 10_456)[: len(korea.tenants)]
    assert dict(zip(korea.tenant_names, owned, strict=True)) == (
        {"national_fm": 6120, "services": 112, "academia": 2624, "industry": 1288, "institutes": 312}
        if variant != "preemption"
        else dict.fromkeys(korea.tenant_names, 0)
    )
    victims = {name for name, yes in zip(korea.class_names, found.preemptible, strict=True) if yes}
    batch = {
        "national_fm/ablation",
        "industry/finetune",
        "institutes/institute",
        "academia/research",
        "academia/sweep",
    }
    assert victims == (set() if variant == "quotas" else batch)
    assert found.urgent.sum() == (variant == "preemption")
    assert {n.code for n in korea.notices()} == {"scenario/few-jobs"}


# ---- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backfill", "terms"),
    [("1", {"max_gpus": 1000}), ("none", {"max_running": 10_000}), ("skip", {"quota": "100%"})],
)
def test_what_never_binds_changes_no_integer(backfill: str, terms: dict[str, Any]) -> None:
    cells, gpus = np.arange(4, dtype=np.int64), np.array([40, 48, 56, 64], dtype=np.int64)
    spec, bound = (
        run_spec(plain(**each).override([f"policy.backfill={backfill}"]), 3) for each in ({}, terms)
    )
    assert spec.sharing is None
    assert bound.sharing is not None
    free, shared = (run_batch(each, cells, gpus, backend="cpu") for each in (spec, bound))
    for field in ("counts", "sums", "slo", "passed", "pool_gpu_ticks", "integrals", "jobs"):
        assert np.array_equal(getattr(free, field), getattr(shared, field)), field


def test_a_quota_is_a_center_of_that_size() -> None:
    cells = np.arange(4, dtype=np.int64)
    half = run_batch(
        run_spec(plain(15, quota="50%"), 3), cells, np.full(4, 64, dtype=np.int64), backend="cpu"
    )
    skips = run_spec(plain(15).override(["policy.backfill=skip"]), 3)
    alone = run_batch(skips, cells, np.full(4, 32, dtype=np.int64), backend="cpu")
    assert np.array_equal(half.counts, alone.counts)  # a job blocked by quota blocks nobody, as with skip
    assert np.array_equal(half.sums, alone.sums)


def test_limits_of_a_tenant_bind() -> None:
    cells, gpus = np.arange(2, dtype=np.int64), np.full(2, 64, dtype=np.int64)
    few = run_batch(run_spec(plain(15, max_running=3), 3), cells, gpus, backend="cpu")
    assert few.extremes[:, 1].max() == 3
    small = run_batch(run_spec(plain(15, max_gpus=6), 3), cells, gpus, backend="cpu")
    counts = dict(zip(COUNTS, small.counts.sum(axis=(0, 1)).tolist(), strict=True))
    assert counts["rejected"] == pytest.approx(counts["submitted"] / 2, rel=0.15)  # the jobs of 8 GPUs


# ---- planning --------------------------------------------------------------------------------------------------------


def test_the_ceiling_has_no_quotas_and_evicts_nobody(shared: Scenario) -> None:
    spec = run_spec(shared, 1)
    free = unlimited(spec, shared).sharing
    assert free is not None
    assert (free.nominal == NO_AMOUNT).all()
    assert free.parent.tolist() == [-1, -1]
    assert (free.max_gpus.tolist(), free.max_jobs.tolist(), free.unassigned) == ([-1, -1], [-1, -1], -1)
    assert not free.preemptible.any()
    assert free.checkpoint_cost.tolist() == [10, 0, 0]  # a grace of 5 s is too short to save in
    assert np.array_equal(unlimited(spec, shared).classes.killed_ok, [True, False, True])  # type: ignore[arg-type]
    saves = shared.override(["tenants.lab.classes.train.preemptible.grace=10s"])
    assert (
        unlimited(run_spec(saves, 1), saves).sharing is None
    )  # checkpoints are free there, and nothing is left


def test_the_ceiling_bounds_shared_centers(shared: Scenario) -> None:
    experiment = Experiment(shared, 5)
    axis = axis_of(shared)
    assert ceiling(experiment, axis).attainment.share == 1.0
    cells = np.arange(24, dtype=np.int64)
    spec = experiment.spec
    tight = replace(spec, slos=replace(spec.levels, limit=np.full_like(spec.levels.limit, 3 * 3600)))
    most = run_batch(unlimited(tight, shared), cells, np.full(24, 100_000, dtype=np.int64), backend="cpu")
    for gpus in (48, 96, 400):
        some = run_batch(tight, cells, np.full(24, gpus, dtype=np.int64), backend="cpu")
        assert (most.slo[:, :, 0] >= some.slo[:, :, 0]).all()
        assert (some.slo[:, :, 0] < most.slo[:, :, 0]).any() == (gpus < 400)


def test_levels_beyond_any_center_are_told_in_spite_of_quotas() -> None:
    strict = plain(15, quota="50%").override({"slos": ["turnaround <= 10min for 90% of all jobs"]})
    answer = gpusim.size(strict, threads=1)
    assert answer.gpus is None
    assert "no number of GPUs is enough" in str(answer.findings.ceiling)


def test_sharing_is_not_claimed_to_be_monotone() -> None:
    strict = plain().override(["policy.backfill=none"])
    assert is_pathwise_monotone(strict)
    assert not is_pathwise_monotone(strict.override(["tenants.t.quota=100%"]))


def test_the_first_guess_gives_each_tenant_what_it_needs() -> None:
    free = plain(20)
    tenth = plain(20, quota="10%")
    assert start_of(free, axis_of(free)) < 100
    assert start_of(tenth, axis_of(tenth)) >= 200
    never = plain(20, "demand", quota=10)
    assert start_of(never, axis_of(never)) > 0


def test_size_finds_the_center_of_which_a_tenth_is_enough() -> None:
    whole, tenth = gpusim.size(plain(8), threads=1), gpusim.size(plain(8, quota="10%"), threads=1)
    assert whole.gpus is not None
    assert tenth.gpus is not None
    assert 7 * whole.gpus < tenth.gpus <= 11 * whole.gpus


def test_quotas_in_gpus_do_not_go_with_another_axis() -> None:
    fixed = plain(10, "demand", quota=32)
    assert axis_of(fixed).vary == "demand"
    with pytest.raises(UsageError, match="nobody would own the others"):
        axis_of(fixed, "gpus")
    rest = plain(10, "demand", quota="rest")
    assert axis_of(rest, "gpus").vary == "gpus"
