"""Alias tables: the words each outcome owns, counted exactly."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpusim.errors import WorkloadError
from gpusim.workload.alias import alias_probabilities, compile_alias, compile_choices

WORDS = 1 << 32


def draw(table, word: int) -> int:
    """Index of the outcome of one word, straight from the contract."""
    x = word * len(table.gpus)
    column, remainder = x >> 32, x & (WORDS - 1)
    return column if remainder < int(table.threshold[column]) else int(table.alias[column])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40).filter(lambda w: sum(w) > 1e-3))
@pytest.mark.slow
def test_every_outcome_owns_its_share_of_words_within_one(weights) -> None:
    total = sum(weights)
    asked = [w / total for w in weights]
    table = compile_alias(list(range(1, len(asked) + 1)), asked)
    got = alias_probabilities(table)
    assert sum(got) == 1
    exact_total = sum(map(Fraction, asked))
    assert all(
        abs(g - Fraction(a) / exact_total) < Fraction(1, WORDS) for g, a in zip(got, asked, strict=True)
    )


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 64])
def test_counted_probabilities_are_those_of_the_drawing_rule(columns) -> None:
    # The rule changes its answer only at column edges and thresholds: count words between these.
    weights = np.random.default_rng(columns).dirichlet(np.full(columns, 0.5))
    table = compile_alias(list(range(1, columns + 1)), weights.tolist())
    points = {0, WORDS}
    for i in range(columns):
        points |= {-(-(i * WORDS + offset) // columns) for offset in (0, int(table.threshold[i]))}
    edges = sorted(points)
    words = [0] * columns
    for start, end in pairwise(edges):
        assert draw(table, start) == draw(table, end - 1)
        words[draw(table, start)] += end - start
    assert [Fraction(n, WORDS) for n in words] == alias_probabilities(table)


def test_an_outcome_of_probability_zero_is_never_drawn() -> None:
    table = compile_alias([1, 2, 3], [0.5, 0.0, 0.5])
    assert alias_probabilities(table)[1] == 0


def test_a_single_outcome_owns_every_word() -> None:
    table = compile_alias([8], [1.0])
    assert table.threshold.tolist() == [WORDS]
    assert alias_probabilities(table) == [1]


def test_table_format_and_determinism() -> None:
    gpus, shares = [1, 2, 4, 8, 64], [0.5, 0.2, 0.1, 0.15, 0.05]
    table, again = compile_alias(gpus, shares), compile_alias(gpus, shares)
    assert (table.gpus.dtype, table.threshold.dtype, table.alias.dtype) == (np.int32, np.uint64, np.int32)
    for name in ("gpus", "threshold", "alias"):
        array = getattr(table, name)
        assert array.shape == (5,)
        assert array.flags.c_contiguous
        assert not array.flags.writeable
        np.testing.assert_array_equal(array, getattr(again, name))
    assert int(table.threshold.max()) <= WORDS
    assert table.gpus.tolist() == gpus


def test_choices_of_any_size_share_the_rule_of_gpu_counts() -> None:
    counts = compile_alias([1, 2, 3], [0.2, 0.3, 0.5])
    values, threshold, alias = compile_choices([86_400, 1 << 42, 60], [0.2, 0.3, 0.5])
    assert values.dtype == np.int64
    assert values.tolist() == [86_400, 1 << 42, 60]
    np.testing.assert_array_equal(threshold, counts.threshold)
    np.testing.assert_array_equal(alias, counts.alias)


@pytest.mark.parametrize(
    ("gpus", "shares", "place"),
    [
        ([], [], "gpus"),
        ([1, 2], [1.0], "gpus"),
        ([1, 0], [0.5, 0.5], "gpus[1]"),
        ([1, 2**31], [0.5, 0.5], "gpus[1]"),
        ([1, 2], [1.5, -0.5], "probabilities[0]"),
        ([1, 2], [float("nan"), 0.5], "probabilities[0]"),
        ([1, 2], [0.5, 0.4], "probabilities"),
    ],
)
def test_a_wrong_list_is_refused_by_name(gpus, shares, place) -> None:
    with pytest.raises(WorkloadError) as caught:
        compile_alias(gpus, shares)
    assert caught.value.problems[0].where == place
