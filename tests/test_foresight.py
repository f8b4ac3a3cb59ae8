"""What a search foresees: the same answers whether anybody listens or not, and far fewer rounds where somebody does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import test_sizing_strata as korea
from gpusim.stats import CapacityGrid, Kinds, SizingOptions, SizingResult, critical, find_capacity, lower_end
from gpusim.stats.critical import BoolArray, CriticalSearch, IntArray
from gpusim.stats.foresight import Bisection, Foresight, interleaved, places
from gpusim.stats.lower_end import Descent, LowerEnd
from gpusim.stats.sample import Sample

Asked = list[tuple[list[int], int]]


class Table:
    """Evaluator that looks verdicts up; a table is (replications, grid indices)."""

    def __init__(self, table: BoolArray, grid: CapacityGrid) -> None:
        self.table, self.grid = table, grid
        self.asked: Asked = []

    def look_up(self, replications: IntArray, capacity: int) -> BoolArray:
        passes: BoolArray = self.table[replications, self.grid.index(capacity)]
        return passes

    def evaluate(self, replications: IntArray, capacity: int) -> BoolArray:
        self.asked.append((replications.tolist(), capacity))
        return self.look_up(replications, capacity)


class Device(Table):
    """The same on a device with so many workers, which runs ahead what it is told."""

    def __init__(self, table: BoolArray, grid: CapacityGrid, workers: int) -> None:
        super().__init__(table, grid)
        self.ahead = workers
        self.rounds: list[int] = []
        self.told: list[tuple[int, int]] = []
        self.store: dict[tuple[int, int], bool] = {}

    def foresee(self, replications: IntArray, capacities: IntArray) -> None:
        assert replications.dtype == capacities.dtype == np.int64
        assert replications.shape == capacities.shape
        assert len(replications) <= self.ahead
        self.told = list(zip(replications.tolist(), capacities.tolist(), strict=True))
        assert len(set(self.told)) == len(self.told)

    def evaluate(self, replications: IntArray, capacity: int) -> BoolArray:
        passes = super().evaluate(replications, capacity)
        cells = [(r, capacity) for r in replications.tolist()]
        missing = [cell for cell in cells if cell not in self.store]
        if missing:
            spare = max(0, self.ahead - len(missing))
            asked = {*missing}
            beside = [cell for cell in self.told if cell not in self.store and cell not in asked][:spare]
            self.rounds.append(len(missing) + len(beside))
            for r, value in (*missing, *beside):
                self.store[r, value] = bool(self.look_up(np.array([r]), value)[0])
        assert [self.store[cell] for cell in cells] == passes.tolist()
        return passes


@st.composite
def tables(draw: st.DrawFn) -> tuple[BoolArray, CapacityGrid]:
    """Pass or fail of up to 40 replications on up to 40 capacities, monotone or not."""
    grid = CapacityGrid(draw(st.integers(0, 50)), draw(st.integers(1, 9)), draw(st.integers(1, 40)))
    critical_ = np.array(draw(st.lists(st.integers(0, grid.count), min_size=2, max_size=40)))
    table: BoolArray = critical_[:, None] <= np.arange(grid.count)
    flips = draw(st.sampled_from([0.0, 0.0, 0.1, 0.5]))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random(table.shape) < flips
    return table ^ noise, grid


def same_asked(plain: Table, device: Device) -> None:
    assert plain.asked == device.asked
    assert len(device.rounds) <= len(plain.asked)


# ---- the search -------------------------------------------------------------------------------------------------


@given(
    case=tables(),
    start=st.integers(0, 45),
    step=st.integers(1, 5),
    workers=st.integers(0, 600),
    data=st.data(),
)
@pytest.mark.slow
def test_a_search_asks_and_finds_the_same_whether_it_is_listened_to_or_not(
    case: tuple[BoolArray, CapacityGrid], start: int, step: int, workers: int, data: st.DataObject
) -> None:
    table, grid = case
    n = len(table)
    ranks = data.draw(st.lists(st.integers(1, n), min_size=1, max_size=3))
    last = data.draw(st.integers(0, grid.count - 1))
    seen = []
    evaluators = Table(table, grid), Device(table, grid, workers)
    for evaluator in evaluators:
        foresight = Foresight(grid, evaluator)
        search = CriticalSearch(n, grid, start, evaluator.evaluate, step, foresight=foresight)
        found = [search.select(rank, then=ranks[k + 1 :]) for k, rank in enumerate(ranks)]
        holds = search.complete(last, ranks[0])
        seen.append(
            (found, holds, search.runs, search.probes, search.bounds(ranks[0]), search.violations.sum())
        )
    assert seen[0] == seen[1]
    same_asked(*evaluators)


@given(case=tables(), start=st.integers(0, 45), step=st.integers(1, 5), data=st.data())
def test_whatever_a_selection_asks_was_told_with_each_of_the_four_probes_before(
    case: tuple[BoolArray, CapacityGrid], start: int, step: int, data: st.DataObject
) -> None:
    """With each of the two before, where no place was known to be too little then."""
    table, grid = case
    rank = data.draw(st.integers(1, len(table)))
    told: list[tuple[int, list[tuple[int, int]]]] = []

    class Listener(Device):
        def foresee(self, replications: IntArray, capacities: IntArray) -> None:
            super().foresee(replications, capacities)
            told.append((4 if search.bounds(rank)[0] else 2, self.told))

        def evaluate(self, replications: IntArray, capacity: int) -> BoolArray:
            for probes, (depth, before) in enumerate(reversed(told[:-1]), start=1):
                assert probes > depth or {(r, capacity) for r in replications.tolist()} <= {*before}
            return super().evaluate(replications, capacity)

    listener = Listener(table, grid, 10**6)
    foresight = Foresight(grid, listener)
    search = CriticalSearch(len(table), grid, start, listener.evaluate, step, foresight=foresight)
    search.select(rank)
    assert len(listener.rounds) <= max(1, -(-len(told) // 2))


def test_a_bisection_of_1000_places_takes_a_quarter_of_the_rounds() -> None:
    grid = CapacityGrid(0, 1, 1000)
    table = np.random.default_rng(5).integers(0, 1000, (60, 1)) <= np.arange(1000)
    device = Device(table, grid, 60 * 31)
    search = CriticalSearch(60, grid, 400, device.evaluate, 20, foresight=Foresight(grid, device))
    search.select(55)
    assert len(device.asked) >= 10
    assert len(device.rounds) <= -(-len(device.asked) // 4)


def test_places_of_a_bisection_are_those_of_its_tree() -> None:
    walk = Bisection(1, 64, 30, 1, 1, 100)
    assert walk.index == 32
    assert [*places([walk], 2)] == [(0, 32), (1, 16), (1, 48), (2, 8), (2, 24), (2, 40), (2, 56)]
    assert [*places([Bisection(4, 4, 30, 1, 1, 64)], 2)] == []


def test_two_steps_down_are_foreseen_where_nothing_is_known_to_be_too_little_and_four_up() -> None:
    walk = Bisection(0, 1000, 500, 2, 3, 1000)
    after = [index for _, index in places(walk.outcomes(), 3)]
    assert {500 - 3, 500 - 9} <= {*after}
    assert 500 - 21 not in after
    assert {500 + 2, 500 + 6, 500 + 14, 500 + 30} <= {*after}


def test_a_descent_foresees_both_ways_it_may_go() -> None:
    descent = Descent(-1, 101, 50, 8, 100, 1)
    assert [*places([descent], 1)] == [(0, 50), (1, 42), (1, 58)]
    assert [*places([Descent(40, 50, 46, 8, 100, 1)], 1)] == [(0, 46), (1, 44), (1, 48)]
    assert Descent(40, 41, 40, 8, 100, 1).index is None


def test_queues_take_turns() -> None:
    queues = [np.arange(5), np.arange(10, 13)]
    assert interleaved(queues, [2, 1]).tolist() == [0, 1, 10, 2, 3, 11, 4, 12]
    assert interleaved([], []).tolist() == []


def test_nothing_is_worked_out_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (critical, lower_end):
        monkeypatch.setattr(module, "places", lambda *_: pytest.fail("worked out"))
    deaf = Deaf(np.arange(1_000)[:, None] % 20 <= np.arange(24), CapacityGrid(40, 1, 24), 0)
    result = find_capacity(deaf, deaf.grid, options=replace(PLAIN, replications_max=40))
    assert result.total_runs > 0


class Deaf(Device):
    """A device that is none."""

    def foresee(self, replications: IntArray, capacities: IntArray) -> None:
        pytest.fail("told")


# ---- the lower end, and whole sizings ---------------------------------------------------------------------------

PLAIN = SizingOptions(scout_replications=4, pilot_replications=20, replications_min=20, audit_share=0.3)
GRID = CapacityGrid(1_000, 8, 300)
DRAWS = 25_000


class Periods:
    """Periods of two kinds, of which the rarer needs more; how hard one is can be told roughly."""

    def __init__(self, seed: int, wobble: float) -> None:
        rng = np.random.default_rng([11, seed])
        self.kind = (rng.random(DRAWS) < 0.21).astype(np.int64)
        critical_ = np.where(self.kind == 1, 140, 120) + 8 * rng.standard_normal(DRAWS)
        table: BoolArray = critical_[:, None] <= np.arange(GRID.count)
        self.table = table ^ (rng.random(table.shape) < wobble)
        self.hard = critical_ + 4 * rng.standard_normal(DRAWS)

    def kinds(self) -> Kinds:
        return Kinds(0.21, lambda replications: self.kind[replications])

    def hardness(self, replications: IntArray, capacity: int) -> NDArray[np.float64]:
        order = np.argsort(np.argsort(self.hard[replications], kind="stable"), kind="stable")
        return order / len(replications)


def sized(periods: Periods, way: str, evaluator: Table, **changes: object) -> SizingResult:
    options = SizingOptions(attainment=0.9, tolerance_share=0.02, pilot_replications=80)
    return find_capacity(
        evaluator,
        GRID,
        start=2_100,
        options=replace(
            options, monotone=way == "monotone", certify="strict" if way == "strict" else "normal"
        ),
        kinds=periods.kinds() if way in ("kinds", "hardest") else None,
        hardness=periods.hardness if way == "hardest" else None,
    )


@pytest.mark.parametrize("wobble", [0.0, 0.02])
@pytest.mark.parametrize("way", ["monotone", "plain", "strict", "kinds", "hardest"])
@pytest.mark.slow
def test_a_sizing_is_the_same_in_at_most_half_the_rounds(way: str, wobble: float) -> None:
    periods = Periods(3, wobble)
    plain, device = Table(periods.table, GRID), Device(periods.table, GRID, 2_048)
    assert sized(periods, way, plain) == sized(periods, way, device)
    same_asked(plain, device)
    assert len(device.rounds) <= len(plain.asked) / 2
    if way == "hardest":  # a run or two at a time, else
        assert len(device.rounds) <= len(plain.asked) / 4


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_law_of_the_korean_center_takes_a_quarter_of_the_rounds(seed: int) -> None:
    """Whole runs are left out, as in `gpusim.size`; with 2,112 workers."""
    periods = korea.Periods(seed)
    whole = ("sweep", "fill-in", "hold-out")
    rounds = []

    class Center(Device):
        def look_up(self, replications: IntArray, capacity: int) -> BoolArray:
            return periods.evaluate(replications, capacity)

    for workers in (0, 2_112):
        center = Center(np.zeros((0, 0), dtype=np.bool_), korea.GRID, workers)

        def begin(stage: str, center: Center = center, workers: int = workers) -> None:
            center.ahead = 0 if stage in whole else workers

        result = find_capacity(
            center,
            korea.GRID,
            start=9_900,
            options=korea.OPTIONS,
            kinds=periods.kinds(),
            hardness=periods.hardness,
            on_stage=begin,
        )
        rounds.append((len(center.rounds), result))
    assert rounds[0][1] == rounds[1][1]
    assert rounds[1][0] <= rounds[0][0] / 4


@pytest.mark.parametrize("workers", [1, 30, 300])
@pytest.mark.slow
def test_few_workers_change_no_answer_and_never_cost_a_round(workers: int) -> None:
    periods = Periods(4, 0.02)
    for way in ("plain", "hardest"):
        plain, device = Table(periods.table, GRID), Device(periods.table, GRID, workers)
        assert sized(periods, way, plain) == sized(periods, way, device)
        same_asked(plain, device)
        asked = max(len(replications) for replications, _ in plain.asked)
        assert max(device.rounds) <= max(workers, asked)


@given(case=tables(), workers=st.integers(0, 300), every=st.integers(1, 4), seed=st.integers(0, 99))
@pytest.mark.slow
def test_a_lower_end_is_the_same_whether_it_is_listened_to_or_not(
    case: tuple[BoolArray, CapacityGrid], workers: int, every: int, seed: int
) -> None:
    table, grid = case
    rng = np.random.default_rng(seed)
    kind = np.arange(len(table)) % 2
    sample = Sample(np.arange(len(table)), len(table), Kinds(0.3, lambda some: kind[some]), kind)
    sizes = np.bincount(kind, minlength=2)
    hardness, start = rng.random(len(table)), int(rng.integers(0, grid.count))

    class Most:
        """A tenth may fail."""

        def holds(self, counts: IntArray) -> BoolArray:
            enough: BoolArray = (counts >= np.ceil(0.9 * sizes)).all(axis=1)
            return enough

    seen = []
    evaluators = Table(table, grid), Device(table, grid, workers)
    for evaluator in evaluators:
        foresight = Foresight(grid, evaluator)
        search = CriticalSearch(len(table), grid, start, evaluator.evaluate, 1, kind, foresight=foresight)
        search.hardness = hardness
        if min(len(mine[every // 2 :: every]) for mine in sample.strata()) == 0:
            return
        end = LowerEnd(search, sample, Most(), every)  # type: ignore[arg-type]
        seen.append((end.find(start, 2, 1), search.runs))
    assert seen[0] == seen[1]
    same_asked(*evaluators)
