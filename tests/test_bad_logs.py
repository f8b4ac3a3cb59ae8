"""Bad logs and bad job tables: each names the place, the value and the remedy, and all problems at once."""
# ruff: noqa: E501 - the tables hold one case a line

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpusim.errors import GpusimError, UsageError, WorkloadError
from gpusim.workload.jobs import Jobs
from gpusim.workload.trace import read_trace

GOOD = "1 0 -1 60 4 -1 -1 4 90 -1 1 1 1 -1 -1 -1 -1 -1"


def row(number: int, field: int = 1, value: str | None = None) -> str:
    """A good line of job `number`, with one field (counted from 1) replaced."""
    words = [str(number), *GOOD.split()[1:]]
    if value is not None:
        words[field - 1] = value
    return " ".join(words)


def after_good_lines(*lines: str) -> bytes:
    """A header line and nine good jobs on lines 2 to 10; `lines` follow from line 11 on."""
    return "\n".join(["; header", *(row(number) for number in range(1, 10)), *lines, ""]).encode("latin-1")


ZIPPED = gzip.compress(after_good_lines())

BAD_LOGS: dict[str, tuple[bytes, str, str, str, str]] = {
    # name: content, code, place (after the file name), what is said, remedy
    "empty": (b"", "no-jobs", "", "is empty", "at least one job line"),
    "header only": (b"; Version: 2.2\n;\n\n", "no-jobs", "", "header and blank lines only", "at least one job line"),
    "blank lines only": (b"\n \n\t\n", "no-jobs", "", "blank lines only", "at least one job line"),
    "eight fields": (after_good_lines("10 0 -1 60 4 -1 -1 4"), "columns", ":11", "has 8 fields where SWF has 18", "-1 where unknown"),
    "one field": (after_good_lines("10"), "columns", ":11", "has 1 field where SWF has 18 ('10')", "delete the line"),
    "cut last line": (after_good_lines() + b"10 0 -1 60", "columns", ":11", "has 4 fields", "delete the line"),
    "a line with commas": (after_good_lines(row(10).replace(" ", ",")), "columns", ":11", "has 1 field", "with blanks, not ','"),
    "text": (after_good_lines(row(10, 4, "abc")), "not-numbers", ":11", "field 4 (run time) is not a number ('abc')", "write a number, or -1"),
    "text in an unused field": (after_good_lines(row(10, 12, "kim")), "not-numbers", ":11", "field 12 (user) is not a number ('kim')", "or -1"),
    "two numbers grown together": (after_good_lines(row(10, 2, "1-2")), "not-numbers", ":11", "field 2 (submit time) is not a number ('1-2')", "write a number"),
    "two decimal points": (after_good_lines(row(10, 9, "1.2.3")), "not-numbers", ":11", "field 9 (requested time)", "write a number"),
    "a lone sign": (after_good_lines(row(10, 18, "-")), "not-numbers", ":11", "field 18 (think time) is not a number ('-')", "write a number"),
    "two signs": (after_good_lines(row(10, 4, "--1")), "not-numbers", ":11", "('--1')", "write a number"),
    "a huge negative submit": (after_good_lines(row(10, 2, "-99999999999999999999")), "negative-time", ":11", "(-1e+20 s)", "write seconds"),
    "a huge job number": (after_good_lines(row(10, 1, "99999999999999999999")), "not-whole", ":11", "not a whole number (1e+20)", "number the jobs"),
    "an exponent without digits": (after_good_lines(row(10, 4, "e")), "not-numbers", ":11", "('e')", "write a number"),
    "digit grouping": (after_good_lines(row(10, 4, "1_000")), "not-numbers", ":11", "('1_000')", "write a number"),
    "hexadecimal": (after_good_lines(row(10, 4, "0x10")), "not-numbers", ":11", "('0x10')", "write a number"),
    "nan": (after_good_lines(row(10, 2, "NaN")), "not-finite", ":11", "field 2 (submit time) is not a finite number ('NaN')", "write a number"),
    "inf": (after_good_lines(row(10, 4, "-inf")), "not-finite", ":11", "is not a finite number ('-inf')", "write a number"),
    "beyond floating point": (after_good_lines(row(10, 4, "1e999")), "not-finite", ":11", "('1e999')", "write a number"),
    "undecodable bytes": (after_good_lines(row(10, 5, "\xe9\xff")), "bytes", ":11", "not ASCII text ('\\xe9\\xff')", "write a number"),
    "a zero byte far inside": (b"; " + b"x" * 99999 + b"\n" + row(1, 4, "6\0").encode(), "not-numbers", ":2", "('6\\x00')", "write a number"),
    "negative submit": (after_good_lines(row(10, 2, "-5")), "negative-time", ":11", "negative submit time (-5 s)", "write seconds from the start"),
    "huge submit": (after_good_lines(row(10, 2, "8796093022208")), "too-large", ":11", "submit time is too large (8796093022208 s)", "longer tick"),
    "huge run time": (after_good_lines(row(10, 4, "1e18")), "too-large", ":11", "run time is too large", "check the unit"),
    "huge request": (after_good_lines(row(10, 9, "1e18")), "too-large", ":11", "requested time is too large", "check the unit"),
    "huge processors": (after_good_lines(row(10, 5, "2147483648")), "too-large", ":11", "too many processors (2147483648)", "at most 2,147,483,646"),
    "too much in total": (after_good_lines(row(10, 5, "2000000000").replace(" 60 ", " 8e12 ")), "too-much-work", "", "too large to be counted exactly", "check the units"),
    "half a processor": (after_good_lines(row(10, 5, "2.5")), "not-whole", ":11", "fraction of a processor (2.5)", "write a whole number"),
    "half an id": (after_good_lines(row(10, 1, "9.5")), "not-whole", ":11", "job number is not a whole number (9.5)", "number the jobs"),
    "an id twice": (after_good_lines(row(3)), "duplicate-id", ":11", "job number is used twice (3, also on line 4)", "its own number in field 1"),
    "all dropped": ((row(1, 4, "-1") + "\n" + row(2, 4, "0")).encode(), "all-dropped", "", "(2 no_run_time, 0 no_processors)", "check the columns"),
    "cut gzip": (ZIPPED[:-12], "truncated", "", "gzip stream is cut short", "download the file again"),
    "gzip magic only": (ZIPPED[:4], "truncated", "", "gzip stream is cut short", "download the file again"),
    "damaged gzip": (ZIPPED[:20] + b"\xff\xff\xff\xff" + ZIPPED[24:], "corrupt", "", "gzip stream is damaged", "download the file again"),
    "wrong gzip checksum": (ZIPPED[:-6] + b"xx" + ZIPPED[-4:], "corrupt", "", "gzip stream is damaged", "'gzip -t'"),
    "gzip with a tail": (ZIPPED + b"tail", "corrupt", "", "gzip stream is damaged", "'gzip -t'"),
    "bzip2": (b"BZh91AY&SY", "not-text", "", "is a bzip2 file", "unpack it first (with bunzip2)"),
    "zip": (b"PK\x03\x04\x14\0", "not-text", "", "is a zip file", "unpack it first"),
    "UTF-16": (after_good_lines().decode().encode("utf-16"), "not-text", "", "is not a text file (UTF-16)", "plain text log"),
    "UTF-16 in gzip": (gzip.compress(after_good_lines().decode().encode("utf-16")), "not-text", "", "UTF-16", "plain text log"),
    "CSV": (b"id,submit,run\n" + b"1,2,3\n" * 9, "not-swf", ":1", "no line could be read, the first has 1 field", "gpusim.Jobs"),
    "JSON lines": (b'{"submit": 3, "run": 4}\n' * 9, "not-swf", ":1", "not the Standard Workload Format", "18 blank-separated numbers"),
    "prose": (b"lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam\n" * 9, "not-swf", ":1", "field 1 (job number) is not a number ('lorem')", "18 blank-separated"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LOGS)
def test_a_bad_log_is_refused_with_place_value_and_remedy(tmp_path: Path, name: str) -> None:
    content, code, place, what, remedy = BAD_LOGS[name]
    path = tmp_path / "log.swf"
    path.write_bytes(content)
    with pytest.raises(WorkloadError) as caught:
        read_trace(path)
    (problem,) = caught.value.problems
    assert problem.where == f"{path}{place}"
    assert caught.value.code == problem.code == f"workload/{code}"
    assert what in str(caught.value)
    assert remedy in problem.remedy
    assert isinstance(caught.value, ValueError)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("bytes_of", ["any bytes", "no zero byte", "no control bytes"])
@pytest.mark.alone
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.slow
def test_ten_megabytes_of_noise_fail_fast_and_clearly(tmp_path: Path, bytes_of: str, zipped: bool) -> None:
    noise = random.Random(7).randbytes(10_000_000)
    if bytes_of != "any bytes":
        noise = noise.replace(b"\0", b"x")
    if bytes_of == "no control bytes":
        noise = noise.translate(None, bytes([*range(9), *range(11, 32), 127]))
    path = tmp_path / "noise"
    path.write_bytes(gzip.compress(noise, 1) if zipped else noise)
    begin = time.perf_counter()
    with pytest.raises(WorkloadError) as caught:
        read_trace(path)
    assert time.perf_counter() - begin < 2.0
    assert "not a text file" in str(caught.value) or "not the Standard Workload Format" in str(caught.value)


def test_every_problem_of_a_log_is_reported_in_the_order_of_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.swf"
    path.write_bytes(
        after_good_lines(
            row(2), row(11, 2, "-1"), "12 3", row(13, 4, "x"), row(14, 3, "3-4"), row(15), row(1, 2, "-9")
        )
    )
    with pytest.raises(WorkloadError) as caught:
        read_trace(path)
    places = [int(problem.where.rpartition(":")[2]) for problem in caught.value.problems]
    assert places == [11, 12, 13, 14, 15, 17, 17]


@pytest.mark.slow
def test_a_million_bad_lines_make_a_short_error(tmp_path: Path) -> None:
    path = tmp_path / "log.swf"
    path.write_bytes(after_good_lines(*["x y"] * 1_000_000))
    with pytest.raises(WorkloadError) as caught:
        read_trace(path)
    assert str(caught.value).startswith("1,000,000 problems\n")
    assert str(caught.value).endswith("and 999,980 more")
    assert len(caught.value.problems) <= 200


def test_line_numbers_hold_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpusim.workload import logfile

    whole = logfile.blocks
    monkeypatch.setattr(logfile, "blocks", lambda path: whole(path, 100))
    path = tmp_path / "log.swf"
    path.write_bytes(after_good_lines("", "; note", row(13, 4, "x"), row(3)))
    with pytest.raises(WorkloadError) as caught:
        read_trace(path)
    assert [problem.where for problem in caught.value.problems] == [f"{path}:13", f"{path}:14"]
    assert "also on line 4" in str(caught.value)


# ---- files that cannot be opened


def test_a_missing_file_offers_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "cluster.swf.gz").write_bytes(ZIPPED)
    with pytest.raises(UsageError) as caught:
        read_trace(tmp_path / "cluster.swf")
    assert caught.value.code == "usage/missing-file"
    assert caught.value.exit_code == 2
    assert caught.value.problems[0].remedy == f"did you mean {tmp_path / 'cluster.swf.gz'}?"


@pytest.mark.parametrize(
    ("name", "code", "remedy"),
    [
        ("nowhere/log.swf", "usage/missing-file", "check the path"),
        (".", "usage/folder", "name one log file inside it"),
        ("zero\0byte", "usage/unreadable-file", "check that you may read it"),
    ],
)
def test_a_file_that_cannot_be_opened_is_a_usage_error(
    tmp_path: Path, name: str, code: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_trace(tmp_path / name)
    assert caught.value.code == code
    assert remedy in caught.value.problems[0].remedy


@pytest.mark.parametrize("tick", [0, -1, float("nan"), float("inf"), "x", None])
def test_a_tick_must_be_a_positive_number(tmp_path: Path, tick: Any) -> None:
    (tmp_path / "log").write_text(GOOD)
    calls: list[Callable[[], object]] = [
        lambda: read_trace(tmp_path / "log", tick=tick),
        lambda: Jobs(submit=[0], service=[1], gpus=[1], tick=tick),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="write tick=1"):
            call()


# ---- job tables

NAN = float("nan")
BAD_TABLES: dict[str, tuple[dict[str, Any], str, str, str, str]] = {
    # name: columns changed, code, place, what is said, remedy
    "length": ({"gpus": [1, 2]}, "length", "jobs", "submit 3, service 3, gpus 2", "one value a job"),
    "limit length": ({"limit": [1]}, "length", "jobs", "limit 1", "one value a job"),
    "id length": ({"id": [1]}, "length", "jobs", "id 1", "one value a job"),
    "no jobs": ({"submit": [], "service": [], "gpus": []}, "no-jobs", "jobs", "there are no jobs", "at least one row"),
    "negative submit": ({"submit": [0, -5, 1]}, "negative-time", "jobs[1].submit", "is negative (-5 s)", "count seconds from the first"),
    "nan submit": ({"submit": [0, 1, NAN]}, "not-finite", "jobs[2].submit", "is not a finite number (nan)", "drop the row"),
    "inf service": ({"service": [float("inf"), 1, 1]}, "not-finite", "jobs[0].service", "(inf)", "drop the row"),
    "zero service": ({"service": [1, 0, 1]}, "no-service", "jobs[1].service", "is not above 0 (0 s)", "positive run time"),
    "negative service": ({"service": [1, -1.5, 1]}, "no-service", "jobs[1].service", "(-1.5 s)", "leave the job out"),
    "negative timedelta": ({"service": np.array([1, -2, 1], "m8[s]")}, "no-service", "jobs[1].service", "(-2 s)", "positive"),
    "zero gpus": ({"gpus": [1, 1, 0]}, "no-gpus", "jobs[2].gpus", "is below 1 (0)", "from 1 to 2,147,483,646"),
    "half a gpu": ({"gpus": [1, 0.5, 1]}, "not-whole", "jobs[1].gpus", "not a whole number of GPUs (0.5)", "whole number"),
    "nan gpus": ({"gpus": [1, NAN, 1]}, "not-finite", "jobs[1].gpus", "(nan)", "whole number"),
    "many gpus": ({"gpus": [1, 2**31, 1]}, "too-large", "jobs[1].gpus", "is too large (2147483648)", "from 1 to"),
    "zero limit": ({"limit": [1, 1, 0]}, "no-limit", "jobs[2].limit", "is not above 0", "positive limit"),
    "same id": ({"id": [4, 5, 4]}, "duplicate-id", "jobs[2].id", "is used twice (4, also at jobs[0])", "its own id"),
    "text id": ({"id": [4, "a7", 5]}, "not-numbers", "jobs[1].id", "is not a number ('a7')", "convert"),
    "fractional id": ({"id": [4, 4.5, 5]}, "not-whole", "jobs[1].id", "(4.5)", "whole number"),
    "huge id": ({"id": [4, 2**63, 5]}, "not-whole", "jobs[1].id", "is not a whole number", "whole number"),
    "negative class": ({"job_class": [0, -1, 0]}, "class", "jobs[1].job_class", "is below 0", "from 0 to 65,535"),
    "large class": ({"job_class": [0, 65536, 0]}, "too-large", "jobs[1].job_class", "is too large (65536)", "65,535"),
    "text among numbers": ({"submit": [0, "five", 1]}, "not-numbers", "jobs[1].submit", "is not a number ('five')", "convert the column"),
    "truth value": ({"gpus": np.array([1, 1, True], object)}, "not-numbers", "jobs[2].gpus", "True", "convert"),
    "none": ({"service": [1, None, 3]}, "missing", "jobs[1].service", "is missing (None)", "fill the value in"),
    "masked": ({"gpus": np.ma.array([1, 2, 3], mask=[0, 0, 1])}, "missing", "jobs[2].gpus", "is missing", "fill the value in"),
    "two dimensions": ({"submit": [[0, 1, 2]]}, "shape", "jobs.submit", "2-dimensional, shape (1, 3)", "one value a job"),
    "a single number": ({"gpus": 8}, "shape", "jobs.gpus", "one int", "one value a job"),
    "a ragged list": ({"gpus": [1, [2, 3], 1]}, "shape", "jobs.gpus", "not a plain column", "one value a job"),
    "complex numbers": ({"service": np.array([1j, 2, 3])}, "not-numbers", "jobs.service", "complex128", "convert"),
    "missing date": ({"submit": np.array(["2024-01-01", "NaT", "2024-01-02"], "M8[s]")}, "missing", "jobs[1].submit", "not a date", "drop the row"),
    "dates as durations": ({"service": np.array(["2024-01-01"] * 3, "M8[s]")}, "not-numbers", "jobs.service", "dates where durations belong", "end - start"),
    "huge submit": ({"submit": [0, 2**43, 1]}, "too-large", "jobs[1].submit", "is too large (8796093022208 s)", "below 2**43 ticks of 1 s"),
    "huge service": ({"service": [0.5, 1e300, 1]}, "too-large", "jobs[1].service", "1e+300", "longer tick"),
    "too much in total": ({"service": [2**42] * 3, "gpus": [2**30] * 3}, "too-much-work", "jobs", "too large to be counted", "fewer jobs"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_refused_with_place_value_and_remedy(name: str) -> None:
    changes, code, place, what, remedy = BAD_TABLES[name]
    columns = {"submit": [0, 1, 2], "service": [1, 2, 3], "gpus": [1, 2, 3]} | changes
    with pytest.raises(WorkloadError) as caught:
        Jobs(**columns)
    (problem,) = caught.value.problems
    assert problem.where == place
    assert problem.code == f"workload/{code}"
    assert what in str(caught.value)
    assert remedy in problem.remedy


def test_every_problem_of_a_table_is_reported_at_once() -> None:
    with pytest.raises(WorkloadError) as caught:
        Jobs(
            submit=[-1, "x", 0, 0],
            service=[0, 1, NAN, 1],
            gpus=[0, 1, 1, -4],
            limit=[1, 1, 1, 0],
            id=[7, 8, 9, 7],
        )
    places = [problem.where for problem in caught.value.problems]
    assert places == [
        "jobs[0].gpus", "jobs[1].submit", "jobs[2].service", "jobs[3].limit", "jobs[3].gpus", "jobs[3].id",
    ]  # fmt: skip


def test_columns_cannot_be_passed_by_position() -> None:
    with pytest.raises(TypeError):
        Jobs([0], [1], [1])  # type: ignore[misc]


def test_every_error_is_a_gpusim_error(tmp_path: Path) -> None:
    with pytest.raises(GpusimError):
        read_trace(tmp_path / "absent")
