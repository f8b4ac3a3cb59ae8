"""The SWF reader: what becomes of each field, the four archive logs, and a round trip of any jobs."""

from __future__ import annotations

import gzip
import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpusim.workload.jobs import Jobs
from gpusim.workload.logfile import blocks
from gpusim.workload.swf import read_swf
from gpusim.workload.trace import read_trace
from gpusim.workload.usage import in_use


def swf_line(
    job: object,
    submit: object,
    run: object,
    gpus: object,
    *,
    asked: object = -1,
    limit: object = -1,
    status: int = 1,
) -> str:
    return f"{job} {submit} -1 {run} {gpus} -1 -1 {asked} {limit} -1 {status} 1 1 -1 1 -1 -1 -1"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Jobs]:
    def write_and_read(*lines: str, end: str = "\n", **options: Any) -> Jobs:
        path = tmp_path / "log.swf"
        path.write_bytes("".join(line + end for line in lines).encode("latin-1"))
        return read_swf(path, **options)

    return write_and_read


# ---- what becomes of each field


def test_every_field_lands_in_its_column(read: Callable[..., Jobs]) -> None:
    jobs = read("; UnixStartTime: 893466664", "", swf_line(7, 100, 60, 4, asked=8, limit=90))
    assert {name: column.tolist() for name, column in jobs.to_dict().items()} == {
        "id": [7], "submit": [100], "service": [60], "limit": [90], "gpus": [4], "job_class": [0],
        "after": [-1], "delay": [0], "user": [0],
    }  # fmt: skip
    assert jobs.unix_start == 893466664
    assert jobs.source.endswith("log.swf")
    assert jobs.dropped == {"no_run_time": 0, "no_processors": 0}


def test_requested_processors_stand_in_for_unknown_allocated_ones(read: Callable[..., Jobs]) -> None:
    jobs = read(swf_line(1, 0, 9, -1, asked=16), swf_line(2, 0, 9, 0, asked=8), swf_line(3, 0, 9, 4, asked=8))
    assert jobs.gpus.tolist() == [16, 8, 4]


def test_the_limit_is_the_run_time_where_none_was_asked_for(read: Callable[..., Jobs]) -> None:
    jobs = read(swf_line(1, 0, 9, 1), swf_line(2, 0, 9, 1, limit=0), swf_line(3, 0, 9, 1, limit=5))
    assert jobs.limit.tolist() == [9, 9, 5]


def test_dropped_rows_are_counted_by_reason(read: Callable[..., Jobs]) -> None:
    jobs = read(
        swf_line(1, 0, 0, 4), swf_line(2, -1, -1, -1), swf_line(3, 0, 5, 0, asked=-1), swf_line(4, 1, 5, 2)
    )
    assert jobs.id.tolist() == [4]
    assert jobs.dropped == {"no_run_time": 2, "no_processors": 1}


def test_stretches_of_a_swapped_out_job_are_dropped_where_a_row_sums_it_up(read: Callable[..., Jobs]) -> None:
    jobs = read(
        swf_line(1, 0, 30, 4), swf_line(1, -1, 10, 4, status=2), swf_line(1, -1, 20, 4, status=3),
        swf_line(2, 5, 7, 4, status=3),
    )  # fmt: skip
    assert jobs.service.tolist() == [30, 7]
    assert jobs.dropped == {"no_run_time": 0, "no_processors": 0, "partial_run": 2}


def test_rows_come_out_in_queue_order(read: Callable[..., Jobs]) -> None:
    jobs = read(swf_line(9, 50, 1, 1), swf_line(3, 10, 1, 1), swf_line(2, 50, 1, 1), swf_line(1, 70, 1, 1))
    assert jobs.id.tolist() == [3, 2, 9, 1]


def test_decimals_are_put_on_ticks(read: Callable[..., Jobs]) -> None:
    lines = [swf_line(1, 2.9, 2.5, "4.0", limit=0.2), swf_line(2, "3.", "1e1", 4)]
    jobs = read(*lines)
    assert (jobs.submit.tolist(), jobs.service.tolist(), jobs.limit.tolist()) == ([2, 3], [3, 10], [1, 10])
    assert jobs.gpus.tolist() == [4, 4]
    finer = read(*lines, tick=0.1)
    assert (finer.submit.tolist(), finer.service.tolist(), finer.limit.tolist()) == (
        [29, 30],
        [25, 100],
        [2, 100],
    )
    assert finer.tick == 0.1


# ---- what a log may look like


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " \t\n\n"])
def test_any_line_ends_and_blank_lines_are_accepted(read: Callable[..., Jobs], end: str) -> None:
    assert len(read("; a header", *(swf_line(k, k, 5, 1) for k in range(20)), end=end)) == 20


def test_comments_may_stand_anywhere_and_in_any_encoding(read: Callable[..., Jobs]) -> None:
    jobs = read("; José", swf_line(1, 0, 5, 1), "   ;1 2 3 4 5 6 7 8 9 10", swf_line(2, 0, 5, 1), ";")
    assert jobs.id.tolist() == [1, 2]


def test_a_log_needs_no_header_and_no_final_line_feed(tmp_path: Path) -> None:
    path = tmp_path / "no-header"
    path.write_text(swf_line(1, 0, 5, 1) + "\n" + swf_line(2, 0, 5, 1))
    jobs = read_trace(path)
    assert len(jobs) == 2
    assert jobs.unix_start is None


def test_fields_beyond_the_eighteenth_may_be_text(read: Callable[..., Jobs]) -> None:
    jobs = read(swf_line(1, 0, 5, 1) + " node1,node2 qé", swf_line(2, 1, 5, 1), swf_line(3, 2, 5, 1) + " 7 x")
    assert jobs.id.tolist() == [1, 2, 3]


def test_nine_fields_are_enough(read: Callable[..., Jobs]) -> None:
    jobs = read("1 0 -1 60 -1 -1 -1 7 80", swf_line(2, 5, 5, 1), "3 9 -1 60 2 -1 -1 7 80 -1 5")
    assert (jobs.gpus.tolist(), jobs.limit.tolist()) == ([7, 1, 2], [80, 5, 80])


def test_compression_is_told_from_the_content(tmp_path: Path) -> None:
    path = tmp_path / "plain-name.swf"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf; header\n" + swf_line(1, 0, 5, 1).encode()))
    assert len(read_trace(path)) == 1


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(swf_line(1, 0, 5, 1),))
    writer.start()
    assert len(read_trace(pipe)) == 1
    writer.join()


def test_the_size_of_blocks_does_not_matter(tmp_path: Path) -> None:
    text = "; header\n" + "\n".join(swf_line(k, 3 * k, 5 + k, 1) for k in range(50)) + "\n;end"
    (tmp_path / "log").write_text(text)
    for size in (1, 2, 7, 64, 1000, 1 << 20):
        parts = list(blocks(tmp_path / "log", size))
        assert all(part.endswith(b"\n") for part in parts)
        assert b"".join(parts).decode() == text + "\n"


# ---- round trip

job = st.tuples(
    st.integers(0, 2**43 - 1),
    st.integers(1, 10**7),
    st.integers(1, 5000),
    st.one_of(st.none(), st.integers(1, 10**7)),
)


@given(rows=st.lists(job, min_size=1, max_size=30), order=st.randoms(use_true_random=False), data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.slow
def test_any_jobs_survive_the_way_through_a_log(
    tmp_path: Path, rows: list[tuple[int, int, int, int | None]], order: Any, data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.integers(0, 10**6), min_size=len(rows), max_size=len(rows), unique=True))
    table = Jobs(
        id=ids,
        submit=[submit for submit, _, _, _ in rows],
        service=[service for _, service, _, _ in rows],
        gpus=[gpus for _, _, gpus, _ in rows],
        limit=[limit or service for _, service, _, limit in rows],
    )
    lines = []
    for number, (submit, service, gpus, limit) in zip(ids, rows, strict=True):
        allocated, asked = data.draw(st.sampled_from([(gpus, -1), (-1, gpus), (gpus, gpus + 1)]))
        blank = data.draw(st.sampled_from([" ", "   ", "\t"]))
        line = swf_line(number, submit, service, allocated, asked=asked, limit=limit or -1)
        lines.append(data.draw(st.sampled_from(["", "  "])) + line.replace(" ", blank))
    order.shuffle(lines)
    path = tmp_path / "random.swf"
    path.write_text("; header\n" + "\n".join(lines) + "\n")
    assert read_swf(path) == table


# ---- the archive logs

# Rows, and rows without a run time: counted in the files. The rest: "Exact checks" of data/README.md.
ARCHIVE = {
    "SDSC-SP2-first5k": (4961, 355, (83.08, 78, 176, 232, 990, 399264, 5064400)),
    "NASA-iPSC-1993-3.1-cln": (18239, 173, (59.66, 64, 128, 128, 176, 0, 7949022)),
    "LCG-2005-1": (188041, 521, (1338.0, 1277, 2695, 3121, 3359, 0, 1123132)),
    "HPC2N-first3k": (3170, 25, (95.35, 60, 320, 470, 1400, 0, 5282045)),
}


@pytest.mark.parametrize("name", ARCHIVE)
@pytest.mark.slow
def test_archive_log_reproduces_the_published_counts_and_demand(shared_data: Path, name: str) -> None:
    rows, no_run_time, (mean, *exact) = ARCHIVE[name]
    jobs = read_trace(shared_data / "swf" / f"{name}.swf.gz")
    assert jobs.dropped == {"no_run_time": no_run_time, "no_processors": 0}
    assert len(jobs) == rows - no_run_time
    usage = in_use(jobs.submit, jobs.submit + jobs.service, jobs.gpus)
    assert [usage.p50, usage.p95, usage.p99, usage.peak, usage.first, usage.last] == exact
    assert float(f"{usage.mean:.4g}") == mean
    assert jobs.offered_load == usage.mean


@pytest.mark.alone
@pytest.mark.slow
def test_a_log_of_188_041_jobs_is_read_in_two_seconds_and_300_megabytes(shared_data: Path) -> None:
    path = shared_data / "swf" / "LCG-2005-1.swf.gz"
    times = []
    for _ in range(2):
        begin = time.process_time()  # one thread: what a machine with nothing else to do would take
        read_trace(path)
        times.append(time.process_time() - begin)
    tracemalloc.start()
    try:
        read_trace(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300e6
    assert min(times) < 2.0


def test_test_schedules_list_the_jobs_that_were_read(shared_data: Path) -> None:
    for name in ("lublin256-perfect-l85", "hpc2n-head-240"):
        jobs = read_trace(shared_data / "xval" / f"{name}.swf.gz")
        # columns: id, submit, start, finish, procs
        with gzip.open(shared_data / "xval" / f"{name}.fcfs.csv.gz", "rt") as text:
            table = np.loadtxt(
                text, delimiter=",", skiprows=1, dtype=np.int64
            )  # id, submit, start, finish, procs
        table = table[np.lexsort((table[:, 0], table[:, 1]))]
        assert np.array_equal(jobs.id, table[:, 0])
        assert np.array_equal(jobs.submit, table[:, 1])
        assert np.array_equal(jobs.service, table[:, 3] - table[:, 2])
        assert np.array_equal(jobs.gpus, table[:, 4])


# ---- time-weighted use


def test_at_one_instant_ends_come_before_starts() -> None:
    assert in_use([0, 10], [10, 20], [5, 5]).peak == 5


def test_idle_time_inside_the_span_counts() -> None:
    usage = in_use([0, 90], [10, 100], [1, 7])  # 10 ticks at 1, 80 at 0, 10 at 7
    assert (usage.mean, usage.p50, usage.p95, usage.peak) == (0.8, 0, 7, 7)


def test_a_percentile_is_the_smallest_level_held_that_share_of_the_time() -> None:
    usage = in_use([0, 50, 95, 99], [50, 95, 99, 100], [1, 2, 3, 4])
    assert (usage.p50, usage.p95, usage.p99, usage.peak) == (1, 2, 3, 4)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=12)
)
def test_use_equals_a_count_tick_by_tick(rows: list[tuple[int, int, int]]) -> None:
    start = np.array([submit for submit, _, _ in rows])
    end = start + np.array([service for _, service, _ in rows])
    gpus = np.array([held for _, _, held in rows])
    usage = in_use(start, end, gpus)
    ticks = np.arange(start.min(), end.max())
    level = np.sort([int(gpus[(start <= t) & (t < end)].sum()) for t in ticks])
    assert usage.mean == level.sum() / len(level)
    assert usage.peak == level[-1]
    for percent, found in ((50, usage.p50), (95, usage.p95), (99, usage.p99)):
        assert found == level[-(-percent * len(level) // 100) - 1]


@pytest.mark.parametrize(
    ("start", "end", "gpus", "message"),
    [
        ([0], [0], [1], "give a later end"),
        ([0, 1], [5], [1], "differ in length"),
        ([], [], [], "give at least one"),
        ([0.5], [2], [1], "not a column of whole numbers"),
    ],
)
def test_use_of_impossible_intervals_is_refused(start: Any, end: Any, gpus: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        in_use(start, end, gpus)
