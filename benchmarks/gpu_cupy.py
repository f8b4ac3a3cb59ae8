"""The CuPy engine: how long its first use takes, with and without its cache on disk, and how fast it is beside `cuda`.

Run by itself (`python gpu_cupy.py`) it prints, for each family of kernels, the seconds of its first and second call in
this process; the step does that in two new processes, the first of which finds every cache empty.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from gpu_engines import ENGINES, call, watched
from gpu_rows import Rows
from gpu_throughput import Workload, batch, measure, mix
from gpusim.engine.spec import Policy
from workloads import CENTER_GPUS, shared_mix

FAMILIES = {
    "in_order": partial(mix, Policy(), 0.85),
    "easy": partial(mix, Policy(1), 0.85),
    "any": partial(mix, Policy(4), 0.85),
    "shared": shared_mix,
}
"""Runs that each family of kernels serves."""
CACHES = ("XDG_CACHE_HOME", "CUPY_CACHE_DIR", "GPUSIM_CACHE_DIR", "CUDA_CACHE_PATH")
"""Where any of the parties might keep compiled code."""
REPEATS = 5


def families() -> dict[str, dict[str, Any]]:
    """Seconds of the first call of each family, and of the second, which has everything."""
    import cupy

    cupy.zeros(1).sum().item()  # the context, and CuPy's own first kernel, are not ours
    found = {}
    for name, spec in FAMILIES.items():
        workload = Workload(name, spec, CENTER_GPUS)
        seconds = []
        with watched() as seen:
            for _ in range(2):
                begin = time.perf_counter()
                call(ENGINES["cupy"], workload.spec(200), batch(workload, 1))
                seconds.append(time.perf_counter() - begin)
        found[name] = {"first": seconds[0], "second": seconds[1], "family": seen.family}
    return found


def in_new_process(cache: Path, seconds: float) -> dict[str, dict[str, Any]]:
    """`families` where all caches are in a folder."""
    environment = {**os.environ, **{name: str(cache) for name in CACHES}}
    command = [sys.executable, str(Path(__file__).resolve())]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=max(seconds, 1), check=False
    )
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode}: {done.stderr[-800:]}")
    result: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return result


def step(rows: Rows) -> None:
    """Compile times by family, then FIFO and EASY of the mix beside `cuda`."""
    with tempfile.TemporaryDirectory() as name:
        first = in_new_process(Path(name), rows.left - 5)
        cached = in_new_process(Path(name), rows.left - 5)
    for family in FAMILIES:
        rows.add(
            name=f"first use, {family}",
            family=first[family]["family"],
            compile_seconds=max(0.0, first[family]["first"] - first[family]["second"]),
            cached_seconds=max(0.0, cached[family]["first"] - cached[family]["second"]),
        )
    for name, policy in (("FIFO", Policy()), ("EASY", Policy(1))):
        workload = Workload(f"mix, {name}, load 0.85", partial(mix, policy, 0.85), CENTER_GPUS)
        if rows.has(workload.name, 6.0):
            beside = ("cuda", ENGINES["cuda"])
            rows.add(**measure(workload, "cupy", ENGINES["cupy"], beside=beside, target=0.5, repeats=REPEATS))


if __name__ == "__main__":
    print(json.dumps(families()))
