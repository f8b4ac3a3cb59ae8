"""What an answer says about itself: what it does not know, what it measured, and on which periods."""

from __future__ import annotations

import json

import numpy as np
import pytest

import gpusim
from gpusim.errors import RunError
from gpusim.plan.experiment import windows
from gpusim.plan.size import capacity_grid

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
