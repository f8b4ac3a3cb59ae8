"""The engine's door: nothing is converted silently, and what cannot be meant is refused with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gpusim.engine import batch, cpu, memory
from gpusim.engine.batch import generate_jobs, run_batch
from gpusim.engine.spec import ALL, FOREVER, MILLION, ClassTable, Policy, RunSpec, SloTable, Windows
from gpusim.errors import RunError, UsageError, WorkloadError
from gpusim.workload.alias import compile_alias
from gpusim.workload.distributions import Deterministic, Exponential
from gpusim.workload.jobs import Jobs
from gpusim.workload.quantile_table import compile_table
from gpusim.workload.source import Generator, LimitMode, Source
from gpusim.workload.ticks import MAX_GPUS

GIB = 1 << 30
STORED = RunSpec(Jobs(submit=[0, 1, 2], service=[5, 5, 5], gpus=[1, 2, 3]))
TABLES = RunSpec([STORED.tables[0], Jobs(submit=[0], service=[7], gpus=[2])])


def source(key: int = 1, gpus: int = 1, shift: int = 20, job_class: int = 0) -> Source:
    counts = compile_alias([1], [1.0])
    return Source(
        key=key,
        job_class=job_class,
        active=True,
        gap=compile_table(Exponential(50.0), 1.0, shift),
        service=compile_table(Deterministic(100.0), 1.0, 16),
        gpus=np.array([gpus], np.int32),
        threshold=counts.threshold,
        alias=counts.alias,
        limit_mode=LimitMode.EXACT,
    )


def generated(horizon: int = 10_000, **changes: int) -> RunSpec:
    return RunSpec(Generator(sources=(source(**changes),), seed=1), windows=Windows(0, horizon, horizon))


GENERATED = generated()


def classes(tier: object = 0, tenant: object = 0, patience: object = -1, tenants: object = 1) -> ClassTable:
    return ClassTable(tier, tenant, patience, tenants)


def slos(limit: object = (5,), share: object = (900_000,), member: object = ((True,),)) -> SloTable:
    return SloTable(limit, share, member)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RunError) as caught:
        call()
    assert all(problem.remedy and problem.code for problem in caught.value.problems)
    return str(caught.value)


# ---- one checked cast -------------------------------------------------------------------------------------------

CELLS = {
    "wraps int32": (
        0,
        2**32 + 100,
        "gpus: is out of range (4294967396); use a whole number from 0 to 2,147,483,646",
    ),
    "one too many GPUs": (0, [5, 2**31 - 1], "gpus[1]: is out of range (2147483647)"),
    "negative GPUs": (0, [-1, 5], "gpus[0]: is out of range (-1)"),
    "GPUs beyond int64": (0, [1, 2**70], "gpus[1]: is out of range"),
    "GPUs of many digits": (0, 10**5000, "gpus: is out of range (16610 bits)"),
    "fraction": (0, 1.7, "gpus[0]: is not a whole number (1.7)"),
    "whole float": (0, np.array([2.0]), "gpus[0]: is not a whole number (2.0)"),
    "NaN": (0, [3, float("nan")], "gpus[1]: is not a whole number (nan)"),
    "infinity": (0, np.inf, "gpus[0]: is not a whole number (inf)"),
    "bool": (0, True, "gpus[0]: is not a whole number (True)"),
    "text": (0, "5", "gpus[0]: is not a whole number ('5')"),
    "None": (0, None, "gpus[0]: is not a whole number (None)"),
    "table": (
        0,
        [[1, 2]],
        "gpus: has the wrong shape (shape (1, 2)); give one number for each of the 1 pools",
    ),
    "ragged": (0, [[1], [2, 3]], "gpus: has "),
    "negative replication": (-1, 5, "replication: is out of range (-1); use a whole number from 0 to 1"),
    "no such workload": ([0, 2], 5, "replication[1]: is out of range (2)"),
    "huge replication": (2**63, 5, "replication: is out of range (9223372036854775808)"),
    "lengths": ([0, 1], [1, 2, 3], "cells: differ in length (replication 2, draw 1, demand_ppm 1, gpus 3)"),
}


@pytest.mark.parametrize("case", CELLS)
def test_cells_that_are_not_whole_numbers_in_range_are_refused(case: str) -> None:
    replication, gpus, said = CELLS[case]
    assert refused(lambda: run_batch(TABLES, replication, gpus)).startswith(said)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, object])
def test_cells_of_any_integer_type_give_the_same(dtype: type) -> None:
    expected = run_batch(STORED, 0, [0, 3])
    result = run_batch(STORED, np.zeros(2, dtype), np.array([0, 3], dtype))
    assert np.array_equal(result.sums, expected.sums)
    assert result.counts[0, 0].tolist() == [3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]  # no GPUs: everybody is rejected


def test_no_cells_are_no_rows() -> None:
    assert len(run_batch(STORED, [], 4).status) == 0


def test_generated_jobs_have_2_to_the_32_replications() -> None:
    assert run_batch(GENERATED, 2**32 - 1, 8).jobs[0] > 0
    assert "to 4,294,967,295" in refused(lambda: run_batch(GENERATED, 2**32, 8))


def test_columns_are_copies_and_read_only() -> None:
    mine = np.array([3], np.int32)
    table = classes(tier=mine)
    mine[0] = 4
    assert table.tier.tolist() == [3]
    assert not table.tier.flags.writeable


# ---- parts of a run ---------------------------------------------------------------------------------------------

TOO_LONG = {"submit": [0, 2**42], "service": [2**42 - 2, 1], "gpus": [1, 1]}  # could end at 2^43 - 1
PARTS = {
    "tier beyond int32": (lambda: classes(tier=2**32 + 1), "classes.tier: is out of range (4294967297)"),
    "fraction of a tier": (lambda: classes(tier=1.7), "classes.tier[0]: is not a whole number (1.7)"),
    "patience": (lambda: classes(patience=-2), "classes.patience: is out of range (-2)"),
    "long patience": (lambda: classes(patience=2**43), "classes.patience: is out of range"),
    "tenant": (
        lambda: classes(tenant=1),
        "classes.tenant: is out of range (1); use a whole number from 0 to 0",
    ),
    "tenants": (lambda: classes(tenants=0), "classes.tenants: is out of range (0)"),
    "many tenants": (lambda: classes(tenants=2**31 - 1), "classes.tenants: is out of range"),
    "no class": (lambda: classes([], [], []), "classes: differ in length, or are none or too many"),
    "class lengths": (lambda: classes([0, 0]), "classes: differ in length"),
    "many classes": (lambda: classes(*np.zeros((3, 2**16 + 1), int)), "classes: differ in length"),
    "backfill": (lambda: Policy(ALL - 1), "policy.backfill: is out of range (-3)"),
    "named backfill": (lambda: Policy("easy"), "policy.backfill: is not a whole number ('easy')"),
    "max_waiting": (lambda: Policy(max_waiting=-2), "policy.max_waiting: is out of range (-2)"),
    "tenant_max_waiting": (
        lambda: Policy(tenant_max_waiting=(3, -2)),
        "policy.tenant_max_waiting[1]: is out of range (-2)",
    ),
    "flag": (lambda: Policy(kill_at_limit=1), "policy.kill_at_limit: is neither True nor False (1)"),
    "windows": (lambda: Windows(5, 4, 9), "windows: are out of order (5, 4, 9)"),
    "fraction of a window": (lambda: Windows(0, 1.5, 9), "windows.count_end: is not a whole number (1.5)"),
    "late window": (lambda: Windows(0, 1, 2**43), "windows.horizon: is out of range (8796093022208)"),
    "negative limit": (lambda: slos(limit=[-1]), "slos.limit: is out of range (-1)"),
    "share": (lambda: slos(share=[1_000_001]), "slos.share_ppm: is out of range (1000001)"),
    "share as a fraction": (lambda: slos(share=[0.9]), "slos.share_ppm[0]: is not a whole number (0.9)"),
    "member": (lambda: slos(member=[[1]]), "slos.member: is not a table of flags (int64, shape (1, 1))"),
    "ragged member": (lambda: slos([1, 2], [0, 0], [[True], [True, False]]), "slos.member: has rows of diff"),
    "levels": (lambda: slos(limit=[1, 2]), "slos: columns differ in length (share_ppm 1, member 1, "),
    "no workload": (lambda: RunSpec([]), "jobs: are no workload ([])"),
    "not jobs": (lambda: RunSpec(None), "jobs: are no workload (None)"),
    "not all jobs": (lambda: RunSpec([STORED.tables[0], 3]), "jobs: are no workload"),
    "job class": (
        lambda: RunSpec([STORED.tables[0], Jobs(submit=[0], service=[1], gpus=[1], job_class=[1])]),
        "jobs[1].job_class: names a class that does not exist (1)",
    ),
    "width of member": (
        lambda: RunSpec(STORED.jobs, slos=slos(member=[[True, False]])),
        "slos.member: has the wrong number of classes (2)",
    ),
    "tenants' bounds": (
        lambda: RunSpec(STORED.jobs, policy=Policy(tenant_max_waiting=(1, 2))),
        "policy.tenant_max_waiting: has the wrong length (2)",
    ),
    "sources": (
        lambda: generated(job_class=1),
        "jobs: name a class that does not exist (class 1 of a source)",
    ),
    "endless": (lambda: RunSpec(GENERATED.jobs), "windows.horizon: is missing"),
    "gang": (lambda: generated(gpus=2**31 - 1), "source 0x00000001.gpus: is too large (2,147,483,647)"),
    "clock": (lambda: generated(2**42), "source 0x00000001.gap: is too fine for this horizon"),
    "too long": (
        lambda: RunSpec(Jobs(**TOO_LONG)),
        "jobs: could run past the last tick, 2^43 - 2 (until 8,796,093,022,207)",
    ),
}


@pytest.mark.parametrize("case", PARTS)
@pytest.mark.slow
def test_parts_that_cannot_be_meant_are_refused(case: str) -> None:
    make, said = PARTS[case]
    assert refused(make).startswith(said)


def test_the_longest_run_that_fits_is_exact() -> None:
    fits = Jobs(**{**TOO_LONG, "submit": [0, 2**42 - 1]})
    records = run_batch(RunSpec(fits), 0, 1, records=True).records
    assert records.end.tolist() == [2**42 - 2, 2**42]
    late = Jobs(submit=[2**43 - 3], service=[1], gpus=[MAX_GPUS])
    assert run_batch(RunSpec(late), 0, MAX_GPUS, records=True).records.end.tolist() == [FOREVER - 1]


def test_jobs_may_be_endless_where_the_run_is_not() -> None:
    jobs = Jobs(submit=[0, 2**43 - 1], service=[2**43 - 1, 2**43 - 1], gpus=[1, 1])
    result = run_batch(RunSpec(jobs, windows=Windows(0, 100, FOREVER - 1)), 0, 1, records=True)
    assert result.records.start.tolist() == [0, -1]
    # a limit shortens the run, unless recorded run times stand
    asked = Jobs(submit=[0, 5], service=[2**43 - 1] * 2, limit=[10, 10], gpus=[1, 1])
    assert run_batch(RunSpec(asked), 0, 1, records=True).records.end.tolist() == [10, 20]
    assert "could run past" in refused(lambda: RunSpec(asked, policy=Policy(kill_at_limit=False)))


def test_the_largest_gang_has_one_name() -> None:
    assert MAX_GPUS == 2**31 - 2
    with pytest.raises(WorkloadError, match="1 to 2,147,483,646"):
        Jobs(submit=[0], service=[1], gpus=[MAX_GPUS + 1])


# ---- options ----------------------------------------------------------------------------------------------------

OPTIONS = {
    "no thread": ({"threads": 0}, "threads: is out of range (0); use a whole number from 1 to 256"),
    "many threads": ({"threads": 257}, "threads: is out of range (257)"),
    "half a thread": ({"threads": 0.5}, "threads: is not a whole number (0.5)"),
    "lanes": ({"lanes": 2}, "lanes: are of no engine (2)"),
    "running_slots": ({"running_slots": 48}, "running_slots: is not a power of two (48)"),
    "queue_slots": ({"queue_slots": 3}, "queue_slots: is out of range (3)"),
    "profile_slots": ({"profile_slots": 2**40}, "profile_slots: is out of range"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_out_of_range_are_refused(case: str) -> None:
    options, said = OPTIONS[case]
    assert refused(lambda: run_batch(STORED, 0, 3, **options)).startswith(said)


@pytest.mark.parametrize("value", ["0", "-1", "257", "two", "9" * 5000, "1.5"])
def test_threads_of_the_environment_are_checked(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUSIM_NUM_THREADS", value)
    with pytest.raises(UsageError, match="set it to a number from 1 to 256"):
        run_batch(STORED, 0, 3)
    assert len(run_batch(STORED, 0, 3, threads=1).status) == 1


# ---- records ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [[], [3, 4]])
def test_records_need_exactly_one_cell(cells: list[int]) -> None:
    said = refused(lambda: run_batch(STORED, 0, cells, records=True))
    assert said == f"records: are kept for one cell ({len(cells)} cells); run one cell at a time"
    assert "is not one number" in refused(lambda: generate_jobs(TABLES, [0, 1]))


def test_generated_jobs_are_counted_without_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = generate_jobs(GENERATED, 3)
    assert cpu.count_jobs(GENERATED, 3, 0, MILLION) == len(jobs) > 100
    monkeypatch.setattr(cpu, "generate", None)
    records = run_batch(GENERATED, 3, 4, records=True).records
    assert np.array_equal(records.submit, jobs.submit)


@pytest.mark.parametrize("spec", [STORED, GENERATED], ids=["stored", "generated"])
def test_too_many_records_are_refused_before_anything_is_allocated(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_RECORDS", 2)
    monkeypatch.setattr(cpu, "run", None)
    monkeypatch.setattr(cpu, "generate", None)
    for call in (lambda: run_batch(spec, 0, 3, records=True), lambda: generate_jobs(spec, 0)):
        assert "too many job records to keep" in refused(call)


# ---- memory -----------------------------------------------------------------------------------------------------


def test_results_that_cannot_fit_are_refused_before_anything_is_allocated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "run", None)
    monkeypatch.setattr(memory, "available", lambda: GIB)
    said = refused(lambda: run_batch(STORED, np.zeros(10**6, int), 3, histogram=True))
    assert said.startswith("memory: needs ")
    assert said.endswith("GiB, 1.00 GiB available; run fewer replications at a time, or without histograms")
    monkeypatch.setattr(memory, "available", lambda: 0)
    said = refused(lambda: run_batch(STORED, np.zeros(10**6, int), 3))
    assert said.endswith("available; run fewer replications at a time")
    monkeypatch.setattr(memory, "SMALL", 0)
    said = refused(lambda: run_batch(STORED, 0, 3, records=True))
    assert said.endswith("run fewer replications at a time")
    assert refused(lambda: generate_jobs(STORED, 0)).endswith("shorten the horizon")


@pytest.mark.parametrize(("histogram", "records"), [(False, False), (True, False), (False, True)])
def test_the_estimate_is_what_the_results_take(
    histogram: bool, records: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(memory, "require", lambda needed, remedy: asked.append(needed))
    spec = STORED
    if records:
        n = 5000
        spec = RunSpec(Jobs(submit=np.arange(n), service=np.ones(n, int), gpus=np.ones(n, int)))
    result = run_batch(spec, np.zeros(1 if records else 500, int), 3, histogram=histogram, records=records)
    parts = [*vars(result).values(), *(vars(result.records).values() if records else ())]
    taken = sum(part.nbytes for part in parts if isinstance(part, np.ndarray))
    assert taken <= asked[0] <= 1.2 * taken


MEMINFO = "MemTotal: 99999999 kB\nMemAvailable:    4096 kB\n"
V1, V2 = "sys/fs/cgroup/memory/job", "sys/fs/cgroup/a/b"
GROUPS: dict[str, tuple[dict[str, str], int]] = {
    "machine": ({}, 4096 * 1024),
    "version 2": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            f"{V2}/memory.max": "max\n",
            f"{V2}/memory.current": "7\n",
            "sys/fs/cgroup/a/memory.max": "1000\n",  # of the group around it
            "sys/fs/cgroup/a/memory.current": "900\n",
            "sys/fs/cgroup/a/memory.stat": "active_file 70\ninactive_file 50\n",
        },
        150,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "9:cpu:/other\n4:hugetlb,memory:/job\n0::/\n",
            f"{V1}/memory.limit_in_bytes": "5000\n",
            f"{V1}/memory.usage_in_bytes": "4000\n",
            f"{V1}/memory.stat": "inactive_file 1\ntotal_inactive_file 20\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "123456\n",
        },
        1020,
    ),
    "over its limit": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "5\n",
            "sys/fs/cgroup/memory.current": "9\n",
        },
        0,
    ),
    "nonsense": ({"proc/self/cgroup": "\n:\n0\n0::\n"}, 4096 * 1024),
}


@pytest.mark.parametrize("case", GROUPS)
def test_available_memory_is_the_least_of_machine_and_groups(case: str, tmp_path: Path) -> None:
    files, expected = GROUPS[case]
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory.available(tmp_path) == expected


def test_available_memory_of_this_machine_is_plausible(tmp_path: Path) -> None:
    assert 1 << 20 < memory.available() < 1 << 50
    assert memory.available(tmp_path) > 1 << 20  # nothing to read: what the machine has


# ---- what still slips through -----------------------------------------------------------------------------------


def test_running_out_of_memory_is_a_run_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*args: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(cpu._native, "run", run)
    assert refused(lambda: run_batch(STORED, 0, 3)).startswith("memory: ran out; run fewer cells at a time")


@pytest.mark.parametrize("name", ["tier_rank", "tiers", "submit", "gpus"])
def test_internal_checks_are_run_errors(name: str) -> None:
    spec = RunSpec(STORED.jobs)
    good = spec.arrays[name]
    for bad in (-1, None, np.array(["x"]), np.full(np.shape(good) or 1, -1, getattr(good, "dtype", int))):
        spec.arrays[name] = bad
        said = refused(lambda: run_batch(spec, 0, 3))
        assert said.startswith("engine: an internal check failed: ")
        assert name in said or "tier rank" in said or "Unable to cast" in said


@pytest.mark.parametrize("error", [ValueError("mine"), RuntimeError("mine"), KeyboardInterrupt()])
def test_what_a_callback_raises_passes_unchanged(error: BaseException) -> None:
    def progress(done: int, total: int) -> None:
        raise error

    cells = np.zeros(400_000, int)
    with pytest.raises(type(error)) as caught:
        run_batch(STORED, cells, 3, progress=progress, lanes=32, threads=1)
    assert caught.value is error
