"""Distributions: the normal quantile against independent sources, the moments against quadrature."""

import math

import numpy as np
import pytest

from gpusim.errors import WorkloadError
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal, normal_quantile

TAILS = np.concatenate([np.geomspace(2.0**-33, 0.5, 4001), np.geomspace(1e-300, 2.0**-33, 500)])

CAPPED = [
    Exponential(3600.0),
    Exponential(3600.0, cap=100.0),
    Exponential(3600.0, cap=1.0),
    Exponential(3600.0, cap=40000.0),
    LogNormal(3600.0, 0.3),
    LogNormal(3600.0, 1.5),
    LogNormal(3600.0, 1.5, cap=86400.0),
    LogNormal(3600.0, 2.5, cap=600.0),
    Deterministic(42.0),
]


def test_normal_quantile_agrees_with_scipy_in_both_tails() -> None:
    special = pytest.importorskip("scipy.special")
    expected = special.ndtri(TAILS)  # Cephes, another algorithm than AS 241
    np.testing.assert_allclose(normal_quantile(TAILS, 1.0 - TAILS), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(normal_quantile(1.0 - TAILS, TAILS), -expected, rtol=1e-12, atol=1e-15)


def test_normal_cdf_of_the_normal_quantile_is_the_probability() -> None:
    # An error dz of z changes the tail probability by about z dz relative; hence z^2 1e-12 for dz = 1e-12 z.
    z = normal_quantile(TAILS, 1.0 - TAILS)
    back = np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in z])
    assert np.all(np.abs(back / TAILS - 1.0) <= 1e-12 * np.maximum(1.0, z * z))


def test_normal_quantile_is_odd_zero_at_the_median_and_infinite_at_the_ends() -> None:
    np.testing.assert_array_equal(normal_quantile(TAILS, 1.0 - TAILS), -normal_quantile(1.0 - TAILS, TAILS))
    assert normal_quantile(0.5, 0.5) == 0.0
    np.testing.assert_array_equal(normal_quantile([0.0, 1.0], [1.0, 0.0]), [-np.inf, np.inf])


@pytest.mark.parametrize("distribution", CAPPED, ids=repr)
def test_moments_are_the_integrals_of_the_quantile_function(distribution) -> None:
    # Composite Simpson over t = ln(tail probability) on both sides; beyond e^-200 nothing is left.
    t = np.linspace(-200.0, math.log(0.5), 400001)
    tail = np.exp(t)
    simpson = np.ones(len(t))
    simpson[1:-1:2], simpson[2:-1:2] = 4.0, 2.0
    weight = simpson * tail * (t[1] - t[0]) / 3.0
    lower, upper = distribution.quantile(tail, 1.0 - tail), distribution.quantile(1.0 - tail, tail)
    rtol = 1e-9 if distribution.cap is None else 1e-7  # Simpson at the kink
    assert math.isclose(float(weight @ (lower + upper)), distribution.mean(), rel_tol=rtol)
    assert math.isclose(float(weight @ (lower**2 + upper**2)), distribution.second_moment(), rel_tol=rtol)


def test_exponential_quantile_keeps_both_tails() -> None:
    law = Exponential(1.0)
    np.testing.assert_allclose(law.quantile(1e-12, 1.0 - 1e-12), 1e-12, rtol=1e-11)
    np.testing.assert_allclose(law.quantile(1.0, 1e-12), 12 * math.log(10), rtol=1e-15)


def test_a_cap_bounds_the_quantiles_and_a_far_cap_changes_nothing() -> None:
    assert LogNormal(10.0, 1.0, cap=20.0).quantile(0.99, 0.01) == 20.0
    assert math.isclose(LogNormal(10.0, 1.0, cap=1e9).mean(), LogNormal(10.0, 1.0).mean(), rel_tol=1e-14)
    assert math.isclose(Exponential(10.0, cap=1e6).second_moment(), 200.0, rel_tol=1e-14)


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: Exponential(0.0), "Exponential.scale"),
        (lambda: Exponential(1.0, cap=-1.0), "Exponential.cap"),
        (lambda: LogNormal(math.nan, 1.0), "LogNormal.median"),
        (lambda: LogNormal(1.0, 0.0), "LogNormal.sigma"),
        (lambda: LogNormal(1.0, 30.0), "LogNormal.sigma"),
        (lambda: Deterministic(math.inf), "Deterministic.value"),
    ],
)
def test_an_impossible_parameter_is_named(make, place) -> None:
    with pytest.raises(WorkloadError) as caught:
        make()
    assert [problem.where for problem in caught.value.problems] == [place]
