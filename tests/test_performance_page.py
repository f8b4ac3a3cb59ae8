"""docs/performance.md is what the committed result files give; nothing is timed here."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gpu_invented import invented_result

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))  # where the page's maker finds its part about devices


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("performance_page", ROOT / "benchmarks/performance_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = load()


def test_the_page_is_what_the_result_files_give() -> None:
    assert MAKER.PAGE.read_text(encoding="utf-8") == MAKER.page(), (
        "run: python benchmarks/performance_page.py"
    )


def test_a_figure_of_a_gpu_stands_on_the_page_only_if_a_committed_file_has_it() -> None:
    part = MAKER.page().split("\n## On a GPU\n")[1]
    if not MAKER.results("gpu"):
        goals = [line for line in part.splitlines() if line.startswith("| ")][1:]
        assert len(goals) >= 14
        assert all(line.endswith("| - | not measured |") for line in goals)
    for result in MAKER.results("gpu"):
        assert result["clean"], "measured with changes that were not committed"
        assert not result["rehearsal"]
        assert result["file"].startswith(MAKER.gpu_page.gpu_goals.slug(result["device"]["name"]))


def test_every_file_of_benchmarks_has_its_place_on_the_page() -> None:
    files = {path.stem for path in (ROOT / "benchmarks").glob("bench_*.py")}
    assert files == {*MAKER.GROUPS, "bench_peers"}


def test_committed_results_say_where_they_were_measured_and_with_what_spread() -> None:
    for result in MAKER.results():
        assert result["file"] == f"{result['date']}-{result['machine']}.json"
        assert result["clean"], "measured with changes that were not committed"
        assert result["load_before"] / result["cores"] <= MAKER.BUSY, "measured on a busy machine"
        assert result["compiler"]
        assert result["flags"]
        for each in result["benchmarks"]:
            assert each["repeats"] >= 5
            seconds = each["seconds"]
            assert 0 < seconds["min"] <= seconds["q1"] <= seconds["median"] <= seconds["q3"] <= seconds["max"]


# ---- with invented times ---------------------------------------------------------------------------------------------


def invented(**changes: Any) -> dict[str, Any]:
    seconds = {"median": 0.2, "q1": 0.1, "q3": 0.4, "min": 0.1, "max": 0.5}
    row = {"timer": "process_time", "repeats": 5, "seconds": seconds, "jobs": 1000}
    ratio = {"beside_jobs_per_second": 50_000, "ratio": 10.0, "ratio_low": 8.0, "ratio_high": 12.5}
    rows = [
        {**row, "file": "bench_peers", "name": "of peers, x", "engine": "x", "version": "1.2", **ratio},
        {**row, "file": "bench_replay", "name": "log, EASY"},
        {**row, "file": "bench_reading", "name": "import", "jobs": None, "timer": "perf_counter"},
        {
            **row,
            "file": "bench_scaling",
            "name": "two",
            "speed_up": 1.9,
            "speed_up_low": 1.8,
            "speed_up_high": 2.0,
        },
    ]
    about = {
        "date": "2000-01-02",
        "machine": "abacus",
        "cpu": "wood",
        "cores": 2,
        "memory_gib": 1,
        "system": "none",
        "compiler": "hand 1.0",
        "flags": "-slow",
        "python": "3.99",
        "commit": "0123456789abcdef",
        "clean": True,
        "load_before": 0.1,
        "command": "count",
        "benchmarks": rows,
        "skipped": ["test_of_absent_log"],
    }
    return about | changes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(MAKER, "RESULTS", tmp_path)
    return tmp_path


def test_without_results_the_page_says_that_nothing_is_measured(folder: Path) -> None:
    page = MAKER.page()
    assert "no result file has been committed yet" in page
    assert "jobs/s (quartiles)" not in page


def test_a_goal_is_told_as_met_or_missed(folder: Path) -> None:
    row = {"file": "bench_shared", "timer": "process_time", "repeats": 5, "jobs": 1_000_000}
    seconds = {"median": 0.2, "q1": 0.1, "q3": 0.4, "min": 0.1, "max": 0.5}  # 200 ns a job
    rate = {"rate": 1.4, "rate_low": 1.0, "rate_high": 2.0, "turns_of": "another"}
    rows = [
        {**row, "name": "first", "seconds": seconds, "goal_ns": 200},
        {**row, "name": "second", "seconds": seconds, "goal_ns": 199},
        {**row, "name": "third", "seconds": seconds, **rate, "goal_rate": 1.5},
        {**row, "name": "fourth", "seconds": seconds, "goal_seconds": 0.3},
    ]
    (folder / "2000-01-02-abacus.json").write_text(json.dumps(invented(benchmarks=rows)), encoding="utf-8")
    told = {line.split(" | ")[0]: line for line in MAKER.page().splitlines()}
    assert "goal 200 ns a job, met" in told["| first"]
    assert "goal 199 ns a job, missed" in told["| second"]
    assert "goal 1.5 times, missed" in told["| third"]
    assert "goal 0.3, met" in told["| fourth"]


def test_rates_ratios_and_spreads_are_those_of_the_file(folder: Path) -> None:
    (folder / "2000-01-02-abacus.json").write_text(json.dumps(invented()), encoding="utf-8")
    page = MAKER.page()
    assert "| x 1.2 | 1,000 | 5 | 5 k (2.5 k - 10 k) | 10 k | 50 k | 10 (8 - 12.5) |" in page
    assert "| log, EASY | 5 k (2.5 k - 10 k) | 10 k | 200,000 | 0.2 (0.1 - 0.4) | 5 |" in page
    assert "| import |  |  |  | 0.2 (0.1 - 0.4), clock | 5 |" in page
    assert "0.2 (0.1 - 0.4); 1.90 times one thread (1.80 - 2.00)" in page
    for word in ("wood", "2 cores", "hand 1.0", "`-slow`", "0123456789ab", "quiet", "`test_of_absent_log`"):
        assert word in page
    assert "BUSY" not in page


def test_a_busy_machine_and_changed_code_are_said(folder: Path) -> None:
    text = json.dumps(invented(load_before=1.9, clean=False))
    (folder / "2000-01-02-abacus.json").write_text(text, encoding="utf-8")
    page = MAKER.page().replace("\n", " ")
    assert "BUSY: not to be quoted" in page
    assert "changes that are not committed" in page


def test_only_the_newest_run_of_a_machine_is_shown(folder: Path) -> None:
    for date in ("2000-01-02", "2001-01-02"):
        path = folder / f"{date}-abacus.json"
        path.write_text(json.dumps(invented(date=date)), encoding="utf-8")
    page = MAKER.page()
    assert "## abacus, 2001-01-02" in page
    assert "## abacus, 2000-01-02" not in page


# ---- devices, with invented figures ----------------------------------------------------------------------------------


def gpu_part(folder: Path, **results: dict[str, Any]) -> str:
    for name, result in results.items():
        (folder / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    return str(MAKER.page().split("\n## On a GPU\n")[1])


def test_goals_rates_and_limits_of_a_device_are_those_of_its_file(folder: Path) -> None:
    part = gpu_part(folder, wood=invented_result())
    assert "### NVIDIA H100 of wood, 2000-01-02" in part
    assert "| mix, EASY, load .85 and .95: >= 1 G events/s | 1.5 G and 1.5 G events/s | met |" in part
    row = "| mix, FIFO, load 0.85 | 64 (16) | 5,000 | 4 G (3.6 G - 4.4 G) | 667 M (600 M - 733 M) "
    assert row + "| 6 (5.4 - 6.6) | 3 |" in part
    assert "What limits it is imagination." in part
    assert "../benchmarks/results/wood.json" in part
    assert "Not measured" not in part


def test_what_a_device_was_not_asked_or_got_wrong_is_said(folder: Path) -> None:
    result = invented_result()
    result["steps"]["throughput"]["rows"][0]["equal"] = False
    result["steps"]["profile"] = {
        "status": "skipped",
        "reason": "ncu is not on PATH",
        "rows": [],
        "seconds": 1,
    }
    part = gpu_part(folder, wood=result)
    assert "mix, FIFO, load 0.85: RESULTS DIFFER" in part
    assert "- profile: skipped: ncu is not on PATH" in part


def test_a_rehearsal_is_no_result(folder: Path) -> None:
    part = gpu_part(folder, wood=invented_result() | {"rehearsal": True})
    assert "No result file of a GPU has been committed" in part
    assert "of wood" not in part


def test_only_the_newest_run_of_a_device_is_shown_and_hosts_stay_apart(folder: Path) -> None:
    later = invented_result() | {"date": "2001-01-02"}
    part = gpu_part(folder, a=invented_result(), b=later, abacus=invented())
    assert "of wood, 2001-01-02" in part
    assert "of wood, 2000-01-02" not in part
    assert "abacus, 2000-01-02" not in part
    assert "## abacus, 2000-01-02" in MAKER.page()
