"""A comment '# assumption' marks the values of its line; the marks stay with the scenario."""

from __future__ import annotations

import pytest

from gpusim.scenario import Scenario, example
from gpusim.scenario.reader import read_document

TEXT = """\
schema: 1
name: base   # the name of a file # assumption-free
description: "a # assumption inside quotes"
center: {have: 512}                         # bought
tenants:
  - name: lab
    classes:
      - name: small                         # assumption
        arrivals: {load: 40}                # mean GPUs # assumption
        gpus: {8: 50%, 16: 50%}             # ASSUMPTION of ours
        run_time:                           # all of it # assumption
          deterministic: 2h
      # assumption: a comment alone marks nothing
      - {name: large, arrivals: {rate: 4/day},   # assumption
         gpus: 64, run_time: {deterministic: 6h}}
slos:
  - wait <= 4h for 90% of all jobs          # our proposal
  - wait <= 8h for 95% of large jobs        # assumption
study: {horizon: 28d, warm_up: 7d}
assumptions:
  - >
    folded text # assumption
    goes on
"""


def test_the_values_that_begin_on_a_marked_line_are_assumed() -> None:
    scenario = Scenario.from_yaml(TEXT)
    assert scenario.assumed == (
        "tenants.lab.classes.small.name",
        "tenants.lab.classes.small.arrivals",
        "tenants.lab.classes.small.gpus",
        "tenants.lab.classes.small.run_time",
        "tenants.lab.classes.large",
        "slos[1]",
    )


def test_paths_are_those_that_an_override_takes() -> None:
    scenario = Scenario.from_yaml(TEXT)
    path = scenario.assumed[1]
    assert scenario.override([f"{path}.load=x2"]).tenants[0].classes[0].offered_load == 80


def test_marks_survive_plain_data_overrides_and_variants_and_are_not_in_the_hash() -> None:
    scenario = Scenario.from_yaml(TEXT)
    again = Scenario.from_dict(scenario.to_dict())
    assert again.assumed == scenario.assumed
    assert scenario.override(["study.seed=3"]).assumed == scenario.assumed
    bare = Scenario.from_yaml(
        TEXT.replace("  # assumption", "  #").replace("GPUs # assumption", "").replace("it # assumption", "")
    )
    assert (bare.assumed, bare.hash) == (("tenants.lab.classes.small.gpus",), scenario.hash)


def test_a_list_in_the_file_stands_in_place_of_the_comments() -> None:
    assert Scenario.from_yaml(TEXT + "assumed: [center.have]\n").assumed == ("center.have",)
    assert Scenario.from_yaml(TEXT + "assumed: []\n").assumed == ()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a: 1 # assumption", ("a",)),
        ("a: 1 # assumptions are many", ()),
        ("a: 1# assumption", ()),
        ("a: [1, 2] # x # assumption", ("a",)),
        ("a:\n  - 1 # assumption\n  - 2", ("a[0]",)),
        ("a: # assumption\n  - 1\n  - 2", ("a",)),
        ("a: {b: 1,\n    c: 2} # assumption", ("a.c",)),
        ("a: {8: 50%} # assumption\nb: 2", ("a",)),
        ("a:\n  8: 50% # assumption", ("a.8",)),
        ("a: 'it # assumption'\nb: 2", ()),
        ("a: it is #assumption", ("a",)),
        ("\ufeffa: 1 # assumption\r\nb: 2\r\n", ("a",)),
        ("a: |\n  text\n  # assumption\nb: 1", ()),
    ],
)
def test_where_a_comment_begins_is_known(text: str, paths: tuple[str, ...]) -> None:
    assert read_document(text, "x").assumed == paths


def test_the_built_in_center_marks_its_guesses() -> None:
    assumed = example("quickstart").assumed
    assert "tenants.university.classes.research.arrivals" in assumed
    assert "slos" in assumed
    assert "center.have" not in assumed
