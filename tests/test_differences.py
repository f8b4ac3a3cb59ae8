"""Differences of quantiles: a known shift is priced, and intervals of many hold together."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gpusim.stats.differences import Difference, differences, order_statistic

Floats = NDArray[np.float64]
Law = Callable[[np.random.Generator, int], list[Floats]]

ATTAINMENT, CONFIDENCE = 0.9, 0.95
MACRO = 300
MISSES_ALLOWED = 28
"""Of 300 families at an error of 5 %: a procedure that keeps it has more once in a thousand seeds."""


def one(base: Floats, changed: Floats) -> Difference:
    return differences([base, changed], [(1, 0)], ATTAINMENT, CONFIDENCE)[0]


def against_first(samples: list[Floats]) -> list[Difference]:
    return differences(samples, [(k, 0) for k in range(1, len(samples))], ATTAINMENT, CONFIDENCE)


def some(seed: int = 5, n: int = 50) -> list[Floats]:
    rng = np.random.default_rng(seed)
    base = rng.normal(9_300, 238, n)
    return [base, *(base + rng.normal(100 * k, 40 + 20 * k, n) for k in range(4))]


# ---- what is priced --------------------------------------------------------------------------------------------------


def test_order_statistic_is_the_smallest_value_reached_often_enough() -> None:
    values = np.arange(50.0)
    assert order_statistic(values, 0.9) == 44  # 45 of 50 values are at most 44
    assert order_statistic(values, 0.999) == 49
    assert order_statistic(np.array([3.0, math.inf]), 0.9) == math.inf


def test_a_common_shift_is_priced_closely_but_not_without_doubt() -> None:
    base = some()[0]
    found = one(base, base + 488)
    assert found.difference == pytest.approx(488)
    low, high = found.alone
    # fifty replications that agree leave the one not seen in doubt: about two neighbours in order on either side
    assert 488 - 238 < low < 488 < high < 488 + 238
    assert (found.mean, found.standard_error, found.both) == (
        pytest.approx(488),
        pytest.approx(0, abs=1e-9),
        50,
    )


def test_what_is_priced_moves_with_the_change_and_scales_with_the_unit() -> None:
    base, changed = some()[:2]
    found, moved = one(base, changed), one(base, changed + 1_000)
    assert moved.alone == pytest.approx([end + 1_000 for end in found.alone])
    assert one(8 * base, 8 * changed).together == pytest.approx([8 * end for end in found.together])


def test_a_gain_is_the_loss_of_the_other_side() -> None:
    base, changed = some()[:2]
    low, high = one(base, changed).together
    assert one(changed, base).together == pytest.approx((-high, -low))


def test_replications_that_pass_nowhere_count_in_the_quantile_and_not_in_the_mean() -> None:
    base = np.arange(20.0)
    changed = np.where(np.arange(20) < 15, base + 1, math.inf)
    found = one(base, changed)
    assert (found.difference, found.together.high) == (math.inf, math.inf)
    assert (found.mean, found.both) == (1.0, 15)
    assert one(changed, changed).difference == 0.0


def test_few_that_pass_nowhere_leave_the_upper_end_open() -> None:
    base = np.arange(50.0)
    low, high = one(base, np.where(np.arange(50) % 13 == 1, math.inf, base)).together  # 4 of 50
    assert math.isfinite(low)
    assert high == math.inf


def test_samples_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        one(np.zeros(3), np.zeros(4))


# ---- together --------------------------------------------------------------------------------------------------------


def test_one_variant_has_the_same_interval_together_and_alone() -> None:
    for k in range(1, 5):
        found = one(some()[0], some()[k])
        assert found.together == found.alone


def test_intervals_together_hold_those_alone_and_are_wider() -> None:
    found = against_first(some())
    assert all(f.together.low <= f.alone.low and f.alone.high <= f.together.high for f in found)
    assert any(f.together.high - f.together.low > f.alone.high - f.alone.low for f in found)


def test_order_and_repetition_of_variants_do_not_matter() -> None:
    samples = some()
    found = against_first(samples)
    assert against_first([samples[k] for k in (0, 3, 1, 4, 2)]) == [found[k] for k in (2, 0, 3, 1)]
    twice = differences(samples, [(k, 0) for k in (1, 2, 3, 4, 4, 4)], ATTAINMENT, CONFIDENCE)
    assert twice == [*found, found[3], found[3]]


def test_a_variant_that_no_size_satisfies_costs_the_others_nothing() -> None:
    samples = some()
    impossible = np.full(50, math.inf)
    found = against_first([*samples, impossible])
    assert found[:4] == against_first(samples)
    assert found[4].together == (math.inf, math.inf)


def test_order_of_replications_does_not_change_what_is_estimated_and_the_same_data_give_the_same_answer() -> (
    None
):
    samples, order = some(), np.random.default_rng(2).permutation(50)
    assert against_first(samples) == against_first(some())
    for found, shuffled in zip(
        against_first(samples), against_first([each[order] for each in samples]), strict=True
    ):
        assert (found.quantile, found.difference) == (shuffled.quantile, shuffled.difference)
        assert found.together == pytest.approx(shuffled.together, abs=80)  # other draws


@pytest.mark.slow
def test_many_replications_are_weighed_in_blocks() -> None:
    rng = np.random.default_rng(9)
    base = rng.normal(size=1_500)  # more weights than are held at a time
    low, high = one(base, base + rng.normal(1, 0.5, 1_500)).together
    truth = 1 + 1.2815516 * (math.sqrt(1.25) - 1)
    assert low <= truth <= high
    assert high - low < 0.35


# ---- how often they hold ---------------------------------------------------------------------------------------------
# Critical sizes as comparisons find them: a common part, a part of each variant's own, rounded up to a step. The truth
# is the difference of the quantiles of 2 million draws.


def equal(rng: np.random.Generator, n: int) -> list[Floats]:
    """Twelve variants that change nothing on average; each correlates .97 with the base."""
    common = rng.standard_normal(n)
    own = [rng.standard_normal(n) for _ in range(12)]
    return [
        9_300 + 238 * common,
        *(9_300 + 238 * (math.sqrt(1 - 1 / 16) * common + each / 4) for each in own),
    ]


def levers(rng: np.random.Generator, n: int) -> list[Floats]:
    """From -300 to +1,000, the noisier the larger."""
    base = 9_300 + 238 * rng.standard_normal(n)
    effects = zip(np.linspace(-300, 1_000, 12), np.linspace(10, 240, 12), strict=True)
    return [base, *(base + mean + sd * rng.standard_normal(n) for mean, sd in effects)]


def heavy(rng: np.random.Generator, n: int) -> list[Floats]:
    """Student's t with three degrees of freedom, and effects with 2.5."""
    base = 9_300 + 150 * rng.standard_t(3, n)
    scale = range(12)
    return [base, *(base * (1 + 0.02 * k) + np.abs(rng.standard_t(2.5, n)) * (10 + 10 * k) for k in scale)]


def rare(rng: np.random.Generator, n: int) -> list[Floats]:
    """One period in five holds an urgent job, which asks for much more; variants take part of that away or add."""
    much = np.where(rng.random(n) < 0.21, rng.gamma(2, 250, n), 0.0)
    common = 9_300 + 200 * rng.standard_normal(n)
    some_of_it = [common + much * part + 30 * rng.standard_normal(n) for part in np.linspace(0, 1.5, 10)]
    return [common + much, *some_of_it, common + much, common + much + 488]


def lumpy(rng: np.random.Generator, n: int) -> list[Floats]:
    """Differences that are constant, or 400 in one period of 20 to one of 3 and 0 in the others."""
    base = 9_300 + 238 * rng.standard_normal(n)
    constant = [base + 96 * k for k in range(6)]
    return [base, *constant, *(base + np.where(rng.random(n) < 0.05 * k, 400, 0) for k in range(1, 7))]


def never(rng: np.random.Generator, n: int) -> list[Floats]:
    """A share of the periods passes nowhere; from a tenth on the true difference is infinite."""
    base = 9_300 + 238 * rng.standard_normal(n)
    shares = (0.01, 0.03, 0.06, 0.15, 0.3, 0.5)
    return [base, *(np.where(rng.random(n) < s, math.inf, base + rng.normal(100, 80, n)) for s in shares)]


def on_grid(samples: list[Floats], step: int) -> list[Floats]:
    return [np.ceil(each / step) * step for each in samples]


def missed(law: Law, n: int, step: int, macro: int, seed: int = 7) -> tuple[int, int, int]:
    """Families of which some interval misses: those together, and those alone; and single misses of those alone."""
    rng = np.random.default_rng(seed)
    sizes = [order_statistic(each, ATTAINMENT) for each in on_grid(law(rng, 2_000_000), step)]
    truth = [math.inf if math.isinf(size) else size - sizes[0] for size in sizes[1:]]
    together = alone = single = 0
    for _ in range(macro):
        found = against_first(on_grid(law(rng, n), step))
        together += not all(f.together.low <= t <= f.together.high for f, t in zip(found, truth, strict=True))
        outside = sum(not f.alone.low <= t <= f.alone.high for f, t in zip(found, truth, strict=True))
        alone, single = alone + (outside > 0), single + outside
    return together, alone, single


@pytest.mark.slow
def test_the_interval_covers_the_true_difference_in_most_samples() -> None:
    def normal(rng: np.random.Generator, n: int) -> list[Floats]:
        base = rng.normal(9_300, 238, n)
        return [base, base + rng.normal(238, 119, n)]

    assert missed(normal, 50, 8, 40)[0] <= 7  # 2 expected; more once in a thousand seeds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "step"),
    [(equal, 8), (levers, 8), (heavy, 8), (rare, 8), (lumpy, 8), (lumpy, 32), (never, 8)],
)
def test_all_intervals_hold_together_as_often_as_asked(law: Law, step: int) -> None:
    together, alone, single = missed(law, 50, step, MACRO)
    print(
        f"{law.__name__}, step {step}: {together} families missed, {alone} by those alone ({single} intervals)"
    )
    assert together <= MISSES_ALLOWED
    assert together <= alone


@pytest.mark.slow
def test_intervals_alone_do_not_hold_together() -> None:
    assert (
        missed(lumpy, 50, 8, 100)[1] > 15
    )  # at 5 %, more once in a thousand seeds: the test above has power
