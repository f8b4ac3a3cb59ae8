"""Exact binomial inference against SciPy, published numbers and its own definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpusim.stats.binomial import (
    at_least,
    at_most,
    clopper_pearson,
    log_at_least,
    log_at_most,
    minimum_replications,
    quantile_ranks,
)

# design/statistics.md F.3: one-sided minimum numbers of replications, confidence 0.95, by failures allowed
MINIMUM = {
    0.10: [29, 46, 61, 76, 89],
    0.05: [59, 93, 124, 153, 181],
    0.01: [299, 473, 628, 773, 913],
    0.001: [2995, 4742, 6294, 7752, 9151],
}


@pytest.mark.parametrize("beta", MINIMUM)
def test_minimum_replications_reproduce_the_published_table(beta: float) -> None:
    assert [minimum_replications(1 - beta, 0.95, failures=k) for k in range(5)] == MINIMUM[beta]


def test_log_tails_equal_scipy_up_to_twenty_thousand_replications() -> None:
    binom = pytest.importorskip("scipy.stats").binom
    rng = np.random.default_rng(1)
    for _ in range(150):
        n = int(rng.integers(1, 20_001))
        p = float(rng.choice([0.5, 0.9, 0.95, 0.99, 0.999, rng.random()]))
        k = int(np.clip(binom.ppf(rng.random(), n, p) + rng.integers(-60, 61), 0, n))
        for ours, theirs in ((log_at_least(k, n, p), binom.logsf(k - 1, n, p)),
                             (log_at_most(k, n, p), binom.logcdf(k, n, p))):  # fmt: skip
            if theirs > -650:  # beyond that SciPy's own logarithm underflows
                assert abs(math.expm1(ours - theirs)) < 1e-9


def test_tails_far_below_the_smallest_double_stay_finite() -> None:
    # P(Bin(20 000, 1/2) = 20 000) = 2^-20000
    assert log_at_least(20_000, 20_000, 0.5) == pytest.approx(-20_000 * math.log(2), rel=1e-13)
    assert log_at_most(0, 20_000, 0.5) == pytest.approx(-20_000 * math.log(2), rel=1e-13)


@given(n=st.integers(1, 60), k=st.integers(-2, 62), p=st.floats(0, 1))
def test_tails_equal_the_sum_of_the_binomial_law(n: int, k: int, p: float) -> None:
    terms = [math.comb(n, m) * p**m * (1 - p) ** (n - m) for m in range(n + 1)]
    assert at_least(k, n, p) == pytest.approx(math.fsum(terms[max(k, 0) :]), rel=1e-9, abs=1e-12)
    assert at_most(k, n, p) == pytest.approx(math.fsum(terms[: max(k + 1, 0)]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("side", "alternative"), [("two", "two-sided"), ("lower", "greater"), ("upper", "less")]
)
@pytest.mark.slow
def test_clopper_pearson_equals_scipy(side: str, alternative: str) -> None:
    binomtest = pytest.importorskip("scipy.stats").binomtest
    rng = np.random.default_rng(2)
    cases = [(0, 1), (1, 1), (0, 300), (300, 300), (1, 20_000), (19_999, 20_000), (9_500, 10_000)]
    cases += [(int(rng.integers(0, n + 1)), int(n)) for n in rng.integers(1, 5_000, 30)]
    for successes, n in cases:
        for confidence in (0.8, 0.95, 0.999):
            theirs = binomtest(successes, n, alternative=alternative).proportion_ci(confidence, "exact")
            ours = clopper_pearson(successes, n, confidence, side)  # type: ignore[arg-type]
            assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(n=st.integers(1, 3_000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_clopper_pearson_bounds_solve_their_equations(n: int, share: float, confidence: float) -> None:
    successes = round(share * n)
    low, high = clopper_pearson(successes, n, confidence)
    assert 0 <= low <= successes / n <= high <= 1
    if low > 0:
        assert at_least(successes, n, low) == pytest.approx((1 - confidence) / 2, rel=1e-6)
    if high < 1:
        assert at_most(successes, n, high) == pytest.approx((1 - confidence) / 2, rel=1e-6)


def test_clopper_pearson_refuses_what_is_not_a_count_or_a_confidence() -> None:
    with pytest.raises(ValueError, match="successes=3, n=2"):
        clopper_pearson(3, 2, 0.95)
    with pytest.raises(ValueError, match="confidence must be strictly between 0 and 1"):
        clopper_pearson(1, 2, 1.0)
    with pytest.raises(ValueError, match="'both'"):
        clopper_pearson(1, 2, 0.95, "both")  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1, 20, 72, 73, 100, 200, 347, 1_000, 12_000])
@pytest.mark.parametrize("attainment", [0.5, 0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_ranks_follow_from_their_definition(n: int, attainment: float, confidence: float) -> None:
    binom = pytest.importorskip("scipy.stats").binom
    allowed = (1 - confidence) / 2
    k = np.arange(1, n + 1)
    enough = k[binom.sf(k - 1, n, attainment) <= allowed]
    too_few = k[binom.cdf(k - 1, n, attainment) <= allowed]
    ranks = quantile_ranks(n, attainment, confidence)
    assert ranks.high == (int(enough[0]) if enough.size else None)
    assert ranks.low == (int(too_few[-1]) if too_few.size else 0)


def test_an_upper_rank_exists_exactly_from_the_minimum_number_on() -> None:
    smallest = minimum_replications(0.95, 0.975)  # two-sided 0.95 leaves 0.025 on a side
    assert quantile_ranks(smallest - 1, 0.95, 0.95).high is None
    assert quantile_ranks(smallest, 0.95, 0.95).high == smallest


@given(n=st.integers(50, 2_000), passed=st.integers(0, 2_000), attainment=st.sampled_from([0.9, 0.95]))
def test_ranks_and_clopper_pearson_say_the_same(n: int, passed: int, attainment: float) -> None:
    """At one size, the upper rank is reached exactly when the lower bound reaches the attainment."""
    passed = n - passed % (n // 5)
    ranks, (low, high) = quantile_ranks(n, attainment, 0.95), clopper_pearson(passed, n, 0.95)
    assert (ranks.high is not None and passed >= ranks.high) == (low >= attainment)
    assert (passed < ranks.low) == (high <= attainment)
