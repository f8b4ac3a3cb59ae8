"""Replay of a log: the 10,000 jobs of the Lublin-Feitelson model on 256 processors, and every start checked."""

from __future__ import annotations

import csv
import gzip
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpusim import read_trace
from gpusim.engine.batch import run_batch
from gpusim.engine.spec import ALL, ClassTable, Policy, RunSpec

NAME, PROCESSORS = "lublin256-perfect-l85", 256


@pytest.mark.parametrize(
    ("backfill", "policy"), [(0, "fcfs"), (1, "easy"), (ALL, "cons")], ids=["FCFS", "EASY", "conservative"]
)
def test_lublin_log(shared_data: Path, backfill: int, policy: str, timed: Any) -> None:
    folder = shared_data / "xval"
    jobs = read_trace(folder / f"{NAME}.swf.gz")
    spec = RunSpec(jobs, ClassTable.single(), Policy(backfill, kill_at_limit=False))
    timed(partial(run_batch, spec, 0, PROCESSORS, threads=1), jobs=len(jobs))
    records = run_batch(spec, 0, PROCESSORS, records=True).records
    assert records is not None
    with gzip.open(folder / f"{NAME}.{policy}.csv.gz", "rt", newline="") as lines:
        expected = {int(row["id"]): int(row["start"]) for row in csv.DictReader(lines)}
    assert dict(zip(jobs.id.tolist(), records.start.tolist(), strict=True)) == expected
    assert np.array_equal(records.end - records.start, jobs.service)
