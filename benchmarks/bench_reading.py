"""What comes before a simulation: importing the package, and reading a log of 188,041 jobs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpusim import read_trace

ROWS = 188_041
"""Jobs of the largest log that the tests read."""


@pytest.mark.benchmark(timer=time.perf_counter)  # the time is another process's
def test_import(timed: Any) -> None:
    """Goal: 0.4 s, the start of Python included."""
    code = "import sys, gpusim; sys.exit('scipy' in sys.modules or 'pandas' in sys.modules)"
    done = timed(
        lambda: subprocess.run([sys.executable, "-c", code], check=False), timer="clock", goal_seconds=0.4
    )
    assert done.returncode == 0


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in the Standard Workload Format: 18 columns, submits over two years."""
    draw = np.random.default_rng(3)
    submit = np.sort(draw.integers(0, 2 * 365 * 86_400, ROWS))
    run = np.ceil(draw.lognormal(7.0, 2.0, ROWS)).astype(np.int64)
    size = 2 ** draw.integers(0, 8, ROWS)
    user = draw.integers(1, 200, ROWS)
    path = tmp_path_factory.mktemp("log") / "large.swf"
    with path.open("w") as file:
        file.write("; UnixStartTime: 1100000000\n")
        for i in range(ROWS):
            wanted = run[i] * 2
            file.write(
                f"{i + 1:6d} {submit[i]:9d} 0 {run[i]:7d} {size[i]:4d} -1 -1 {size[i]:4d} {wanted:7d} -1 1 "
                f"{user[i]:4d} 1 -1 -1 -1 -1 -1\n"
            )
    return path


def test_swf_of_188_041_jobs(log: Path, timed: Any) -> None:
    """Goal: 2 s and 300 MB."""
    tracemalloc.start()
    try:
        read_trace(log)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    jobs = timed(lambda: read_trace(log), rows=ROWS, goal_seconds=2.0, peak_megabytes=round(peak / 1e6, 1))
    assert len(jobs) == ROWS
    assert peak < 300e6
    rows = np.loadtxt(log, comments=";", usecols=(1, 3, 4), dtype=np.int64)
    assert int((rows[:, 1] * rows[:, 2]).sum()) == int((jobs.service * jobs.gpus).sum())
    assert os.path.getsize(log) > 10e6
