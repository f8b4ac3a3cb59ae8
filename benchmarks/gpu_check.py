"""Builds gpusim for the device of this machine, checks it, measures it, and prints a short table last.

python benchmarks/gpu_check.py                       on a quiet machine with an NVIDIA GPU; under 8 minutes
python benchmarks/gpu_check.py --installed           with the gpusim that is installed, building nothing
python benchmarks/gpu_check.py --rehearse FOLDER     without a GPU: the steps on emulated lanes, small; no figures

What each row means: docs/gpu.md. The result file is written anew after every step, so that a cut leaves what was
measured. Exit status: 0 if the device gives the host's integers wherever that was asked and nothing failed or was cut;
1 if not; 4 if there is no device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gpu_device
import gpu_goals
import gpu_rows

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SITE = ROOT / "build" / "gpu-check"
SCHEMA = 1
STEPS = {
    "about": 15.0,
    "parity cuda": 85.0,
    "throughput": 110.0,
    "answer": 35.0,
    "parity cupy": 60.0,
    "cupy": 35.0,
    "sanitizer": 45.0,
    "profile": 25.0,
}
"""Steps after the build, in order, with the share of the time that is left then; what one leaves over is given to those
behind it."""
WHOLE = 465.0
"""The build and all steps together [s]."""
YEAR = 1200.0
"""More for a year of `korea-nacc`, if that was asked for [s]."""


def main(words: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if words is None else words)
    options = parser().parse_args(given)
    options.command = " ".join(["python benchmarks/gpu_check.py", *given])
    if options.step:
        return perform(options)
    if options.rehearse:
        device: dict[str, Any] = {"name": "emulated lanes"}
        options.results, options.installed = options.rehearse, True
    else:
        try:
            device = asdict(gpu_device.find())
        except gpu_device.NoDevice as error:
            print("\n".join([f"nothing was measured: {error}", *engines_say()]), file=sys.stderr)
            return 4
    begin = time.monotonic()
    result = {**about(device, options), "rehearsal": bool(options.rehearse), "steps": {}}
    path = free_path(options.results, device["name"], result["date"])
    environment = dict(os.environ)
    if not options.installed:
        keep(result, path, "build", build(device))
        if result["steps"]["build"]["status"] != "done":
            print(result["steps"]["build"]["reason"])
            return finish(result, path)
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(SITE / "site"), os.environ.get("PYTHONPATH")])
        )
    with tempfile.TemporaryDirectory() as folder:
        due = time.monotonic()
        share = (begin + WHOLE - due) / sum(STEPS[name] for name in options.only)
        for name in options.only:
            due += STEPS[name] * share + (YEAR if options.year and name == "answer" else 0.0)
            limit = due - time.monotonic()
            rows = Path(folder) / name.replace(" ", "-")
            command = [sys.executable, str(Path(__file__).resolve()), "--step", name, "--rows", str(rows)]
            command += ["--seconds", f"{limit - 1:.1f}"]
            command += ["--year"] * options.year
            command += ["--rehearse", str(options.rehearse)] if options.rehearse else []
            keep(result, path, name, gpu_rows.run(command, rows, limit, environment))
    return finish(result, path)


def keep(result: dict[str, Any], path: Path, name: str, step: dict[str, Any]) -> None:
    """Enter a step and write the file, whole or not at all."""
    result["steps"][name] = step
    result["exit"] = gpu_goals.exit_code(result)
    result["goals"] = [list(line) for line in gpu_goals.lines(result)]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
    print(f"{name}: {step['status']} after {step['seconds']:.0f} s, {len(step['rows'])} rows", flush=True)


def finish(result: dict[str, Any], path: Path) -> int:
    """Print what failed, what was left out, the limits, and the table last."""
    for name, step in result["steps"].items():
        for row in step["rows"]:
            for each in row.get("differences", []):
                print(f"DIFFERS: {name}, {row['name']}: {each}")
            if row.get("clean") is False:
                print(f"NOT CLEAN: {row['name']}: {row['reason']}")
            if "limits" in row:
                print(row["limits"])
    for each in gpu_goals.left_out(result):
        print(f"not measured: {each}")
    print(f"{path}\n")
    print(gpu_goals.table(result))
    return int(result["exit"])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build, check and measure gpusim on a GPU.")
    parser.add_argument("--installed", action="store_true", help="use the gpusim that is installed")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the result file")
    parser.add_argument("--commit", help="what is measured, where git cannot say it")
    parser.add_argument("--only", nargs="+", choices=[*STEPS], default=[*STEPS], help="some of the steps")
    parser.add_argument(
        "--year", action="store_true", help="also korea-nacc over a year, without limit of time"
    )
    parser.add_argument("--rehearse", type=Path, metavar="FOLDER", help="emulated lanes; the file goes there")
    for name in ("--step", "--rows", "--seconds"):
        parser.add_argument(name, help=argparse.SUPPRESS)  # a step in a process of its own
    return parser


# ---- before the steps --------------------------------------------------------------------------------------------


def about(device: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """What is measured, and where. Host and engine follow in the step `about`, which can import gpusim."""
    return {
        "schema": SCHEMA,
        "kind": "gpu",
        "date": time.strftime("%Y-%m-%d"),
        "command": options.command,
        "device": device,
        "driver": gpu_device.driver_version(),
        "tools": gpu_device.toolkit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
        **commit(options.commit),
    }


def commit(given: str | None) -> dict[str, Any]:
    """The commit and whether the checkout is clean; where git cannot say, what the caller says, and not clean."""

    def git(*words: str) -> str | None:
        command = ["git", "-c", f"safe.directory={ROOT}", *words]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    head, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    return {"commit": head or given or "unknown", "clean": head is not None and changes == ""}


def free_path(folder: Path, device: str, date: str) -> Path:
    """A name that no earlier result has: a file is never written over."""
    stem = f"{gpu_goals.slug(device)}-{date}"
    names = [stem, *(f"{stem}-{k}" for k in range(2, 1000))]
    return next(folder / f"{name}.json" for name in names if not (folder / f"{name}.json").exists())


def engines_say() -> list[str]:
    """What gpusim itself says of its engines, if there is one to ask."""
    try:
        from gpusim.engine.backend import reasons_unavailable
    except ImportError:
        return []
    return [f"backend {name}: {reason}" for name, reason in reasons_unavailable().items()]


def build(device: dict[str, Any]) -> dict[str, Any]:
    """Install the checkout into a folder of its own, for this device's architecture, with nothing from a network."""
    architecture = "".join(map(str, device["capability"]))
    settings = ["cmake.define.GPUSIM_CUDA=ON", f"cmake.define.GPUSIM_CUDA_ARCHITECTURES={architecture}"]
    command = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-index", "--no-deps"]
    command += ["--upgrade", "--target", str(SITE / "site"), "-C", f"build-dir={SITE / 'cmake'}"]
    for setting in settings:
        command += ["-C", setting]
    SITE.mkdir(parents=True, exist_ok=True)
    step = gpu_rows.run([*command, str(ROOT)], SITE / "rows", WHOLE / 2, dict(os.environ))
    return {**step, "settings": settings}


# ---- a step, in a process of its own ---------------------------------------------------------------------------------


def perform(options: argparse.Namespace) -> int:
    """Measure one step; gpusim is imported only here."""
    import gpu_steps

    rows = gpu_rows.Rows(Path(options.rows), float(options.seconds))
    try:
        gpu_steps.perform(options.step, rows, rehearse=bool(options.rehearse), year=options.year)
    except gpu_rows.Skip as reason:
        rows.add(skipped=str(reason))
    return 0


if __name__ == "__main__":
    sys.exit(main())
