"""Week profiles: the way to operational time and back, and what is refused."""

import numpy as np
import pytest

from gpusim.errors import WorkloadError
from gpusim.workload.week_profile import WeekProfile, compile_profile, profile_bins, week_in_ticks
from sources import DAY, WEEK

UNEVEN = compile_profile([0.0, 0.3, 5.0, 0.0, 0.0, 1.0, 0.7] * 24, WEEK)


def test_a_constant_profile_is_the_clock_itself() -> None:
    profile = compile_profile([2.5] * 168, WEEK)
    for tick in (0, 1, 3599, 3600, WEEK - 1, WEEK, 5 * WEEK + 12_345):
        assert profile.operational(tick) == tick * 256
        assert profile.real_tick(tick * 256) == tick


def test_the_way_back_never_leads_before_the_start() -> None:
    for tick in range(0, 2 * WEEK, 997):
        p = UNEVEN.operational(tick)
        assert UNEVEN.real_tick(p) >= tick
        if (
            p
        ):  # and no later than needed: the operational time just before it is before the tick, or in a pause
            assert UNEVEN.real_tick(p - 1) <= tick or UNEVEN.operational(tick + 1) == p


def test_operational_time_never_falls_and_a_week_is_a_week() -> None:
    line = [UNEVEN.operational(tick) for tick in range(0, WEEK + 1, 613)]
    assert line == sorted(line)
    assert UNEVEN.operational(WEEK) == WEEK * 256
    assert UNEVEN.operational(3 * WEEK + 777) == 3 * WEEK * 256 + UNEVEN.operational(777)
    times = [UNEVEN.real_tick(p) for p in range(0, 2 * WEEK * 256, 99_991)]
    assert times == sorted(times)


def test_nothing_arrives_in_a_bin_of_rate_0() -> None:
    # Hours 3 and 4 of every seven have rate 0; real_tick jumps from their beginning to their end.
    hours = {(UNEVEN.real_tick(p) // 3600) % 7 for p in range(0, WEEK * 256, 9973)}
    assert hours == {1, 2, 5, 6}


def test_cum_is_the_relative_rate_scaled_to_mean_1() -> None:
    rates = np.array([1.0, 2.0, 3.0, 4.0] * 42)
    cum = compile_profile(rates.tolist(), WEEK).cum
    np.testing.assert_allclose(np.diff(cum), 3600 * 256 * rates / 2.5, atol=1.0)


def test_bins_are_ten_minutes_if_these_are_whole_ticks() -> None:
    assert week_in_ticks(1.0) == WEEK
    assert profile_bins(1.0) == profile_bins(60.0) == profile_bins(0.001) == 1008
    assert profile_bins(3600.0) == profile_bins(1200.0) == 168
    assert week_in_ticks(0.1) == 10 * WEEK
    for tick in (7.0, 7200.0, DAY):
        with pytest.raises(WorkloadError, match="hour is not a whole number of ticks"):
            week_in_ticks(tick)


@pytest.mark.parametrize(
    ("week", "cum", "text"),
    [
        (WEEK, np.array([0, WEEK * 256], np.int32), "int64"),
        (WEEK, np.array([0]), "two or more"),
        (WEEK, np.linspace(0, WEEK * 256, 12).astype(np.int64), "divide"),
        (WEEK, np.array([0, 5]), "rise from 0"),
        (WEEK, np.array([0, 2 * WEEK * 256, WEEK * 256]), "rise"),
        (WEEK * 10**6, np.array([0, WEEK * 256 * 10**6]), "2\\^63"),
    ],
)
def test_a_table_that_breaks_the_rules_is_refused(week, cum, text) -> None:
    with pytest.raises(WorkloadError, match=text):
        WeekProfile(week, cum)


@pytest.mark.parametrize("rates", [[], [0.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_rates_that_are_none_are_refused(rates) -> None:
    with pytest.raises(WorkloadError, match="relative rates"):
        compile_profile(rates, WEEK)
