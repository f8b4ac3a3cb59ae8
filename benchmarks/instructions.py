"""Instructions a job, counted by callgrind: the speed that can be guarded on a shared machine.

    python benchmarks/instructions.py            count, and compare with instructions.json
    python benchmarks/instructions.py --write    count, and make the result the new instructions.json

A figure is the difference of two runs divided by the difference of their jobs, so that what happens once cancels. The
engine is compiled as for the Python extension; a machine without AVX2 and BMI2 runs another build of it. Another
compiler makes other instructions: figures are compared only if the compiler is the one of instructions.json, and
otherwise printed. Exit status: 0 no figure rose by more than 3 %, or nothing to compare with; 1 one did, or a run gave
a wrong answer; 3 there is no valgrind.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BASELINE = HERE / "instructions.json"
FLAGS = "The engine as shipped, on a machine with AVX2 and BMI2"
RISE = 0.03
"""A figure that rises by more than this is an error."""
JOBS = (20_000, 120_000)
"""Jobs of the two runs."""
CASES = {
    "mm100_fifo": (0.90, 0.99),
    "center_easy": (0.78, 0.90),
    "center_100": (0.88, 0.97),
    "center_shared": (0.78, 0.90),
    "center_shared_4": (0.78, 0.90),
    "center_shared_64": (0.78, 0.90),
}
"""Runs, and the share of the GPUs that the longer one must have used."""


class Unable(Exception):
    """The count could not be made, or its run was a wrong one."""


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Unable(f"{words[0]} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done


def build(folder: Path) -> tuple[Path, str]:
    """The program, and what its compiler says of itself."""
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DGPUSIM_CUDA=OFF", "-DGPUSIM_TESTS=OFF", "-DGPUSIM_WERROR=ON"]
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    command("cmake", "-S", ".", "-B", folder, *generator, *options)
    command("cmake", "--build", folder, "--target", "gpusim_instructions")
    cache = (folder / "CMakeCache.txt").read_text(encoding="utf-8")
    compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.+)$", cache, re.MULTILINE)
    assert compiler is not None
    version = command(compiler[1], "--version").stdout.splitlines()[0]
    return folder / "gpusim_instructions", re.sub(
        r"^[cg]\+\+\S* ", "g++ ", version
    )  # one program, many names


def count(program: Path, case: str, jobs: int) -> tuple[int, int]:
    """Instructions and jobs of one run."""
    done = command("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, case, str(jobs))
    collected = re.search(r"Collected : (\d+)", done.stderr)
    assert collected is not None
    _, submitted, used, _ = done.stdout.split()
    low, high = CASES[case]
    if jobs == max(JOBS) and not low < float(used) < high:
        raise Unable(f"{case}: {used} of the GPUs are used, which is not between {low} and {high}")
    return int(collected[1]), int(submitted)


def figures(program: Path) -> dict[str, float]:
    """Instructions a job of every case."""
    found = {}
    for case in CASES:
        (few, first), (many, second) = (count(program, case, jobs) for jobs in JOBS)
        found[case] = round((many - few) / (second - first), 1)
    return found


def verdict(found: dict[str, Any], baseline: dict[str, Any]) -> tuple[list[str], bool]:
    """Lines to print, and whether a figure rose by more than is allowed."""
    if baseline["compiler"] != found["compiler"] or baseline["flags"] != found["flags"]:
        lines = [f"{name}: {value:,.1f} instructions a job" for name, value in found["figures"].items()]
        said = f"NOT COMPARED: the baseline was made with {baseline['compiler']} {baseline['flags']}"
        return [*lines, f"{said}, this with {found['compiler']} {found['flags']}"], False
    lines, failed = [], False
    for name, value in found["figures"].items():
        if name not in baseline["figures"]:
            lines.append(f"{name}: {value:,.1f} instructions a job; NOT COMPARED, the baseline has none")
            continue
        before = baseline["figures"][name]
        change = value / before - 1
        failed |= change > RISE
        remark = "ROSE by more than 3 %" if change > RISE else "as before"
        if change < -RISE:
            remark = "fell; make it the new baseline with --write"
        lines.append(f"{name}: {value:,.1f} instructions a job after {before:,.1f} ({change:+.1%}), {remark}")
    return lines, failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Count instructions a job.")
    parser.add_argument("--write", action="store_true", help="make the result the new baseline")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "instructions", help="build folder")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("NOT RUN: there is no valgrind (Debian: apt-get install valgrind)")
        return 3
    try:
        program, compiler = build(options.build)
        found = {"compiler": compiler, "flags": FLAGS, "jobs": list(JOBS), "figures": figures(program)}
    except Unable as error:
        print(error, file=sys.stderr)
        return 1
    found["valgrind"] = command("valgrind", "--version").stdout.strip()
    found["date"] = time.strftime("%Y-%m-%d")
    if options.write:
        BASELINE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        print("\n".join(f"{name}: {value:,.1f}" for name, value in found["figures"].items()))
        command(sys.executable, HERE / "performance_page.py")  # the figures stand on the page as well
        return 0
    lines, failed = verdict(found, json.loads(BASELINE.read_text(encoding="utf-8")))
    print("\n".join(lines))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
