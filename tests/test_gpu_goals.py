"""What a result file says of each goal of a device, and what the command's exit status is; figures are invented."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpu_invented import invented_result

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

import gpu_goals

Result = dict[str, Any]


def verdicts(result: Result | None) -> dict[str, str]:
    return {line.goal: line.verdict for line in gpu_goals.lines(result)}


def of(result: Result, words: str) -> gpu_goals.Line:
    """The line whose goal begins with these words."""
    return next(line for line in gpu_goals.lines(result) if line.goal.startswith(words))


def rows(result: Result, step: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result["steps"][step]["rows"]
    return found


def test_without_a_result_nothing_is_measured() -> None:
    assert set(verdicts(None).values()) == {gpu_goals.NOT_MEASURED}
    assert {line.figure for line in gpu_goals.lines(None)} == {"-"}


def test_a_rehearsal_measures_nothing() -> None:
    assert verdicts(invented_result() | {"rehearsal": True}) == verdicts(None)


def test_all_goals_can_be_met() -> None:
    result = invented_result()
    assert set(verdicts(result).values()) == {gpu_goals.MET}
    assert gpu_goals.exit_code(result) == 0


@pytest.mark.parametrize("step", list(invented_result()["steps"]))
def test_a_step_that_was_not_run_meets_no_goal_of_its_own(step: str) -> None:
    result = invented_result()
    del result["steps"][step]
    without = verdicts(result)
    assert gpu_goals.NOT_MET not in without.values()
    if step not in ("about", "profile"):
        assert gpu_goals.NOT_MEASURED in without.values()
    assert gpu_goals.exit_code(result) == (1 if step == "parity cuda" else 0)


def differ(result: Result) -> None:
    rows(result, "parity cuda")[7]["equal"] = False


def unsteady(result: Result) -> None:
    rows(result, "parity cuda")[7]["same_again"] = False


def cupy_differs(result: Result) -> None:
    rows(result, "parity cupy")[0]["equal"] = False


def errors(result: Result) -> None:
    rows(result, "sanitizer")[1].update(clean=False, errors=2)


def slow_fifo(result: Result) -> None:
    rows(result, "throughput")[1]["events_per_second"]["cuda"]["median"] = 2.9e9


def slow_easy(result: Result) -> None:
    rows(result, "throughput")[3]["events_per_second"]["cuda"]["median"] = 0.9e9


def slow_beside_host(result: Result) -> None:
    rows(result, "throughput")[2]["ratio"]["median"] = 4.9


def wrong_throughput(result: Result) -> None:
    rows(result, "throughput")[0]["equal"] = False


def late(result: Result) -> None:
    rows(result, "answer")[0]["seconds"] = 10.1


def another_answer(result: Result) -> None:
    rows(result, "answer").append({"name": "korea-nacc as shipped", "engine": "all", "equal": False})


def compiles_long(result: Result) -> None:
    rows(result, "cupy")[2]["compile_seconds"] = 10.1


def slow_cupy(result: Result) -> None:
    rows(result, "cupy")[3]["ratio"]["median"] = 0.94


@pytest.mark.parametrize(
    ("spoil", "goal", "code"),
    [
        (differ, "cuda: the host's", 1),
        (unsteady, "cuda: the same", 1),
        (cupy_differs, "cupy: the host's", 1),
        (errors, "compute-sanitizer racecheck", 1),
        (slow_fifo, "mix, FIFO", 0),
        (slow_easy, "mix, EASY, load", 0),
        (slow_beside_host, "mix, EASY: >= 5", 0),
        (wrong_throughput, "mix, FIFO", 1),
        (late, "korea-nacc as shipped", 0),
        (another_answer, "korea-nacc as shipped", 1),
        (compiles_long, "CuPy: first use", 0),
        (slow_cupy, "CuPy: within", 0),
    ],
)
def test_what_is_wrong_or_slow_is_not_met_and_what_is_wrong_fails(
    spoil: Callable[[Result], None], goal: str, code: int
) -> None:
    result = invented_result()
    spoil(result)
    assert of(result, goal).verdict == gpu_goals.NOT_MET
    assert list(verdicts(result).values()).count(gpu_goals.NOT_MET) == 1
    assert gpu_goals.exit_code(result) == code


def test_parity_of_too_few_configurations_is_not_measured() -> None:
    result = invented_result()
    del rows(result, "parity cuda")[49:]
    assert of(result, "cuda: the host's") == (
        "cuda: the host's integers on >= 50 configurations",
        "49 of 49 configurations",
        gpu_goals.NOT_MEASURED,
    )


def test_configurations_that_did_not_run_are_told_and_fail() -> None:
    result = invented_result()
    rows(result, "parity cuda").append({"name": "late", "not_run": "3 s were needed, 0 s left"})
    line = of(result, "cuda: the host's")
    assert line.figure.endswith("others not run")
    assert line.verdict == gpu_goals.NOT_MEASURED
    assert list(gpu_goals.left_out(result)) == ["parity cuda, late: 3 s were needed, 0 s left"]
    assert gpu_goals.exit_code(result) == 1


@pytest.mark.parametrize("status", ["cut", "failed"])
def test_a_step_that_was_cut_or_failed_fails_and_keeps_its_rows(status: str) -> None:
    result = invented_result()
    result["steps"]["throughput"] |= {"status": status, "reason": "ended"}
    del rows(result, "throughput")[2:]
    assert of(result, "mix, FIFO").verdict == gpu_goals.MET
    assert of(result, "mix, EASY, load").verdict == gpu_goals.NOT_MEASURED
    assert list(gpu_goals.left_out(result)) == [f"throughput: {status}: ended"]
    assert gpu_goals.exit_code(result) == 1


def test_a_tool_that_is_missing_is_told_and_does_not_fail() -> None:
    result = invented_result()
    result["steps"]["sanitizer"] = {"status": "skipped", "reason": "not on PATH", "seconds": 0.1, "rows": []}
    assert of(result, "compute-sanitizer memcheck").verdict == gpu_goals.NOT_MEASURED
    assert list(gpu_goals.left_out(result)) == ["sanitizer: skipped: not on PATH"]
    assert gpu_goals.exit_code(result) == 0


def test_goals_of_speed_are_for_one_device_and_one_size_of_host() -> None:
    result = invented_result()
    result["device"]["name"] = "NVIDIA abacus"
    for goal in ("mix, FIFO", "mix, EASY, load", "korea-nacc as shipped"):
        assert of(result, goal).verdict == gpu_goals.NOT_MEASURED
        assert "the goal is for an H100" in of(result, goal).figure
    for row in rows(result, "throughput"):
        row["cores"] = 8  # six times eight cores may be three times sixteen
    assert of(result, "mix, EASY: >= 5").verdict == gpu_goals.NOT_MEASURED
    for row in rows(result, "throughput"):
        row["ratio"]["median"] = 4.0  # and four times eight is less than five times sixteen
    assert of(result, "mix, EASY: >= 5").verdict == gpu_goals.NOT_MET


def test_the_table_has_a_line_for_every_goal_and_ends_in_verdicts() -> None:
    printed = gpu_goals.table(invented_result()).splitlines()
    assert len(printed) == 1 + len(gpu_goals.GOALS)
    assert printed[7].split(" | ")[1].strip() == "4 G and 4 G events/s"
    assert printed[10].split(" | ")[1].strip() == "8.0 s, 7 rounds, 25% idle"
    assert all(line.endswith("| met") for line in printed[1:])
