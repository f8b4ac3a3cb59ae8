"""The engine at the size of a national center, and its manners while it works.

5,000 running and 100,000 waiting jobs: starts are frozen as hashes, equal on every path through the core, and for FIFO
and EASY equal to independent implementations written here for speed at this size (the oracle would need days).
"""

from __future__ import annotations

import hashlib
import heapq
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from gpusim.engine.batch import run_batch
from gpusim.engine.result import STATUS_OK, BatchResult
from gpusim.engine.spec import ALL, NONE, SKIP, ClassTable, Policy, RunSpec
from gpusim.workload.jobs import Jobs

Int64 = npt.NDArray[np.int64]

GPUS = 42_000
JOBS = 105_000
SIZES = np.repeat([1, 2, 3, 4, 8, 256], [30, 20, 20, 15, 13, 2])  # of gangs, with their weights in percent


def words(stream: int, n: int) -> npt.NDArray[np.uint64]:
    """SplitMix64: the same jobs whatever the version of NumPy's generators."""
    with np.errstate(over="ignore"):
        z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(stream << 32)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def crowd(n: int, step: int) -> Jobs:
    """Jobs submitted within eight steps that run 10,000 to 40,000 ticks; all times are multiples of the step.

    The step is the number of ticks between passes, so that it sets how many there are.
    """
    submit, service, factor, size, job_class = (words(stream, n) for stream in range(5))
    lasts = (10_000 // step + service % np.uint64(30_000 // step)).astype(np.int64) * step
    return Jobs(
        submit=np.sort(submit % np.uint64(9)).astype(np.int64) * step,
        service=lasts,
        limit=lasts * (1 + factor % np.uint64(3)).astype(np.int64),
        gpus=SIZES[size % np.uint64(100)],
        job_class=(job_class % np.uint64(3)).astype(np.int64),
    )


def center(jobs: Jobs, backfill: int, tiers: tuple[int, int, int] = (0, 0, 0)) -> RunSpec:
    return RunSpec(jobs, ClassTable(tiers, [0, 0, 0], [-1, -1, -1], 1), Policy(backfill))


def run(spec: RunSpec, gpus: int = GPUS, **room: int) -> BatchResult:
    return run_batch(spec, 0, gpus, records=True, threads=1, **room)


def starts(result: BatchResult) -> Int64:
    assert result.records is not None
    return result.records.start


def digest(result: BatchResult) -> str:
    return hashlib.sha256(starts(result).astype("<i8").tobytes()).hexdigest()


# name: policy, tiers, step, hash of the starts
CROWDS = {
    "fifo": (NONE, (0, 0, 0), 1, "8a00560baaf27a8812b0b53eaea7dd13eee23258605a3c78971ab335e960e72f"),
    "easy": (1, (0, 0, 0), 250, "c1acac2c9064fbd8e63a8d6821ff008212b197a0aaa20c305bda26f6abc35ba9"),
    "skip": (SKIP, (0, 0, 0), 250, "5eb9d27e82371bea91c63b53ebb849dcfe2f51c92fe1d85395cc68ba0c297282"),
    "easy with tiers": (
        1,
        (0, 1, 2),
        250,
        "7b075e8b312ef52f04b19eb00523b54c9fc34e57c3503986d382189cc5a689ab",
    ),
    "four reservations": (
        4,
        (0, 0, 0),
        1000,
        "6046a3d0723d3956d50693f0b61bb12299ec2255864f48a785b3c2e02debcde2",
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(k, marks=pytest.mark.slow if k == "four reservations" else ()) for k in CROWDS]
)
@pytest.mark.slow
def test_crowd_of_a_hundred_thousand_starts_as_ever_on_every_path(name: str) -> None:
    backfill, tiers, step, frozen = CROWDS[name]
    spec = center(crowd(JOBS, step), backfill, tiers)
    roomy = run(spec, running_slots=16_384, queue_slots=1 << 18, profile_slots=1 << 15)
    assert roomy.reruns == 0
    most_waiting, most_running, _ = roomy.extremes[0]
    assert most_waiting >= 99_000
    assert most_running >= 5000
    assert digest(roomy) == frozen
    cramped = run(spec, running_slots=32, queue_slots=4, profile_slots=4)
    assert cramped.reruns > 15
    assert digest(cramped) == frozen
    pair = run_batch(spec, 0, [GPUS - 64, GPUS], threads=2)
    for field in ("counts", "sums", "integrals", "extremes", "jobs"):
        assert np.array_equal(getattr(roomy, field)[0], getattr(pair, field)[1]), field


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fifo", "easy", "skip", "easy with tiers"])
def test_crowd_starts_as_ever_on_emulated_lanes(name: str) -> None:
    backfill, tiers, step, frozen = CROWDS[name]
    assert digest(run(center(crowd(JOBS, step), backfill, tiers), lanes=32)) == frozen


@pytest.mark.slow
def test_easy_by_the_general_profile_starts_the_crowd_alike() -> None:
    jobs = crowd(JOBS, 1000)
    short, general = (
        RunSpec(jobs, center(jobs, 1).classes, Policy(1, always_profile=p)) for p in (False, True)
    )
    assert digest(run(short)) == digest(run(general))


def test_conservative_backfill_starts_a_smaller_crowd_as_ever() -> None:
    spec = center(crowd(2000, 1000), ALL)
    plenty = center(crowd(2000, 1000), 2000)
    frozen = "dffed8ab1671e0e93aaa9f1caf9ecf69e4313f1ac199d824fa729ff0b654e4cf"
    assert digest(run(spec, gpus=800)) == digest(run(plenty, gpus=800)) == frozen


# ---- independent implementations ------------------------------------------------------------------------------------


def fifo_starts(jobs: Jobs, gpus: int) -> list[int]:
    """Kiefer and Wolfowitz's recursion for gangs: nobody before the one in front, and as soon as the gang fits."""
    ends: list[tuple[int, int]] = []
    found, free, now = [], gpus, 0
    for submit, service, gang in zip(
        jobs.submit.tolist(), jobs.service.tolist(), jobs.gpus.tolist(), strict=True
    ):
        now = max(now, submit)
        while free < gang or (ends and ends[0][0] <= now):
            end, back = heapq.heappop(ends)
            now, free = max(now, end), free + back
        free -= gang
        heapq.heappush(ends, (now + service, gang))
        found.append(now)
    return found


def easy_starts(jobs: Jobs, gpus: int) -> Int64:
    """EASY backfill for jobs that end by their limits: one shadow time a pass, candidates by whole blocks."""
    block = 4096
    submit, service, limit, gang = jobs.submit, jobs.service, jobs.limit, jobs.gpus.astype(np.int64)
    start = np.full(len(jobs), -1, dtype=np.int64)
    running = np.zeros(len(jobs), dtype=bool)
    ends: list[tuple[int, int]] = []
    head = arrived = 0
    free = gpus

    def begin(i: int, now: int) -> None:
        nonlocal free
        start[i], running[i] = now, True
        free -= int(gang[i])
        heapq.heappush(ends, (now + int(service[i]), i))

    while ends or arrived < len(jobs):
        now = min([int(submit[i]) for i in (arrived,) if i < len(jobs)] + [end for end, _ in ends[:1]])
        while ends and ends[0][0] == now:
            i = heapq.heappop(ends)[1]
            running[i] = False
            free += int(gang[i])
        arrived = int(np.searchsorted(submit, now, side="right"))
        while head < arrived and (start[head] >= 0 or gang[head] <= free):
            if start[head] < 0:
                begin(head, now)
            head += 1
        if head == arrived or free == 0:
            continue
        held = np.flatnonzero(running)
        release = start[held] + limit[held]
        order = np.argsort(release)
        enough = np.searchsorted(
            free + np.cumsum(gang[held][order]), gang[head]
        )  # the first sum not below the gang
        shadow = int(release[order][enough])
        spare = free + int(gang[held][release <= shadow].sum()) - int(gang[head])
        for first in range(head + 1, arrived, block):
            rows = slice(first, min(first + block, arrived))
            short = limit[rows] <= shadow - now
            for k in np.flatnonzero(
                (start[rows] < 0) & (gang[rows] <= free) & (short | (gang[rows] <= spare))
            ):
                size = int(gang[first + k])
                if size <= free and (short[k] or size <= spare):
                    begin(first + int(k), now)
                    spare -= 0 if short[k] else size
            if free == 0:
                break
    return start


def test_fifo_starts_a_crowd_as_a_plain_recursion_does() -> None:
    jobs = crowd(JOBS, 1)
    assert starts(run(center(jobs, NONE))).tolist() == fifo_starts(jobs, GPUS)


@pytest.mark.parametrize(("n", "step"), [(20_000, 1000), pytest.param(JOBS, 250, marks=pytest.mark.slow)])
def test_easy_starts_a_crowd_as_a_plain_implementation_does(n: int, step: int) -> None:
    jobs, gpus = crowd(n, step), GPUS * n // JOBS
    expected = easy_starts(jobs, gpus)
    assert np.array_equal(starts(run(center(jobs, 1), gpus=gpus)), expected)
    assert not np.array_equal(starts(run(center(jobs, SKIP), gpus=gpus)), expected)  # reservations matter


# ---- manners --------------------------------------------------------------------------------------------------------

LONG = 100_000  # runs of a batch that would take minutes


def batch(n: int, progress: Callable[[int, int], object]) -> BatchResult:
    """Runs of about half a millisecond each, on one thread."""
    return run_batch(center(crowd(2000, 250), 1), 0, np.full(n, 700), threads=1, progress=progress)


@pytest.mark.slow
def test_progress_is_told_what_is_done_of_how_many() -> None:
    told: list[tuple[int, int]] = []
    result = batch(2000, lambda done, total: told.append((done, total)))
    assert (result.status == STATUS_OK).all()
    done = [d for d, _ in told]
    assert len(told) >= 2
    assert done == sorted(done)
    assert 0 < done[-1] <= 2000
    assert {total for _, total in told} == {2000}


def test_false_from_progress_stops_the_batch_and_keeps_what_is_done() -> None:
    told: list[int] = []

    def stop_at_ten(done: int, _: int) -> bool:
        told.append(done)
        return done < 10

    result = batch(LONG, stop_at_ten)
    finished = result.status == STATUS_OK
    assert told[-1] <= finished.sum() < LONG
    assert (result.jobs[finished] == 2000).all()
    assert len(np.unique(result.sums[finished, 0, 0])) == 1


def test_exception_in_progress_stops_the_batch_and_comes_through() -> None:
    def fail(done: int, total: int) -> None:
        raise ZeroDivisionError(f"{done} of {total}")

    with pytest.raises(ZeroDivisionError, match=f"of {LONG}"):
        batch(LONG, fail)


@pytest.mark.alone
def test_other_python_threads_go_on_during_a_native_run() -> None:
    steps, over = 0, threading.Event()

    def walk() -> None:
        nonlocal steps
        while not over.wait(0.001):
            steps += 1

    during: list[int] = []

    def watch(_done: int, _total: int) -> bool:
        during.append(steps)
        return during[-1] - during[0] < 20  # else to the end of all runs

    walker = threading.Thread(target=walk)
    walker.start()
    batch(LONG, watch)
    over.set()
    walker.join()
    assert during[-1] - during[0] >= 20


INTERRUPTED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in the background without it
import numpy as np
from gpusim.engine.batch import run_batch
from test_engine_scale import JOBS, GPUS, center, crowd

def report(done, total):
    global told
    if not told:
        print("working", flush=True)
    told = True

told = False
n, step, backfill, runs = map(int, sys.argv[1:])
spec = center(crowd(n, step), backfill)
try:
    run_batch(spec, 0, np.full(runs, GPUS * n // JOBS), progress=report)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""


@pytest.mark.alone
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("many runs", (2000, 250, 1, LONG)),
        ("one run under EASY", (8 * JOBS, 1, 1, 1)),
        pytest.param("one run with four reservations", (8 * JOBS, 1, 4, 1), marks=pytest.mark.slow),
        pytest.param("one conservative run", (8 * JOBS, 1, ALL, 1), marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_ctrl_c_ends_the_batch_at_once(
    name: str, arguments: tuple[int, ...], summary_line: Callable[[str], None]
) -> None:
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "working\n"
        time.sleep(0.2)
        sent = time.monotonic()  # the clock is common to all processes
        child.send_signal(signal.SIGINT)
        answer, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    late = float(answer) - sent
    summary_line(f"Ctrl-C during {name}: control is back after {late * 1000:.0f} ms")
    assert late < 0.5
