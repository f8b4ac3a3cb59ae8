"""`gpusim replay`: the schedules, means and usage that independent simulators give, through the command line."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from cli_calls import call

KEYS = {
    "jobs",
    "started",
    "dropped",
    "rejected",
    "mean_wait",
    "p95_wait",
    "mean_bounded_slowdown",
    "utilization",
    "makespan",
    "in_use",
}

# number, submit, wait, run time, processors, ..., requested processors, requested time, then 9 unused fields
HAND = """\
; a log of five jobs
1 0 -1 10 2 -1 -1 2 10 -1 1 1 1 1 1 -1 -1 -1
2 1 -1 10 4 -1 -1 4 10 -1 1 1 1 1 1 -1 -1 -1
3 2 -1 5 2 -1 -1 2 5 -1 1 1 1 1 1 -1 -1 -1
4 3 -1 -1 2 -1 -1 2 5 -1 1 1 1 1 1 -1 -1 -1
5 4 -1 30 9 -1 -1 9 30 -1 1 1 1 1 1 -1 -1 -1
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "hand.swf"
    path.write_text(HAND)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


#   4 GPUs, EASY:   time 0        7  10        20
#   job 1           2 GPUs 0..10
#   job 3           2 GPUs 2..7 (fits before job 2's reservation at 10)
#   job 2           4 GPUs           10........20
#   job 5 asks for 9 GPUs and is refused; job 4 has no run time and is dropped
def test_a_schedule_worked_by_hand(log: Path, tmp_path: Path) -> None:
    result = call("replay", log, "--gpus", 4, "--records", tmp_path / "out.csv", "--json")
    assert result.code == 0
    assert result.err == ""
    data = result.data
    assert data.keys() >= KEYS
    assert set(data["in_use"]) == {"mean", "p50", "p95", "p99", "peak", "first", "last"}
    assert (data["jobs"], data["started"], data["rejected"]) == (4, 3, 1)
    assert data["dropped"]["no_run_time"] == 1
    assert data["mean_wait"] == pytest.approx(9 / 3)
    assert data["makespan"] == 20
    assert data["utilization"] == pytest.approx((2 * 10 + 4 * 10 + 2 * 5) / (4 * 20))
    assert data["mean_bounded_slowdown"] == pytest.approx((1 + 1.9 + 1) / 3)
    assert (data["in_use"]["first"], data["in_use"]["last"], data["in_use"]["peak"]) == (0, 20, 4)
    assert (tmp_path / "out.csv").read_text() == (
        "id,submit,start,end,gpus\n1,0,0,10,2\n2,1,10,20,4\n3,2,2,7,2\n5,4,-1,-1,9\n"
    )


def test_nobody_overtakes_without_backfill(log: Path, tmp_path: Path) -> None:
    call("replay", log, "--gpus", 4, "--backfill", "none", "--records", tmp_path / "out.csv")
    assert [row["start"] for row in read(tmp_path / "out.csv")] == ["0", "10", "20", "-1"]


def test_a_finer_tick_changes_the_clock_and_not_the_answer(log: Path, tmp_path: Path) -> None:
    data = call(
        "replay", log, "--gpus", 4, "--tick", "100ms", "--records", tmp_path / "out.csv", "--json"
    ).data
    whole = call("replay", log, "--gpus", 4, "--json").data
    assert data["in_use"] == whole["in_use"]
    assert data["mean_wait"] == pytest.approx(whole["mean_wait"])
    assert [float(row["start"]) for row in read(tmp_path / "out.csv")] == [0, 10, 2, -1]


def test_jobs_may_be_ended_at_their_request(log: Path) -> None:
    log.write_text(HAND.replace("1 0 -1 10 2 -1 -1 2 10", "1 0 -1 10 2 -1 -1 2 6"))
    assert call("replay", log, "--gpus", 9, "--json").data["killed_limit"] == 0
    data = call("replay", log, "--gpus", 9, "--kill-at-limit", "--json").data
    assert data["killed_limit"] == 1


def test_the_page_names_policy_and_rows_left_out(log: Path) -> None:
    text = call("replay", log, "--gpus", 4).out
    assert text.startswith("hand.swf on 4 GPUs: 4 jobs, mean wait 3s.")
    assert "EASY: nobody delays the first blocked job" in text
    assert "1 row without a run time" in text
    assert "utilization" in text


@pytest.mark.parametrize("records", ["missing/out.csv", "folder", "hand.swf", "file/out.csv"])
def test_records_that_cannot_be_written_are_refused_before_the_run(
    log: Path, tmp_path: Path, records: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    result = call("replay", log, "--gpus", 4, "--records", tmp_path / records)
    assert result.code == 2
    assert result.out == ""
    assert "--records" in result.err
    assert sorted(tmp_path.rglob("*")) == before
    assert log.read_text() == HAND


def test_a_failed_run_leaves_no_records(log: Path, tmp_path: Path) -> None:
    log.write_text(HAND + "6 -5 -1 10 2 -1 -1 2 10 -1 1 1 1 1 1 -1 -1 -1\n")
    assert call("replay", log, "--gpus", 4, "--records", tmp_path / "out.csv").code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["hand.swf"]


def test_a_disk_that_fails_leaves_the_old_records(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")

    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    result = call("replay", log, "--gpus", 4, "--records", out)
    assert result.code == 5
    assert "No space left on device" in result.err
    assert "bug" not in result.err
    assert out.read_text() == "old"


# ---- reference data beside the checkout -----------------------------------------------------------------------------

# mean wait [s], mean bounded slowdown (10 s), utilization, as printed in the data's README
XVAL = {
    ("lublin256-perfect-l85", 256, "none", "fcfs"): (1_498_455.746, 41_710.91, 0.64975),
    ("lublin256-perfect-l85", 256, "1", "easy"): (19_705.494, 243.806, 0.83082),
    ("lublin256-perfect-l85", 256, "all", "cons"): (21_983.197, 219.950, 0.83007),
    ("hpc2n-head-240", 240, "none", "fcfs"): (5_613.791, 47.307, 0.39474),
    ("hpc2n-head-240", 240, "1", "easy"): (3_532.541, 16.452, 0.39679),
    ("hpc2n-head-240", 240, "all", "cons"): (3_672.798, 17.425, 0.39679),
}


@pytest.mark.parametrize("case", XVAL, ids=lambda case: f"{case[0]}-{case[3]}")
def test_every_start_equals_the_reference_schedule(
    shared_data: Path, tmp_path: Path, case: tuple[str, int, str, str]
) -> None:
    name, gpus, backfill, policy = case
    wait, slowdown, utilization = XVAL[case]
    folder, out = shared_data / "xval", tmp_path / "out.csv"
    result = call(
        "replay",
        folder / f"{name}.swf.gz",
        "--gpus",
        gpus,
        "--backfill",
        backfill,
        "--records",
        out,
        "--json",
    )
    assert result.code == 0
    with gzip.open(folder / f"{name}.{policy}.csv.gz", "rt", newline="") as lines:
        expected = {
            row["id"]: (row["submit"], row["start"], row["finish"], row["procs"])
            for row in csv.DictReader(lines)
        }
    found = {row["id"]: (row["submit"], row["start"], row["end"], row["gpus"]) for row in read(out)}
    assert found == expected
    assert round(result.data["mean_wait"], 3) == wait
    assert result.data["mean_bounded_slowdown"] == pytest.approx(
        slowdown, abs=0.005 if slowdown > 1e4 else 0.0005
    )
    assert round(result.data["utilization"], 5) == utilization


# time-mean in use, p50, p95, p99, peak, first, last
UNLIMITED = {
    "SDSC-SP2-first5k": ("83.08", 78, 176, 232, 990, 399264, 5064400),
    "NASA-iPSC-1993-3.1-cln": ("59.66", 64, 128, 128, 176, 0, 7949022),
    "LCG-2005-1": ("1338", 1277, 2695, 3121, 3359, 0, 1123132),
    "HPC2N-first3k": ("95.35", 60, 320, 470, 1400, 0, 5282045),
}


@pytest.mark.parametrize("name", UNLIMITED)
@pytest.mark.slow
def test_an_unlimited_center_uses_what_the_logs_ask_for(shared_data: Path, name: str) -> None:
    data = call("replay", shared_data / "swf" / f"{name}.swf.gz", "--gpus", "unlimited", "--json").data
    mean, *others = UNLIMITED[name]
    use = data["in_use"]
    assert f"{use['mean']:.4g}" == mean
    assert [use[key] for key in ("p50", "p95", "p99", "peak", "first", "last")] == others
    assert data["mean_wait"] == 0
    assert data["utilization"] is None
