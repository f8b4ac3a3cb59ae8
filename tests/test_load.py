"""The load over time: what would be in use if nobody waited, against formulas and direct sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gpusim.scenario import Scenario, load_scenario
from gpusim.scenario.load import hourly_load

DAY, HOUR = 86_400.0, 3600.0


def scenario(*jobs: dict[str, object], **changes: object) -> Scenario:
    classes = [{"name": f"job-{i}", "gpus": 1, **job} for i, job in enumerate(jobs)]
    data: dict[str, object] = {
        "schema": 1,
        "name": "test",
        "tenants": [{"name": "lab", "classes": classes}],
        "slos": ["wait <= 1h for 90% of all jobs"],
        "study": {"horizon": "14d", "warm_up": "7d"},
    }
    return Scenario.from_dict({**data, **changes})


def test_a_constant_rate_fills_the_center_as_the_formula_says() -> None:
    # M/G/infinity from empty: rate x integral of P(run > t); exponential: a (1 - e^(-t/m))
    of = scenario({"arrivals": {"load": 100}, "run_time": {"exponential": {"mean": "10h"}}})
    edges = np.arange(14 * 24 + 1)
    integral = edges + 10 * np.exp(-edges / 10)
    expected = 100 * np.diff(integral)
    assert hourly_load(of).gpus == pytest.approx(expected, rel=1e-3)
    assert of.mean_load == pytest.approx(100, rel=1e-4)
    assert of.peak_load == pytest.approx(100, rel=1e-3)


def test_short_jobs_follow_the_rate_of_the_hour() -> None:
    hours = [0.0] * 8 + [1.0] * 8 + [0.0] * 8
    arrivals = {"load": 60, "profile": {"hours": hours}}
    of = scenario({"arrivals": arrivals, "run_time": {"deterministic": "1min"}})
    load = hourly_load(of).gpus.reshape(14, 24)
    assert load[3, 9:16] == pytest.approx(np.full(7, 180), rel=1e-3)
    assert load[3, 8] == pytest.approx(180 * (1 - 1 / 120), rel=1e-3)  # the first minute is not full yet
    assert load[3, 16] == pytest.approx(180 / 120, rel=1e-2)
    assert load[:, :8] == pytest.approx(0, abs=1e-9)
    assert of.peak_load == pytest.approx(180, rel=1e-3)
    assert of.mean_load == pytest.approx(60 * 168 / 167, rel=1e-3)  # the hour of cool-down is a quiet one


def test_a_sinusoidal_rate_gives_the_known_sinusoidal_load() -> None:
    # Eick, Massey and Whitt 1993: exponential runs damp by 1 / sqrt(1 + (w m)^2) and shift by atan(w m) / w
    arrivals = {"load": 100, "profile": {"peak": "12h", "ratio": 3}}
    of = scenario({"arrivals": arrivals, "run_time": {"exponential": {"mean": "4h"}}})
    w = 2 * math.pi / 24
    hours = np.arange(14 * 24) + 0.5
    swing = 50 / math.hypot(1, 4 * w) * np.sinc(w / (2 * math.pi))  # the last factor: means of an hour
    expected = 100 + swing * np.cos(w * (hours - 12) - math.atan(4 * w))
    got = hourly_load(of).gpus
    assert got[5 * 24 :] == pytest.approx(expected[5 * 24 :], rel=5e-3)  # the rate is constant within an hour


def test_scheduled_jobs_stand_where_they_are_due() -> None:
    schedule = [{"daily": "09:30", "days": "weekdays", "count": 40}]
    of = scenario({"arrivals": {"schedule": schedule}, "run_time": {"deterministic": "2h"}})
    load = hourly_load(of).gpus.reshape(14, 24)
    assert load[0, 8:13] == pytest.approx([0, 20, 40, 20, 0], abs=0.05)
    assert not load[5].any()
    assert of.peak_load == pytest.approx(40)
    assert of.mean_load == pytest.approx(40 * 2 * 5 / 168, rel=1e-6)
    assert of.offered_load == pytest.approx(of.mean_load, rel=1e-6)


def test_chains_hold_their_whole_total_from_random_starts() -> None:
    schedule = [{"at": "7d", "count": 5, "within": "4d"}]
    chain = {
        "arrivals": {"schedule": schedule},
        "gpus": 1024,
        "run_time": {"deterministic": "21d"},
        "segment": "24h",
    }
    slos = ["turnaround <= 21.63d for 100% of job-0 jobs"]
    of = scenario(chain, study={"horizon": "35d", "warm_up": "7d", "cool_down": 0}, slos=slos)
    load = hourly_load(of).gpus
    assert load[9 * 24 - 1] == pytest.approx(5 * 1024 / 2, rel=0.02)  # half of them after two of four days
    assert load[20 * 24] == pytest.approx(5120)
    assert of.peak_load == pytest.approx(5120)
    assert of.offered_load == pytest.approx(3840, rel=1e-6)
    assert of.mean_load == pytest.approx(3840, rel=1e-3)


def test_segments_with_a_delay_leave_their_gpus_in_between() -> None:
    once = {"schedule": [{"at": "1d", "count": 1}]}
    job = {
        "arrivals": once,
        "gpus": 8,
        "run_time": {"deterministic": "12h"},
        "segment": "4h",
        "segment_delay": "2h",
    }
    load = hourly_load(scenario(job)).gpus[24:48]
    assert load == pytest.approx([8] * 4 + [0] * 2 + [8] * 4 + [0] * 2 + [8] * 4 + [0] * 8, abs=1e-6)


def test_nothing_is_lost_between_the_hours() -> None:
    # all of a stream that ends early enough is held within the horizon: GPU-hours in = GPU-hours out
    arrivals = {"rate": "3/h", "from": "1.5d", "until": "5d", "profile": {"peak": "14h", "ratio": 3}}
    law = {"lognormal": {"median": "30min", "sigma": 2.2, "max": "48h"}}
    for limit in ("exact", {"factor": [0.4, 2]}, {"pick": {"1h": "50%", "8h": "50%"}}):
        of = scenario({"arrivals": arrivals, "gpus": {1: "50%", 8: "50%"}, "run_time": law, "limit": limit})
        stream = of.tenants[0].classes[0].streams[0]
        profile = np.repeat(stream.profile.weekly(168), 1)
        busy = profile[36 : 5 * 24].sum() * HOUR
        assert hourly_load(of).gpus.sum() * HOUR == pytest.approx(
            stream.work * stream.job_rate * busy, rel=1e-6
        )


def test_the_time_zone_and_the_start_move_the_profile() -> None:
    job = {
        "arrivals": {"load": 60, "profile": {"days": [0, 0, 1, 0, 0, 0, 0]}},
        "run_time": {"deterministic": "1min"},
    }
    study = {"horizon": "14d", "warm_up": "7d", "start": "2026-02-01T15:00Z"}
    busy = {}
    for zone in ("UTC", "Asia/Seoul"):
        load = hourly_load(scenario(job, study=study, center={"time_zone": zone})).gpus
        busy[zone] = np.nonzero(load > 1)[0][[0, -1]]
    assert busy["Asia/Seoul"][0] == 2 * 24  # begins on Monday 00:00: Wednesday is two days away
    assert busy["UTC"][0] == 2 * 24 + 9


def test_demand_scales_every_load() -> None:
    job = {
        "arrivals": [{"load": 60}, {"schedule": [{"daily": "09:00", "count": 40}]}],
        "run_time": {"deterministic": "2h"},
    }
    study = {"horizon": "14d", "warm_up": "7d"}
    once, more = scenario(job, study=study), scenario(job, study={**study, "demand": "130%"})
    for name in ("offered_load", "mean_load", "peak_load"):
        assert getattr(more, name) == pytest.approx(1.3 * getattr(once, name))
    assert more.class_loads[0] == more.offered_load


def test_a_stream_that_lasts_half_the_counted_time_counts_half() -> None:
    study = {"horizon": "14d", "warm_up": "4d", "cool_down": "4d"}
    job = {"arrivals": {"load": 60, "from": "7d"}, "run_time": {"deterministic": "1min"}}
    assert scenario(job, study=study).offered_load == pytest.approx(30)
    assert scenario(job, study=study).mean_load == pytest.approx(30, rel=1e-3)


def test_the_load_without_profiles_and_schedules_is_the_offered_load() -> None:
    of = load_scenario("quickstart")
    assert of.mean_load == pytest.approx(of.offered_load, rel=2e-3)
    assert of.peak_load == pytest.approx(of.offered_load, rel=2e-3)


def test_the_korean_season_has_its_campaigns_on_top_of_a_working_day() -> None:
    of = load_scenario("korea-nacc")
    assert of.mean_load == pytest.approx(
        7588, rel=0.01
    )  # the design's nominal 28-day mean, static service included
    assert of.offered_load == pytest.approx(of.mean_load, rel=0.01)
    assert (
        5120 + 3748 < of.peak_load < 5120 + 1.45 * 3748
    )  # five campaigns, and the other work at its busiest hour
