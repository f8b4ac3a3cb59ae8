"""`--set key=value`: what each form of path reaches, and what a wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest

from gpusim.errors import ScenarioError
from gpusim.scenario import Scenario, apply_overrides, load_scenario

DATA: dict[str, Any] = {
    "schema": 1,
    "name": "base",
    "tenants": [
        {
            "name": "university",
            "classes": [
                {
                    "name": "training",
                    "arrivals": {"load": 120},
                    "gpus": {8: "60%", 16: "40%"},
                    "run_time": {"lognormal": {"median": "2h", "sigma": 1.6}},
                },
                {
                    "name": "notebook",
                    "arrivals": {"rate": "5/h"},
                    "gpus": 1,
                    "run_time": {"deterministic": "1h"},
                },
            ],
        },
    ],
    "slos": ["wait <= 4h for 90% of training jobs"],
    "study": {"horizon": "28d", "warm_up": "7d"},
}


def changed(*changes: str) -> Scenario:
    return Scenario.from_dict(apply_overrides(DATA, changes))


def test_a_value_may_be_set_by_name_or_by_position() -> None:
    by_name = changed("tenants.university.classes.notebook.gpus=4")
    by_position = changed("tenants[0].classes[1].gpus=4")
    assert by_name == by_position
    assert by_name.tenants[0].classes[1].largest_gang == 4


def test_a_sentence_is_set_by_position() -> None:
    assert changed("slos[0]=wait <= 2h for 90% of all jobs").slos[0].limit == 7200


def test_a_known_key_may_be_new_to_the_file() -> None:
    assert changed("policy.backfill=none").policy.backfill == "none"
    assert changed("center.have=600").center.have == 600
    assert changed("study.seed=3", "study.seed=4").study.seed == 4


def test_a_rival_key_is_replaced() -> None:
    training = changed("tenants.university.classes.training.arrivals.rate=60/day").tenants[0].classes[0]
    assert (training.arrivals.load, training.arrivals.rate) == (None, 60 / 86_400)
    notebook = (
        changed("tenants.university.classes.notebook.run_time.exponential.mean=2h").tenants[0].classes[1]
    )
    assert (notebook.run_time.law, notebook.run_time.mean()) == ("exponential", 7200)


def test_brackets_and_quotes_are_yaml() -> None:
    training = changed("tenants[0].classes[0].gpus={8: 50%, 32: 50%}").tenants[0].classes[0]
    assert dict(training.gpus) == {8: 0.5, 32: 0.5}
    assert changed("tenants[0].classes[0].limit={factor: [1, 2]}").tenants[0].classes[0].limit.factor == (
        1,
        2,
    )
    assert changed('name="true"').name == "true"
    assert changed("study.max_gpus=null").study.max_gpus is None


def test_one_share_of_the_gpu_counts_may_be_set() -> None:
    path = "tenants.university.classes.training.gpus"
    training = changed(f"{path}.8=50%", f"{path}.16=25%", f"{path}.64=25%").tenants[0].classes[0]
    assert dict(training.gpus) == {8: 0.5, 16: 0.25, 64: 0.25}


def test_a_mapping_takes_python_values() -> None:
    data = apply_overrides(DATA, {"policy.backfill": 3, "study.horizon": "30d"})
    assert (data["policy"]["backfill"], data["study"]["horizon"]) == (3, "30d")


def test_the_data_given_are_left_alone() -> None:
    apply_overrides(DATA, ["study.seed=3", "tenants[0].name=college"])
    assert "seed" not in DATA["study"]
    assert DATA["tenants"][0]["name"] == "university"


def test_a_scenario_makes_a_changed_copy_of_itself() -> None:
    scenario = load_scenario("quickstart")
    assert scenario.override({"policy.backfill": "none"}).policy.backfill == "none"
    assert scenario.policy.backfill == 1
    assert scenario.override([]) == scenario


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ("policy.backfil=none", "unknown key 'backfil' in 'policy'", "did you mean 'policy.backfill'?"),
        ("polcy.backfill=none", "unknown key 'polcy'", "did you mean 'policy'?"),
        ("zebra=1", "unknown key 'zebra'", "allowed: schema, name"),
        ("policy.backfill", "no '='", "key=value"),
        ("=3", "no key", "key=value"),
        ("study..seed=3", "not a path", "key=value"),
        ("tenants.univercity.max_waiting=3", "named 'univercity'", "did you mean 'university'?"),
        ("tenants.zoo.max_waiting=3", "named 'zoo'", "known: university"),
        ("tenants[3].max_waiting=3", "no entry [3]", "entries are [0] to [0]"),
        ("slos.first=x", "have no names", "slos[0]="),
        ("study.horizon.days=3", "'study.horizon' is a single value", "study.horizon="),
        ("study.seed=-1", "the seed must be at least 0", "whole number"),
        ("slos[0]=wait <= 2h for 90% of trainning jobs", "'trainning'", "did you mean 'training'?"),
    ],
)
def test_a_wrong_override_is_quoted_with_a_remedy(change: str, what: str, remedy: str) -> None:
    scenario = Scenario.from_dict(DATA)
    with pytest.raises(ScenarioError) as caught:
        scenario.override([change])
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert problem.where.startswith(f"--set {change}")
    assert what in problem.what
    assert remedy in problem.remedy


def test_all_wrong_overrides_are_reported_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        apply_overrides(DATA, ["policy.backfil=none", "studdy.seed=1"])
    assert len(caught.value.problems) == 2
