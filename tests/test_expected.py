"""Expected numbers of counted jobs: of classes, and of levels with their sizes and service hours."""

from __future__ import annotations

import pytest

from gpusim.scenario import Scenario
from gpusim.scenario.expected import service_intervals

DAY, HOUR = 86_400.0, 3600.0

TEXT = """\
schema: 1
name: expected
tenants:
  - name: lab
    classes:
      - {name: flat, arrivals: {rate: 24/day}, gpus: {1: 75%, 8: 25%}, run_time: {deterministic: 1h}}
      - name: daytime
        arrivals: {rate: 24/day, profile: {hours: [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0], weekend: 0%}}
        gpus: 1
        run_time: {deterministic: 1h}
      - {name: course, arrivals: {schedule: [{daily: "09:00", days: weekdays, count: 10}]}, gpus: 1, run_time: {deterministic: 1h}}
      - {name: chain, arrivals: {schedule: [{at: 8d, count: 3, within: 2d}]}, gpus: 8, run_time: {deterministic: 60h}, segment: 24h}
      - {name: part, arrivals: {rate: 24/day, from: 10d, until: 12d}, gpus: 1, run_time: {deterministic: 1h}}
slos: [wait <= 4h for 90% of all jobs]
study: {start: Mon 00:00, horizon: 29d, warm_up: 7d, cool_down: 1d}
"""  # noqa: E501


def expected(sentence: str, *changes: str) -> float:
    scenario = Scenario.from_yaml(TEXT, overrides=[f"slos[0]={sentence}", *changes])
    return scenario.expected_jobs(scenario.resolved_slos()[0])


@pytest.mark.parametrize(
    ("sentence", "jobs"),
    [
        ("wait <= 4h for 90% of flat jobs", 21 * 24),
        ("wait <= 4h for 90% of flat jobs of 8 GPUs", 21 * 24 / 4),
        ("wait <= 4h for 90% of flat jobs submitted 08:00-22:00", 21 * 14),
        ("wait <= 4h for 90% of flat jobs submitted 22:00-06:00", 21 * 8),
        ("wait <= 4h for 90% of flat jobs submitted 22:00-06:00 on Sun", 3 * 8),
        ("wait <= 4h for 90% of flat jobs submitted on weekends", 6 * 24),
        ("wait <= 4h for 90% of daytime jobs", 21 * 24),
        ("wait <= 4h for 90% of daytime jobs submitted 08:00-20:00 on weekdays", 21 * 24),
        ("wait <= 4h for 90% of daytime jobs submitted 14:00-20:00", 21 * 12),
        ("wait <= 4h for 90% of daytime jobs submitted on weekends", 0),
        ("wait <= 4h for 90% of course jobs", 150),
        ("wait <= 4h for 90% of course jobs submitted 09:00-10:00 on Mon", 30),
        ("wait <= 4h for 90% of course jobs submitted 10:00-09:00", 0),
        ("wait <= 4h for 90% of chain jobs", 9),
        ("turnaround <= 4d for 90% of chain jobs", 3),
        ("turnaround <= 4d for 90% of chain jobs submitted on Tue", 1.5),
        ("wait <= 4h for 90% of part jobs", 48),
        ("abandoned <= 5% of all jobs of 8 GPUs", 21 * 24 / 4 + 9),
    ],
)
def test_a_level_counts_its_sizes_and_hours_only(sentence: str, jobs: float) -> None:
    assert expected(sentence) == pytest.approx(jobs, abs=1e-6)


def test_the_start_of_the_study_moves_the_week() -> None:
    sentence = "wait <= 4h for 90% of flat jobs submitted 00:00-12:00 on Wed"
    assert expected(sentence, "study.start=Wed 06:00") == pytest.approx(2 * 12 + 6 + 6)


def test_demand_multiplies_what_is_expected() -> None:
    assert expected("wait <= 4h for 90% of course jobs", "study.demand=150%") == 225


def test_service_intervals_are_cut_at_the_window() -> None:
    intervals = list(service_intervals((10 * HOUR, DAY + 9 * HOUR), 0.0, (8 * HOUR, 22 * HOUR), 127))
    assert intervals == [(10 * HOUR, 22 * HOUR), (DAY + 8 * HOUR, DAY + 9 * HOUR)]
