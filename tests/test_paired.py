"""Paired comparisons: every critical capacity is found, and a known shift is priced with a fair interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpusim.stats import CapacityGrid
from gpusim.stats.critical import BoolArray, IntArray
from gpusim.stats.paired import compare_paired, critical_indices, order_statistic


class Cells:
    """Replication r passes from index ``critical[r]`` on; counts the cells."""

    def __init__(self, grid: CapacityGrid, critical: IntArray) -> None:
        self.grid, self.critical, self.runs = grid, critical, 0
        self.seen: set[tuple[int, int]] = set()

    def __call__(self, replications: IntArray, capacities: IntArray) -> BoolArray:
        self.runs += len(replications)
        indices = np.array([self.grid.index(int(c)) for c in capacities])
        cells = set(zip(replications.tolist(), indices.tolist(), strict=True))
        assert not cells & self.seen
        self.seen |= cells
        return np.asarray(self.critical[replications] <= indices)


@given(st.integers(1, 300), st.integers(0, 10_000), st.integers(1, 40), st.booleans())
def test_every_critical_capacity_is_found_from_any_start(
    count: int, seed: int, first_step: int, descending: bool
) -> None:
    rng = np.random.default_rng(seed)
    grid = CapacityGrid(8, 4, count, descending)
    cells = Cells(grid, rng.integers(0, count + 1, 7))
    starts = rng.integers(-5, count + 5, 7)
    found = critical_indices(cells, np.arange(7), grid, starts, first_step)
    assert found.tolist() == cells.critical.tolist()


def test_close_starts_cost_about_three_runs_each() -> None:
    grid, rng = CapacityGrid(0, 32, 4_000), np.random.default_rng(3)
    cells = Cells(grid, np.round(rng.normal(300, 8, 100)).astype(np.int64))
    near = cells.critical + rng.integers(-1, 2, 100)
    critical_indices(cells, np.arange(100), grid, near)
    assert cells.runs <= 350


def test_order_statistic_is_the_smallest_value_reached_often_enough() -> None:
    values = np.arange(50.0)
    assert order_statistic(values, 0.9) == 44  # 45 of 50 values are at most 44
    assert order_statistic(values, 0.999) == 49
    assert order_statistic(np.array([3.0, math.inf]), 0.9) == math.inf


def test_a_common_shift_is_priced_without_noise() -> None:
    base = np.random.default_rng(1).normal(9_300, 238, 50)
    paired = compare_paired(base, base + 488, 0.9, 0.95)
    assert paired.difference == pytest.approx(488)
    assert paired.interval == pytest.approx((488, 488))
    assert (paired.mean, paired.standard_error, paired.both) == (
        pytest.approx(488),
        pytest.approx(0, abs=1e-9),
        50,
    )


def test_replications_that_pass_nowhere_count_in_the_quantile_and_not_in_the_mean() -> None:
    base = np.arange(20.0)
    changed = np.where(np.arange(20) < 15, base + 1, math.inf)
    paired = compare_paired(base, changed, 0.9, 0.95)
    assert paired.difference == math.inf
    assert (paired.mean, paired.both) == (1.0, 15)
    assert compare_paired(changed, changed, 0.9, 0.95).difference == 0.0


def test_the_interval_covers_the_true_difference_in_most_samples() -> None:
    # M ~ N(0, 1), changed = M + N(1, .5): true .9-quantiles 1.2816 and 1 + 1.2816 sqrt(1.25)
    truth, rng, covered = 1 + 1.2815516 * (math.sqrt(1.25) - 1), np.random.default_rng(11), 0
    for _ in range(200):
        base = rng.normal(size=50)
        low, high = compare_paired(base, base + rng.normal(1, 0.5, 50), 0.9, 0.95).interval
        covered += low <= truth <= high
    assert covered >= 176  # nominal 190; a bootstrap of an extreme quantile is a little short


def test_the_same_data_give_the_same_interval() -> None:
    base, changed = np.random.default_rng(5).normal(size=(2, 30))
    assert compare_paired(base, changed, 0.9, 0.95) == compare_paired(base, changed, 0.9, 0.95)


def test_samples_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        compare_paired(np.zeros(3), np.zeros(4), 0.9, 0.95)
