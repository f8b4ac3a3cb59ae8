"""Runs all benchmarks, keeps the times in a result file, and makes `docs/performance.md` anew.

python benchmarks/report.py                      on a quiet machine; minutes
python benchmarks/report.py --repeats 2 --results FOLDER    to try it: nothing of the checkout changes
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import performance_page
from gpusim import _native
from gpusim._version import __version__
from gpusim.engine.cpu import usable_cores

ROOT = performance_page.HERE.parent
SCHEMA = 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the benchmarks and keep their times.")
    parser.add_argument("--machine", default=machine(), help="name of this machine in the file's name")
    parser.add_argument("--repeats", type=int, default=5, help="timed repeats of a benchmark")
    parser.add_argument("--results", type=Path, help="folder for the file; the page is then left alone")
    parser.add_argument("--only", default="", help="pytest's -k: some of the benchmarks")
    options = parser.parse_args()
    folder_of_results = options.results or performance_page.RESULTS
    folder_of_results.mkdir(parents=True, exist_ok=True)
    before = about(options.machine)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [
            "-q",
            "-p",
            "no:cacheprovider",
            "benchmarks",
            f"--repeats={options.repeats}",
            "-k",
            options.only,
        ]
        files = [f"--benchmark-json={folder / 'times.json'}", f"--junitxml={folder / 'tests.xml'}"]
        done = subprocess.run([sys.executable, "-m", "pytest", *words, *files], cwd=ROOT, check=False)
        if done.returncode != 0:
            print("no result was written: a benchmark failed", file=sys.stderr)
            return 1
        times = json.loads((folder / "times.json").read_text(encoding="utf-8"))
        tests = xml.parse(folder / "tests.xml").getroot()
    result = {
        **before,
        "load_after": round(os.getloadavg()[0], 2),
        "command": f"python benchmarks/report.py --repeats {options.repeats}"
        + (f" --only '{options.only}'" if options.only else ""),
        "benchmarks": [row(each) for each in times["benchmarks"]],
        "skipped": [
            case.attrib["name"] for case in tests.iter("testcase") if case.find("skipped") is not None
        ],
    }
    path = folder_of_results / f"{result['date']}-{options.machine}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(path)
    if options.results is None:
        performance_page.PAGE.write_text(performance_page.page(), encoding="utf-8")
        print(performance_page.PAGE)
    return 0


# ---- one benchmark ---------------------------------------------------------------------------------------------------


def row(each: dict[str, Any]) -> dict[str, Any]:
    """One benchmark of pytest-benchmark's file: what the page needs, and the facts the benchmark has added."""
    stats, facts = each["stats"], dict(each["extra_info"])
    found = {
        "file": Path(each["fullname"].split("::")[0]).stem,
        "name": label(each["name"]),
        "timer": each["options"]["timer"],
        "repeats": stats["rounds"],
        "seconds": {key: stats[key] for key in ("median", "q1", "q3", "min", "max")},
        **facts,
    }
    if "beside" in facts:
        found |= ratios(facts, stats["data"])
    if "one_thread" in facts:
        found |= speed_up(facts["one_thread"], stats["data"])
    if "turns" in facts:
        found |= rate_of_turns(facts, stats["data"])
    return found


def label(name: str) -> str:
    """`test_waiting_jobs[10-EASY]` becomes `waiting jobs, 10-EASY`."""
    return name.removeprefix("test_").replace("_", " ").replace("[", ", ").removesuffix("]")


def ratios(facts: dict[str, Any], seconds: list[float]) -> dict[str, Any]:
    """How many times as many jobs a second gpusim simulates: of medians, and of pairs of repeats."""
    ours = [facts["beside_jobs"] / each for each in facts["beside"]]
    theirs = [facts["jobs"] / each for each in seconds]
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {
        "beside_jobs_per_second": round(statistics.median(ours)),
        "ratio": statistics.median(ours) / statistics.median(theirs),
        "ratio_low": min(pairs),
        "ratio_high": max(pairs),
    }


def speed_up(one_thread: list[float], seconds: list[float]) -> dict[str, Any]:
    """How many times faster than one thread: of medians, and of pairs of repeats."""
    pairs = [one / more for one, more in zip(one_thread, seconds, strict=True)]
    return {
        "speed_up": statistics.median(one_thread) / statistics.median(seconds),
        "speed_up_low": min(pairs),
        "speed_up_high": max(pairs),
    }


def rate_of_turns(facts: dict[str, Any], seconds: list[float]) -> dict[str, Any]:
    """How many times the jobs a second of what took turns with it: of medians, and of pairs of repeats."""
    ours = [facts["jobs"] / each for each in seconds]
    theirs = [facts["turns_jobs"] / each for each in facts["turns"]]
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {
        "rate": statistics.median(ours) / statistics.median(theirs),
        "rate_low": min(pairs),
        "rate_high": max(pairs),
    }


# ---- the machine and the code ----------------------------------------------------------------------------------------


def about(name: str) -> dict[str, Any]:
    """Where and what is measured."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "schema": SCHEMA,
        "date": time.strftime("%Y-%m-%d"),
        "machine": name,
        "cpu": cpu(),
        "cores": usable_cores(),
        "memory_gib": round(pages / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "gpusim": __version__,
        "compiler": _native.COMPILER,
        "flags": _native.FLAGS,
        "commit": git("rev-parse", "HEAD"),
        "clean": git("status", "--porcelain", "--untracked-files=no") == "",
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpu() -> str:
    """What the processor calls itself."""
    path = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", path.read_text(), re.MULTILINE) if path.exists() else []
    return str(names[0]) if names else platform.machine()


def machine() -> str:
    """A name made of the processor's and the number of cores: never the host's."""
    words = re.sub(r"\((R|TM)\)|CPU|Processor|@.*|\d+-Core", " ", cpu())
    return f"{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}-{usable_cores()}-cores"


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
