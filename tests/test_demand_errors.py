"""Every mistake in arrivals, laws, limits, pools and windows is told by line, value found and remedy."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

import copy
import textwrap
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_value import check_value
from gpusim.errors import ScenarioError
from gpusim.scenario import Scenario

BASE = textwrap.dedent("""\
    schema: 1
    name: base
    tick: 1s
    center:
      pools: [{name: b200, have: 512}, {name: h200, have: 256}]
      time_zone: Asia/Seoul
    tenants:
      - name: lab
        classes:
          - name: batch
            arrivals:
              - rate: 40/day
                profile: {peak: 14h, ratio: 2.5, weekend: 60%}
                batch: {mean: 4, within: 20s, correlation: 0.5}
                until: 20d
              - schedule: [{daily: "09:00", days: weekdays, count: 4, within: 1min}]
                gpus: 2
            gpus: {8: 60%, 16: 40%}
            run_time: {lognormal: {median: 2h, sigma: 1.6, max: 72h}}
            limit: {factor: [1, 4], round_up: [30min, 24h, 72h]}
            patience: 12h
            pools: [h200, b200]
          - name: chain
            arrivals: {schedule: [{at: 7d, count: 5, within: 1d}]}
            gpus: 64
            run_time: {deterministic: 10d}
            segment: 24h
            deadline: 12d
          - name: notebook
            arrivals: {load: 12, profile: {hours: [0,0,0,0,0,0,0,1,2,3,3,3,2,3,3,3,2,1,1,1,1,0,0,0], days: [1,1,1,1,1,0.5,0.5]}}
            gpus: 1
            run_time: {weibull: {shape: 0.5, scale: 1h, max: 8h}}
            limit: {pick: {2h: 30%, 8h: 70%}}
          - name: kinds
            arrivals: {rate: 5/day, batch: {sizes: {20: 50%, 40: 50%}}}
            gpus: 1
            run_time: {hyperexponential: {phases: {10min: 90%, 20h: 10%}, max: 72h}}
          - name: given
            arrivals: {rate: {uniform: [4/day, 6/day]}}
            gpus: 1
            run_time: {quantiles: {5%: 30s, 50%: 10min, 95%: 3h, 100%: 48h}}
    policy: {order: sjf, backfill: 1, window: 1d, max_tests: 500, period: 60s}
    slos:
      - wait <= 4h for 90% of batch jobs
      - deadline met for 100% of chain jobs
      - wait <= 1d for 99% of all jobs
    study:
      start: 2026-02-02
      horizon: 28d
      warm_up: 7d
      vary: b200
    """)


class Case(NamedTuple):
    old: str  # text of BASE
    new: str  # what stands there instead
    line: int  # line the message names
    says: str  # part of the message: what is wrong, with the value found
    remedy: str  # part of the remedy


# fmt: off
CASES = [
    # arrivals
    Case("rate: 40/day", "rate: 40/day\n            load: 3", 13, "more than one way to say how often jobs arrive (rate and load)", "keep one of rate and load"),
    Case("rate: 40/day", "rat: 40/day", 12, "unknown key 'rat'", "did you mean 'rate'?"),
    Case("until: 20d", "until: 0d", 15, "longer than 0", "above 0s"),
    Case("until: 20d", "until: 20d\n            from: 21d", 15, "end before they begin (from 21d, until 20d)", "an until above 21d"),
    Case("until: 20d", "until: 40d", 15, "go on after the horizon ends (40d, horizon 28d)", "at most 28d"),
    Case("until: 20d", "from: 28d", 15, "begin after the horizon ends (28d, horizon 28d)", "longer horizon"),
    Case("gpus: 2\n", "batch: {mean: 2}\n", 17, "a schedule has no batch", "second entry"),
    Case("gpus: 2\n", "profile: {peak: 3h, ratio: 2}\n", 17, "a schedule has no profile", "second entry"),
    Case("gpus: 2\n", "gpus: 0\n", 17, "at least 1 (0)", "8"),
    Case("gpus: 2\n", "segment: 3h\n", 17, "unknown key 'segment'", "move it under"),
    Case("schedule: [{at: 7d, count: 5, within: 1d}]", "schedule: []", 24, "'schedule' is empty", "at least one"),
    Case("{schedule: [{at: 7d, count: 5, within: 1d}]}", "[]", 24, "'arrivals' is empty", "at least one"),
    Case("rate: 40/day", "rate: {uniform: [50/day, 40/day]}", 12, "the numbers of uniform must rise ([50/day, 40/day])", "rising order"),
    Case("rate: 40/day", "rate: {unifrom: [40/day, 50/day]}", 12, "unknown law 'unifrom'", "did you mean 'uniform'?"),
    Case("rate: 40/day", "rate: {triangular: [40/day, 50/day]}", 12, "triangular needs 3 numbers", "[LOW, MOST LIKELY, HIGH]"),
    Case("rate: 40/day", "rate: {lognormal: {median: 40/day, sgma: 0.2}}", 12, "unknown key 'sgma'", "did you mean 'sigma'?"),
    Case("rate: 40/day", "rate: {normal: {mean: 40/day, sd: 0/day}}", 12, "sd must be above 0", "plain number"),
    Case("rate: 40/day", "rate: {lognormal: {median: 40, sigma: 0.2}}", 12, "a rate without a unit (40)", "40/day"),
    Case("rate: 40/day", "rate: {lognormal: {median: 40/day, sigma: 20}}", 12, "sigma must be above 0 and at most 2 (20)", "0.2"),
    Case("load: 12,", "load: {uniform: [-1, 12]},", 30, "a load cannot be negative (-1)", "0 or more"),
    # profiles
    Case("ratio: 2.5", "ratio: 0.4", 13, "must lie between 1 and 1000 (0.4)", "write 2.5"),
    Case("ratio: 2.5", "ratio: {uniform: [0.5, 2]}", 13, "must lie between 1 and 1000 (0.5)", "2"),
    Case(", ratio: 2.5", "", 13, "'peak' without 'ratio'", "add ratio: 2.5"),
    Case("peak: 14h", "peak: 25h", 13, "no time of the day ('25h')", "below 24h"),
    Case("peak: 14h", "peak: noon", 13, "not a time of the day ('noon')", "14h or 09:30"),
    Case("weekend: 60%", "weekend: -60%", 13, "cannot be negative ('-60%')", "0 or more"),
    Case("weekend: 60%", "hours: [1]", 13, "a profile needs 24 hours (1 numbers)", "add 23"),
    Case("hours: [0,0,", "hours: [0,", 30, "a profile needs 24 hours (23 numbers)", "add 1"),
    Case("days: [1,1,1,1,1,0.5,0.5]", "days: [0,0,0,0,0,0,0]", 30, "all 7 days are 0", "remove the profile"),
    Case("days: [1,1,", "days: [1,-1,", 30, "a rate cannot be negative (-1)", "0 or more"),
    Case("days: [1,1,1,1,1,0.5,0.5]", "ratio: 2, peak: 3h", 30, "'hours' and 'peak' both say", "keep one"),
    Case("days: [1,1,1,1,1,0.5,0.5]", "weekend: 50%, days: [1,1,1,1,1,0.5,0.5]", 30, "'days' and 'weekend' both say", "keep one"),
    # batches
    Case("mean: 4, within", "mean: 0.5, within", 14, "must lie between 1 and 1000 (0.5)", "write for example 4"),
    Case("correlation: 0.5", "correlation: 1", 14, "at least 0 and below 1 (1)", "0.5"),
    Case("correlation: 0.5", "correlation: -0.1", 14, "at least 0 and below 1 (-0.1)", "0.5"),
    Case("mean: 4, within", "within", 14, "no way to say how large a batch is", "mean: 4"),
    Case("sizes: {20: 50%, 40: 50%}", "sizes: {20: 50%, 40: 40%}", 35, "the shares of the batch sizes must sum to 100% (their sum is 90%)", "add 10%"),
    Case("sizes: {20: 50%, 40: 50%}", "sizes: {20: 50%, 40: 50%}, mean: 4", 35, "more than one way to say how large a batch is", "keep one of mean and sizes"),
    Case("sizes: {20: 50%", "sizes: {0: 50%", 35, "at least 1", "20"),
    # schedules
    Case('daily: "09:00"', 'daily: "24:30"', 16, "no time of the day ('24:30')", "00:00 to 23:59"),
    Case("days: weekdays", "days: weekday", 16, "unknown days ('weekday')", "did you mean 'weekdays'?"),
    Case("days: weekdays", "days: [Mon, Tu]", 16, "not a day of the week ('Tu')", "Mon, Tue"),
    Case("count: 4, within", "count: -4, within", 16, "a count of jobs must be 0 or more (-4)", "40"),
    Case("count: 4, within", "count: 4.5, within", 16, "not a whole number (4.5)", "write 4 or 5"),
    Case("within: 1min", "within: 25h", 16, "longer than a day", "at most 24h"),
    Case("at: 7d", "at: 28d", 24, "after the end of the horizon (at 28d within 1d, horizon 28d)", "by 28d"),
    Case("at: 7d", "at: 27.5d", 24, "after the end of the horizon (at 660h within 1d", "by 28d"),
    Case("at: 7d, count: 5", 'at: 7d, daily: "09:00", count: 5', 24, "more than one time of this item", "keep one of at and daily"),
    Case("at: 7d, count: 5", "count: 5", 24, "no time of this item of the schedule", "at: 7d"),
    Case("at: 7d, count: 5", "at: 7d, days: all, count: 5", 24, "'days' without 'daily'", "remove it"),
    Case("{at: 7d, count: 5, within: 1d}", "{at: 7d, count: 5, within: 1d}, {at: 7.5d, count: 1}", 24, "two times of this schedule overlap", "its own entry"),
    Case("gpus: 2\n", "from: 27.9d\n", 16, "nothing of this schedule falls into the horizon", "check days"),
    # run times
    Case("{deterministic: 10d}", "{deterministic: 10d, weibull: {shape: 1, scale: 1h}}", 26, "more than one run_time law", "keep one"),
    Case("scale: 1h", "scale: 1h, mean: 2h", 32, "more than one way to say how long a Weibull run is (scale and mean)", "keep one of scale and mean"),
    Case(", scale: 1h", "", 32, "no way to say how long a Weibull run is", "scale: 1h"),
    Case("shape: 0.5", "shape: 0.01", 32, "the shape must lie between 0.1 and 20 (0.01)", "0.5"),
    Case("20h: 10%", "20h: 20%", 37, "the shares of the phases must sum to 100% (their sum is 110%)", "take away 10%"),
    Case("20h: 10%", "20: 10%", 37, "a duration without a unit (20)", "20s"),
    Case("50%: 10min", "50%: 10s", 41, "the run times must rise with the shares (10s)", "more than 30s"),
    Case("{5%: 30s, 50%: 10min, 95%: 3h, 100%: 48h}", "{50%: 10min, 100%: 48h}", 41, "fewer than two quantiles", "5%: 30s"),
    Case("95%: 3h", "95: 3h", 41, "a share above 1 (95)", "95%"),
    Case("deterministic: 10d", "uniform: [10d, 9d]", 26, "the durations of uniform must rise ([10d, 9d])", "write [9d, 10d]"),
    Case("median: 2h", "median: {uniform: [1h, 100h]}", 19, "max is shorter than the median", "at least 100h"),
    Case("sigma: 1.6", "sigma: {uniform: [1, 9]}", 19, "sigma must be above 0 and at most 5 (9)", "1.6"),
    Case("sigma: 1.6", "sigma: {lognormal: {median: 4, sigma: 0.5}}", 19, "this law can give values that are not allowed", "narrow it"),
    # limits
    Case("round_up: [30min, 24h, 72h]", "round_up: [30min, 72h, 24h]", 20, "the durations of round_up must rise ('24h')", "write [30min, 1d, 3d]"),
    Case("round_up: [30min, 24h, 72h]", "round_up: 24h", 20, "round_up needs a list", "[30min, 1h, 2h]"),
    Case("factor: [1, 4], ", "", 20, "round_up needs a factor", "factor: [1, 4]"),
    Case("round_up: [30min", "roundup: [30min", 20, "unknown limit ('roundup')", "did you mean 'round_up'?"),
    Case("pick: {2h: 30%, 8h: 70%}", "pick: {2h: 30%, 8h: 60%}", 33, "the shares of the limits must sum to 100% (their sum is 90%)", "add 10%"),
    Case("pick: {2h: 30%", "pick: {2: 30%", 33, "a duration without a unit (2)", "2s"),
    Case("{pick: {2h: 30%, 8h: 70%}}", "{pick: {}}", 33, "no limits", "1h: 30%"),
    # chains
    Case("segment: 24h", "segment: 40d", 27, "this segment is longer than the horizon (40d, horizon 28d)", "at most 28d"),
    Case("segment: 24h", "segment: 24h\n        limit: 12h", 28, "kills every full segment (limit 12h, segment 1d)", "at least 1d"),
    Case("segment: 24h", "segment_delay: 5min", 27, "'segment_delay' without 'segment'", "segment: 24h"),
    Case("patience: 12h", "patience: 12h\n        segment: 1h", 14, "a class with segments has no batches", "remove the batch"),
    Case("deadline: 12d", "deadline: 22d", 24, "lab/chain jobs may be undecided at the end of the horizon (submitted until 8d, decided 22d later, horizon 28d)", "a horizon of at least 30d"),
    Case("deadline: 12d", "deadline: 0s", 28, "longer than 0", "above 0s"),
    # pools
    Case("name: h200, have", "name: b200, have", 5, "another pool has this name ('b200')", "b200-2"),
    Case("name: h200, have", "name: gpus, have", 5, "the name 'gpus' has a meaning of its own in study.vary", "gpus-1"),
    Case("name: h200, have: 256", "name: h200", 5, "nothing says how large pool 'h200' is", "add have"),
    Case("pools: [{name", "have: 5\n  pools: [{name", 5, "'have' and 'pools' both say", "keep one of them; the pools have 768 together"),
    Case("pools: [h200, b200]", "pools: [h20, b200]", 22, "no pool is named 'h20'", "did you mean 'h200'?"),
    Case("pools: [h200, b200]", "pools: [h200, h200]", 22, "this pool stands here twice", "remove one"),
    Case("pools: [{name: b200, have: 512}, {name: h200, have: 256}]", "have: 512", 22, "names pools, but the center has none", "center: {pools"),
    Case("deadline: 12d", "killed_ok: maybe", 28, "not a switch ('maybe')", "true or false"),
    Case("time_zone: Asia/Seoul", "time_zone: Asia/Soul", 6, "unknown time zone ('Asia/Soul')", "did you mean 'Asia/Seoul'?"),
    Case("time_zone: Asia/Seoul", "time_zone: seoul", 6, "unknown time zone ('seoul')", "did you mean 'Asia/Seoul'?"),
    Case("time_zone: Asia/Seoul", "time_zone: 9", 6, "not a time zone (9)", "Asia/Seoul"),
    # study and policy
    Case("start: 2026-02-02", "start: 2026-02-30", 48, "no such time", "2026-02-02"),
    Case("start: 2026-02-02", "start: Mondy 00:00", 48, "not a day of the week ('Mondy')", "did you mean 'Monday'?"),
    Case("start: 2026-02-02", "start: tomorrow at 9", 48, "not the start of a study", "Mon 00:00"),
    Case("vary: b200", "vary: b20", 51, "can vary gpus, demand or a pool ('b20')", "did you mean 'b200'?"),
    Case("vary: b200", "vary: gpus", 51, "'gpus' does not say which", "b200 or h200"),
    Case("vary: b200", "vary: demand\n  min_demand: 120%\n  max_demand: 80%", 52, "min_demand is above max_demand (120% > 80%)", "at most 80%"),
    Case("vary: b200", "vary: demand\n  demand_step: 50%\n  min_demand: 60%\n  max_demand: 90%", 52, "no multiple of 50% between 60% and 90%", "smaller demand_step"),
    Case("vary: b200", "demand: 0", 51, "this factor must be above 0 (0)", "120%"),
    Case("vary: b200", "demand: -1", 51, "cannot be negative (-1)", "0 or more"),
    Case("vary: b200", "demand_step: 0", 51, "the step of demand must be a whole number of millionths", "1%"),
    Case("max_tests: 500", "max_tests: 0", 42, "max_tests must be at least 1 (0)", "null for all"),
    Case("window: 1d", "window: 0s", 42, "longer than 0 ('0s')", "above 0s"),
    Case("period: 60s", "period: 13h", 21, "before the scheduler has looked at them once (patience 12h, policy.period 13h)", "at least 13h"),
    Case("order: sjf", "order: sfj", 42, "unknown word ('sfj')", "fifo, sjf"),
    Case("tick: 1s", "tick: 7s", 3, "a day has no whole number of ticks", "1s"),
]
# fmt: on


def problems_of(text: str) -> list[tuple[str, str, str]]:
    """(where, what is wrong with the value found, remedy) of each problem of a file."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "center.yaml")
    return [(each.where, f"{each.what} ({each.found})", each.remedy) for each in caught.value.problems]


@pytest.mark.parametrize("case", CASES, ids=lambda case: (case.new.strip() or "removed").splitlines()[0][:50])
def test_a_mistake_is_told_by_line_value_and_remedy_and_alone(case: Case) -> None:
    assert case.old in BASE
    problems = problems_of(BASE.replace(case.old, case.new, 1))
    found = [problem for problem in problems if case.says in problem[1]]
    assert found, problems
    where, _, remedy = found[0]
    assert where.startswith(f"center.yaml:{case.line}:"), problems
    assert case.remedy in remedy, problems
    assert len(problems) <= 2, problems


def test_the_base_file_is_right_and_survives_the_round_trip() -> None:
    scenario = Scenario.from_yaml(BASE)
    assert Scenario.from_dict(scenario.to_dict()).hash == scenario.hash
    assert len({(case.old, case.new) for case in CASES}) == len(CASES)


def test_a_gang_larger_than_every_pool_it_may_run_in_is_refused() -> None:
    text = BASE.replace("16: 40%", "300: 40%").replace("pools: [h200, b200]", "pools: [h200]")
    ((where, what, remedy),) = problems_of(text)
    assert where.startswith("center.yaml:18:")
    assert "a gang larger than every pool it may run in can never start (300 GPUs > h200 256)" in what
    assert "at most 256" in remedy
    Scenario.from_yaml(text.replace("pools: [h200]", "pools: [b200]"))  # the varied pool may grow


def test_a_machine_without_time_zones_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    problems = problems_of(BASE.replace("Asia/Seoul", "Asia/Nowhere"))
    assert problems[0][1].startswith("this machine has no list of time zones ('Asia/Nowhere')")
    assert "pip install tzdata" in problems[0][2]


# ---- no value anywhere breaks the reader

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats()
    | st.sampled_from(["1h", "40/day", "50%", "Mon", "09:00", "uniform", "", "exact", "2026-02-02", "b200"])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["uniform", "normal", "mean", "sd", "at", "count", "rate", "5%", "95%", "1h", "name"]
            )
            | st.text(max_size=4)
            | st.integers(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def paths_in(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every path inside the data of a scenario."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in items for found in paths_in(inner, (*path, key)))]


DATA = Scenario.from_yaml(BASE).to_dict()
PATHS = [path for path in paths_in(DATA) if path and path[0] != "slos"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), VALUES)
@pytest.mark.slow
def test_no_value_anywhere_makes_anything_but_our_own_errors(
    path: tuple[str | int, ...], value: object
) -> None:
    data = copy.deepcopy(DATA)
    check_value(data, path, value)
