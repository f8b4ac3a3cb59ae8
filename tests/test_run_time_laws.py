"""Run-time laws and limits: means, quantiles and shares agree with each other and with independent integration."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import interpolate, special, stats

from gpusim.scenario import RunTime
from gpusim.scenario.incomplete_gamma import incomplete_gamma
from gpusim.scenario.limits import mean_held, read_limit

U = (np.arange(200_000) + 0.5) / 200_000  # midpoints of equal parts: no random error

LAWS: dict[str, dict[str, object]] = {
    "weibull": {"weibull": {"shape": 0.5, "scale": "1h"}},
    "thin weibull": {"weibull": {"shape": 3, "mean": "2h", "max": "5h"}},
    "hyperexponential": {"hyperexponential": {"phases": {"10min": "90%", "20h": "10%"}, "max": "72h"}},
    "quantiles": {"quantiles": {"0%": "10s", "5%": "30s", "50%": "10min", "95%": "3h", "100%": "48h"}},
    "open quantiles": {"quantiles": {"25%": "5min", "50%": "30min", "75%": "40min", "90%": "3h"}},
    "uniform": {"uniform": ["10h", "14h"]},
    "deterministic": {"deterministic": "2h"},
    "lognormal": {"lognormal": {"median": "2h", "sigma": 1.2, "max": "72h"}},
    "exponential": {"exponential": {"mean": "1h"}},
}


def run_time(name: str) -> RunTime:
    return RunTime.model_validate(LAWS[name])


def survival_integral(law: RunTime, cut: float) -> float:
    """E min(X, cut) as the integral of P(X > t), on a grid that is fine near 0."""
    t = np.concatenate(([0.0], np.geomspace(1e-2, cut, 2000)))
    above = np.array([law.share_above(float(x)) for x in (t[1:] + t[:-1]) / 2])
    return float((above * np.diff(t)).sum())


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("cut", [300.0, 7200.0, 46_800.0, 400_000.0])
def test_the_mean_is_the_integral_of_the_share_above(name: str, cut: float) -> None:
    law = run_time(name)
    assert law.mean(cut) == pytest.approx(survival_integral(law, cut), rel=5e-3)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("cut", [7200.0, 250_000.0])
def test_the_mean_is_the_integral_of_the_quantiles(name: str, cut: float) -> None:
    law = run_time(name)
    values = np.array([law.quantile(float(u)) for u in U[::40]])
    assert law.mean(cut) == pytest.approx(np.minimum(values, cut).mean(), rel=1e-2)


@pytest.mark.parametrize("name", [name for name in LAWS if name != "deterministic"])
@given(share=st.floats(0.001, 0.999))
def test_share_above_is_the_inverse_of_the_quantile(name: str, share: float) -> None:
    law = run_time(name)
    seconds = law.quantile(share)
    floor = law.quantiles.floor if law.quantiles is not None else 0.0
    if floor < seconds < (law.max or math.inf):
        assert law.share_above(seconds) == pytest.approx(1 - share, abs=1e-9)


def test_no_run_is_longer_than_the_longest_one() -> None:
    for name in LAWS:
        law = run_time(name)
        if law.max is not None:
            assert law.share_above(law.max) == 0
            assert law.quantile(1 - 1e-12) <= law.max
            assert law.mean(law.max * 2) == law.mean()


def test_a_weibull_law_of_a_mean_has_it() -> None:
    for shape in (0.3, 0.5, 1.0, 2.5):
        law = RunTime.model_validate({"weibull": {"shape": shape, "mean": "2h"}})
        assert law.mean() == pytest.approx(7200, rel=1e-12)
        cut = 5000.0
        exact = stats.weibull_min(shape, scale=law.weibull.scale)
        assert law.mean(cut) == pytest.approx(
            exact.expect(lambda x: x, ub=cut) + cut * exact.sf(cut), rel=1e-7
        )
    exponential = RunTime.model_validate({"exponential": {"mean": "2h", "max": "3h"}})
    weibull = RunTime.model_validate({"weibull": {"shape": 1, "mean": "2h", "max": "3h"}})
    assert weibull.mean() == pytest.approx(exponential.mean(), rel=1e-12)


def test_the_incomplete_gamma_ratio_is_scipys() -> None:
    for a in (0.05, 0.2, 0.5, 1.0, 2.0, 3.5, 10.0, 20.0):
        for x in (1e-8, 1e-3, 0.1, 0.9, 1.0, 2.0, 5.0, 20.0, 100.0, 700.0):
            assert incomplete_gamma(a, x) == pytest.approx(special.gammainc(a, x), rel=1e-12, abs=1e-300)
    assert incomplete_gamma(2.0, 0.0) == 0.0
    assert incomplete_gamma(2.0, math.inf) == 1.0


# ---- quantiles


def test_the_run_times_go_through_the_given_quantiles() -> None:
    law = run_time("quantiles")
    for share, seconds in ((0.05, 30), (0.5, 600), (0.95, 10_800)):
        assert law.quantile(share) == pytest.approx(seconds, rel=1e-12)
    assert law.quantile(1e-9) == 10  # 0% is the floor
    assert law.quantile(1 - 1e-9) == 48 * 3600  # 100% the longest
    assert law.share_above(9.9) == 1.0


def test_two_quantiles_are_a_lognormal_law() -> None:
    sigma = math.log(6) / (stats.norm.ppf(0.9) - stats.norm.ppf(0.5))
    given_law = RunTime.model_validate({"quantiles": {"50%": "10min", "90%": "1h", "100%": "72h"}})
    lognormal = RunTime.model_validate({"lognormal": {"median": "10min", "sigma": sigma, "max": "72h"}})
    for share in (0.001, 0.3, 0.7, 0.99):
        assert given_law.quantile(share) == pytest.approx(lognormal.quantile(share), rel=1e-9)
    assert given_law.mean() == pytest.approx(lognormal.mean(), rel=1e-9)
    assert given_law.mean(3000) == pytest.approx(lognormal.mean(3000), rel=1e-9)


def test_between_the_quantiles_the_curve_is_scipys_pchip() -> None:
    law = run_time("open quantiles").quantiles
    curve = interpolate.PchipInterpolator(law.scores, law.logs)
    for z in np.linspace(law.scores[0], law.scores[-1], 50):
        assert law.log_at(float(z)) == pytest.approx(float(curve(z)), rel=1e-12)
    assert law.slopes == pytest.approx(curve.derivative()(law.scores), rel=1e-9)


@settings(max_examples=30)
@given(
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=6, unique_by=lambda share: round(share, 2)),
    st.lists(st.floats(1.01, 20.0), min_size=6, max_size=6),
)
def test_any_rising_quantiles_make_a_rising_law(shares: list[float], steps: list[float]) -> None:
    seconds = 10.0
    points: dict[str, str] = {}
    for share, step in zip(sorted(round(share, 2) for share in shares), steps, strict=False):
        seconds *= step
        points[f"{share:.2f}"] = f"{seconds:.9f}s"
    law = RunTime.model_validate({"quantiles": {**points, "1.0": f"{seconds * 10:.9f}s"}})
    values = [law.quantile(share) for share in np.linspace(0.001, 0.999, 60)]
    assert all(later >= earlier for earlier, later in pairwise(values))
    assert 0 < law.mean(seconds) <= law.mean() * (1 + 1e-12) <= seconds * 10


def test_quantiles_that_grow_without_measure_need_a_longest_run() -> None:
    steep = {"50%": "1min", "60%": "2h"}
    with pytest.raises(ValueError, match="add 100%"):
        RunTime.model_validate({"quantiles": steep})
    assert RunTime.model_validate({"quantiles": {**steep, "100%": "48h"}}).mean() < 48 * 3600


def test_every_law_survives_the_round_trip() -> None:
    for name in LAWS:
        law = run_time(name)
        data = law.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert RunTime.model_validate(data) == law, data
        assert law.law == next(iter(LAWS[name]))


# ---- limits


@pytest.mark.parametrize("name", ["lognormal", "uniform", "quantiles", "hyperexponential"])
@pytest.mark.parametrize(
    "limit",
    [
        "exact",
        "2h",
        {"factor": [1, 4]},
        {"factor": [0.5, 1.5]},
        {"factor": [0.2, 0.8]},
        {"factor": [1, 4], "round_up": ["30min", "1h", "12h"]},
        {"factor": [0.3, 1.2], "round_up": ["30min", "1h", "12h"]},
        {"pick": {"1h": "30%", "12h": "70%"}},
    ],
    ids=str,
)
@pytest.mark.slow
def test_the_time_held_is_the_mean_of_run_time_and_request(name: str, limit: object) -> None:
    law, made = run_time(name), read_limit(limit)
    rng = np.random.default_rng(1)
    runs = np.array([law.quantile(float(u)) for u in U[::100]])
    held = np.minimum(runs, requests(made, runs, rng))
    spread = held.std() / math.sqrt(len(held))  # of the factor's draws; the run times are midpoints
    assert mean_held(law, made) == pytest.approx(held.mean(), abs=4 * spread + 5e-3 * held.mean())
    for cut in (1000.0, 20_000.0, 60_000.0):
        within = np.minimum(held, cut)
        error = 4 * within.std() / math.sqrt(len(held)) + 5e-3 * within.mean()
        assert mean_held(law, made, cut=cut) == pytest.approx(within.mean(), abs=error)


def requests(limit: object, runs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the jobs ask for, by the words of the file format."""
    assert hasattr(limit, "mode")
    if limit.mode == "exact":
        return runs
    if limit.mode == "fixed":
        return np.full_like(runs, limit.fixed)
    if limit.mode == "pick":
        return rng.choice(list(limit.pick), size=len(runs), p=list(limit.pick.values()))
    asked = runs * rng.uniform(*limit.factor, size=len(runs))
    if not limit.round_up:
        return asked
    choices = np.array([*limit.round_up, np.inf])
    rounded = choices[np.searchsorted(choices, asked)]
    return np.where(np.isinf(rounded), np.maximum(limit.round_up[-1], runs), rounded)


def test_requests_of_one_times_the_run_time_or_more_kill_nobody() -> None:
    law = run_time("lognormal")
    for limit in ({"factor": [1, 4]}, {"factor": [1, 1], "round_up": ["1h"]}):
        assert mean_held(law, read_limit(limit)) == law.mean()
        assert not read_limit(limit).kills
    assert read_limit("24h").kills


def test_a_chain_holds_its_whole_total() -> None:
    law = run_time("lognormal")
    assert mean_held(law, read_limit("24h"), segment=86_400.0) == law.mean()
    # 12 h of each full day, and the rest of the last one: a 30 h run holds 12 + 6
    thirty = RunTime.model_validate({"deterministic": "30h"})
    pick = read_limit({"pick": {"12h": "50%", "24h": "50%"}})
    assert mean_held(thirty, pick, segment=86_400.0) == pytest.approx((18 + 30) / 2 * 3600)


def test_a_chain_holds_nothing_between_its_segments() -> None:
    day, law = 86_400.0, RunTime.model_validate({"deterministic": "3d"})
    exact = read_limit("exact")
    assert mean_held(law, exact, day, delay=3600.0, cut=day + 1800) == day
    assert mean_held(law, exact, day, delay=3600.0, cut=day + 7200) == day + 3600
    assert mean_held(law, exact, day, delay=3600.0, cut=4 * day) == 3 * day


def test_limits_survive_the_round_trip() -> None:
    from gpusim.scenario.limits import _write_limit

    for limit in (
        "exact",
        "2h",
        {"factor": [0.5, 4.0], "round_up": ["30min", "1h"]},
        {"pick": {"1h": "30%", "1d": "70%"}},
    ):
        assert _write_limit(read_limit(limit)) == limit
