"""NVIDIA's compute-sanitizer on a few small configurations: memory, races between lanes, barriers.

Run by itself (`python gpu_sanitizer.py`) it is the program that is watched.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gpu_device import tool
from gpu_rows import Rows, Skip

TOOL = "compute-sanitizer"
CHECKS = ("memcheck", "racecheck", "synccheck")
SMALL = (
    "stored, 65 jobs",
    "stored, tiny rooms, chains",
    "stored, two pools, K=4",
    "M/M/100, chains",
    "mix, EASY",
)
"""One configuration of each family and of each thing that has memory of its own."""
CELLS = 5
ERRORS = 9
SUMMARY = re.compile(r"ERROR SUMMARY: (\d+) error|RACECHECK SUMMARY: (\d+) hazard")


def watched_program() -> int:
    """What the tools look at."""
    from gpu_configurations import named
    from gpu_engines import ENGINES, call

    for name in SMALL:
        spec, batch = named(name).batch(CELLS)
        call(ENGINES["cuda"], spec, batch)
    return len(SMALL)


def verdict(code: int, text: str) -> dict[str, object]:
    """What a tool has found: its own summary must say that there was nothing, for silence is no proof."""
    match = SUMMARY.search(text)
    if match is None:
        return {"clean": False, "reason": f"no summary; exit status {code}: {text.strip()[-600:]}"}
    errors = int(match[1] or match[2])
    found: dict[str, object] = {"clean": errors == 0 and code == 0, "errors": errors}
    if not found["clean"]:
        found["reason"] = text.strip()[:1500]
    return found


def step(rows: Rows) -> None:
    """Each tool in turn, in what time there is."""
    path = tool(TOOL)
    if path is None:
        raise Skip(f"{TOOL} was not found; it comes with the CUDA toolkit")
    program = [sys.executable, str(Path(__file__).resolve())]
    for k, check in enumerate(CHECKS):
        command = [path, "--tool", check, "--error-exitcode", str(ERRORS), *program]
        limit = rows.left / (len(CHECKS) - k) - 1
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=max(limit, 1), check=False)
        except subprocess.TimeoutExpired:
            rows.add(name=check, not_run=f"ended after {limit:.0f} s without a verdict")
            continue
        rows.add(
            name=check, configurations=list(SMALL), **verdict(done.returncode, done.stdout + done.stderr)
        )


if __name__ == "__main__":
    print(f"{watched_program()} configurations have run")
