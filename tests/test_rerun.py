"""`gpusim rerun`: an answer's file repeats it, tells what is different, and a file that is none is told as such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gpusim
from cli_calls import TINY, call
from gpusim.errors import GpusimError, RunError, ScenarioError, UsageError
from gpusim.plan.rerun import Recorded, parse_answer, read_answer, rerun


@pytest.fixture(scope="module")
def tiny() -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TINY)


@pytest.fixture(scope="module")
def answers(tiny: gpusim.Scenario) -> dict[str, dict[str, Any]]:
    """JSON forms of one answer of each verb."""
    made = {
        "size": gpusim.size(tiny, seed=7).to_dict(),
        "strict": gpusim.size(tiny, certify="strict").to_dict(),
        "simulate": gpusim.simulate(tiny, gpus=22, replications=12, seed=3).to_dict(),
        "demand": gpusim.size(tiny, vary="demand").to_dict(),
        "compare": gpusim.compare(tiny, changes=["policy.backfill=1"], replications=20).to_dict(),
    }
    return {name: json.loads(json.dumps(data)) for name, data in made.items()}


def changed(data: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with one value changed, at a path such as ``provenance.call.seed``; ... takes it out."""
    copy: dict[str, Any] = json.loads(json.dumps(data))
    *path, last = key.split(".")
    at: Any = copy
    for part in path:
        at = at[int(part)] if isinstance(at, list) else at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copy


def parsed(data: dict[str, Any]) -> Recorded:
    return parse_answer(json.dumps(data), "answer.json")


# ---- the same answer


@pytest.mark.parametrize("name", ["size", "strict", "simulate", "demand", "compare"])
@pytest.mark.slow
def test_an_answer_repeats_itself(answers: dict[str, dict[str, Any]], name: str) -> None:
    result = rerun(parsed(answers[name]), threads=1)
    assert result.same
    assert result.differences == ()
    assert result.warnings == ()
    assert result.compared > 15
    again = json.loads(json.dumps(result.answer.to_dict()))
    assert {k: v for k, v in again.items() if k not in ("spent", "provenance")} == {
        k: v for k, v in answers[name].items() if k not in ("spent", "provenance")
    }
    assert again["provenance"]["call"] == answers[name]["provenance"]["call"]


def test_the_answer_holds_its_scenario_and_its_call(
    tiny: gpusim.Scenario, answers: dict[str, dict[str, Any]]
) -> None:
    origin = answers["size"]["provenance"]
    assert gpusim.Scenario.from_dict(origin["document"]) == tiny
    assert origin["call"] == {
        "verb": "size", "seed": 7, "vary": "gpus", "certify": "normal", "time_limit": None,
    }  # fmt: skip
    assert answers["simulate"]["provenance"]["call"] == {
        "verb": "simulate", "seed": 3, "gpus": 22, "replications": 12, "time_limit": None,
    }  # fmt: skip


def test_changes_of_the_call_are_in_the_file_and_the_scenario_file_is_not_needed(tmp_path: Path) -> None:
    center, answer = tmp_path / "center.yaml", tmp_path / "answer.json"
    center.write_text(TINY)
    made = call("simulate", center, "--set", "center.have=21", "--replications", 5, "--output", answer)
    assert made.code in (0, 1)
    center.unlink()
    result = call("rerun", answer, "--json")
    assert result.code == 0, result.err
    data = result.data
    assert (data["kind"], data["same"], data["verb"], data["gpus"]) == ("rerun", True, "simulate", 21)
    assert data["differences"] == []
    assert data["version"] == {"recorded": gpusim.__version__, "now": gpusim.__version__}
    page = call("rerun", answer)
    assert page.code == 0
    assert page.out.startswith("same answer: 21 GPUs, ")
    assert page.err == ""


def test_an_answer_can_come_through_a_pipe(answers: dict[str, dict[str, Any]]) -> None:
    result = call("rerun", "-", stdin=json.dumps(answers["simulate"]))
    assert result.code == 0
    assert result.out.startswith("same answer: 22 GPUs")


# ---- another answer


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attainment.passed", 1000),
        ("gpus", 23),
        ("slos_met", "flip"),
        ("classes.0.jobs", 1),
        ("slos.0.share", None),
        ("provenance.seed", 4),
        ("occupancy.value", 0.5),
    ],
)
def test_a_value_that_is_not_the_same_is_named(
    answers: dict[str, dict[str, Any]], key: str, value: Any
) -> None:
    data = answers["simulate"]
    if value == "flip":
        value = not data["slos_met"]
    result = rerun(parsed(changed(data, key, value)))
    assert not result.same
    found = {each.key.replace("[", ".").replace("]", ""): each for each in result.differences}
    assert list(found) == [key]
    assert found[key].recorded == value
    assert found[key].now is not None


def test_another_number_of_rows_is_a_difference(answers: dict[str, dict[str, Any]]) -> None:
    data = changed(answers["size"], "evidence", answers["size"]["evidence"][:-1])
    (difference,) = rerun(parsed(data)).differences
    assert difference.key == "evidence (how many)"
    assert difference.recorded == difference.now - 1


def test_words_and_costs_are_not_compared(answers: dict[str, dict[str, Any]]) -> None:
    data = changed(answers["simulate"], "spent.seconds", 1e9)
    data = changed(data, "horizon", "put in other words")
    data = changed(data, "warnings", ["another warning"])
    assert rerun(parsed(data)).same


def test_a_different_answer_is_exit_code_one_and_lists_every_difference(
    answers: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    data = changed(changed(answers["simulate"], "attainment.passed", 99), "slos.0.jobs", 7)
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(data))
    result = call("rerun", path)
    assert result.code == 1
    assert result.out.startswith("different answer: 22 GPUs, 2 of ")
    assert "attainment.passed" in result.out
    assert "slos[0].jobs" in result.out
    listed = call("rerun", path, "--json")
    assert listed.code == 1
    assert [each["key"] for each in listed.data["differences"]] == ["attainment.passed", "slos[0].jobs"]


def test_another_version_is_a_warning_and_its_unknown_hash_no_damage(
    answers: dict[str, dict[str, Any]],
) -> None:
    data = changed(answers["simulate"], "provenance.version", "0.0.1")
    data = changed(data, "provenance.scenario_hash", "f" * 64)
    result = rerun(parsed(data))
    assert result.same
    assert "made by gpusim 0.0.1" in result.warnings[0]


# ---- time limits


def test_a_simulation_cut_by_its_time_limit_is_repeated_as_far_as_it_got(tiny: gpusim.Scenario) -> None:
    whole = gpusim.simulate(tiny, gpus=22, replications=9).to_dict()
    origin = whole["provenance"] | {
        "call": {"verb": "simulate", "seed": 1, "gpus": 22, "replications": 5000, "time_limit": 0.01}
    }
    result = rerun(parsed(whole | {"provenance": origin}))
    assert result.same
    assert result.warnings == ()


def test_a_size_under_a_time_limit_it_did_not_reach_repeats_without_it(tiny: gpusim.Scenario) -> None:
    answer = gpusim.size(tiny, time_limit=600)
    result = rerun(parsed(answer.to_dict()))
    assert result.same
    assert "time limit of 600 s" in result.warnings[0]


# ---- files that are no answers


@pytest.mark.parametrize(
    ("key", "value", "code", "what"),
    [
        ("kind", "replay", "not-an-answer", "is not an answer of size, simulate or compare (kind 'replay')"),
        ("kind", ..., "not-an-answer", "(no key 'kind')"),
        ("schema", 99, "answer-schema", "schema 99"),
        ("provenance", None, "damaged-answer", "no provenance.version, provenance.call"),
        ("provenance.document", ..., "damaged-answer", "no provenance.document"),
        ("provenance.call", ..., "damaged-answer", "no provenance.call"),
        ("provenance.call.verb", "size", "damaged-answer", "verb 'size', seed 3"),
        ("provenance.call.seed", "x", "damaged-answer", "seed 'x'"),
        ("provenance.call.seed", True, "damaged-answer", "seed"),
        ("provenance.document.center.have", 25, "damaged-answer", "provenance.scenario_hash does not fit"),
        ("attainment", ..., "damaged-answer", "no attainment"),
    ],
)
def test_a_foreign_or_changed_file_is_refused(
    answers: dict[str, dict[str, Any]], key: str, value: Any, code: str, what: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        parsed(changed(answers["simulate"], key, value))
    assert caught.value.exit_code == 3
    (problem,) = caught.value.problems
    assert problem.code == f"plan/{code}"
    assert problem.where == "answer.json"
    assert what in str(problem)
    assert problem.remedy


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "answer.json:1:1: is not JSON: expecting value"),
        ('{"kind": "size",\n "gpus": 5', "answer.json:2:11: is not JSON"),
        ("[1, 2]", "is not an answer of size, simulate or compare (list)"),
        ("[" * 100_000, "is nested too deeply"),
        (b"\x80\xff\xfe", "is not text"),
    ],
)
def test_a_file_that_is_no_json_is_refused_with_its_place(text: str | bytes, what: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_answer(text, "answer.json")
    assert what in str(caught.value)


def test_a_scenario_that_is_none_is_refused_with_its_places(answers: dict[str, dict[str, Any]]) -> None:
    data = changed(answers["simulate"], "provenance.document.center.have", -3)
    with pytest.raises(ScenarioError, match=r"provenance\.document\.center\.have") as damaged:
        parsed(data)
    assert damaged.value.exit_code == 3
    with pytest.raises(RunError) as newer:
        parsed(changed(data, "provenance.version", "99.0"))
    assert newer.value.exit_code == 5


def test_an_option_of_another_version_cannot_be_repeated(answers: dict[str, dict[str, Any]]) -> None:
    data = changed(answers["simulate"], "provenance.call.turbo", True)
    with pytest.raises(RunError, match="simulate has no option turbo") as caught:
        rerun(parsed(data))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(("name", "code"), [("absent.json", 2), (".", 2), ("log.swf", 3)])
def test_the_command_line_gives_every_failure_its_exit_code(tmp_path: Path, name: str, code: int) -> None:
    (tmp_path / "log.swf").write_text("; a log\n")
    result = call("rerun", tmp_path / name)
    assert result.code == code
    assert result.out == ""
    assert str(tmp_path / name) in result.err


def test_every_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text("{}")
    with pytest.raises(GpusimError, match=r"answer\.json"):
        read_answer(path)
    with pytest.raises(UsageError, match=r"absent\.json"):
        read_answer(tmp_path / "absent.json")
