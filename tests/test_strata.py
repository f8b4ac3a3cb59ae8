"""The exact test of two strata: its error by enumeration, its order, its interval, and what sampling by kind gives."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpusim.stats import strata
from gpusim.stats.binomial import clopper_pearson
from gpusim.stats.sample import Kinds, Sample
from gpusim.stats.strata import Design, UpSet

DESIGNS = [
    (Design((0.79, 0.21), (40, 30)), 0.9),
    (Design((0.79, 0.21), (190, 140)), 0.9),
    (Design((0.5, 0.5), (25, 12)), 0.7),
    (Design((0.95, 0.05), (80, 60)), 0.95),
    (Design((0.3, 0.7), (9, 50)), 0.5),
]


def law(n: int, p: float) -> np.ndarray:
    """P(Bin(n, p) = k), from its definition."""
    return np.array([math.comb(n, k) * p**k * (1.0 - p) ** (n - k) for k in range(n + 1)])


def members(design: Design, outcomes: UpSet) -> np.ndarray:
    """Which outcomes are in a set, as a table (x_0, x_1)."""
    n0, n1 = design.sizes
    pairs = np.array([(x0, x1) for x0 in range(n0 + 1) for x1 in range(n1 + 1)])
    return outcomes.holds(pairs).reshape(n0 + 1, n1 + 1)


def line(design: Design, level: float, points: int) -> list[tuple[float, float]]:
    """Points with w . p = level."""
    w0, w1 = design.weights
    first, last = max(0.0, (level - w0) / w1), min(1.0, level / w1)
    return [
        (min(max((level - w1 * p1) / w0, 0.0), 1.0), float(p1)) for p1 in np.linspace(first, last, points)
    ]


def probability(design: Design, table: np.ndarray, p: tuple[float, float]) -> float:
    return float(law(design.sizes[0], p[0]) @ table @ law(design.sizes[1], p[1]))


@pytest.mark.parametrize(("design", "level"), DESIGNS)
@pytest.mark.parametrize("error", [0.025, 0.1])
@pytest.mark.slow
def test_wrong_claims_keep_their_error_at_every_pair_of_probabilities(
    design: Design, level: float, error: float
) -> None:
    outcomes = strata.region(design, level, error)
    assert outcomes is not None
    table = members(design, outcomes)
    worst = max(probability(design, table, p) for p in line(design, level, 301))
    assert worst <= error
    assert worst > 0.5 * error  # and it is not given away
    for p0, p1 in line(design, 0.98 * level, 101):  # inside H0 the error is smaller still
        assert probability(design, table, (p0, p1)) <= worst


@pytest.mark.parametrize(("design", "level"), DESIGNS)
def test_the_sets_are_up_sets_also_when_mirrored(design: Design, level: float) -> None:
    outcomes = strata.region(design, level, 0.025)
    assert outcomes is not None
    short = strata.region(design, 1.0 - level, 0.025)
    assert short is not None
    low = members(design, short.mirrored(design))
    for table in (members(design, outcomes), low):
        assert np.all(table[1:] >= table[:-1])
        assert np.all(table[:, 1:] >= table[:, :-1])
    fails = members(design, short)[::-1, ::-1]  # "too small" is shown by the fails
    assert np.array_equal(low, ~fails)


@pytest.mark.parametrize(("design", "level"), DESIGNS)
@pytest.mark.slow
def test_the_largest_probability_is_found(design: Design, level: float) -> None:
    for t in (0.9 * level, level, level + 0.3 * (1.0 - level)):
        outcomes = strata.above(design, t, 1.92)
        table = members(design, outcomes)
        dense = max(probability(design, table, p) for p in line(design, level, 301))
        assert dense <= strata.largest(design, outcomes, level) <= dense * 1.002 + 1e-12


def test_ignoring_the_weights_breaks_the_error() -> None:
    design, level = Design((0.79, 0.21), (190, 140)), 0.9
    ignorant = Design((190 / 330, 140 / 330), (190, 140))
    outcomes = strata.region(ignorant, 0.7, 0.025)
    assert outcomes is not None
    table = members(design, outcomes)
    assert max(probability(design, table, p) for p in line(design, level, 201)) > 0.5


@pytest.mark.slow
def test_intervals_cover_at_every_pair_of_probabilities() -> None:
    design = Design((0.8, 0.2), (9, 7))
    ends = np.array(
        [[strata.confidence_interval(design, (x0, x1), 0.9) for x1 in range(8)] for x0 in range(10)]
    )
    for theta in (0.05, 0.3, 0.5, 0.77, 0.9, 0.97):
        for p in line(design, theta, 41):
            assert probability(design, ends[:, :, 0] > theta, p) <= 0.05 + 1e-9
            assert probability(design, ends[:, :, 1] < theta, p) <= 0.05 + 1e-9


@pytest.mark.slow
def test_the_interval_agrees_with_the_test() -> None:
    design, level, error = Design((0.79, 0.21), (60, 50)), 0.9, 0.025
    outcomes = strata.region(design, level, error)
    assert outcomes is not None
    rng = np.random.default_rng(4)
    for _ in range(12):
        x = (int(rng.integers(50, 61)), int(rng.integers(30, 51)))
        rejected = bool(outcomes.holds(np.array([x]))[0])
        assert (strata.p_value(design, x, level, error) <= error * 1.01) >= rejected
        bound = strata.lower_bound(design, x, error)
        assert bound >= level - 1e-4 if rejected else bound <= level + 1e-4


@settings(max_examples=8, deadline=None)
@given(x0=st.integers(0, 30), x1=st.integers(0, 20), w=st.floats(0.05, 0.95))
@pytest.mark.slow
def test_the_interval_holds_the_estimate_and_mirrors(x0: int, x1: int, w: float) -> None:
    design = Design((1.0 - w, w), (30, 20))
    low, high = strata.confidence_interval(design, (x0, x1), 0.95)
    assert low <= design.estimate((x0, x1)) <= high
    mirrored = strata.confidence_interval(design, (30 - x0, 20 - x1), 0.95)
    assert mirrored == pytest.approx((1.0 - high, 1.0 - low), abs=1e-9)


def test_sampling_a_rare_kind_more_often_narrows_the_interval() -> None:
    narrow = strata.confidence_interval(Design((0.79, 0.21), (180, 150)), (176, 95), 0.95)
    theta = 0.79 * 176 / 180 + 0.21 * 95 / 150
    plain = clopper_pearson(round(330 * theta), 330, 0.95)
    assert narrow.high - narrow.low < 0.85 * (plain.high - plain.low)


def test_no_set_shows_what_too_few_replications_cannot() -> None:
    assert strata.region(Design((0.79, 0.21), (10, 10)), 0.95, 0.025) is None


@pytest.mark.alone
def test_a_critical_set_is_quick_to_find() -> None:
    began = time.perf_counter()
    assert strata.region(Design((0.79, 0.21), (211, 163)), 0.9, 0.025) is not None
    assert time.perf_counter() - began < 1.5  # 0.1 s on an idle core


def test_designs_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        Design((0.8, 0.3), (10, 10))
    with pytest.raises(ValueError, match="needs a replication"):
        Design((0.8, 0.2), (0, 10))


def some_kinds(weight: float = 0.25) -> Kinds:
    def label(numbers: np.ndarray) -> np.ndarray:
        return np.array(
            [np.random.default_rng([9, int(n)]).random() < weight for n in numbers], dtype=np.int64
        )

    return Kinds(weight, label)


def test_a_stratified_sample_takes_the_first_of_each_kind() -> None:
    kinds = some_kinds()
    sample = Sample.stratified(1_000, (30, 40), kinds)
    first, stop = sample.span
    every = np.arange(first, stop)
    label = kinds.label(every)
    for kind, n in ((0, 30), (1, 40)):
        assert np.array_equal(sample.numbers[sample.kind == kind], every[label == kind][:n])
    assert sample.numbers[-1] == stop - 1
    assert sample.design == Design((0.75, 0.25), (30, 40))
    begin, end = sample.natural
    assert np.array_equal(sample.numbers[: end - begin], np.arange(begin, end))
    assert sample.numbers[end - begin] > end
    assert sample.head(end - begin).design is None
    assert sample.head(end - begin + 3).design is not None


def test_a_kind_that_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="too few replications of one kind"):
        Sample.stratified(0, (5, 5), Kinds(0.2, lambda numbers: np.zeros(len(numbers), dtype=np.int64)))


def test_bounds_of_a_rare_event_hold_whatever_its_kind() -> None:
    sample = Sample.stratified(0, (120, 90), some_kinds())
    assert sample.upper(np.zeros(0, dtype=np.int64), 0.95) < 0.05
    ones = np.flatnonzero(sample.kind == 1)[:9]
    assert sample.share(ones) == pytest.approx(0.25 * 0.1)
    assert sample.lower(ones, 0.95) < 0.025 < sample.upper(ones, 0.95)
