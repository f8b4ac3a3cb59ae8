"""`size` keeps its promise on centers whose true answer is known, and a common habit does not.

B1: M/M/c from empty, about 1,000 jobs, demand uncertain by 5 %; strict order, so the interval is exact.
B2: gang EASY, sizes 1..32, requests up to 5 times the run time, two tenants; pass/fail is not monotone, so the answer
needs its fill-in. True answers from 40,000 replications each (frozen below, seed 987654321):
B1 P(62) = .9406, P(63) = .9619, so N* = 63; B2 P(116) = .9262, P(120) = .9537, so N* = 120 in steps of 4.

A claim is wrong if gpus_high < N* or gpus_low > N*. With confidence 95 %, 200 macro-replications may hold at most 21
wrong claims (99.9 % binomial bound), 10 at most 4: the false-alarm rate of each test is below 0.1 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from gpusim.engine.batch import run_batch
from gpusim.plan.experiment import is_pathwise_monotone, run_spec
from gpusim.plan.size import capacity_grid, prepared_runs, search
from gpusim.scenario import Scenario
from gpusim.stats.binomial import at_least

B1 = """
schema: 1
name: b1
tenants:
  - name: university
    classes:
      - {name: batch, arrivals: {rate: 49.5/h}, gpus: 1, run_time: {exponential: {mean: 1h}}}
policy: {backfill: none}
slos: [wait <= 6min for 90% of all jobs]
study: {horizon: 1218min, attainment: 95%, tolerance: 6%, granularity: 1, demand_uncertainty: 5%}
"""
B2 = """
schema: 1
name: b2
tenants:
  - name: university
    classes:
      - name: batch
        arrivals: {load: 60}
        gpus: {1: 40%, 2: 20%, 4: 20%, 8: 10%, 16: 6%, 32: 4%}
        run_time: {lognormal: {median: 40min, sigma: 1.2}}
        limit: {factor: [1, 5]}
  - name: company
    classes:
      - name: batch
        arrivals: {load: 25}
        gpus: {8: 60%, 16: 40%}
        run_time: {lognormal: {median: 30min, sigma: 1.0}}
        limit: {factor: [1, 5]}
policy: {backfill: 1}
slos:
  - wait <= 2h for 95% of university jobs
  - wait <= 3h for 90% of company jobs
study: {horizon: 3d, attainment: 95%, tolerance: 8%, granularity: 4}
"""


class Law(NamedTuple):
    text: str
    answer: int
    grid: range  # of the habit

    @property
    def scenario(self) -> Scenario:
        return Scenario.from_yaml(self.text)


LAWS = {"B1": Law(B1, 63, range(50, 82)), "B2": Law(B2, 120, range(84, 164, 4))}
CONFIDENCE = 0.95


def most_wrong(macro_replications: int, rate: float = 1 - CONFIDENCE) -> int:
    """Largest number of wrong claims that chance explains at 99.9 %."""
    return next(
        k for k in range(macro_replications + 1) if at_least(k + 1, macro_replications, rate) <= 0.001
    )


def wrong_claims(law: Law, macro_replications: int) -> tuple[int, int]:
    """(undersized, wrong in all) of independent sizing runs."""
    scenario = law.scenario
    undersized = wrong = 0
    for seed in range(macro_replications):
        runs = prepared_runs(scenario, 5_000 + seed, "auto", 1)
        found = search(scenario, runs, capacity_grid(scenario))
        assert found.certified
        assert found.gpus_high is not None
        assert found.gpus_low is not None
        undersized += found.gpus_high < law.answer
        wrong += found.gpus_high < law.answer or found.gpus_low > law.answer
    return undersized, wrong


def habit(law: Law, macro_replications: int) -> int:
    """How often 30 replications per size and the first share >= 95 % give another size than the right one."""
    scenario = law.scenario
    wrong = 0
    for seed in range(macro_replications):
        spec = run_spec(scenario, 5_000 + seed)
        for gpus in law.grid:
            if run_batch(spec, np.arange(30), gpus, early=True).passed.mean() >= scenario.study.attainment:
                break
        wrong += gpus != law.answer
    return wrong


def test_bound_is_the_one_of_the_design() -> None:
    assert (most_wrong(200), most_wrong(240), most_wrong(400)) == (21, 24, 35)


def test_the_two_laws_use_both_certificates() -> None:
    assert is_pathwise_monotone(LAWS["B1"].scenario)
    assert not is_pathwise_monotone(LAWS["B2"].scenario)


@pytest.mark.parametrize("name", ["B1", pytest.param("B2", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_few_sizing_runs_keep_their_promise(name: str) -> None:
    assert wrong_claims(LAWS[name], 3)[1] <= most_wrong(3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LAWS)
def test_two_hundred_sizing_runs_keep_their_promise(name: str, summary_line: Callable[[str], None]) -> None:
    undersized, wrong = wrong_claims(LAWS[name], 200)
    summary_line(
        f"coverage {name}: {wrong} wrong of 200 ({undersized} undersized), at most {most_wrong(200)} allowed"
    )
    assert wrong <= most_wrong(200)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LAWS)
def test_habit_of_thirty_replications_per_size_fails_the_same_test(
    name: str, summary_line: Callable[[str], None]
) -> None:
    wrong = habit(LAWS[name], 200)
    summary_line(f"coverage {name}, habit of 30 replications per size: {wrong} wrong of 200")
    assert wrong > most_wrong(200)
