"""The check on a device, without one: what it compares, what it says, and that it never takes silence for a pass.

Measurements are invented here, or made on emulated lanes; none is a figure of a device.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpusim
import gpusim.engine
from gpusim.engine.batch import run_batch
from gpusim.engine.device_arrays import DeviceArray
from gpusim.engine.result import BatchResult

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))  # behind tests/, whose conftest is this one

import gpu_answer  # noqa: E402
import gpu_check  # noqa: E402
import gpu_configurations  # noqa: E402
import gpu_device  # noqa: E402
import gpu_engines  # noqa: E402
import gpu_goals  # noqa: E402
import gpu_parity  # noqa: E402
import gpu_rows  # noqa: E402
import gpu_sanitizer  # noqa: E402
import gpu_throughput  # noqa: E402
from emulated_device import EmulatedDevice, emulated  # noqa: E402
from gpu_invented import invented_result  # noqa: E402

EVERY = {each.name: each for each in gpu_configurations.configurations()}
EMULATED = gpu_engines.ENGINES["emulated"]


# ---- no device -------------------------------------------------------------------------------------------------------


def test_without_a_device_it_exits_4_says_why_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_device, "LIBRARY", "libabsent.so.0")
    folder = tmp_path / "results"
    assert gpu_check.main(["--results", str(folder)]) == 4
    said = capsys.readouterr().err
    assert "nothing was measured: libabsent.so.0 cannot be loaded" in said
    assert "run this on a machine with one" in said
    assert not folder.exists()


def test_without_a_device_it_repeats_what_the_engines_say(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "gpusim.engine.backend.reasons_unavailable"
    monkeypatch.setattr(module, lambda: {"cuda": "no driver; install one"})
    assert gpu_check.engines_say() == ["backend cuda: no driver; install one"]


# ---- parity ----------------------------------------------------------------------------------------------------------


def test_there_are_more_than_fifty_configurations_and_no_two_share_a_name() -> None:
    assert len(EVERY) == len(gpu_configurations.configurations()) >= 100
    assert {*gpu_parity.SLICED, *gpu_parity.STAYING, *gpu_sanitizer.SMALL} <= set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_emulated_lanes_give_the_hosts_integers(name: str) -> None:
    row = gpu_parity.check(EVERY[name], EMULATED, most=2)
    assert row["differences"] == []
    assert row["equal"]
    assert row["same_again"]


def test_configurations_are_no_empty_claims() -> None:
    def run(name: str) -> BatchResult:
        spec, batch = EVERY[name].batch(2)
        return run_batch(spec, **batch)

    for name in ("stored, K=4", "mix, EASY", "mix, all", "M/M/100", "M/M/3000, tiny rooms"):
        assert run(name).extremes[:, 0].max() > 0, name  # somebody waits
    assert run("M/M/3000, EASY").extremes[:, 1].max() > 2048
    records = run("mix, EASY, records").records
    assert records is not None
    assert (records.start >= 0).sum() > 4000
    full = run("stored, max_waiting of the center").counts.sum(axis=(0, 1))
    assert full[2] > 0  # refused
    assert run("stored, patience, EASY").counts.sum(axis=(0, 1))[3] > 0  # gave up
    assert EVERY["100,000 runs of 20 jobs"].cells == 100_000
    assert len(EVERY["stored, 33 runs"].batch()[1]["replication"]) == 33


def altered(result: BatchResult, field: str) -> BatchResult:
    """The same result but for one number of one array."""
    owner: Any = result.records if field.startswith("records.") else result
    array = np.array(getattr(owner, field.removeprefix("records.")))
    array.flat[-1] = not array.flat[-1] if array.dtype == bool else array.flat[-1] + 1
    changed = {field.removeprefix("records."): array}
    if owner is result:
        return dataclasses.replace(result, **changed)
    return dataclasses.replace(result, records=dataclasses.replace(owner, **changed))


FIELDS = [
    field.name
    for field in dataclasses.fields(BatchResult)
    if field.name not in (*gpu_parity.NOT_COMPARED, "records", "histogram")
]


SHARED = ("evictions", "longest_cascade", "causes", "idle")


@pytest.mark.parametrize("field", [*FIELDS, "histogram", "records.start", "records.end", "records.outcome"])
def test_a_planted_difference_is_found_and_named(field: str) -> None:
    kept = "histogram" if field == "histogram" else "records"
    configuration = EVERY["shared, records, EASY" if field in SHARED else f"stored, {kept}, EASY"]
    calls = []

    def wrong(engine: Mapping[str, Any], spec: Any, batch: Mapping[str, Any]) -> BatchResult:
        result = gpu_engines.call(gpu_engines.HOST, spec, batch)
        calls.append(engine)
        return result if engine is gpu_engines.HOST else altered(result, field)

    row = gpu_parity.check(configuration, EMULATED, 1, wrong)
    assert len(calls) == 3
    assert not row["equal"]
    assert row["same_again"]
    assert row["differences"][0].startswith(f"{field}[")


def test_a_result_that_changes_from_run_to_run_is_found() -> None:
    count = iter(range(3))

    def unsteady(engine: Mapping[str, Any], spec: Any, batch: Mapping[str, Any]) -> BatchResult:
        result = gpu_engines.call(gpu_engines.HOST, spec, batch)
        return altered(result, "sums") if next(count) == 2 else result

    row = gpu_parity.check(EVERY["stored, FIFO"], EMULATED, 1, unsteady)
    assert row["equal"]
    assert not row["same_again"]
    assert row["differences"][0].startswith("again: sums[")


def test_another_shape_or_a_missing_array_is_a_difference() -> None:
    spec, batch = EVERY["stored, histogram, FIFO"].batch(1)
    result = run_batch(spec, **batch)
    assert gpu_parity.differences(result, dataclasses.replace(result, histogram=None))
    assert gpu_parity.differences(result, dataclasses.replace(result, jobs=result.jobs.astype(np.int32)))
    assert gpu_parity.differences(result, dataclasses.replace(result, counts=result.counts[:, :1]))
    assert gpu_parity.differences(result, result) == []


def test_tiny_rooms_in_which_nothing_was_repeated_are_reported() -> None:
    def roomy(engine: Mapping[str, Any], spec: Any, batch: Mapping[str, Any]) -> BatchResult:
        return dataclasses.replace(gpu_engines.call(gpu_engines.HOST, spec, batch), reruns=0)

    row = gpu_parity.check(EVERY["stored, tiny rooms, EASY"], EMULATED, 1, roomy)
    assert not row["equal"]
    assert row["differences"] == ["reruns: no run was repeated, so this configuration has not tested that"]


def test_a_configuration_that_raises_differs_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [EVERY["stored, 1 jobs"], EVERY["stored, 31 jobs"]]
    monkeypatch.setattr(gpu_parity, "configurations", lambda: two)
    gpu_parity.step(gpu_rows.Rows(tmp_path / "rows", 60.0), {"backend": "abacus"})
    rows = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert [row["name"] for row in rows] == [each.name for each in two]
    assert all(row["equal"] is False and "abacus" in row["differences"][0] for row in rows)


def test_configurations_without_time_are_said_not_to_have_run(tmp_path: Path) -> None:
    gpu_parity.step(gpu_rows.Rows(tmp_path / "rows", 0.0), EMULATED)
    rows = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert len(rows) == len(EVERY) + len(gpu_parity.SLICED) + len(gpu_parity.STAYING)
    assert all("not_run" in row for row in rows)


def staying_row(folder: Path, monkeypatch: pytest.MonkeyPatch, engine: Mapping[str, Any]) -> dict[str, Any]:
    """The last row of parity, with no other configuration than the one it is about."""
    (name,) = gpu_parity.STAYING
    monkeypatch.setattr(gpu_parity, "configurations", lambda: [EVERY[name]])
    gpu_parity.step(gpu_rows.Rows(folder / "rows", 60.0), engine, 8)
    row: dict[str, Any] = json.loads((folder / "rows").read_text().splitlines()[-1])
    assert row["name"] == f"results that stay: {name}"
    return row


def test_one_row_has_its_cells_on_the_device_and_leaves_its_results_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def seen_run(spec: Any, **options: Any) -> BatchResult:
        result = run_batch(spec, **options)
        seen.append((*(type(options[name]) for name in ("replication", "gpus")), result.on_device))
        return result

    monkeypatch.setattr(gpu_engines, "run_batch", seen_run)
    with emulated() as (device,):
        row = staying_row(tmp_path, monkeypatch, {"backend": "emulated"})
        assert (row["equal"], row["same_again"], row["cells"]) == (True, True, 8)
        assert row["reruns"] > 0
        there, here = (DeviceArray, DeviceArray, True), (np.ndarray, np.ndarray, False)
        assert seen[-3:] == [here, there, there]
        del seen[:]
        gc.collect()
        assert device.memory == {}  # models went with their specs, arrays with the results


def test_a_wrong_byte_among_results_that_stay_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty(EmulatedDevice):
        def download(self, address: int, array: Any) -> None:
            super().download(address, array)
            if array.ndim == 3:  # counts, sums and levels, which are copied whole
                array.flat[-1] += 1

    with emulated(Faulty()):
        row = staying_row(tmp_path, monkeypatch, {"backend": "emulated"})
    assert (row["equal"], row["same_again"]) == (False, True)
    assert row["differences"][0].startswith("counts[")


def test_an_engine_without_a_device_says_that_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert staying_row(tmp_path, monkeypatch, EMULATED)["skipped"] == "this engine has no device"


# ---- the driver, watched ---------------------------------------------------------------------------------------------


class Share:
    """Stands for the driver's."""

    workers, planned = 64, {"family": "easy"}
    device = types.SimpleNamespace(processors=4)

    def open(self) -> None:
        pass

    def launch(self, budget: int) -> None:
        self.budget = budget

    def wait(self) -> None:
        pass


def test_rounds_launches_and_workers_are_seen_and_the_driver_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = types.SimpleNamespace(Share=Share)
    monkeypatch.setitem(sys.modules, "gpusim.engine.device_share", module)
    before = dict(vars(Share))
    with gpu_engines.watched() as seen:
        share = Share()
        share.open()
        for budget in (1, 2):
            share.launch(budget)
            share.wait()
    assert (seen.rounds, seen.launches, seen.workers, seen.processors) == (1, 2, 64, 4)
    assert (seen.family, share.budget) == ("easy", 2)
    assert seen.busy > 0
    assert dict(vars(Share)) == before


def test_slices_are_tiny_meanwhile_only(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class Slices:
        seconds: float = 0.2
        first: int = 1000
        least: int = 100
        most: int = 10_000

    module = types.SimpleNamespace(Slices=Slices)
    monkeypatch.setitem(sys.modules, "gpusim.engine.device", module)
    monkeypatch.setattr(gpusim.engine, "device", module, raising=False)
    with gpu_engines.tiny_slices() as possible:
        assert possible
        assert module.Slices().first == module.Slices().most == gpu_engines.TINY_SLICE
    assert module.Slices is Slices


# ---- throughput ------------------------------------------------------------------------------------------------------


def test_a_row_of_throughput_follows_from_its_times() -> None:
    workload = next(each for each in gpu_throughput.workloads() if each.name == "M/M/100, FIFO, load 0.95")
    row = gpu_throughput.measure(workload, "emulated", EMULATED, pilot_runs=2, target=0.0)
    assert row["equal"]
    assert row["runs"] == 2
    assert 1500 < row["jobs_a_run"] < 2500
    for key in ("emulated", "host"):
        assert row["seconds"][key]["repeats"] == 3
        events = 2 * row["jobs"] / row["seconds"][key]["median"]
        assert row["events_per_second"][key]["median"] == pytest.approx(events)
    assert row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]


def test_the_workloads_of_the_goals_are_measured_first() -> None:
    names = [each.name for each in gpu_throughput.workloads()]
    assert names[:4] == [f"mix, {p}, load {load}" for p in ("FIFO", "EASY") for load in (0.85, 0.95)]
    assert len(set(names)) == len(names)


# ---- the certified answer --------------------------------------------------------------------------------------------


def answer_rows(folder: Path) -> list[dict[str, Any]]:
    gpu_answer.step(gpu_rows.Rows(folder / "rows", 60.0), {"cuda": {}, "host": {}})
    return [json.loads(line) for line in (folder / "rows").read_text().splitlines()]


def test_two_engines_that_name_two_numbers_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = iter([9_800, 9_801, 9_800, 9_800])
    monkeypatch.setattr(gpu_answer, "answered", lambda *_: ({"seconds": 1.0}, next(gpus)))
    assert [row.get("equal") for row in answer_rows(tmp_path)] == [None, None, False]
    (tmp_path / "rows").unlink()
    assert [row.get("equal") for row in answer_rows(tmp_path)] == [None, None]


def test_a_machine_that_cannot_read_a_scenario_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError("No module named 'pydantic'")

    monkeypatch.setattr(gpusim, "example", missing)
    with pytest.raises(gpu_rows.Skip, match="pydantic"):
        answer_rows(tmp_path)


# ---- steps in processes of their own ---------------------------------------------------------------------------------

WRITES = "import json, sys, time; open(sys.argv[1], 'w').write(json.dumps({row}) + chr(10)); {then}"


@pytest.mark.parametrize(
    ("row", "then", "status"),
    [
        ({"name": "x"}, "pass", "done"),
        ({"name": "x"}, "time.sleep(60)", "cut"),
        ({"name": "x"}, "sys.exit('the device is lost')", "failed"),
        ({"skipped": "no such tool"}, "pass", "skipped"),
    ],
)
@pytest.mark.slow
def test_what_a_step_has_measured_stays_whatever_ends_it(
    row: dict[str, str], then: str, status: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows"
    code = WRITES.format(row=row, then=then)
    step = gpu_rows.run([sys.executable, "-c", code, str(path)], path, 10.0 if status != "cut" else 3.0, {})
    assert step["status"] == status
    assert step["rows"] == ([] if status == "skipped" else [row])
    if status != "done":
        said = {"cut": "ended after 3 s", "failed": "the device is lost", "skipped": "no such tool"}
        assert said[status] in step["reason"]


def test_a_step_without_time_is_not_begun(tmp_path: Path) -> None:
    step = gpu_rows.run(["does-not-exist"], tmp_path / "rows", 0.0, {})
    assert (step["status"], step["reason"]) == ("cut", "no time was left")


def test_the_file_is_whole_after_every_step_and_none_is_written_over(tmp_path: Path) -> None:
    result = invented_result()
    steps, result["steps"] = result["steps"], {}
    path = gpu_check.free_path(tmp_path, result["device"]["name"], result["date"])
    assert path.name == "nvidia-h100-of-wood-2000-01-02.json"
    for k, (name, step) in enumerate(steps.items(), 1):
        gpu_check.keep(result, path, name, step)
        assert len(json.loads(path.read_text())["steps"]) == k
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    other = gpu_check.free_path(tmp_path, result["device"]["name"], result["date"])
    assert other.name == "nvidia-h100-of-wood-2000-01-02-2.json"


def test_steps_fit_eight_minutes() -> None:
    assert sum(gpu_check.STEPS.values()) < gpu_check.WHOLE < 480


@pytest.mark.slow
def test_a_rehearsal_runs_every_step_and_gives_no_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gpu_check.main(["--rehearse", str(tmp_path)]) == 0
    result = json.loads(next(tmp_path.iterdir()).read_text())
    assert [*result["steps"]] == [*gpu_check.STEPS]
    assert all(row["equal"] for row in result["steps"]["throughput"]["rows"] if "ratio" in row)
    assert {verdict for _, _, verdict in result["goals"]} == {gpu_goals.NOT_MEASURED}
    printed = capsys.readouterr().out
    assert printed.rstrip().splitlines()[-1].startswith(gpu_goals.GOALS[-1][0])  # the table comes last
    assert "a rehearsal has no device" in printed


# ---- documentation ---------------------------------------------------------------------------------------------------


def test_every_step_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    assert [name for name in ["build", *gpu_check.STEPS] if f"| `{name}` |" not in page] == []
    words = [
        line.split()[0] for line in gpu_check.parser().format_help().splitlines() if line.startswith("  -")
    ]
    options = [word for word in words if word not in ("-h,", "--help")]
    assert len(options) == 6
    assert [option for option in options if f"| `{option}" not in page] == []
