"""The command line answers: every verb, its options, its JSON and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gpusim
from cli_calls import PYTHON, TINY, Call, call, call_apart

SIZE_KEYS = {
    "schema",
    "gpus",
    "gpus_low",
    "gpus_high",
    "tolerance",
    "resolved",
    "certified",
    "guarantee",
    "attainment",
    "confidence",
    "feasible",
    "binding_slo",
    "slos",
    "evidence",
    "provenance",
}
PROVENANCE_KEYS = {"version", "seed", "backend", "scenario_hash", "command"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that no test may change."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def page(tiny: Path) -> Call:
    return call("size", tiny)


@pytest.fixture(scope="module")
def in_json(tiny: Path) -> Call:
    return call("size", tiny, "--json")


# ---- size -----------------------------------------------------------------------------------------------------------


def test_size_answers_with_a_page_on_stdout_and_nothing_on_stderr(tiny: Path, page: Call) -> None:
    assert page.code == 0
    assert page.err == ""
    first, second, third = page.out.splitlines()[:3]
    assert first.startswith("You need ")
    assert "GPUs (" in first
    assert "95% confidence) to meet the service level in at least 80% of periods." in first
    assert second.startswith("With the 24 you have, ")
    assert third.startswith("One period: ")
    for title in ("Service levels with", "What a spreadsheet would say", "How sure", "What was assumed"):
        assert title in page.out
    assert "Everything is made up." in page.out
    assert f"gpusim size {tiny} --seed 1" in " ".join(page.out.split())


def test_size_json_has_every_key_that_is_promised(in_json: Call) -> None:
    data = in_json.data
    assert in_json.code == 0
    assert data.keys() >= SIZE_KEYS
    assert data["provenance"].keys() >= PROVENANCE_KEYS
    assert data["gpus_low"] <= data["gpus"] == data["gpus_high"]
    assert data["resolved"] is True
    assert data["feasible"] is True


def test_the_page_and_the_json_give_the_same_number(page: Call, in_json: Call) -> None:
    assert f"You need {in_json.data['gpus']} GPUs" in page.out


def test_the_same_seed_gives_the_same_answer_for_any_number_of_threads(tiny: Path) -> None:
    one, two, other = (
        call("size", tiny, "--json", *words).data
        for words in (("--seed", 5, "--threads", 1), ("--seed", 5, "--threads", 2), ("--seed", 6))
    )
    for data in (one, two, other):
        del data["spent"]
    assert one == two
    assert one["evidence"] != other["evidence"]


def test_the_printed_command_repeats_the_answer(tiny: Path) -> None:
    first = call("size", tiny, "--json", "--set", "slos[0]=wait <= 1h for 90% of all jobs", "--seed", 3).data
    words = first["provenance"]["command"]
    assert words == f"gpusim size {tiny} --seed 3 --set 'slos[0]=wait <= 1h for 90% of all jobs'"
    again = call("size", tiny, "--seed", 3, "--set", "slos[0]=wait <= 1h for 90% of all jobs", "--json").data
    del first["spent"], again["spent"]
    assert first == again


def test_set_changes_the_scenario(tiny: Path, in_json: Call) -> None:
    easier = call("size", tiny, "--json", "--set", "tenants.lab.classes.runs.arrivals.load=10").data
    assert easier["offered_load"] == 10
    assert easier["gpus"] < in_json.data["gpus_low"]


def test_strict_certification_uses_periods_that_were_not_used_before(tiny: Path) -> None:
    result = call("size", tiny, "--certify", "strict", "--json")
    assert "hold-out" in result.data["replication_ranges"]
    assert result.data["provenance"]["command"].endswith("--certify strict")


def test_no_size_that_is_allowed_can_meet_the_levels(tiny: Path) -> None:
    result = call("size", tiny, "--set", "study.max_gpus=18")
    assert result.code == 1
    assert result.out.startswith("No center of up to 18 GPUs is large enough")
    assert "What to do" in result.out
    data = call("size", tiny, "--set", "study.max_gpus=18", "--json").data
    assert data["feasible"] is False
    assert data["gpus"] is None
    assert data["binding_slo"] == "wait <= 30min for 90% of all jobs"
    assert data.keys() >= SIZE_KEYS


@pytest.mark.alone
@pytest.mark.slow
def test_a_time_limit_ends_with_a_wider_answer_and_exit_code_6() -> None:
    result = call("size", "quickstart", "--time-limit", "0.3s", "--json")
    assert result.code == 6
    assert result.data["resolved"] is False
    assert result.data["out_of_time"] is True
    assert result.data["spent"]["seconds"] < 5
    assert result.data.keys() >= SIZE_KEYS


def test_an_answer_that_is_less_certain_than_asked_says_what_to_do() -> None:
    result = call("size", "quickstart", "--time-limit", "10ms")
    assert result.code == 6
    assert "less certain than asked" in result.out
    assert "What to do" in result.out
    assert "--time-limit" in result.out


def test_infeasible_outranks_less_certain(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpusim.plan import answer

    monkeypatch.setattr(answer.Answer, "resolved", property(lambda self: False))
    assert call("size", tiny).code == 6
    assert call("size", tiny, "--set", "study.max_gpus=18").code == 1


def test_the_answer_can_also_go_to_a_file(tiny: Path, tmp_path: Path) -> None:
    result = call("size", tiny, "--output", tmp_path / "answer.json")
    assert result.out.startswith("You need ")
    assert json.loads((tmp_path / "answer.json").read_text()).keys() >= SIZE_KEYS
    assert [path.name for path in tmp_path.iterdir()] == ["answer.json"]
    assert [path.name for path in tiny.parent.iterdir()] == ["tiny.yaml"]


def test_a_device_is_written_to_and_not_replaced(tiny: Path) -> None:
    device = Path("/dev/null")
    assert call("simulate", tiny, "--output", device, "--replications", 2).code in (0, 1)
    assert device.is_char_device()


# ---- what else can vary, and what changes are worth ------------------------------------------------------------------


def test_vary_demand_says_how_much_demand_fits(tiny: Path) -> None:
    result = call("size", tiny, "--vary", "demand", "--set", "study.demand_step=5%")
    assert result.code == 0
    assert result.out.startswith("24 GPUs carry ")
    assert "% of the stated demand (" in result.out
    assert f"gpusim size {tiny} --vary demand --seed 1" in " ".join(result.out.split())
    data = call("size", tiny, "--vary", "demand", "--set", "study.demand_step=5%", "--json").data
    assert (data["kind"], data["vary"], data["gpus"]) == ("size", "demand", 24)
    assert data["factor"] <= data["factor_high"]
    # 24 GPUs are what the stated demand needs, so about the stated demand fits
    assert 0.85 <= data["factor"] <= data["factor_high"] <= 1.15


def test_vary_of_something_that_is_not_there_is_refused(tiny: Path) -> None:
    result = call("size", tiny, "--vary", "demnd")
    assert result.code == 2
    assert "did you mean 'demand'?" in result.err


def test_compare_prices_a_change_in_gpus(tiny: Path) -> None:
    words = ("compare", tiny, "--set", "tenants.lab.classes.runs.arrivals.load=30", "--replications", 20)
    result = call(*words)
    assert result.code == 0
    assert result.err == ""
    assert "what changes most is as changed" in result.out
    for title in ("In GPUs, at equal service", "What each is worth, and who pays", "What was changed"):
        assert title in result.out
    data = call(*words, "--json").data
    assert data["kind"] == "compare"
    assert [each["name"] for each in data["variants"]] == ["as changed"]
    changed = data["variants"][0]
    assert 5 <= changed["low"] <= changed["difference"] <= changed["high"] <= 16
    assert changed["binding"][0]["sentence"] == "wait <= 30min for 90% of all jobs"
    assert len(changed["critical"]) == 20
    assert data["provenance"]["call"]["replications"] == 20


def test_compare_knows_the_variants_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "center.yaml"
    path.write_text(TINY + "variants: {more: {about: Half more, set: {study.demand: 150%}}}\n")
    data = call("compare", path, "--variants", "all", "--replications", 12, "--json").data
    assert [each["name"] for each in data["variants"]] == ["more"]
    assert data["variants"][0]["difference"] > 0
    wrong = call("compare", path, "--variants", "mroe")
    assert wrong.code == 2
    assert "did you mean 'more'?" in wrong.err
    nothing = call("compare", path)
    assert nothing.code == 2
    assert "known: more" in nothing.err


def test_compare_at_a_time_limit_leaves_out_what_was_not_finished(tiny: Path) -> None:
    words = ("compare", tiny, "--set", "study.demand=120%", "--time-limit", "1ms")
    assert call(*words).code == 6


def test_a_run_that_takes_longer_than_its_level_is_proven_infeasible_with_the_remedy(tiny: Path) -> None:
    level = (
        "slos[0]=turnaround <= 1h for 90% of all jobs"  # 63 % of exponential runs of mean 1 h are that short
    )
    result = call("size", tiny, "--set", level)
    assert result.code == 1
    assert result.out.startswith("No number of GPUs is enough to meet the service level")
    data = call("size", tiny, "--set", level, "--json").data
    assert data["feasible"] is False
    assert data["ceiling"]["infeasible"] is True
    assert data["ceiling"]["impossible"][0]["attainment"]["value"] == 0.0
    assert data["spent"]["runs"] < 100
    # met for 90 % of the jobs in 80 % of the periods: a little above the 90 % quantile of the run time, 2.3 h
    assert 2.3 < data["ceiling"]["impossible"][0]["stretch"] < 3.2
    assert "relax it to at least 2." in " ".join(result.out.split())


def test_a_wait_shorter_than_the_scheduler_period_is_proven_infeasible(tiny: Path) -> None:
    changes = ("--set", "policy.period=10min", "--set", "slos[0]=wait <= 1min for 90% of all jobs")
    result = call("size", tiny, *changes)
    assert result.code == 1
    assert "(policy.period); relax it to at least" in " ".join(result.out.split())


# ---- simulate -------------------------------------------------------------------------------------------------------


def test_simulate_meets_the_levels_with_enough_gpus(tiny: Path) -> None:
    result = call("simulate", tiny, "--gpus", "60")
    assert result.code == 0
    assert result.out.startswith("60 GPUs meet the service level in 100% ")
    for word in (
        "lab/runs",
        "median",
        "p95",
        "p99",
        "gave up",
        "refused",
        "GPUs used",
        "are allocated on average",
    ):
        assert word in result.out


def test_simulate_says_when_the_levels_are_not_met(tiny: Path) -> None:
    result = call("simulate", tiny, "--gpus", 18, "--json")
    assert result.code == 1
    assert result.data["slos_met"] is False
    assert {"slos", "classes", "occupancy", "attainment", "provenance"} <= result.data.keys()
    assert [c["name"] for c in result.data["classes"]] == ["lab/runs", "all"]
    assert result.data["replications"] == 64


def test_simulate_uses_the_center_there_is_by_default(tiny: Path) -> None:
    assert call("simulate", tiny, "--json").data["gpus"] == 24


def test_more_replications_never_change_earlier_ones(tiny: Path) -> None:
    few, many = (call("simulate", tiny, "--json", "--replications", n).data["attainment"] for n in (8, 32))
    assert few["passed"] <= many["passed"] <= few["passed"] + 24


@pytest.mark.alone
@pytest.mark.slow
def test_simulate_at_a_time_limit_counts_what_was_finished() -> None:
    result = call("simulate", "quickstart", "--replications", 5000, "--time-limit", "0.5s", "--json")
    assert result.code in (1, 6)
    data = result.data
    if data["kind"] == "simulate":
        assert data["resolved"] is False
        assert 0 < data["replications"] < 5000


def test_simulate_with_no_replication_in_time_has_no_answer(tiny: Path) -> None:
    result = call("simulate", tiny, "--time-limit", "0.001ms", "--json")
    assert result.code == 6
    assert result.data["kind"] == "error"


# ---- check, new, schema, info ---------------------------------------------------------------------------------------


def test_check_shows_what_the_scenario_says() -> None:
    result = call("check", "quickstart")
    assert result.code == 0
    assert result.err == ""
    assert result.out.startswith("quickstart is a valid scenario")
    for text in (
        "university/notebook",
        "60/day",
        "warm-up from an empty center",
        "Erlang-C",
        "about",
        "EASY",
    ):
        assert text in result.out
    assert result.out.rstrip().endswith("gpusim size quickstart")


def test_check_json_holds_the_same() -> None:
    data = call("check", "quickstart", "--json").data
    assert data["valid"] is True
    assert len(data["classes"]) == 5
    assert sum(c["offered_load"] for c in data["classes"]) == pytest.approx(data["offered_load"])
    assert data["slos"][0]["expected_jobs"] > 100


def test_check_shows_notices_with_their_code(tiny: Path) -> None:
    result = call("check", tiny, "--set", "study.warm_up=0s")
    assert result.code == 0
    assert "scenario/no-warm-up" in result.out
    codes = [n["code"] for n in call("check", tiny, "--set", "study.warm_up=0s", "--json").data["notices"]]
    assert "scenario/no-warm-up" in codes


def test_a_scenario_may_come_from_stdin() -> None:
    assert call("check", "-", stdin=TINY).out.startswith("tiny is a valid scenario")
    wrong = call("check", "-", stdin=TINY.replace("gpus: 1", "gpus: 0"))
    assert wrong.code == 3
    assert "<stdin>:9" in wrong.err


def test_new_writes_a_scenario_that_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "center.yaml"
    result = call("new", "quickstart", path)
    assert result.code == 0
    assert path.read_text() == gpusim.scenario.example_text("quickstart")
    assert result.out == f"wrote {path}\nnext: gpusim check {path}\n"
    assert call("check", path).code == 0


def test_new_overwrites_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "center.yaml"
    path.write_text("mine")
    result = call("new", "quickstart", path)
    assert result.code == 2
    assert "--force" in result.err
    assert path.read_text() == "mine"
    assert call("new", "quickstart", path, "--force").code == 0
    assert "schema: 1" in path.read_text()


def test_new_has_a_name_by_default_and_knows_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("new", "quickstart").code == 0
    assert (tmp_path / "quickstart.yaml").is_file()
    assert call("check", "-", stdin=call("new", "quickstart", "-").out).code == 0


def test_schema_is_the_json_schema_of_scenarios() -> None:
    result = call("schema")
    assert result.code == 0
    assert result.data == gpusim.scenario.scenario_schema()


def test_info_says_what_can_run_here() -> None:
    data = call("info", "--json").data
    assert data["version"] == gpusim.__version__
    assert data["backends"]["available"] == ["cpu"]
    assert all(data["backends"]["refused"].values())
    assert data["native"]["table_nodes"] == 865
    assert "quickstart" in data["scenarios"]
    text = call("info").out
    assert "cuda" in text
    assert "not available: " in text


# ---- the process ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_version_and_help_are_fast_to_load() -> None:
    assert call_apart("--version") == (0, f"gpusim {gpusim.__version__}\n", "")
    result = call_apart("--help")
    assert result.code == 0
    for verb in ("size", "simulate", "compare", "replay", "check", "new", "schema", "info"):
        assert verb in result.out


def test_help_loads_nothing_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PYTHON))
    heavy = ("numpy", "pydantic", "yaml", "rich.progress", "gpusim.plan")
    code = f"import sys, gpusim.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_module_answers_like_the_command(tiny: Path, in_json: Call) -> None:
    result = call_apart("size", tiny, "--json")
    assert result.code == 0
    assert result.err == ""
    apart, inside = result.data, in_json.data
    del apart["spent"], inside["spent"]
    assert apart == inside


@pytest.mark.slow
def test_a_variant_is_sized_as_if_it_were_the_file_and_set_comes_after_it(tmp_path: Path) -> None:
    text = (
        TINY
        + "variants:\n  busy:\n    set: {tenants.lab.classes.runs.arrivals.load: 30, study.tolerance: 25%}\n"
    )
    path, plain = tmp_path / "center.yaml", tmp_path / "busy.yaml"
    path.write_text(text)
    data = call("size", path, "--variant", "busy", "--set", "study.tolerance=20%", "--json").data
    plain.write_text(TINY.replace("load: 20", "load: 30"))
    other = call("size", plain, "--json").data
    assert (data["gpus_low"], data["gpus_high"]) == (other["gpus_low"], other["gpus_high"])
    command = data["provenance"]["command"]
    assert command == f"gpusim size {path} --variant busy --seed 1 --set study.tolerance=20%"
    assert call("simulate", path, "--variant", "busy", "--gpus", 40, "--replications", 8).code in (0, 1)
    page = " ".join(call("check", path, "--variant", "busy").out.split())
    assert f"gpusim size {path} --variant busy" in page
    wrong = call("size", path, "--variant", "bussy")
    assert wrong.code == 2
    assert "did you mean 'busy'?" in wrong.err
