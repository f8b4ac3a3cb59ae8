"""Every key of the answers that `test_docs.py` does not ask for is documented, and every documented key exists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gpusim
from cli_calls import TINY
from test_docs import DOCS, documented, found_in, keys, rows, sections


@pytest.fixture(scope="module")
def outputs() -> dict[str, Any]:
    scenario = gpusim.Scenario.from_yaml(TINY, overrides=["study.demand_step=5%"])
    demand = gpusim.size(scenario, vary="demand").to_dict()
    compared = gpusim.compare(scenario, changes=["study.demand=120%"], replications=10).to_dict()
    return {"size --vary demand": demand, "compare": compared}


@pytest.mark.parametrize("name", ["size --vary demand", "compare"])
def test_every_key_is_documented_and_every_documented_key_exists(name: str, outputs: dict[str, Any]) -> None:
    every = sections(DOCS / "reference/results.md")
    own, found = rows(every[name]), dict(keys(outputs[name]))
    known = own | (rows(every["size"]) if name != "compare" else set())
    assert [key for key in found if not documented(key, known)] == []
    assert [row for row in sorted(own - {"demand"}) if not found_in(row, found)] == []


def test_an_infeasible_answer_has_the_documented_keys(tmp_path: Path) -> None:
    scenario = gpusim.Scenario.from_yaml(TINY, overrides=["slos[0]=turnaround <= 30min for 90% of all jobs"])
    answer = gpusim.size(scenario)
    known = rows(sections(DOCS / "reference/results.md")["size"])
    data = json.loads(answer.to_json(tmp_path / "answer.json"))
    assert [key for key in dict(keys(data)) if not documented(key, known)] == []
    assert data["ceiling"]["impossible"]
    assert (tmp_path / "answer.json").read_text() == answer.to_json()
