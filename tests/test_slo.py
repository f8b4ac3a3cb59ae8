"""Service levels are sentences: read tolerantly, written in one wording, and mended when they are wrong."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpusim.errors import ScenarioError
from gpusim.scenario import Scenario
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.slo import Slo, nearest_sentence, parse_slo
from gpusim.scenario.slo_words import LARGEST_GANG, WEEKDAYS, WEEKENDS, read_days

CENTER = """\
schema: 1
name: levels
tenants:
  - name: lab
    classes:
      - {name: campaign, arrivals: {rate: 1/day}, gpus: 512, run_time: {deterministic: 21d}, deadline: 21.63d}
      - name: research
        arrivals: {rate: 40/day}
        gpus: {1: 50%, 16: 25%, 64: 25%}
        run_time: {deterministic: 2h}
        deadline: 1d
  - name: clinic
    classes:
      - {name: images, arrivals: {rate: 40/day}, gpus: 2, run_time: {deterministic: 1h}, patience: 1h}
slos: [wait <= 4h for 90% of all jobs]
study: {horizon: 90d, warm_up: 7d}
"""


def levels(*sentences: str) -> Scenario:
    quoted = ", ".join(f'"{sentence}"' for sentence in sentences)
    return Scenario.from_yaml(
        CENTER.replace("[wait <= 4h for 90% of all jobs]", f"[{quoted}]"), "center.yaml"
    )


# ---- one wording -----------------------------------------------------------------------------------------------------

CANONICAL = [
    "wait <= 4h for 90% of training jobs",
    "wait <= 1min for 95% of all jobs",
    "wait <= 36h for 99% of lab/all jobs",
    "turnaround <= 21.63d for 100% of campaign jobs",
    "turnaround <= 8d for 90% of all/campaign jobs",
    "bounded slowdown <= 10 for 90% of research jobs",
    "bounded slowdown <= 2.125 for 90% of research jobs",
    "bounded slowdown (bound 1min) <= 10 for 90% of research jobs",
    "abandoned <= 5% of hospital jobs",
    "abandoned <= 0% of hospital jobs",
    "abandoned <= 0.1% of all jobs of >= 16 GPUs submitted 22:00-06:00 on weekends",
    "deadline met for 90% of campaign jobs",
    "wait <= 12h for 90% of research jobs of 16-64 GPUs",
    "wait <= 12h for 90% of research jobs of <= 8 GPUs",
    "wait <= 12h for 90% of research jobs of 1 GPU",
    "wait <= 1min for 95% of notebook jobs submitted 08:00-22:00",
    "wait <= 1min for 95% of notebook jobs submitted 08:00-24:00 on Mon, Wed",
    "wait <= 1min for 95% of notebook jobs submitted on weekdays",
    "wait <= 1min for 95% of notebook jobs of 1 GPU submitted 08:30-22:00 on weekdays",
    "occupancy >= 65%",
    "occupancy <= 92.5%",
    "occupancy between 65% and 92%",
    "preemptions <= 2 for 95% of sweep jobs",
    "preemptions <= 0 for 100% of lab/all jobs of >= 16 GPUs submitted 08:00-22:00",
    "delivered >= 90% of granted for academia",
    "delivered >= 90% of granted for all",
    "fair-share error <= 10%",
    "fair-share error <= 0%",
    "longest cascade <= 10",
]


@pytest.mark.parametrize("sentence", CANONICAL)
def test_a_canonical_sentence_is_read_and_written_unchanged(sentence: str) -> None:
    slo = parse_slo(sentence)
    assert slo.sentence == sentence
    assert parse_slo(slo) == slo


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("wait<=4h for 90 % of training jobs", "wait <= 4h for 90% of training jobs"),
        ("  Wait  ≤ 240min for 0.9 of the training job. ", "wait <= 4h for 90% of training jobs"),
        ("wait <= 30min for every urgent job", "wait <= 30min for 100% of urgent jobs"),
        ("wait <= 30min for all urgent jobs", "wait <= 30min for 100% of urgent jobs"),
        ("wait <= 30min for all jobs", "wait <= 30min for 100% of all jobs"),
        ("wait <= 30min for every job", "wait <= 30min for 100% of all jobs"),
        ("wait <= 30min for each of the urgent jobs", "wait <= 30min for 100% of urgent jobs"),
        ("turnaround time <= 48h for 90% of all jobs", "turnaround <= 2d for 90% of all jobs"),
        ("bounded_slowdown <= 10.0 for 90% of all jobs", "bounded slowdown <= 10 for 90% of all jobs"),
        (
            "Bounded Slowdown (bounded at 600s) <= 3 for 90% of all jobs",
            "bounded slowdown <= 3 for 90% of all jobs",
        ),
        ("turned away <= 0.05 of hospital jobs", "abandoned <= 5% of hospital jobs"),
        ("deadlines met for every campaign job", "deadline met for 100% of campaign jobs"),
        ("wait <= 1h for 90% of all jobs with 16 to 64 GPUs", "wait <= 1h for 90% of all jobs of 16-64 GPUs"),
        ("wait <= 1h for 90% of all jobs of 16–64 gpus", "wait <= 1h for 90% of all jobs of 16-64 GPUs"),
        (
            "wait <= 1h for 90% of all jobs of at least 1_024 GPUs",
            "wait <= 1h for 90% of all jobs of >= 1024 GPUs",
        ),
        ("wait <= 1h for 90% of all jobs of 16 or more GPUs", "wait <= 1h for 90% of all jobs of >= 16 GPUs"),
        ("wait <= 1h for 90% of all jobs of 1-8 GPUs", "wait <= 1h for 90% of all jobs of <= 8 GPUs"),
        ("wait <= 1h for 90% of all jobs of ≥ 1 GPU", "wait <= 1h for 90% of all jobs"),
        (
            "wait <= 1h for 90% of all jobs submitted 8-22h",
            "wait <= 1h for 90% of all jobs submitted 08:00-22:00",
        ),
        (
            "wait <= 1h for 90% of all jobs, submitted between 8:00 and 22:00, on Mon to Fri",
            "wait <= 1h for 90% of all jobs submitted 08:00-22:00 on weekdays",
        ),
        (
            "wait <= 1h for 90% of all jobs submitted 08:00-22:00 Saturday and Sunday",
            "wait <= 1h for 90% of all jobs submitted 08:00-22:00 on weekends",
        ),
        ("wait <= 1h for 90% of all jobs submitted 00:00-24:00", "wait <= 1h for 90% of all jobs"),
        ("occupancy ≥ 0.65", "occupancy >= 65%"),
        ("Occupancy between 65 % to 92 %", "occupancy between 65% and 92%"),
        ("occupancy >= 100%", "occupancy >= 100%"),
        ("Preemptions ≤ 2 for every sweep job", "preemptions <= 2 for 100% of sweep jobs"),
        ("evictions <= 2 for 95% of sweep jobs", "preemptions <= 2 for 95% of sweep jobs"),
        (
            "start within 60s during 08-22h for 99% of notebook jobs",
            "wait <= 1min for 99% of notebook jobs submitted 08:00-22:00",
        ),
        (
            "starts within 60s during 08:00-22:00 on weekdays for every notebook job of 1 GPU",
            "wait <= 1min for 100% of notebook jobs of 1 GPU submitted 08:00-22:00 on weekdays",
        ),
        ("start <= 60s for 99% of notebook jobs", "wait <= 1min for 99% of notebook jobs"),
        ("delivered >= 0.9 of its quota for every tenant", "delivered >= 90% of granted for all"),
        (
            "delivered >= 90 % of the granted GPU-time for academia",
            "delivered >= 90% of granted for academia",
        ),
        ("delivered >= 90% of granted for academia/all", "delivered >= 90% of granted for academia"),
        ("Fair share error ≤ 0.1", "fair-share error <= 10%"),
        ("longest_cascade <= 10", "longest cascade <= 10"),
    ],
)
def test_what_can_mean_only_one_thing_is_read_as_that(written: str, meant: str) -> None:
    assert parse_slo(written).sentence == meant


SHARES = st.integers(1, 1_000_000).map(lambda ppm: ppm / 1_000_000)
SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000) | st.just(LARGEST_GANG)).map(
    lambda p: tuple(sorted(p))
)
HOURS = st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda p: p[0] != p[1]) | st.just((0, 0))


@given(
    st.sampled_from(["wait", "turnaround", "slowdown", "turned_away", "deadline", "preemptions"]),
    st.integers(0, 10**9),
    st.integers(1000, 10**9),
    st.integers(1, 10**6),
    SHARES,
    st.sampled_from(["all", "lab", "lab/research", "all/x-1"]),
    SIZES,
    HOURS,
    st.integers(1, 127),
)
def test_every_level_has_a_sentence_that_is_read_back(
    metric: str,
    milliseconds: int,
    thousandths: int,
    bound: int,
    share: float,
    scope: str,
    sizes: tuple[int, int],
    minutes: tuple[int, int],
    days: int,
) -> None:
    slo = Slo(
        metric=metric,
        limit=milliseconds / 1000 if metric in ("wait", "turnaround") else 0.0,
        factor=thousandths / 1000 if metric == "slowdown" else 0.0,
        most=float(days) if metric == "preemptions" else 0.0,
        bound=float(bound) if metric == "slowdown" else 600.0,
        share=share,
        scope=scope,
        gpus_low=sizes[0],
        gpus_high=sizes[1],
        hours=(minutes[0] * 60.0, minutes[1] * 60.0),
        days=days,
    )
    assert parse_slo(slo.sentence) == slo


@given(st.integers(1, 127))
def test_days_are_bits_from_monday(days: int) -> None:
    slo = Slo(metric="wait", limit=60.0, days=days)
    assert parse_slo(slo.sentence).days == days
    assert (read_days("Mon"), read_days("Sun"), read_days("Sat-Mon")) == (1, 64, 97)
    assert (read_days("weekdays"), read_days("weekends")) == (WEEKDAYS, WEEKENDS) == (31, 96)


# ---- slips -----------------------------------------------------------------------------------------------------------

SLIPS = [
    ("waiit <= 4h for 90% of all jobs", "unknown metric 'waiit'", "did you mean 'wait'? write wait <= 4h for 90% of all jobs"),
    ("slowdown <= 10 for 90% of research jobs", "unknown metric 'slowdown'", "write bounded slowdown <= 10 for 90% of research jobs"),
    ("makespan <= 3d for 90% of lab jobs", "unknown metric 'makespan'", "write turnaround <= 3d for 90% of lab jobs"),
    ("response time <= 3h for 90% of lab jobs", "unknown metric 'response time'", "write turnaround <= 3h"),
    ("utilization >= 70%", "unknown metric 'utilization'", "write occupancy >= 70%"),
    ("rejected <= 1% of clinic jobs", "unknown metric 'rejected'", "write abandoned <= 1% of clinic jobs"),
    ("availability >= 99%", "unknown metric 'availability'", "known: wait, turnaround"),
    ("wait <= 4h for research jobs", "does not say for which share", "wait <= 4h for 90% of research jobs"),
    ("wait <= 4h", "does not say for which share", "wait <= 4h for 90% of all jobs"),
    ("deadline met for campaign jobs", "does not say for which share", "deadline met for 90% of campaign jobs"),
    ("wait <= 4h for 90% of jobs", "not understood", "wait <= 4h for 90% of all jobs"),
    ("wait < 4h for 90% of lab jobs", "not understood", "wait <= 4h for 90% of lab jobs"),
    ("wait >= 4h for 90% of lab jobs", "not understood", "the form is wait <= LIMIT"),
    ("90% of lab jobs wait at most 4h", "not understood", "wait <= 4h for 90% of lab jobs"),
    ("every campaign ends within 22d", "not understood", "turnaround <= 22d for 100% of campaign jobs"),
    ("p95 wait of notebook jobs below 60s", "not understood", "of notebook jobs"),
    ("deadline for 90% of campaign jobs", "not understood", "deadline met for 90% of campaign jobs"),
    ("deadline met: 90% of campaign jobs", "not understood", "deadline met for 90% of campaign jobs"),
    ("abandoned <= 5%", "not understood", "abandoned <= 5% of all jobs"),
    ("abandoned <= 5% for clinic jobs", "not understood", "abandoned <= 5% of clinic jobs"),
    ("abandoned <= 100% of clinic jobs", "from 0% to below 100%", "write for example 5%"),
    ("abandoned <= 5 of clinic jobs", "a share above 1", "write 5%"),
    ("abandoned <= -5% of clinic jobs", "from 0% to below 100%", "5%"),
    ("wait <= 4h for 120% of all jobs", "above 0% and at most 100%", "95%"),
    ("wait <= 4h for 0% of all jobs", "above 0% and at most 100%", "95%"),
    ("wait <= 4h for 95 of all jobs", "a share above 1", "write 95%"),
    ("wait <= 4h for most of all jobs", "not a share", "95%"),
    ("wait <= 4 for 90% of all jobs", "the limit of this SLO: a duration without a unit", "4h"),
    ("wait <= 3m for 90% of all jobs", "the limit of this SLO", "write min"),
    ("turnaround <= long for 90% of all jobs", "the limit of this SLO: not a duration", "36h"),
    ("bounded slowdown <= 0.5 for 90% of all jobs", "never below 1", "write 1 or more"),
    ("bounded slowdown <= 10x for 90% of all jobs", "the limit of this slowdown: not a number", "plain number"),
    ("bounded slowdown <= 10min for 90% of all jobs", "the limit of this slowdown: not a number", "plain number"),
    ("bounded slowdown <= 1.23456 for 90% of all jobs", "compared in thousandths", "write 1.234"),
    ("bounded slowdown <= 1e9 for 90% of all jobs", "a slowdown above 1,000,000", "plain number"),
    ("bounded slowdown (bound 10) <= 3 for 90% of all jobs", "the bound of this slowdown", "10min"),
    ("bounded slowdown (bound 0s) <= 3 for 90% of all jobs", "must be longer than 0", "(bound 1min)"),
    ("wait (bound 1min) <= 3h for 90% of all jobs", "not understood", "only bounded slowdown has a bound"),
    ("wait <= 1h for 90% of all jobs of 64-16 GPUs", "runs backwards ('64-16')", "write of 16-64 GPUs"),
    ("wait <= 1h for 90% of all jobs of 0 GPUs", "at least 1 GPU", "of 8 GPUs"),
    ("wait <= 1h for 90% of all jobs of many GPUs", "not a gang size ('many')", "of 16-64 GPUs"),
    ("wait <= 1h for 90% of all jobs of > 16 GPUs", "is open ('> 16')", "write of >= 17 GPUs"),
    ("wait <= 1h for 90% of all jobs of fewer than 16 GPUs", "is open", "write of <= 15 GPUs"),
    ("wait <= 1h for 90% of all jobs submitted 08:00-25:00", "25:00 is no time of the day", "from 00:00 to 24:00"),
    ("wait <= 1h for 90% of all jobs submitted 08:75-22:00", "08:75 is no time of the day", "from 00:00 to 24:00"),
    ("wait <= 1h for 90% of all jobs submitted 08:00-08:00", "begin and end at the same time", "whole day"),
    ("wait <= 1h for 90% of all jobs submitted 08:00-22:00 on workdays", "'workdays' is no day", "did you mean 'weekdays'?"),
    ("wait <= 1h for 90% of all jobs submitted on Mondy", "'mondy' is no day", "did you mean 'Mon'?"),
    ("wait <= 1h for 90% of all jobs submitted", "no hours and no days", "submitted 08:00-22:00"),
    ("wait <= 1h for 90% of all jobs in 2026", "not understood", "only sizes and hours may stand"),
    ("occupancy >= 110%", "at most 100%", "between 65% and 92%"),
    ("occupancy >= 65", "a share above 1", "write 65%"),
    ("occupancy >= 0%", "above 0%", "between 65% and 92%"),
    ("occupancy between 92% and 65%", "runs backwards", "between 65% and 92%"),
    ("occupancy between 65% and 65%", "is empty", "occupancy >= 65%"),
    ("occupancy between 65%", "not understood", "occupancy between SHARE and SHARE"),
    ("occupancy >= 65% of lab jobs", "no scope and no share of jobs", "write occupancy >= 65%"),
    ("occupancy between 65% and 92% for 90% of all jobs", "no scope", "write occupancy between 65% and 92%"),
    ("occupancy 70%", "not understood", "occupancy >= 70%"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "what", "remedy"), SLIPS, ids=lambda text: text[:50])
def test_a_slip_is_told_with_the_nearest_sentence(written: str, what: str, remedy: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_slo(written)
    assert what in str(caught.value)
    assert remedy in caught.value.remedy, caught.value.remedy
    assert caught.value.code.startswith("slo-")


WORDS = (
    "wait turnaround bounded slowdown abandoned deadline met occupancy between and <= >= < ≤ for of every all jobs "
    "job 4h 60s 3m 22d 90% 120% 0% 0.5 95 lab research/x of GPUs 16-64 64-16 8 GPUs submitted 08:00-22:00 25:00-26:00 "
    "on weekdays Mon - ( bound 1min ) , x1.3 ≥ _ / \u0660 1e400 99999999999999999999"
)
PIECES = st.sampled_from(WORDS.split())


@given(st.lists(PIECES, max_size=14).map(" ".join) | st.text(max_size=60))
def test_the_nearest_sentence_to_any_text_is_right(text: str) -> None:
    near = nearest_sentence(text)
    assert parse_slo(near).sentence == near


@given(st.lists(PIECES, max_size=14).map(" ".join) | st.text(max_size=60))
def test_any_text_is_a_level_or_a_mistake(text: str) -> None:
    try:
        slo = parse_slo(text)
    except Mistake as mistake:
        assert mistake.remedy  # noqa: PT017
    else:
        assert parse_slo(slo.sentence) == slo


# ---- with the classes of a scenario ----------------------------------------------------------------------------------


def test_levels_are_resolved_with_the_limits_of_their_classes() -> None:
    scenario = levels(
        "deadline met for 90% of lab jobs",
        "bounded slowdown (bound 1min) <= 3.5 for 90% of research jobs of >= 16 GPUs",
        "abandoned <= 5% of images jobs submitted 22:00-06:00 on weekends",
        "occupancy between 65% and 92%",
        "wait <= 1h for 90% of all jobs",
    )
    deadline, slowdown, away, wait = scenario.resolved_slos()
    assert (deadline.metric, deadline.classes, deadline.limits) == (
        "deadline",
        (0, 1),
        (21.63 * 86_400, 86_400.0),
    )
    assert math.isnan(deadline.limit)
    assert (slowdown.limit, slowdown.limits, slowdown.bound) == (3.5, (3.5,), 60.0)
    assert (slowdown.gpus_low, slowdown.gpus_high) == (16, 2**31 - 2)
    assert (away.metric, away.share, away.share_ppm) == ("turned_away", 0.95, 950_000)
    assert (away.hours, away.days) == ((79_200.0, 21_600.0), 96)
    assert math.isnan(away.limit)
    assert (wait.limits, wait.hours, wait.days) == ((3600.0,) * 3, (0.0, 0.0), 127)
    (occupancy,) = scenario.occupancy_slos()
    assert occupancy.occupancy == (0.65, 0.92)


@pytest.mark.parametrize(
    ("sentence", "what", "remedy"),
    [
        ("deadline met for 90% of clinic jobs", "a class without a deadline (clinic/images)", "name a class that has one (lab/campaign, lab/research)"),
        ("deadline met for 90% of all jobs", "a class without a deadline (clinic/images)", "write deadline: 21d"),
        ("wait <= 1h for 90% of research jobs of 128-256 GPUs", "no job of 'research' asks for so many GPUs", "of 64 GPUs; its jobs ask for 1, 16, 64 GPUs"),
        ("wait <= 1h for 90% of research jobs of 2-8 GPUs", "('of 2-8 GPUs')", "of 1 GPU"),
        ("wait <= 1h for 90% of reserch jobs of 2-8 GPUs", "no class or tenant is named 'reserch'", "did you mean 'research'?"),
    ],
)  # fmt: skip
def test_what_the_class_table_makes_wrong_is_told_once(sentence: str, what: str, remedy: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        levels(sentence)
    (problem,) = caught.value.problems
    assert what in str(problem)
    assert remedy in problem.remedy
    assert problem.where.startswith("center.yaml:15:")


def test_a_deadline_that_cannot_be_read_is_not_called_missing() -> None:
    text = CENTER.replace("deadline: 1d", "deadline: 1").replace(
        "wait <= 4h for 90% of all jobs", "deadline met for 90% of research jobs"
    )
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text)
    assert len(caught.value.problems) == 1


def test_levels_survive_the_way_through_plain_data() -> None:
    scenario = levels(
        "turnaround <= 21.63d for every campaign job",
        "abandoned <= 5% of images jobs",
        "occupancy >= 65%",
        "wait <= 60s for 95% of all jobs of 1-8 GPUs submitted 8-22h",
    )
    again = Scenario.from_dict(scenario.to_dict())
    assert again == scenario
    assert again.to_dict()["slos"] == [
        "turnaround <= 21.63d for 100% of campaign jobs",
        "abandoned <= 5% of images jobs",
        "occupancy >= 65%",
        "wait <= 1min for 95% of all jobs of <= 8 GPUs submitted 08:00-22:00",
    ]


# ---- levels on evictions and on whole periods ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code", "offers"),
    [
        ("preemptions <= 2", "slo-share", "preemptions <= 2 for 90% of all jobs"),
        ("preemptions <= 2.5 for 95% of all jobs", "slo-limit", "whole number of evictions"),
        ("preemptions <= 2h for 95% of all jobs", "slo-limit", "whole number of evictions"),
        (
            "preemptions >= 2 for 95% of all jobs",
            "slo-sentence",
            "preemptions <= NUMBER for SHARE of SCOPE jobs",
        ),
        ("delivered >= 90% for lab", "slo-sentence", "delivered >= 90% of granted for lab"),
        ("delivered >= 120% of granted for lab", "slo-share", "95%"),
        ("fair-share error <= 100%", "slo-share", "fair-share error <= 10%"),
        ("fair-share error <= 10% for lab", "slo-sentence", "fair-share error <= SHARE"),
        ("longest cascade <= 9999999", "slo-limit", "0 to 1,000,000"),
        ("longest cascade < 3", "slo-sentence", "longest cascade <= 3"),
    ],
)
def test_a_wrong_sentence_on_sharing_gets_the_right_one(wrong: str, code: str, offers: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_slo(wrong)
    assert caught.value.code == code
    assert offers in caught.value.remedy


def test_granted_gpus_belong_to_tenants() -> None:
    with pytest.raises(ScenarioError, match="GPUs are granted to tenants") as caught:
        levels("delivered >= 90% of granted for research")
    assert "write delivered >= 90% of granted for lab" in str(caught.value)
    assert "scenario/slo-granted" in [problem.code for problem in caught.value.problems]


def test_levels_on_periods_are_apart_from_those_on_jobs() -> None:
    sentences = [
        "delivered >= 90% of granted for clinic",
        "preemptions <= 2 for 95% of research jobs",
        "longest cascade <= 4",
    ]
    scenario = levels("wait <= 4h for 90% of all jobs").override(
        {"tenants.clinic.quota": "20%", "slos": sentences}
    )
    assert [level.metric for level in scenario.resolved_slos()] == ["preemptions"]
    delivered, cascade = scenario.period_slos()
    assert delivered.classes == (2,)
    assert delivered.limit == 0.9
    assert cascade.limit == 4
    assert cascade.classes == (0, 1, 2)
