"""What a scenario file says is what the model holds; derived numbers are the textbook's."""

from __future__ import annotations

import json
import math
import pickle
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gpusim.errors import ScenarioError, UsageError
from gpusim.scenario import (
    GpuCounts,
    JobClass,
    RunTime,
    Scenario,
    Slo,
    example,
    example_text,
    examples,
    load_scenario,
    scenario_fields,
    scenario_schema,
)
from gpusim.scenario.slo import parse_slo

BASE = textwrap.dedent("""\
    schema: 1
    name: base
    center: {have: 512}
    tenants:
      - name: university
        max_waiting: 1000
        classes:
          - name: training
            arrivals: {rate: 40/day}
            gpus: {8: 60%, 16: 25%, 32: 10%, 64: 5%}
            run_time: {lognormal: {median: 2h, sigma: 1.6, max: 72h}}
            limit: {factor: [1, 4]}
            priority: 5
            patience: 12h
          - name: notebook
            arrivals: {load: 12}
            gpus: 1
            run_time: {deterministic: 2h}
      - name: startups
        classes:
          - name: training
            arrivals: {rate: 2.5/h}
            gpus: 4
            run_time: {exponential: {mean: 1h}}
            limit: 1h
    slos:
      - wait <= 4h for 90% of university/training jobs
      - wait <= 60s for 95% of startups jobs
      - wait <= 1d for 99% of all jobs
      - wait <= 2d for 99% of all/training jobs
    study: {horizon: 28d, warm_up: 7d}
    """)


@pytest.fixture(scope="module")
def base() -> Scenario:
    return Scenario.from_yaml(BASE)


def job_class(**changes: object) -> JobClass:
    data = {"name": "a", "arrivals": {"rate": "1/h"}, "gpus": 4, "run_time": {"exponential": {"mean": "1h"}}}
    return JobClass.model_validate({**data, **changes})


def test_durations_are_seconds_shares_are_fractions_and_rates_are_per_second(base: Scenario) -> None:
    training = base.tenants[0].classes[0]
    assert training.arrivals.rate == 40 / 86_400
    assert dict(training.gpus) == {8: 0.6, 16: 0.25, 32: 0.1, 64: 0.05}
    assert training.run_time.law == "lognormal"
    assert (training.run_time.lognormal.median, training.run_time.max) == (7200.0, 259_200.0)
    assert (training.limit.mode, training.limit.factor, training.patience) == ("factor", (1.0, 4.0), 43_200.0)
    assert base.tenants[1].classes[0].limit.fixed == 3600.0


def test_defaults_are_the_documented_ones(base: Scenario) -> None:
    study, policy = base.study, base.policy
    assert (study.attainment, study.confidence, study.tolerance, study.granularity) == (0.95, 0.95, 0.01, 8)
    assert (study.cool_down, study.demand_uncertainty, study.seed) == ("auto", 0.0, 1)
    assert (study.min_gpus, study.max_gpus) == (None, None)
    assert (policy.order, policy.tiers, policy.backfill, policy.max_waiting) == ("fifo", True, 1, None)
    assert base.tick == 1.0
    notebook = base.tenants[0].classes[1]
    assert (notebook.limit.mode, notebook.priority, notebook.patience) == ("exact", 0, None)


def test_classes_come_in_order_of_appearance(base: Scenario) -> None:
    assert base.class_names == ("university/training", "university/notebook", "startups/training")
    assert [entry.tenant_index for entry in base.classes()] == [0, 0, 1]
    assert [entry.tenant_name for entry in base.classes()] == ["university", "university", "startups"]


def test_slos_resolve_to_class_positions(base: Scenario) -> None:
    resolved = base.resolved_slos()
    assert [slo.classes for slo in resolved] == [(0,), (2,), (0, 1, 2), (0, 2)]
    assert [slo.limit for slo in resolved] == [14_400.0, 60.0, 86_400.0, 172_800.0]
    assert [slo.share for slo in resolved] == [0.9, 0.95, 0.99, 0.99]
    assert [slo.share_ppm for slo in resolved] == [900_000, 950_000, 990_000, 990_000]
    assert all(type(slo.share_ppm) is int for slo in resolved)
    assert resolved[0].sentence == "wait <= 4h for 90% of university/training jobs"


@given(st.integers(1, 1_000_000))
def test_a_share_of_whole_millionths_is_kept_however_it_is_written(ppm: int) -> None:
    percent, fraction = f"{ppm // 10_000}.{ppm % 10_000:04d}%", f"{ppm / 1_000_000:.6f}"
    for text in (percent, fraction):
        slo = parse_slo(f"wait <= 4h for {text} of all jobs")
        assert (slo.share, slo.share_ppm) == (ppm / 1_000_000, ppm)
        assert parse_slo(slo.sentence) == slo


@pytest.mark.parametrize("share", [0.0, -0.5, 1.0000001, 0.9999996, math.nan, math.inf])
def test_a_level_made_in_python_is_held_to_the_same_shares(share: float) -> None:
    data = Scenario.from_yaml(BASE).to_dict()
    data["slos"] = [Slo(metric="wait", limit=60.0, share=share, scope="all")]
    with pytest.raises(ScenarioError, match=r"share of this SLO|share of an SLO"):
        Scenario.from_dict(data)


def test_auto_cool_down_is_the_largest_slo_limit(base: Scenario) -> None:
    assert base.cool_down == 2 * 86_400
    assert base.count_end == 26 * 86_400
    assert base.override(["study.cool_down=60h"]).count_end == 25.5 * 86_400


def test_a_cool_down_may_be_the_longest_limit_in_other_units(base: Scenario) -> None:
    assert base.override(["study.cool_down=48h"]).cool_down == base.cool_down
    in_tenths = base.override(["slos[3]=wait <= 48.3h for 99% of all jobs", "study.cool_down=2898min"])
    assert in_tenths.cool_down == 2898 * 60


# ---- means: closed forms against sampling by inverse distribution function (midpoints: no random error)

U = (np.arange(400_000) + 0.5) / 400_000


@pytest.mark.parametrize(
    ("top", "cut"), [(None, math.inf), (72.0, math.inf), (72.0, 24.0), (6.0, 8.0), (None, 1.0)]
)
def test_the_lognormal_mean_is_the_integral(top: float | None, cut: float) -> None:
    from scipy.stats import norm

    law: dict[str, object] = {"median": "2h", "sigma": 1.2}
    if top:
        law["max"] = f"{top}h"
    hours = np.minimum(np.minimum(2 * np.exp(1.2 * norm.ppf(U)), top or math.inf), cut)
    got = RunTime.model_validate({"lognormal": law}).mean(cut * 3600) / 3600
    # the sum of midpoints is a little low where the tail has no end
    assert got == pytest.approx(hours.mean(), rel=2e-5 if min(top or math.inf, cut) < math.inf else 4e-3)


@pytest.mark.parametrize(("top", "cut"), [(None, math.inf), (3.0, math.inf), (3.0, 1.0)])
def test_the_exponential_mean_is_the_integral(top: float | None, cut: float) -> None:
    law: dict[str, object] = {"mean": "1h"} | ({"max": f"{top}h"} if top else {})
    hours = np.minimum(np.minimum(-np.log1p(-U), top or math.inf), cut)
    got = RunTime.model_validate({"exponential": law}).mean(cut * 3600) / 3600
    assert got == pytest.approx(hours.mean(), rel=1e-5)


@given(st.floats(0.01, 0.99))
def test_quantile_and_share_above_are_inverse(share: float) -> None:
    for law in ({"lognormal": {"median": "2h", "sigma": 1.6}}, {"exponential": {"mean": "1h"}}):
        run_time = RunTime.model_validate(law)
        assert run_time.share_above(run_time.quantile(share)) == pytest.approx(1 - share, abs=1e-9)


def test_offered_load_is_rate_times_gpus_times_time() -> None:
    assert job_class().offered_load == pytest.approx(4)
    assert job_class(gpus={8: "50%", 16: "50%"}).offered_load == pytest.approx(12)
    # jobs longer than a fixed limit are killed: they use the limit only
    assert job_class(limit="1h").offered_load == pytest.approx(4 * (1 - math.exp(-1)))
    # U(1/2, 1) of the run time is 3/4 of it; U(1, 4) kills nobody; U(1/2, 3/2) keeps E min(1, U) = 7/8
    assert job_class(limit={"factor": [0.5, 1]}).offered_load == pytest.approx(3)
    assert job_class(limit={"factor": [1, 4]}).offered_load == pytest.approx(4)
    assert job_class(limit={"factor": [0.5, 1.5]}).offered_load == pytest.approx(3.5)


def test_a_load_becomes_the_rate_that_gives_it() -> None:
    loaded = job_class(arrivals={"load": 120}, limit="1h")
    assert loaded.offered_load == 120
    assert loaded.rate * loaded.mean_gang * loaded.mean_service == pytest.approx(120)


def test_totals_of_a_scenario(base: Scenario) -> None:
    assert base.offered_load == pytest.approx(sum(base.class_loads))
    assert base.largest_gang == 64
    by_hand = sum(c.rate * c.mean_gang for _, _, c in base.classes()) / base.arrival_rate
    assert base.mean_gang == pytest.approx(by_hand)
    assert base.expected_jobs([2]) == pytest.approx(2.5 * 24 * 19)  # 28 d - 7 d warm-up - 2 d cool-down
    assert base.expected_jobs() == pytest.approx(base.arrival_rate * 19 * 86_400)


# ---- identity


def test_the_hash_ignores_comments_layout_key_order_and_units(base: Scenario) -> None:
    other = (
        BASE.replace("name: base\n", "# a comment\nname: 'base'\n")
        .replace("28d", "4w")
        .replace("2.5/h", "60/day")
    )
    other = other.replace("{8: 60%, 16: 25%, 32: 10%, 64: 5%}", "{64: 0.05, 8: 0.6, 32: 10%, 16: 0.25}")
    other = other.replace("center: {have: 512}\n", "") + "center:\n  have: 5_12\n"
    again = Scenario.from_yaml(other)
    assert again == base
    assert again.hash == base.hash
    assert re.fullmatch(r"[0-9a-f]{64}", base.hash)


@pytest.mark.parametrize(
    "change", ["study.seed=2", "center.have=513", "slos[0]=wait <= 5h for 90% of all jobs"]
)
def test_the_hash_changes_with_any_value(base: Scenario, change: str) -> None:
    assert base.override([change]).hash != base.hash


def test_a_scenario_is_frozen_hashable_and_pickles(base: Scenario) -> None:
    with pytest.raises(ValidationError):
        base.name = "other"
    with pytest.raises(TypeError):
        base.tenants[0].classes[0].gpus[8] = 0.5  # type: ignore[index]
    assert pickle.loads(pickle.dumps(base)) == base
    assert len({base, Scenario.from_yaml(BASE)}) == 1


def test_to_dict_reads_back_to_the_same_scenario(base: Scenario) -> None:
    data = base.to_dict()
    assert data["study"]["horizon"] == "28d"
    assert Scenario.from_dict(data) == base
    assert Scenario.from_yaml(json.dumps(data)) == base  # JSON is YAML


@settings(max_examples=40, deadline=None)
@given(
    rate=st.floats(1e-6, 5e-3),
    median=st.floats(100, 1e6),
    sigma=st.floats(0.1, 3),
    seed=st.integers(0, 2**64 - 1),
    share=st.floats(0.01, 0.99),
)
@pytest.mark.slow
def test_any_scenario_survives_the_round_trip(
    rate: float, median: float, sigma: float, seed: int, share: float
) -> None:
    data = Scenario.from_yaml(BASE).to_dict()
    first = data["tenants"][0]["classes"][0]
    first["arrivals"] = {"rate": f"{rate:.17f}/s"}
    first["run_time"] = {"lognormal": {"median": f"{median:.9f}s", "sigma": sigma}}
    first["gpus"] = {8: share, 16: 1 - share}
    data["study"]["seed"] = seed
    scenario = Scenario.from_dict(data)
    assert Scenario.from_dict(scenario.to_dict()).hash == scenario.hash


def test_equal_parts_may_be_written_with_rounded_shares() -> None:
    counts = job_class(gpus={1: "33.33333%", 2: "33.33333%", 4: "33.33334%"}).gpus
    assert counts.mean == pytest.approx(7 / 3, rel=1e-6)
    assert GpuCounts({8: 0.75, 16: 0.25}).mean == 10


# ---- finding and describing


RARE = {
    "korea-nacc": {"scenario/few-jobs"}
}  # urgent jobs come three times a year, which is the point of them


def test_built_in_scenarios_load_by_name_and_have_no_unmeant_notices() -> None:
    assert "quickstart" in examples()
    for name in examples():
        scenario = load_scenario(name)
        assert scenario.name == name
        assert {notice.code for notice in scenario.notices()} == RARE.get(name, set())


def test_quickstart_is_a_small_center_of_the_stated_size() -> None:
    scenario = example("quickstart")
    assert scenario.center.have == 480
    assert 320 <= scenario.offered_load <= 350
    assert 2000 <= scenario.expected_jobs() <= 3000
    assert len(scenario.slos) == 4
    assert min(scenario.expected_jobs(slo.classes) for slo in scenario.resolved_slos()) >= 100


def test_every_value_line_of_quickstart_has_a_comment() -> None:
    for line in example_text("quickstart").split("assumptions:")[0].splitlines():
        if re.search(r"^\s*(- )?\w+: +\S", line) and "name:" not in line and "description" not in line:
            assert "#" in line, line


def test_a_file_loads_by_path(tmp_path: Path) -> None:
    path = tmp_path / "center.yaml"
    path.write_text("\ufeff" + BASE, encoding="utf-8")  # with a byte order mark, as Windows writes it
    scenario = load_scenario(path)
    assert scenario.source == str(path)
    assert load_scenario(str(path), overrides=["study.seed=9"]).study.seed == 9


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'quickstart'"):
        load_scenario("quikstart")
    with pytest.raises(UsageError, match=r"built-in: .*quickstart"):
        load_scenario(tmp_path / "zzz.yaml")
    with pytest.raises(UsageError, match="folder"):
        load_scenario(tmp_path)
    with pytest.raises(UsageError, match="did you mean 'quickstart'"):
        example("quickstrat")
    (tmp_path / "center.yaml").write_text(BASE, encoding="utf-8")
    with pytest.raises(UsageError, match=r"did you mean '.*center\.yaml'"):
        load_scenario(tmp_path / "centre.yaml")


def test_the_schema_describes_every_key_and_forbids_others() -> None:
    schema = scenario_schema()
    json.dumps(schema)
    models = [schema, *schema["$defs"].values()]
    for model in models:
        assert model["additionalProperties"] is False
        for key, value in model["properties"].items():
            assert "description" in value, key
    assert schema["properties"]["schema"]["const"] == 1
    assert schema["required"] == ["schema", "name", "tenants", "slos", "study"]
    assert {"Arrivals", "Profile", "Batch", "ScheduledItem", "Pool", "Weibull", "Hyperexponential"} <= set(
        schema["$defs"]
    )
    arrivals = schema["$defs"]["JobClass"]["properties"]["arrivals"]["anyOf"]
    assert [kind.get("type", "a mapping") for kind in arrivals] == ["a mapping", "array"]
    assert {"rate", "load", "schedule", "profile", "batch", "from", "until"} <= set(
        schema["$defs"]["Arrivals"]["properties"]
    )


def test_the_table_of_fields_has_units_and_defaults() -> None:
    rows = {row.path: row for row in scenario_fields()}
    assert rows["study.tolerance"].default == "1%"
    assert rows["study.horizon"] == ("study.horizon", "s", "required", rows["study.horizon"].description)
    assert rows["tenants[].classes[].limit"].default == "exact"
    assert rows["tenants[].classes[].arrivals.batch.mean"].unit == "jobs"
    assert rows["tenants[].classes[].arrivals.schedule[].daily"].unit == "s"
    assert rows["center.pools[].name"].default == "required"
    assert "tenants[].classes[].arrivals.run_time.lognormal" not in rows  # told once, for the class
    assert all(row.description for row in rows.values())


# ---- notices: allowed, but probably not meant


@pytest.mark.parametrize(
    ("changes", "code", "line", "says"),
    [
        (("warm_up: 7d", "warm_up: 0s"), "no-warm-up", 31, "empty center"),
        (("horizon: 28d, warm_up: 7d", "horizon: 10d, warm_up: 7d"), "short-horizon", 31, "longest runs"),
        (("have: 512", "have: 32"), "gang-over-have", 10, "64 GPUs > have 32"),
        (("rate: 40/day", "rate: 1/day"), "few-jobs", 27, "about 19 expected"),
        (("rate: 40/day", "rate: 5/s"), "many-jobs", 31, "check the units"),
        (("have: 512", "have: 64"), "overload", 3, "offered load"),
        (("patience: 12h", "patience: 2h"), "patience-below-limit", 27, "university/training"),
        (("factor: [1, 4]", "factor: [1, 4]"), "limit-kills", 25, "37% run longer than 1h"),
    ],
)
def test_notices_have_a_code_a_line_and_numbers(
    changes: tuple[str, ...], code: str, line: int, says: str
) -> None:
    text = BASE
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    notices = Scenario.from_yaml(text, "center.yaml").notices()
    found = [notice for notice in notices if notice.code == f"scenario/{code}"]
    assert found, [str(notice) for notice in notices]
    assert found[0].where.startswith(f"center.yaml:{line}:"), str(found[0])
    assert says in str(found[0])


def test_notices_of_data_without_a_file_name_the_path() -> None:
    data = Scenario.from_yaml(BASE).to_dict()
    data["center"]["have"] = 64
    codes = {notice.code: notice.where for notice in Scenario.from_dict(data).notices()}
    assert codes["scenario/overload"] == "center.have"


def test_the_constructor_runs_the_same_checks() -> None:
    data = Scenario.from_yaml(BASE).to_dict()
    data["slos"] = ["wait <= 4h for 90% of nobody jobs"]
    with pytest.raises(ValueError, match="no class or tenant is named 'nobody'"):
        Scenario(**data)
    with pytest.raises(ScenarioError, match="no class or tenant is named 'nobody'"):
        Scenario.from_dict(data)
