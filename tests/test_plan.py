"""What an answer says about itself: what it does not know, what it measured, and on which periods."""

from __future__ import annotations

import json

import numpy as np
import pytest

import gpusim
from gpusim.engine.batch import run_batch
from gpusim.errors import RunError, UsageError
from gpusim.plan.experiment import Experiment, is_pathwise_monotone, windows
from gpusim.plan.rules import rules_of_thumb
from gpusim.plan.size import capacity_grid, prepared_runs

TEXT = """
schema: 1
name: small
tenants:
  - name: lab
    classes:
      - {name: batch, arrivals: {load: 12}, gpus: {1: 50%, 2: 50%}, run_time: {exponential: {mean: 1h}}}
policy: {backfill: none}
slos: [wait <= 1h for 90% of all jobs]
study: {horizon: 6d, warm_up: 1d, attainment: 90%, tolerance: 20%, granularity: 1}
"""


def small(*changes: str) -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TEXT, overrides=changes)


def test_every_counted_job_is_decided_with_the_automatic_cool_down() -> None:
    simulation = gpusim.simulate(small(), gpus=11, replications=8)
    assert simulation.slos[0].censored == 0
    window = windows(small())
    assert window.horizon - window.count_end == 3600


def test_answer_at_the_smallest_size_considered_says_at_most() -> None:
    answer = gpusim.size(small("study.min_gpus=40"))
    assert answer.sizing.low_is_grid_minimum
    assert str(answer).startswith("at most 40 GPUs")
    assert answer.binding_slo is None
    assert answer.below is None


def test_shares_are_not_rounded_up_in_words() -> None:
    answer = gpusim.size(small("study.attainment=99.5%", "study.tolerance=40%"))
    assert "99.5% of periods" in str(answer)


@pytest.mark.slow
def test_answer_below_the_offered_load_warns_that_the_queue_grows() -> None:
    answer = gpusim.size(small("slos[0]=wait <= 3d for 90% of all jobs", "study.horizon=8d"))
    assert answer.gpus is not None
    assert answer.gpus < answer.offered_load
    assert any("the queue grows" in warning for warning in answer.warnings)


def test_shown_attainment_uses_every_replication_that_decided() -> None:
    answer = gpusim.size(small())
    assert answer.at_answer is not None
    first, stop = answer.sizing.ranges["final"]
    assert answer.at_answer.replications == stop - first
    assert answer.at_answer.share >= 0.9
    assert answer.below is not None
    assert answer.below.share < 0.9


def test_same_answer_on_one_and_two_threads() -> None:
    one, two = (gpusim.size(small(), threads=n).to_dict() for n in (1, 2))
    for answer in (one, two):
        answer.pop("spent")
    assert one == two


def test_a_share_without_any_miss_still_has_an_interval() -> None:
    simulation = gpusim.simulate(small(), gpus=200, replications=5)
    share = simulation.slos[0].share
    assert share is not None
    assert (share.value, share.high) == (1.0, 1.0)
    assert share.low == pytest.approx(0.025 ** (1 / 5))  # Clopper-Pearson for 5 of 5


def test_level_without_jobs_has_no_share_and_is_named() -> None:
    rare = small(
        "tenants.lab.classes.batch.arrivals.rate=0.01/day", "study.horizon=2d", "study.tolerance=40%"
    )
    simulation = gpusim.simulate(rare, gpus=10, replications=3)
    assert simulation.slos[0].share is None
    assert simulation.slos[0].vacuous == 3
    json.dumps(simulation.to_dict(), allow_nan=False)


def test_grid_stays_on_multiples_and_below_the_limit() -> None:
    grid = capacity_grid(small("study.granularity=8", "study.max_gpus=100"))
    assert (grid.low, grid.step, grid.high) == (8, 8, 96)


def test_unlimited_replay_refuses_what_it_cannot_count() -> None:
    jobs = gpusim.Jobs(submit=[0, 0], service=[10, 10], gpus=[2_000_000_000] * 2)
    with pytest.raises(RunError, match="more GPUs at once"):
        gpusim.replay(jobs, gpus="unlimited")


def test_replay_equals_a_schedule_worked_by_hand() -> None:
    # 4 GPUs, EASY: A takes 3 until 10; B waits for it; C wants all 4 after B; D would delay nobody from 11 on
    jobs = gpusim.Jobs(submit=[0, 1, 1, 1], service=[10, 1, 1, 100], gpus=[3, 3, 4, 2])
    starts = gpusim.replay(jobs, gpus=4, backfill=1).records.start
    assert np.array_equal(starts - jobs.submit, [0, 9, 10, 11])


# ---- what is proven to help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "proven"),
    [
        ([], True),
        (["policy.period=5min"], True),
        (["policy.order=sjf"], False),
        (["policy.backfill=1"], False),
        (["policy.max_waiting=5"], False),
        (["tenants.lab.classes.batch.patience=2h"], False),
        (["tenants.lab.classes.batch.segment=20min"], False),
        (["slos[0]=turnaround <= 4h for 90% of all jobs"], False),
        (["slos[0]=abandoned <= 5% of all jobs"], True),
    ],
)
def test_only_what_is_proven_is_claimed_to_be_monotone(changes: list[str], proven: bool) -> None:
    assert is_pathwise_monotone(small(*changes)) is proven


@pytest.mark.parametrize("period", ["1s", "7min"])
def test_with_one_gpu_more_no_job_starts_later_in_strict_order_with_or_without_a_period(period: str) -> None:
    spec = Experiment(small(f"policy.period={period}", "study.horizon=3d"), 5).spec
    for replication in range(6):
        before = None
        for gpus in range(8, 18):
            records = run_batch(spec, replication, gpus, records=True).records
            assert records is not None
            starts = np.where(records.start < 0, np.iinfo(np.int64).max, records.start)
            assert before is None or (starts <= before).all()
            before = starts


# ---- uncertain numbers, demand and pools ----------------------------------------------------------------------------


def uncertain() -> gpusim.Scenario:
    data = small().to_dict()
    data["tenants"][0]["classes"][0]["arrivals"] = {"load": {"uniform": [6, 18]}}
    return gpusim.Scenario.from_dict(data)


def test_a_replication_has_its_own_uncertain_numbers_in_any_batch() -> None:
    runs = prepared_runs(uncertain(), 1, "auto", 1)
    together = runs.measure(np.arange(6), 14)
    for r in (0, 3, 5):
        alone = runs.measure(np.array([r]), 14)
        assert (alone.counts[0] == together.counts[r]).all()
    jobs = [
        int(prepared_runs(each, 1, "auto", 1).measure(np.arange(40), 14).jobs.std())
        for each in (small(), uncertain())
    ]
    assert jobs[1] > 3 * jobs[0]


@pytest.mark.slow
def test_uncertain_numbers_make_the_answer_larger() -> None:
    sure, unsure = gpusim.size(small()), gpusim.size(uncertain())
    assert sure.gpus is not None
    assert unsure.gpus is not None
    assert unsure.gpus > sure.gpus


def test_more_demand_in_the_study_is_more_demand_in_the_runs() -> None:
    once, twice = (gpusim.simulate(small(f"study.demand={f}"), gpus=40, replications=8) for f in (1.0, 2.0))
    assert 1.8 < twice.batch.jobs.sum() / once.batch.jobs.sum() < 2.2
    assert twice.offered_load == pytest.approx(2 * once.offered_load)


def two_pools() -> gpusim.Scenario:
    data = small().to_dict()
    data["center"] = {"pools": [{"name": "new", "have": 8}, {"name": "old", "have": 6}]}
    data["study"]["vary"] = "old"
    return gpusim.Scenario.from_dict(data)


def test_pools_are_simulated_with_their_own_use() -> None:
    result = gpusim.simulate(two_pools(), replications=4)
    assert result.gpus == 14
    assert [(pool.name, pool.gpus) for pool in result.pools] == [("new", 8), ("old", 6)]
    used = sum(pool.gpus * pool.occupancy.value for pool in result.pools)
    assert used == pytest.approx(14 * result.occupancy.value)
    other = gpusim.simulate(two_pools(), gpus={"old": 20}, replications=4)
    assert other.gpus == 28
    with pytest.raises(UsageError, match="did you mean 'old'"):
        gpusim.simulate(two_pools(), gpus={"odl": 20})
    with pytest.raises(UsageError, match="one number for several pools"):
        gpusim.simulate(two_pools(), gpus=20)


def test_a_pool_is_sized_beside_the_other() -> None:
    answer = gpusim.size(two_pools(), vary="new")
    assert answer.vary == "new"
    assert answer.gpus is not None
    whole = gpusim.size(small()).gpus
    assert whole is not None
    assert whole - 6 <= answer.gpus <= whole  # two pools need a little more than one of the same size


# ---- rules of thumb -------------------------------------------------------------------------------------------------


def test_rules_of_thumb_are_worked_out_by_hand() -> None:
    rules = {rule.name: rule.gpus for rule in rules_of_thumb(small())}
    assert rules["load at 80 % occupancy"] == 15  # 12 / 0.8
    assert rules["square root of the load, single GPUs"] == 18  # 12 + 1.65 x 12^.5 = 17.7
    # gangs of 1 and 2, half the jobs each: a third of the load in ones, two thirds in twos; variance 12 x 5/3 = 20
    assert rules["square root of the load, gang sizes"] == 20  # 12 + 1.65 x 20^.5 = 19.4


def test_where_demand_varies_rules_are_there_for_the_mean_and_for_the_peak() -> None:
    data = small().to_dict()
    data["tenants"][0]["classes"][0]["arrivals"]["profile"] = {"peak": "14h", "ratio": 3}
    scenario = gpusim.Scenario.from_dict(data)
    rules = {rule.name: rule.gpus for rule in rules_of_thumb(scenario)}
    assert scenario.peak_load > 1.3 * scenario.mean_load
    assert rules["peak load at 80 % occupancy"] > rules["mean load at 80 % occupancy"]
    assert rules["Erlang-C, peak load, single GPUs"] > rules["Erlang-C, mean load, single GPUs"]
