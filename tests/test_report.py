"""Pages say what the results say, in words that fit a screen."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

import gpusim
from cli_calls import TINY
from gpusim.plan.answer import Answer
from gpusim.plan.rules import rules_of_thumb
from gpusim.report import check_page, simulation_page, size_page, to_text, words
from gpusim.stats.evidence import (
    GUARANTEE_DEADLINE,
    GUARANTEE_EXACT,
    GUARANTEE_FILL_IN,
    GUARANTEE_IMPLIED,
    Share,
)


@pytest.fixture(scope="module")
def scenario() -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TINY)


@pytest.fixture(scope="module")
def answer(scenario: gpusim.Scenario) -> Answer:
    return gpusim.size(scenario)


def page_of(answer: Answer, **sizing: Any) -> str:
    changed = dataclasses.replace(answer, sizing=dataclasses.replace(answer.sizing, **sizing))
    return " ".join(to_text(size_page(changed)).split())


# ---- numbers in words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.9354, "93.5%"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.99996, ">99.9%"),
        (0.00004, "<0.1%"),
        (math.nan, "-"),
    ],
)
def test_a_share_never_looks_more_certain_than_it_is(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(812, "812"), (42_000, "42 thousand"), (19_569_383, "19.6 million"), (3_200_000_000, "3.2 billion")],
)
def test_large_numbers_are_rounded_for_people(number: int, text: str) -> None:
    assert words.large(number) == text


def test_numbers_have_groups_and_units() -> None:
    assert words.gpus(10_456) == "10,456 GPUs"
    assert words.gpus(1) == "1 GPU"
    assert words.measured(0.9325, 0.9033, 0.955) == "93.2% (90.3 - 95.5)"
    assert words.points(-0.143) == "-14.3"
    assert words.durations(-2.0, 90.0) == "0s - 1.5min"
    assert words.durations(-math.inf, math.inf) == "-"
    assert words.probability(0.0004) == "below 0.001"


# ---- the size page --------------------------------------------------------------------------------------------------


def test_the_first_line_is_the_answer(answer: Answer) -> None:
    first = to_text(size_page(answer)).splitlines()[0]
    assert first == (
        f"You need {answer.gpus} GPUs ({answer.gpus_low} - {answer.gpus_high}, 95% confidence) "
        "to meet the service level in at least 80% of periods."
    )


def test_the_page_names_what_decides_and_what_a_spreadsheet_says(answer: Answer) -> None:
    text = to_text(size_page(answer))
    assert f"Binding level, the first to fail: {answer.binding_slo}" in text
    assert answer.rules
    for each in answer.rules:
        assert each.rule.name in text
    assert answer.provenance.scenario_hash[:12] in text
    assert f"gpusim {answer.provenance.version}" in text


@pytest.mark.parametrize("width", [80, 90, 100])
def test_pages_fit_the_screen_and_end_no_line_in_blanks(
    answer: Answer, scenario: gpusim.Scenario, width: int
) -> None:
    run = gpusim.simulate(scenario, replications=4)
    for page in (size_page(answer), simulation_page(run), check_page(scenario, rules_of_thumb(scenario))):
        lines = to_text(page, width).splitlines()
        assert max(map(len, lines)) <= width
        assert all(line == line.rstrip() for line in lines)


def test_wide_tables_lose_no_number_on_a_narrow_screen() -> None:
    run = gpusim.simulate(gpusim.example("quickstart"), replications=2)
    text = to_text(simulation_page(run), 80)
    assert "…" not in text
    for c in run.classes:
        assert f"{c.jobs:,}" in text


@pytest.mark.parametrize(
    ("guarantee", "says"),
    [
        (GUARANTEE_EXACT, "Exact, by counting alone."),
        (GUARANTEE_FILL_IN, "picked among the few tried"),
        (GUARANTEE_IMPLIED, "not run at this size"),
        (GUARANTEE_DEADLINE, "if the time limit did not depend on the results"),
    ],
)
def test_every_guarantee_has_plain_words(answer: Answer, guarantee: str, says: str) -> None:
    assert says in page_of(answer, guarantee=guarantee)


def test_what_is_not_claimed_about_smaller_sizes_is_said(answer: Answer) -> None:
    assert "is too small; both claims hold together" in page_of(answer, smaller_insufficient_claim=True)
    text = page_of(answer, smaller_insufficient_claim=False, non_monotone=Share(7, 409, 0.017, 0.0, 0.03))
    assert "smallest certified of the sizes tested; a smaller one may be enough" in text
    assert "is too small" not in text
    assert "7 of 409 periods hold with fewer GPUs and fail with more" in text


def test_an_answer_that_is_too_wide_says_what_is_valid_and_what_helps(answer: Answer) -> None:
    text = page_of(answer, resolved=False, replications_needed=12_345, gpus_low=20)
    assert text.startswith(f"You need at most {answer.gpus} GPUs (20 - {answer.gpus}, 95% confidence)")
    assert f"Valid now: 20 - {answer.gpus} GPUs." in text
    assert "About 12,345 replications" in text


def test_no_decision_is_not_dressed_up(answer: Answer) -> None:
    unsure: dict[str, Any] = {
        "certified": False,
        "resolved": False,
        "feasible": None,
        "guarantee": GUARANTEE_IMPLIED,
    }
    text = page_of(answer, **unsure)
    assert text.startswith(f"Not decided: {answer.gpus_low} - {answer.gpus_high} GPUs may be needed")
    assert "Valid now, if more GPUs never hurt" in text
    assert "You need" not in text
    text = page_of(answer, **unsure, gpus=None, gpus_high=None)
    assert text.startswith(f"Not decided: {answer.gpus_low} GPUs or more are needed")
    text = page_of(answer, **unsure, gpus=None, gpus_high=None, low_is_grid_minimum=True)
    assert text.startswith("Not decided how many GPUs are needed")


def test_a_name_in_brackets_is_printed_and_not_interpreted(answer: Answer) -> None:
    findings = dataclasses.replace(answer.findings, assumptions=("[red]not a color[/red] :smile:",))
    odd = dataclasses.replace(answer, findings=findings)
    assert "[red]not a color[/red] :smile:" in to_text(size_page(odd))


# ---- the simulation page --------------------------------------------------------------------------------------------


def test_a_single_period_shows_no_interval_it_does_not_have(scenario: gpusim.Scenario) -> None:
    text = to_text(simulation_page(gpusim.simulate(scenario, replications=1)))
    assert re.search(r"\b(?:inf|nan)\b", text) is None


def test_a_shorter_run_than_asked_is_said(scenario: gpusim.Scenario) -> None:
    text = to_text(simulation_page(gpusim.simulate(scenario, replications=3), asked=64))
    assert "The time limit left 3 of 64 periods" in text
