"""`--set key=value`: what each form of path reaches, and what a wrong one is told."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gpusim.errors import ScenarioError
from gpusim.scenario import Scenario, apply_overrides, load_scenario
from gpusim.scenario.factors import multiplied, read_factor

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


# ---- x1.3 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "factor", "new"),
    [
        (708, "x1.3", 920.4),
        (40, "x1.3", 52),
        (0.5, "x 2", 1),
        ("10_456", "x0.5", "5228"),
        ("30min", "x0.5", "15min"),
        ("1.5h", "\u00d72", "3h"),
        ("1h30min", "x2", "3h"),
        ("40/day", "x1.3", "52/day"),
        ("2.5 per h", "x2", "5 per h"),
        ("60%", "x1.1", "66%"),
        ("0.1", "x3", "0.3"),
        (
            {"lognormal": {"median": "2h", "sigma": 1.6, "max": "72h"}},
            "x0.5",
            {"lognormal": {"median": "1h", "sigma": 1.6, "max": "36h"}},
        ),
        ({"deterministic": "21d"}, "x0.5", {"deterministic": "10.5d"}),
        ({"weibull": {"shape": 0.5, "scale": "1h"}}, "x2", {"weibull": {"shape": 0.5, "scale": "2h"}}),
        (
            {"hyperexponential": {"phases": {"10min": 0.9, "20h": "10%"}}},
            "x2",
            {"hyperexponential": {"phases": {"20min": 0.9, "40h": "10%"}}},
        ),
        ({"quantiles": {"5%": "30s", "95%": "3h"}}, "x2", {"quantiles": {"5%": "60s", "95%": "6h"}}),
        ({"uniform": [100, 200]}, "x1.5", {"uniform": [150, 300]}),
        ({"lognormal": {"median": 120, "sigma": 0.2}}, "x1.5", {"lognormal": {"median": 180, "sigma": 0.2}}),
    ],
)
def test_a_value_is_multiplied_in_the_unit_it_has(old: object, factor: str, new: object) -> None:
    number = read_factor(factor)
    assert number is not None
    assert multiplied(old, number, "load") == new


def test_an_override_multiplies_what_the_ones_before_it_left() -> None:
    path = "tenants.university.classes.training"
    training = changed(f"{path}.arrivals.load=x1.5", f"{path}.arrivals.load=x2").tenants[0].classes[0]
    assert training.offered_load == 360
    training = changed(f"{path}.run_time=x0.5").tenants[0].classes[0]
    assert (training.run_time.lognormal.median, training.run_time.lognormal.sigma) == (3600, 1.6)
    assert changed("study.horizon=x2").study.horizon == 56 * 86_400


def test_a_default_can_be_multiplied() -> None:
    assert changed("study.tolerance=x2").study.tolerance == 0.02
    assert changed("study.granularity=x2").study.granularity == 16


def test_a_name_that_looks_like_a_factor_is_a_name() -> None:
    assert changed("name=x2", "tenants[0].classes[1].name=x3").class_names == (
        "university/training",
        "university/x3",
    )


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ("center.have=x2", "there is no 'center.have' to multiply by 2", "center.have=..."),
        ("tenants[0].classes[0].gpus=x2", "cannot be multiplied", "name the number itself"),
        ("tenants[0].classes[0].arrivals=x2", "cannot be multiplied", "name the number itself"),
        ("policy.backfill=x1.5", "not a whole number", "write 1 or 2"),
        ("study.seed=x1.3", "not a whole number", "write 1 or 2"),
        ("tenants[0].classes[0].run_time.lognormal.sigma=x10", "sigma must be above 0 and at most 5", "1.6"),
    ],
)
def test_what_cannot_be_multiplied_is_told(change: str, what: str, remedy: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_dict(DATA).override([change])
    (problem,) = caught.value.problems
    assert problem.where == f"--set {change}"
    assert what in problem.what
    assert remedy in problem.remedy


def test_a_stream_and_an_item_of_a_schedule_are_reached_by_position() -> None:
    data = copy.deepcopy(DATA)
    data["tenants"][0]["classes"][1]["arrivals"] = [
        {"rate": "5/h"},
        {"schedule": [{"daily": "09:00", "count": 40}]},
    ]
    path = "tenants.university.classes.notebook.arrivals"
    done = apply_overrides(data, {f"{path}[0].rate": "x2", f"{path}[1].schedule[0].count": "x1.3"})
    streams = Scenario.from_dict(done).tenants[0].classes[1].streams
    assert streams[0].rate == 10 / 3600
    assert streams[1].schedule[0].count == 52
    notebook = apply_overrides(data, [f"{path}[0].load=3", f"{path}[0].rate=1/h"])["tenants"][0]["classes"][1]
    assert notebook["arrivals"][0] == {"rate": "1/h"}
