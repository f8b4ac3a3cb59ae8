"""What is told to be hard before it is run is hard: the order of periods, and what it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import gpusim
from gpusim.engine.batch import run_batch
from gpusim.plan.hardness import Hardness
from gpusim.plan.size import prepared_runs
from gpusim.plan.strata import kinds_of, rare_classes
from gpusim.scenario import Scenario
from gpusim.stats.sample import Sample
from test_strata_periods import RARE

Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]


def foretold(scenario: Scenario, each: int, gpus: int) -> tuple[list[Float64], list[Bool]]:
    """Hardness and real fails of so many replications of either kind."""
    runs = prepared_runs(scenario, scenario.study.seed, "cpu", 2)
    kinds = kinds_of(runs.experiment, runs.axis)
    assert kinds is not None
    sample = Sample.stratified(0, (each, each), kinds)
    hardness = Hardness(runs.experiment, runs.axis, tuple(rare_classes(runs.experiment, runs.axis)), 2)
    hard = hardness(sample.numbers, gpus)
    fails = ~run_batch(runs.experiment.spec, sample.numbers, gpus, early=True, threads=2).passed
    strata = sample.strata()
    return [hard[mine] for mine in strata], [fails[mine] for mine in strata]


def order(hard: Float64, fails: Bool) -> float:
    """Share of the pairs of a fail and a pass in which the fail was told to be the harder one."""
    return float(np.mean(hard[fails][:, None] > hard[~fails][None, :]))


def test_those_that_fail_are_told_to_be_harder() -> None:
    hard, fails = foretold(Scenario.from_yaml(RARE), 150, 54)
    assert all(5 <= np.count_nonzero(some) <= 130 for some in fails)
    found = [order(*pair) for pair in zip(hard, fails, strict=True)]
    assert min(found) > 0.75, found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_is_so_in_the_korean_center() -> None:
    hard, fails = foretold(gpusim.example("korea-nacc"), 120, 9_632)
    found = [order(*pair) for pair in zip(hard, fails, strict=True)]
    assert found[0] > 0.9, found
    assert found[1] > 0.85, found


def test_hardness_is_a_rank_among_those_of_the_same_kind() -> None:
    hard, _ = foretold(Scenario.from_yaml(RARE), 40, 60)
    assert np.array_equal(np.sort(hard[0]), np.arange(40) / 40)
    assert hard[1].min() >= 0.0
    assert hard[1].max() == 39 / 40  # the larger of two ranks: congested, or full when the rare job comes
