"""The Philly csv reader: what becomes of each column, what is refused, and tenants in a replay."""
# ruff: noqa: E501 - the table of bad logs holds one case a line

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gpusim
from cli_calls import call
from gpusim.errors import UsageError, WorkloadError
from gpusim.workload.jobs import Jobs
from gpusim.workload.trace import read_trace

HEADER = "timestamp,duration,num_gpus,gpu_time,cluster"
GOOD = [
    "2017-10-09 07:01:55,66.0,1,66.0,11cb48",
    "2017-10-09 06:13:03,100.0,2,200.0,6214e9",
    "2017-10-09 06:13:04,50.0,4,200.0,11cb48",
]
Read = Callable[..., Jobs]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(*lines: str, header: str = HEADER, tick: float = 1.0, end: str = "\n") -> Jobs:
        path = tmp_path / "philly.csv"
        path.write_bytes("".join(line + end for line in (header, *lines)).encode("latin-1"))
        return read_trace(path, tick=tick)

    return write_and_read


# ---- what becomes of each column


def test_every_column_lands_in_its_place_and_rows_are_sorted(read: Read) -> None:
    jobs = read(*GOOD)
    assert jobs.tenants == ("11cb48", "6214e9")
    assert {name: column.tolist() for name, column in jobs.to_dict().items()} == {
        "id": [3, 4, 2], "submit": [0, 1, 2932], "service": [100, 50, 66], "limit": [100, 50, 66],
        "gpus": [2, 4, 1], "job_class": [1, 0, 0], "after": [-1, -1, -1], "delay": [0, 0, 0], "user": [0, 0, 0],
    }  # fmt: skip
    assert jobs.unix_start == 1507529583  # 2017-10-09 06:13:03, taken as UTC
    assert jobs.dropped == {"no_run_time": 0, "no_gpus": 0}
    assert jobs.source.endswith("philly.csv")


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        (HEADER.upper(), GOOD),
        (
            '"timestamp","duration","num_gpus","gpu_time","cluster"',
            [f'"{x}"'.replace(",", '","') for x in GOOD],
        ),
        ("timestamp, duration, num_gpus, gpu_time, cluster", [x.replace(",", ", ") for x in GOOD]),
        ("\ntimestamp,duration,num_gpus,gpu_time,cluster", ["", GOOD[0], "  ", *GOOD[1:], ""]),
        (
            "cluster,user,timestamp,num_gpus,duration",
            [
                "11cb48,kim,2017-10-09T07:01:55,1,66",
                "6214e9,,2017-10-09T06:13:03,2,100",
                "11cb48,x y,2017-10-09T06:13:04,4.0,5e1",
            ],
        ),
    ],
    ids=["capitals", "quotes", "blanks", "empty lines", "other columns"],
)
def test_harmless_differences_of_form_change_nothing(read: Read, header: str, lines: list[str]) -> None:
    plain, other = read(*GOOD), read(*lines, header=header)
    assert other.tenants == plain.tenants
    for name in ("submit", "service", "gpus", "job_class"):
        assert getattr(other, name).tolist() == getattr(plain, name).tolist()


def test_windows_line_ends_a_byte_order_mark_and_gzip_are_read(read: Read, tmp_path: Path) -> None:
    plain = read(*GOOD)
    assert read(*GOOD, end="\r\n") == plain
    assert read(*GOOD, header="\xef\xbb\xbf" + HEADER) == plain
    zipped = tmp_path / "any name"
    zipped.write_bytes(gzip.compress("\n".join([HEADER, *GOOD]).encode()))
    assert read_trace(zipped) == plain


def test_rows_without_run_time_or_gpus_are_dropped_and_counted(read: Read) -> None:
    jobs = read(
        GOOD[0], "2017-01-01 00:00:00,0,1,0,a", "2017-01-01 00:00:00,-1,0,0,a", "2017-01-01 00:00:00,9,0,0,a"
    )
    assert jobs.dropped == {"no_run_time": 2, "no_gpus": 1}
    assert jobs.submit.tolist() == [0]  # dropped rows do not start the clock
    assert jobs.tenants == ("11cb48",)


def test_repeated_rows_are_jobs_of_their_own_and_are_counted(read: Read) -> None:
    jobs = read(GOOD[0], GOOD[1], GOOD[0], GOOD[0], GOOD[2])
    assert len(jobs) == 5
    assert jobs.repeated == 2
    assert jobs.id.tolist() == [3, 6, 2, 4, 5]
    assert jobs.is_repeated.tolist() == [False, False, False, True, True]
    assert jobs.of_tenants("6214e9").repeated == 0
    assert pickle.loads(pickle.dumps(jobs)).repeated == 2


def test_ticks_round_as_in_every_table(read: Read) -> None:
    jobs = read("2017-01-01 00:00:00,1.26,1,1.26,a", "2017-01-01 00:00:59,0.04,1,0.04,a", tick=0.1)
    assert jobs.submit.tolist() == [0, 590]
    assert jobs.service.tolist() == [13, 1]
    assert read(
        "2017-01-01 00:00:00,90,1,90,a", "2017-01-01 00:01:59,29,1,29,a", tick=60
    ).submit.tolist() == [0, 1]


# ---- bad logs

ROW = "2017-10-09 07:01:55,66.0,1,66.0,11cb48"
BAD: dict[str, tuple[str, str, str, str]] = {
    # name: the line that stands on line 4, code, what is said, remedy
    "few fields": ("2017-10-09 07:01:55,66.0,1", "columns", "has 3 fields instead of 5", "line 1 names"),
    "many fields": (ROW + ",x", "columns", "has 6 fields instead of 5", "delete the line"),
    "one field": ("hello", "columns", "has 1 field instead of 5 ('hello')", "delete the line"),
    "no date": (ROW.replace("2017-10-09 07:01:55", "yesterday"), "date", "timestamp is not a date and time ('yesterday')", "2017-10-09 07:01:55"),
    "impossible date": (ROW.replace("10-09", "02-30"), "date", "('2017-02-30 07:01:55')", "2017-10-09 07:01:55"),
    "impossible hour": (ROW.replace("07:01", "27:01"), "date", "not a date and time", "write it as"),
    "date without a time": (ROW.replace(" 07:01:55", ""), "date", "('2017-10-09')", "write it as"),
    "null date": (ROW.replace("2017-10-09 07:01:55", "None"), "date", "('None')", "write it as"),
    "text duration": (ROW.replace(",66.0,1,", ",long,1,"), "not-numbers", "duration is not a number ('long')", "write a number"),
    "digit grouping": (ROW.replace(",66.0,1,", ",1_000,1,"), "not-numbers", "duration is not a number ('1_000')", "write a number"),
    "empty duration": (ROW.replace(",66.0,1,", ",,1,"), "not-numbers", "duration is not a number ('')", "write a number"),
    "nan duration": (ROW.replace(",66.0,1,", ",nan,1,"), "not-finite", "duration is not a finite number ('nan')", "write a number"),
    "infinite GPUs": (ROW.replace(",1,", ",inf,"), "not-finite", "num_gpus is not a finite number ('inf')", "write a number"),
    "half a GPU": (ROW.replace(",1,66", ",0.5,33"), "not-whole", "fraction of a GPU (0.5)", "whole number"),
    "huge GPUs": (ROW.replace(",1,66.0", ",3e9,198e9"), "too-large", "too many GPUs (3000000000)", "at most 2,147,483,646"),
    "huge duration": (ROW.replace("66.0,1,66.0", "1e14,1,1e14"), "too-large", "duration is too large (100000000000000)", "2**43 ticks"),
    "another product": (ROW.replace(",66.0,11", ",67.0,11"), "gpu-time", "gpu_time is not duration x num_gpus (67)", "leave the column gpu_time out"),
    "no cluster": (ROW.replace("11cb48", ""), "missing", "cluster is empty ('')", "name the virtual cluster"),
    "bytes": (ROW.replace("11cb48", "\xe9\xff"), "bytes", "holds bytes that are not UTF-8", "save the file as UTF-8"),
    "control characters": (ROW.replace("66.0,1,", "\x1b[31m,1,"), "not-numbers", "('\\x1b[31m')", "write a number"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_refused_with_place_value_and_remedy(read: Read, name: str, tmp_path: Path) -> None:
    line, code, what, remedy = BAD[name]
    with pytest.raises(WorkloadError) as caught:
        read(*GOOD[:2], line, GOOD[2])
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'philly.csv'}:4"
    assert problem.code == f"workload/{code}"
    assert what in str(problem)
    assert remedy in problem.remedy


def test_every_problem_is_reported_at_once_in_the_order_of_the_lines(read: Read) -> None:
    with pytest.raises(WorkloadError) as caught:
        read("never,x,-,y,", ROW, "2017-10-09", ROW.replace(",1,66.0", ",1.5,99"))
    places = [(p.where.rpartition(":")[2], p.code.removeprefix("workload/")) for p in caught.value.problems]
    assert places == [
        ("2", "date"), ("2", "not-numbers"), ("2", "not-numbers"), ("2", "not-numbers"), ("2", "missing"),
        ("4", "columns"), ("5", "not-whole"),
    ]  # fmt: skip


def test_a_million_bad_lines_are_counted_and_not_listed(read: Read) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(*["x"] * 5000)
    assert len(caught.value.problems) + caught.value.more == 5000
    assert len(str(caught.value)) < 10_000


@pytest.mark.parametrize(
    ("header", "what", "remedy"),
    [
        ("timestamp,duration,gpus,cluster", "no column num_gpus", "rename gpus to num_gpus"),
        ("duration,num_gpus,cluster,when", "no column timestamp", "name the columns timestamp,duration"),
        ("timestamp,duration,duration,num_gpus,cluster", "column duration twice", "keep one"),
    ],
)
def test_a_header_that_lacks_a_column_says_which(read: Read, header: str, what: str, remedy: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(*GOOD, header=header)
    (problem,) = caught.value.problems
    assert problem.code == "workload/header"
    assert problem.where.endswith(":1")
    assert what in problem.what
    assert remedy in problem.remedy


def test_a_log_without_jobs_says_so(read: Read) -> None:
    with pytest.raises(WorkloadError, match="holds no job"):
        read()
    with pytest.raises(
        WorkloadError, match=r"no job is left after dropping rows \(1 no_run_time, 0 no_gpus\)"
    ):
        read("2017-10-09 07:01:55,0,1,0,a")


def test_another_csv_is_told_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("id,submit,run\n" + "1,2,3\n" * 9)
    with pytest.raises(WorkloadError) as caught:
        read_trace(tmp_path / "jobs.csv")
    assert "timestamp,duration,num_gpus,cluster" in caught.value.problems[0].remedy


# ---- tenants


def test_one_tenant_alone_keeps_its_times_and_ids(read: Read) -> None:
    jobs = read(*GOOD)
    alone = jobs.of_tenants("11cb48")
    assert alone.tenants == ("11cb48",)
    assert alone.id.tolist() == [4, 2]
    assert alone.submit.tolist() == [1, 2932]
    assert alone.job_class.tolist() == [0, 0]
    both = jobs.of_tenants("6214e9", "11cb48", "6214e9")
    assert both.tenants == ("6214e9", "11cb48")
    assert both.job_class.tolist() == [0, 1, 1]
    assert both.gpus.tolist() == jobs.gpus.tolist()


def test_a_tenant_that_is_not_there_is_refused_with_the_nearest(read: Read) -> None:
    jobs = read(*GOOD)
    with pytest.raises(UsageError) as caught:
        jobs.of_tenants("11cb49", "zz", "6214e9")
    assert [problem.found for problem in caught.value.problems] == ["'11cb49'", "'zz'"]
    assert caught.value.problems[0].remedy == "did you mean 11cb48?"
    assert caught.value.problems[1].remedy == "choose from 11cb48, 6214e9"
    with pytest.raises(UsageError, match="none is named"):
        jobs.of_tenants()
    with pytest.raises(UsageError, match="tells no tenants apart"):
        Jobs(submit=[0], service=[1], gpus=[1]).of_tenants("a")


def test_a_chain_stays_whole_when_its_tenant_is_chosen() -> None:
    columns = {name: np.array([0, 1, 2, 3, 4]) for name in ("submit", "id")}
    jobs = Jobs.from_ticks(
        **columns,
        service=np.ones(5, np.int64), limit=np.ones(5, np.int64), gpus=np.ones(5, np.int32),
        job_class=np.array([0, 1, 0, 1, 1]), after=np.array([-1, -1, 0, 2, 1]), delay=np.array([0, 0, 5, 6, 7]),
        tick=1.0, source="x", dropped={}, unix_start=None, tenants=("a", "b"),
    )  # fmt: skip
    assert jobs.of_tenants("a").after.tolist() == [-1, 0]
    assert jobs.of_tenants("a").delay.tolist() == [0, 5]
    assert jobs.of_tenants("b").after.tolist() == [-1, -1, 0]  # the job before jobs[3] is of another tenant


#   2 GPUs, first come first served:   time 0       10       20      30
#   a  2 GPUs                               0 ..... 10
#   b  1 GPU (submitted at 0, waits 10)             10 .... 20
#   a  2 GPUs (submitted at 5, waits 15)                    20 .... 30
#   a  3 GPUs is refused
def test_each_tenant_has_its_jobs_gpu_hours_and_waits(read: Read) -> None:
    at = "2017-01-01 00:00:0"
    jobs = read(f"{at}0,10,2,20,a", f"{at}0,10,1,10,b", f"{at}5,10,2,20,a", f"{at}9,10,3,30,a")
    result = gpusim.replay(jobs, gpus=2, backfill="none")
    a, b = result.tenants
    assert (a.name, a.jobs, a.started, a.gpu_hours, a.mean_wait) == ("a", 3, 2, 40 / 3600, 7.5)
    assert a.p95_wait == pytest.approx(0.95 * 15)
    assert (b.name, b.jobs, b.started, b.gpu_hours, b.mean_wait, b.p95_wait) == ("b", 1, 1, 10 / 3600, 10, 10)
    assert result.gpu_hours == pytest.approx(50 / 3600)
    assert result.to_dict()["tenants"][1]["name"] == "b"


def test_the_page_lists_tenants_on_request(tmp_path: Path) -> None:
    log = tmp_path / "philly.csv"
    log.write_text("\n".join([HEADER, *GOOD, GOOD[0]]))
    plain = call("replay", log, "--gpus", "infinite")
    assert plain.code == 0
    assert "11cb48, 6214e9" in plain.out
    assert "1 equal another row of the log" in plain.out
    assert "Tenants, largest first" not in plain.out
    for word in ("vc", "tenant"):
        lines = call("replay", log, "--gpus", "infinite", "--by", word).out.splitlines()
        start = lines.index("Tenants, largest first")
        assert [line.split()[:2] for line in lines[start + 2 : start + 4]] == [
            ["11cb48", "3"],
            ["6214e9", "1"],
        ]


def test_one_tenant_can_be_replayed_alone_from_the_command_line(tmp_path: Path) -> None:
    log = tmp_path / "philly.csv"
    log.write_text("\n".join([HEADER, *GOOD]))
    data = call("replay", log, "--gpus", 4, "--tenant", "11cb48", "--json").data
    assert data["jobs"] == 2
    assert [tenant["name"] for tenant in data["tenants"]] == ["11cb48"]
    assert data["provenance"]["command"].endswith("--tenant 11cb48")
    both = call("replay", log, "--gpus", 4, "--tenant", "11cb48", "--tenant", "6214e9", "--json").data
    assert both["jobs"] == 3
    assert both["provenance"]["command"].endswith("--tenant 11cb48 --tenant 6214e9")
    wrong = call("replay", log, "--gpus", 4, "--tenant", "11cb4")
    assert wrong.code == 2
    assert "did you mean 11cb48?" in wrong.err


def test_by_is_refused_where_it_means_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log.swf"
    log.write_text("1 0 -1 10 2 -1 -1 2 10 -1 1 1 1 1 1 -1 -1 -1\n")
    result = call("replay", log, "--gpus", 4, "--by", "vc")
    assert result.code == 2
    assert "tells no virtual clusters apart" in result.err
    assert call("replay", log, "--gpus", 4, "--by", "user").code == 2
    assert call("replay", log, "--gpus", 4, "--json").data["tenants"] == []


# ---- the log itself, beside the checkout

# virtual cluster: jobs, GPU-hours, as published with the data for all clusters of more than 200 jobs
CLUSTERS = {
    "ee9e8c": (1511, 256_112), "7f04ca": (723, 164_931), "b436b2": (7423, 125_740), "6214e9": (41_226, 97_185),
    "6c71a0": (9953, 82_203), "2869ce": (422, 80_695), "0e4a51": (1435, 77_556), "103959": (1934, 42_880),
    "11cb48": (16_091, 28_104), "e13805": (374, 13_558), "ed69ec": (1137, 8937),
}  # fmt: skip


@pytest.fixture(scope="module")
def log(shared_data: Path) -> Path:
    return shared_data / "philly" / "philly.csv.gz"


@pytest.fixture(scope="module")
def among_all(log: Path) -> gpusim.Replay:
    """All virtual clusters together on 600 GPUs."""
    return gpusim.replay(read_trace(log), gpus=600)


@pytest.mark.slow
def test_an_unlimited_center_uses_what_the_log_asks_for(log: Path) -> None:
    data = call("replay", log, "--gpus", "infinite", "--by", "vc", "--json").data
    use = data["in_use"]
    assert f"{use['mean']:.4g}" == "374.2"
    assert [use[key] for key in ("p50", "p95", "p99", "peak", "first", "last")] == [
        422,
        758,
        871,
        1243,
        0,
        9408754,
    ]
    assert (data["jobs"], data["repeated"], len(data["tenants"])) == (82_247, 65, 15)
    assert data["mean_wait"] == 0
    assert f"{data['gpu_hours']:,.0f}" == "978,078"


@pytest.mark.slow
def test_gpu_hours_of_every_virtual_cluster_are_conserved(log: Path, among_all: gpusim.Replay) -> None:
    asked: dict[str, float] = {}
    with gzip.open(log, "rt") as lines:
        next(lines)
        for line in filter(str.strip, lines):
            _, _, _, gpu_time, cluster = line.strip().split(",")
            asked[cluster] = asked.get(cluster, 0.0) + float(gpu_time)
    for result in (among_all, gpusim.replay(among_all.table, gpus="unlimited")):
        found = {tenant.name: tenant.gpu_hours for tenant in result.tenants}
        assert found == pytest.approx({name: seconds / 3600 for name, seconds in asked.items()})
        rows = {t.name: (t.jobs, round(t.gpu_hours)) for t in result.tenants if t.jobs > 200}
        assert rows == CLUSTERS


@pytest.mark.slow
def test_one_virtual_cluster_waits_less_alone_than_among_all(among_all: gpusim.Replay) -> None:
    alone = gpusim.replay(among_all.table.of_tenants("ee9e8c"), gpus=600)
    shared = {tenant.name: tenant for tenant in among_all.tenants}["ee9e8c"]
    assert alone.jobs == shared.jobs == 1511
    assert alone.tenants[0].gpu_hours == pytest.approx(shared.gpu_hours)
    assert alone.mean_wait < shared.mean_wait
