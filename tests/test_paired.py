"""Critical capacities: each is found, from any start, in few runs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpusim.stats import CapacityGrid
from gpusim.stats.critical import BoolArray, IntArray
from gpusim.stats.paired import critical_indices


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
