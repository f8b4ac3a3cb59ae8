"""The oracle against schedules that an independent reference wrote for two logs, start by start.

The data stand beside the checkout (shared/data/xval, its rules in shared/data/README.md): requests decide
reservations, run times decide ends, and nobody is killed at a limit.
"""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import pytest

from gpusim.engine.reference import ALL, NONE, Job, JobClass, Outcome, Policy, Windows, simulate

XVAL = Path(__file__).parents[2] / "shared" / "data" / "xval"
BACKFILL = {"fcfs": NONE, "easy": 1, "cons": ALL}
NEVER = 10**12  # [s] after the end of every log

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not XVAL.is_dir(), reason=f"reference schedules not found ({XVAL})"),
]


@cache
def read_jobs(name: str) -> tuple[list[int], list[Job]]:
    """Job numbers and jobs in the order (submit, number)."""
    with gzip.open(XVAL / f"{name}.swf.gz", "rt") as lines:
        rows = [[int(field) for field in line.split()] for line in lines if not line.startswith(";")]
    rows.sort(key=lambda row: (row[1], row[0]))
    # SWF fields 1 number, 2 submit, 4 run time, 5 processors, 9 requested time
    return [row[0] for row in rows], [Job(row[1], row[3], row[8], row[4]) for row in rows]


def read_starts(name: str, policy: str) -> dict[int, int]:
    """Start by job number."""
    with gzip.open(XVAL / f"{name}.{policy}.csv.gz", "rt", newline="") as lines:
        return {int(row["id"]): int(row["start"]) for row in csv.DictReader(lines)}


@cache
def scheduled(name: str, policy: str, gpus: int, horizon: int = NEVER) -> Outcome:
    """What the oracle makes of a log."""
    _, jobs = read_jobs(name)
    windows = Windows(0, horizon, horizon)
    return simulate(jobs, [JobClass()], Policy(BACKFILL[policy], kill_at_limit=False), gpus, windows, [])


def wrong_starts(name: str, policy: str, gpus: int, horizon: int = NEVER) -> dict[int, tuple[int, int]]:
    """Job number -> (start of the oracle, start expected), where they differ before the horizon."""
    numbers, _ = read_jobs(name)
    expected = read_starts(name, policy)
    assert set(numbers) == set(expected)
    out = scheduled(name, policy, gpus, horizon)
    # A start at or after the horizon is not seen: it must be one that the oracle has not made either.
    return {
        number: (start, expected[number])
        for number, start in zip(numbers, out.start, strict=True)
        if start != (expected[number] if expected[number] < horizon else -1)
    }


@pytest.mark.parametrize("policy", ["fcfs", "easy", "cons"])
@pytest.mark.slow
def test_every_start_of_a_real_log_with_loose_requests_is_reproduced(policy: str) -> None:
    assert wrong_starts("hpc2n-head-240", policy, gpus=240) == {}


@pytest.mark.parametrize("policy", ["fcfs", "easy", "cons"])
@pytest.mark.slow
def test_every_start_before_job_1000_arrives_is_reproduced(policy: str) -> None:
    # Nothing that happens before a tick depends on what is submitted at it or later, under any policy.
    _, jobs = read_jobs("lublin256-perfect-l85")
    assert wrong_starts("lublin256-perfect-l85", policy, gpus=256, horizon=jobs[1000].submit) == {}


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["fcfs", "easy", "cons"])
def test_every_start_of_ten_thousand_jobs_with_exact_requests_is_reproduced(policy: str) -> None:
    assert wrong_starts("lublin256-perfect-l85", policy, gpus=256) == {}


@pytest.mark.slow
def test_mean_waits_of_the_real_log_are_those_published_with_it() -> None:
    # shared/data/README.md, xval: means over 3,145 jobs
    numbers, _ = read_jobs("hpc2n-head-240")
    assert len(numbers) == 3145
    for policy, mean in (("fcfs", 5613.791), ("easy", 3532.541), ("cons", 3672.798)):
        out = scheduled("hpc2n-head-240", policy, 240)
        assert out.counts[0]["finished"] == 3145
        assert out.sums[0]["wait"] / 3145 == pytest.approx(mean, abs=0.0005)
        assert out.integrals["waiting_jobs"] == out.sums[0]["wait"]
