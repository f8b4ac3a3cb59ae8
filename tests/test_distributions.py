"""Distributions: the normal quantile against independent sources, the moments against quadrature."""

import math

import numpy as np
import pytest

from gpusim.errors import WorkloadError
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal, Uniform
from gpusim.workload.hyperexponential import HyperExponential
from gpusim.workload.normal_score import normal_cdf, normal_quantile
from gpusim.workload.quantile_law import QuantileLaw, monotone_slopes
from gpusim.workload.weibull import Weibull, lower_gamma

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
    Uniform(0.0, 100.0),
    Uniform(60.0, 7200.0),
    Weibull(0.5, 3600.0),
    Weibull(0.35, 3600.0, cap=86400.0),
    Weibull(3.0, 3600.0, cap=3000.0),
    HyperExponential((600.0, 72_000.0), (0.9, 0.1)),
    HyperExponential((60.0, 600.0, 7200.0, 9000.0), (0.4, 0.3, 0.2, 0.1), cap=10_000.0),
    QuantileLaw(((0.05, 30.0), (0.5, 600.0), (0.95, 10_800.0))),
    QuantileLaw(((0.05, 30.0), (0.25, 100.0), (0.5, 600.0), (0.95, 10_800.0)), floor=20.0, cap=90_000.0),
    QuantileLaw(((0.1, 50.0), (0.9, 600.0)), floor=50.0, cap=600.0),
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
    kinks = distribution.cap is not None or isinstance(distribution, QuantileLaw)
    rtol = 2e-7 if kinks else 1e-9  # Simpson at a kink, or where a third derivative jumps
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
    "distribution", [law for law in CAPPED if not isinstance(law, Deterministic)], ids=repr
)
def test_the_quantile_is_the_inverse_of_the_survival_function(distribution) -> None:
    tail = np.geomspace(1e-9, 0.5, 301)
    for p, q in ((tail, 1.0 - tail), (1.0 - tail, tail)):
        values = distribution.quantile(p, q)
        inside = (values > distribution.quantile(0.0, 1.0)) & (values < (distribution.cap or math.inf))
        if distribution.floor_share:
            inside &= p > distribution.floor_share
        above = np.array([distribution.above(float(value)) for value in values])
        np.testing.assert_allclose(above[inside], q[inside], rtol=1e-6)


def test_incomplete_gamma_agrees_with_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    for a in (0.3, 1.0, 2.5, 6.7, 41.0):
        for x in np.geomspace(1e-6, 500.0, 60):
            assert math.isclose(
                lower_gamma(a, float(x)), special.gammainc(a, x), rel_tol=1e-12, abs_tol=1e-300
            )


def test_weibull_of_shape_1_is_exponential_and_its_mean_can_be_given() -> None:
    for one, other in [
        (Weibull(1.0, 60.0), Exponential(60.0)),
        (Weibull(1.0, 60.0, 70.0), Exponential(60.0, 70.0)),
    ]:
        assert math.isclose(one.mean(), other.mean(), rel_tol=1e-12)
        assert math.isclose(one.second_moment(), other.second_moment(), rel_tol=1e-12)
    assert math.isclose(Weibull.of_mean(0.37, 7200.0).mean(), 7200.0, rel_tol=1e-12)


def test_phases_of_one_mean_are_exponential() -> None:
    law, one = HyperExponential((60.0, 60.0), (0.3, 0.7)), Exponential(60.0)
    tail = np.geomspace(1e-9, 0.5, 50)
    np.testing.assert_allclose(law.quantile(1.0 - tail, tail), one.quantile(1.0 - tail, tail), rtol=1e-10)
    assert math.isclose(law.mean(), 60.0, rel_tol=1e-14)


def test_interpolation_of_quantiles_is_scipy_s_pchip_and_goes_on_straight() -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    rng = np.random.default_rng(2)
    for _ in range(30):
        n = int(rng.integers(3, 8))
        p = np.sort(rng.uniform(0.01, 0.99, n))
        x = np.exp(np.cumsum(rng.uniform(0.05, 2.0, n)))
        z = normal_quantile(p, 1.0 - p)
        theirs = interpolate.PchipInterpolator(z, np.log(x))
        np.testing.assert_allclose(
            monotone_slopes(z, np.log(x)), theirs.derivative()(z), rtol=1e-10, atol=1e-12
        )
        try:
            law = QuantileLaw(tuple(zip(p.tolist(), x.tolist(), strict=True)))
        except WorkloadError:  # tails too steep
            continue
        at = np.linspace(z[0], z[-1], 97)
        share = np.array([normal_cdf(score) for score in at])
        np.testing.assert_allclose(np.log(law.quantile(share, 1.0 - share)), theirs(at), rtol=1e-7, atol=1e-7)
        q = 1e-7
        beyond = math.log(x[-1]) + theirs.derivative()(z[-1]) * (normal_quantile(1.0 - q, q) - z[-1])
        assert math.isclose(math.log(law.quantile(1.0 - q, q)), beyond, rel_tol=1e-9)


def test_two_quantiles_make_a_lognormal() -> None:
    whole = LogNormal(600.0, 1.3)
    law = QuantileLaw(tuple((p, float(whole.quantile(p, 1.0 - p))) for p in (0.2, 0.7)))
    assert math.isclose(law.mean(), whole.mean(), rel_tol=1e-9)
    assert math.isclose(law.second_moment(), whole.second_moment(), rel_tol=1e-9)


def test_floor_and_cap_of_quantiles_are_atoms() -> None:
    law = QuantileLaw(((0.25, 60.0), (0.75, 3600.0)), floor=30.0, cap=7200.0)
    free = QuantileLaw(((0.25, 60.0), (0.75, 3600.0)))
    assert math.isclose(law.floor_share, 1.0 - free.above(30.0), rel_tol=1e-12)
    assert law.quantile(0.01, 0.99) == 30.0
    assert law.quantile(0.99, 0.01) == 7200.0


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: Exponential(0.0), "Exponential.scale"),
        (lambda: Exponential(1.0, cap=-1.0), "Exponential.cap"),
        (lambda: LogNormal(math.nan, 1.0), "LogNormal.median"),
        (lambda: LogNormal(1.0, 0.0), "LogNormal.sigma"),
        (lambda: LogNormal(1.0, 30.0), "LogNormal.sigma"),
        (lambda: Deterministic(math.inf), "Deterministic.value"),
        (lambda: Uniform(5.0, 5.0), "Uniform.low"),
        (lambda: Uniform(-1.0, 5.0), "Uniform.low"),
        (lambda: Weibull(0.001, 5.0), "Weibull.shape"),
        (lambda: Weibull(1.0, 0.0), "Weibull.scale"),
        (lambda: HyperExponential((1.0, 2.0), (0.5, 0.4)), "HyperExponential"),
        (lambda: HyperExponential((1.0, -2.0), (0.5, 0.5)), "HyperExponential.means[1]"),
        (lambda: QuantileLaw(((0.5, 60.0),)), "QuantileLaw"),
        (lambda: QuantileLaw(((0.5, 60.0), (0.4, 70.0))), "QuantileLaw"),
        (lambda: QuantileLaw(((0.49, 60.0), (0.51, 36_000.0))), "QuantileLaw"),
        (lambda: QuantileLaw(((0.2, 60.0), (0.8, 600.0)), floor=70.0), "QuantileLaw"),
        (lambda: QuantileLaw(((0.2, 60.0), (0.8, 600.0)), cap=500.0), "QuantileLaw"),
    ],
)
def test_an_impossible_parameter_is_named(make, place) -> None:
    with pytest.raises(WorkloadError) as caught:
        make()
    assert [problem.where for problem in caught.value.problems] == [place]
