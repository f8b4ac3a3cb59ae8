"""What limits the device: instructions and bytes of a launch, counted by ncu, against ceilings measured here.

Run by itself (`python gpu_profile.py EASY`) it is the program that ncu looks into.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from gpu_device import copy_bandwidth, find, tool
from gpu_rows import Rows, Skip

METRICS = {
    "instructions": "smsp__inst_executed.sum",  # of warps
    "bytes_read": "dram__bytes_read.sum",
    "bytes_written": "dram__bytes_write.sum",
    "nanoseconds": "gpu__time_duration.sum",
    "occupancy_percent": "sm__warps_active.avg.pct_of_peak_sustained_active",
    "issue_percent": "smsp__issue_active.avg.pct_of_peak_sustained_active",
    "registers": "launch__registers_per_thread",
}
POLICIES = ("FIFO", "EASY")
RUNS, JOBS = 4_096, 20_000
SKIPPED = 1
"""Launches before the one that is looked into: in the first, centers are empty."""
NEAR = 60.0
"""Share of a ceiling from which it is said to limit [%]."""


def profiled_program(name: str) -> None:
    """What ncu looks into."""
    from gpu_engines import ENGINES, call
    from gpu_throughput import Workload, batch, mix
    from gpusim.engine.spec import Policy
    from workloads import CENTER_GPUS

    policy = {"FIFO": Policy(), "EASY": Policy(1)}[name]
    workload = Workload(name, partial(mix, policy, 0.85), CENTER_GPUS)
    call(ENGINES["cuda"], workload.spec(JOBS), batch(workload, RUNS))


def counted(text: str) -> dict[str, float]:
    """Metrics of ncu's table of comma-separated values, in base units. Raises `Skip` if there is none."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        raise Skip(f"ncu counted nothing: {text.strip()[-600:]}")
    values = {row["Metric Name"]: row["Metric Value"] for row in csv.DictReader(lines[start:])}
    found = {}
    for name, metric in METRICS.items():
        try:
            found[name] = float(values[metric].replace(",", ""))
        except (KeyError, ValueError):
            continue  # a metric that this device or version does not have
    return found


def sentences(name: str, found: dict[str, float], copied: float) -> str:
    """What limits a launch, in two sentences made of what was counted.

    Parameters
    ----------
    name : str
    found : dict
        As `counted` gives it.
    copied : float
        Bytes a second of a copy inside the device.
    """
    missing = {"bytes_read", "bytes_written", "nanoseconds", "instructions", "issue_percent"} - set(found)
    if missing:
        return f"{name}: what limits it is not known, for ncu did not count {', '.join(sorted(missing))}."
    seconds = found["nanoseconds"] * 1e-9
    rate = (found["bytes_read"] + found["bytes_written"]) / seconds
    bytes_share, issue = 100 * rate / copied, found["issue_percent"]
    first = (
        f"{name} moved {rate / 1e9:,.0f} GB/s, {bytes_share:.0f} % of the {copied / 1e9:,.0f} GB/s of a copy, "
        f"and issued {found['instructions'] / seconds / 1e9:,.0f} G warp instructions a second, "
        f"{issue:.0f} % of what its multiprocessors can."
    )
    if max(bytes_share, issue) < NEAR:
        second = (
            "Neither is near its ceiling: what limits it is the latency of steps that wait for each other."
        )
    elif bytes_share > issue:
        second = (
            "What limits it is memory: fewer bytes a job would make it faster, fewer instructions would not."
        )
    else:
        second = "What limits it is instructions: fewer of them a job would make it faster."
    return f"{first} {second}"


def step(rows: Rows) -> None:
    """The copy, then a launch of each policy under ncu."""
    device = find()
    copy = copy_bandwidth()
    rows.add(**copy, processors=device.processors, clock_mhz=device.clock_mhz)
    path = tool("ncu")
    if path is None:
        raise Skip("ncu was not found; it comes with the CUDA toolkit")
    for k, name in enumerate(POLICIES):
        command = [path, "--csv", "--print-units", "base", "--metrics", ",".join(METRICS.values())]
        command += ["--kernel-name", "regex:gpusim_", "--launch-skip", str(SKIPPED), "--launch-count", "1"]
        command += [sys.executable, str(Path(__file__).resolve()), name]
        limit = rows.left / (len(POLICIES) - k) - 1
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=max(limit, 1), check=False)
            found = counted(done.stdout + done.stderr)
        except subprocess.TimeoutExpired:
            rows.add(name=name, not_run=f"ncu was ended after {limit:.0f} s")
        except Skip as reason:
            rows.add(name=name, skipped=str(reason))
        else:
            limits = sentences(name, found, copy["bytes_per_second"]["median"])
            rows.add(name=name, **found, limits=limits)


def main(words: list[str]) -> Any:
    profiled_program(words[0])


if __name__ == "__main__":
    main(sys.argv[1:])
