"""Quantile tables: how near the integer table is to the distribution, and the exactness of its own mean.

Accuracy asked of every table: mean within 1e-6 (the contract's 1e-4 with room to spare), SCV within 1e-3,
each quantile between probabilities 1e-6 and 1 - 1e-6 within 5e-4, apart from the rounding to units of
2^-shift ticks.
"""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from gpusim.engine.reference_generator import table_value
from gpusim.errors import WorkloadError
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal
from gpusim.workload.quantile_table import (
    NODE_POSITIONS,
    NODES,
    VALUE_LIMIT,
    QuantileTable,
    compile_table,
    table_mean,
    table_quantile,
    table_scv,
)
from gpusim.workload.weibull import Weibull

SIGMAS = [0.05, 0.3, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0, 2.2, 2.5]
SMOOTH = [LogNormal(3600.0, sigma) for sigma in SIGMAS] + [Exponential(30.0), Exponential(36000.0)]
CAPPED = [
    LogNormal(3600.0, 1.5, cap=86400.0),
    LogNormal(3600.0, 2.5, cap=259200.0),
    Exponential(3600.0, cap=3600.0),
    Exponential(3600.0, cap=2000.0),
    Exponential(3600.0, cap=100.0),
]
TAILS = np.geomspace(1e-6, 0.5, 20001)
SHIFT = 20


def scv(distribution) -> float:
    return distribution.second_moment() / distribution.mean() ** 2 - 1.0


def quantile_errors(distribution, table):
    """(|table - exact|, exact, tail probability, side) at 2 x 20001 probabilities, in ticks of 1 s."""
    for side, (p, q) in enumerate([(TAILS, 1.0 - TAILS), (1.0 - TAILS, TAILS)]):
        exact = distribution.quantile(p, q)
        yield np.abs(table_quantile(table, p, q) - exact), exact, side


@pytest.mark.parametrize("distribution", SMOOTH + CAPPED, ids=repr)
def test_mean_of_the_integer_table_is_that_of_the_distribution(distribution) -> None:
    table = compile_table(distribution, 1.0, SHIFT)
    assert math.isclose(table_mean(table), distribution.mean(), rel_tol=1e-8)


@pytest.mark.parametrize("distribution", SMOOTH, ids=repr)
def test_every_quantile_is_within_5e_4(distribution) -> None:
    # Rounding a node to units of 2^-shift ticks adds at most one unit.
    table = compile_table(distribution, 1.0, SHIFT)
    for error, exact, _ in quantile_errors(distribution, table):
        assert np.all(error <= 5e-4 * exact + 1.01 * 2.0**-table.shift)


@pytest.mark.parametrize("distribution", CAPPED, ids=repr)
def test_a_cap_owns_its_words_and_bends_no_other_value(distribution) -> None:
    table, free = (compile_table(law, 1.0, 12) for law in (distribution, replace(distribution, cap=None)))
    assert table.cap == round(distribution.cap * 2**table.shift) == table.largest
    assert abs((2**32 - table.cap_from) / 2**32 - distribution.above(distribution.cap)) <= 2.0**-33
    words = np.random.default_rng(3).integers(0, table.cap_from, 5000, dtype=np.uint32)
    capped = np.minimum(table_value(table, words), table.cap) / 2**table.shift
    exact = np.minimum(table_value(free, words) / 2**free.shift, distribution.cap)
    assert np.all(np.abs(capped - exact) <= 1e-4 * exact + 1.1 * 2.0**-table.shift + 1.1 * 2.0**-free.shift)


def test_nodes_that_only_capped_words_see_take_no_room() -> None:
    # Uncapped, the largest value is some 10^10 ticks and leaves 10 binary places; the cap leaves all 20.
    assert compile_table(LogNormal(3600.0, 2.5), 1.0, 20).shift < 12
    table = compile_table(LogNormal(3600.0, 2.5, cap=259_200.0), 1.0, 20)
    assert table.shift == 20
    assert int(table.nodes.max()) < 1.2 * table.cap


@pytest.mark.parametrize("distribution", SMOOTH + CAPPED, ids=repr)
def test_squared_coefficient_of_variation_is_within_1e_3(distribution) -> None:
    table = compile_table(distribution, 1.0, SHIFT)
    assert math.isclose(table_scv(table), scv(distribution), rel_tol=2e-4)


def test_deterministic_table_is_exact() -> None:
    table = compile_table(Deterministic(90.0), 60.0, SHIFT)
    assert table.shift == SHIFT
    assert np.all(table.nodes == 3 << (SHIFT - 1))
    assert table_mean(table) == 1.5
    assert table_scv(table) == 0.0


def test_demand_table_of_shift_0_keeps_mean_and_scv() -> None:
    law = LogNormal(1.0, 0.3)
    table = compile_table(law, 1.0 / 65536, 0)
    assert table.shift == 0
    assert math.isclose(table_mean(table), 65536 * law.mean(), rel_tol=1e-6)
    assert math.isclose(table_scv(table), scv(law), rel_tol=1e-3)


@pytest.mark.slow
def test_table_mean_is_the_exact_mean_over_all_words() -> None:
    # Both sides vary in the first 2^18 words, in one segment of 2^15 words (octave 15, every step distinct)
    # and in one of 2^20 (octave 20, steps of 16 words); all else is flat, so that every word can be summed.
    rng = np.random.default_rng(7)
    first, fine, coarse = 32 + 32 * 13, 32 + 32 * 15 + 5, 32 + 32 * 20 + 9
    rise = np.zeros((2, NODES), dtype=np.int64)
    rise[:, 1:first] = rng.integers(0, 1000, (2, first - 1))
    rise[:, fine] = [123457, 65536]
    rise[:, coarse] = [999983, 3]
    climbing = np.cumsum(rise, axis=1)
    nodes = np.stack([climbing[0], 10**8 - climbing[1]])
    table = QuantileTable(nodes, 3)
    varying = np.concatenate(
        [
            np.arange(NODE_POSITIONS[a], NODE_POSITIONS[b])
            for a, b in [(0, first), (fine - 1, fine), (coarse - 1, coarse)]
        ]
    )
    total = 0
    for side in range(2):
        words = varying if side == 0 else 0xFFFFFFFF - varying
        total += int(table_value(table, words.astype(np.uint32)).sum())
        for a, b in [(first - 1, fine - 1), (fine, coarse - 1), (coarse, NODES - 1)]:
            start = max(int(NODE_POSITIONS[a]), 1 << 18) if a == first - 1 else int(NODE_POSITIONS[a])
            total += int(nodes[side, b]) * (int(NODE_POSITIONS[b]) - start)
    assert table_mean(table) == float(Fraction(total, 1 << 35))


@pytest.mark.parametrize("side", [0, 1])
def test_sums_up_to_a_cap_are_those_of_the_words(side) -> None:
    # One segment of 2^14 words rises from 10^6; all else is flat. The cap cuts it by value, by word, or by both.
    rng = np.random.default_rng(side)
    k = 32 + 32 * 9 + 7
    first, last = int(NODE_POSITIONS[k]), int(NODE_POSITIONS[k + 1])
    for _ in range(60):
        height, base = int(rng.integers(0, 40_000)), 1_000_000
        nodes = np.full((2, NODES), base + (height if side == 0 else 0), np.int64)
        if side == 0:
            nodes[0, : k + 1] = base
            nodes[0, k + 1 :] = nodes[1] = base + height
        else:
            nodes[1, : k + 1] = base + height
            nodes[1, k + 1 :] = nodes[0] = base
        cap = base + int(rng.integers(-100, height + 100))
        at = int(rng.integers(first, last + 1))
        cap_from = at if side == 0 else 2**32 - at
        table = QuantileTable(nodes, 0, cap, cap_from)
        positions = np.arange(first, last, dtype=np.int64)
        words = positions if side == 0 else 0xFFFFFFFF - positions
        values = np.minimum(table_value(table, words.astype(np.uint32)), cap)[words < cap_from]
        below = [first if side == 0 else 0, 0 if side == 0 else 2**32 - last]
        rest = min(base, cap) * (sum(below)) + cap * (2**32 - cap_from)
        assert table_mean(table) == float(Fraction(int(values.sum()) + rest, 2**32))


@pytest.mark.slow
def test_the_scv_is_that_of_every_value_the_table_has() -> None:
    for law in (LogNormal(40.0, 1.3, cap=300.0), Weibull(0.5, 100.0)):
        table = compile_table(law, 1.0, 4)
        first = second = 0.0
        for side in range(2):
            for k in range(NODES - 1):
                a, b = int(NODE_POSITIONS[k]), int(NODE_POSITIONS[k + 1])
                repeat = max(1, (b - a) >> 16)
                v = np.arange(a, b, repeat, dtype=np.int64)
                u = v if side == 0 else 0xFFFFFFFF - v
                values = np.minimum(table_value(table, u.astype(np.uint32)), table.cap).astype(float)
                values[u >= table.cap_from] = table.cap
                first += values.sum() * repeat
                second += (values**2).sum() * repeat
        exact = second * 2.0**32 / first**2 - 1.0
        assert math.isclose(table_scv(table), exact, rel_tol=2e-5)  # 16 words at the cap share one step


def test_table_value_is_the_floor_of_the_chord() -> None:
    table = compile_table(LogNormal(3600.0, 1.5), 1.0, SHIFT)
    words = np.random.default_rng(3).integers(0, 1 << 32, 200_000, dtype=np.uint32)
    p, q = (words + 0.5) / 2.0**32, (0xFFFFFFFF - words.astype(np.int64) + 0.5) / 2.0**32
    chord = table_quantile(table, p, q) * 2.0**table.shift
    value = table_value(table, words)
    # frac has 16 bits: up to 2^-16 of a segment's height, at most 5 % of the value here; besides, the floor
    assert np.all(np.abs(value - chord) <= 1.0 + chord * 0.05 * 2.0**-16)
    order = np.argsort(words)
    assert np.all(np.diff(value[order]) >= 0)


def test_node_positions_are_those_of_the_contract() -> None:
    expected = list(range(32)) + [(32 + j) << octave for octave in range(26) for j in range(32)] + [1 << 31]
    assert NODE_POSITIONS.tolist() == expected
    assert NODES == 865


@pytest.mark.parametrize("distribution", [*SMOOTH, *CAPPED, Deterministic(5.0)], ids=repr)
def test_table_format(distribution) -> None:
    table = compile_table(distribution, 1.0, SHIFT)
    assert table.nodes.dtype == np.int64
    assert table.nodes.shape == (2, 865)
    assert table.nodes.flags.c_contiguous
    assert not table.nodes.flags.writeable
    assert table.nodes.min() >= 0
    assert table.nodes.max() < VALUE_LIMIT
    # the largest shift that fits: one more binary place would not, unless the shift is all that was asked for
    assert table.shift == SHIFT or 2 * int(table.nodes.max()) + 2 >= VALUE_LIMIT
    np.testing.assert_array_equal(table.nodes, compile_table(distribution, 1.0, SHIFT).nodes)


def test_doubling_the_unit_halves_the_values() -> None:
    one, two = (compile_table(LogNormal(3600.0, 1.0), unit, 10) for unit in (1.0, 2.0))
    np.testing.assert_allclose(one.nodes, 2 * two.nodes, rtol=1e-8, atol=2)  # roundings, and their correction


def test_a_value_out_of_range_is_refused_with_the_remedy() -> None:
    with pytest.raises(WorkloadError, match="cap") as caught:
        compile_table(LogNormal(1e9, 2.5), 1.0, 0)
    assert caught.value.code == "workload/value-range"
    assert compile_table(LogNormal(1e9, 2.5, cap=1e10), 1.0, SHIFT).shift == 10


def test_a_mean_of_less_than_a_unit_is_refused() -> None:
    with pytest.raises(WorkloadError, match="shorter tick") as caught:
        compile_table(Deterministic(0.6), 1.0, 0)
    assert caught.value.code == "workload/value-resolution"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda n: n.astype(np.int32),
        lambda n: np.asfortranarray(n),
        lambda n: n[:, :-1].copy(),
        lambda n: n[::-1].copy(),
        lambda n: n - 100,
        lambda n: n + VALUE_LIMIT,
    ],
)
def test_nodes_that_break_the_format_are_refused(spoil) -> None:
    nodes = compile_table(Exponential(60.0), 1.0, 4).nodes
    with pytest.raises(WorkloadError):
        QuantileTable(spoil(nodes), 4)
