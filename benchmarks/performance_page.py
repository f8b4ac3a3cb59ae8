"""Makes `docs/performance.md` of the result files; reads nothing else, so that a test can make it again.

python benchmarks/performance_page.py
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import gpu_page

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "performance.md"
GROUPS = {
    "bench_centers": (
        "Whole centers",
        "One replication on one thread. The mix: 10,000 GPUs, eleven classes of 1 to 1,024 GPUs with lognormal "
        "run times (sigma 1.6, means 2 h to 10 h), requests rounded up to 1, 2, 4, .. 128 h. The national center "
        "is `korea-nacc`.",
    ),
    "bench_shared": (
        "A center shared by tenants",
        "10,000 GPUs at load .85: tenants of equal quotas with three priorities each, who borrow, reclaim and "
        "evict. What a run is compared with took turns with it.",
    ),
    "bench_replay": (
        "Replay of a log",
        "10,000 jobs of the Lublin-Feitelson model on 256 processors; every start is compared with a reference "
        "schedule.",
    ),
    "bench_scaling": (
        "What a job costs when something grows",
        "Number of jobs: M/M/100, load .8. Running jobs: M/M/c, load .95. Waiting jobs: so many at once on "
        "256 GPUs, then 20,000 more as fast as they can be worked off. Backfill depth: 30,000 jobs of the mix, "
        "load .9. Replications: `quickstart`. Threads: 32 replications of the mix under EASY, in turns with one "
        "thread.",
    ),
    "bench_engine": ("Features", "Chains, pools and levels on M/M/100, load .9; the others on `quickstart`."),
    "bench_reading": (
        "Before a simulation",
        "A new Python that imports gpusim; a log of 188,041 jobs in SWF.",
    ),
}
"""Heading and first words of the table of each file of benchmarks."""
BUSY = 0.25
"""Load average of a core, above which a machine was not quiet before a run."""

HEAD = """\
# Performance

How fast gpusim is, beside other engines and on its own. Made by `python benchmarks/performance_page.py` from the files
in [benchmarks/results](../benchmarks/results/README.md); what each benchmark simulates, and how its answer is checked,
is in [benchmarks](../benchmarks/README.md).

- A **job** is one arrival and its completion: two **events**.
- Times are medians over repeats, with the quartiles beside them: CPU time of one process on one thread, unless "clock"
  is said.
- A **ratio** is the quotient of two medians of the same run, in which the repeats of both engines took turns; the
  lowest and the highest quotient of such a pair stand beside it. Across machines compare ratios, never times.
- Figures of a GPU stand at the end, and only where a result file has them.
"""

NOTHING = """
## Times

Not measured: no result file has been committed yet. `python benchmarks/report.py` on a quiet machine makes one.
"""

COUNTS = """
## Instructions a job

Counted by callgrind, not timed: the figure that is guarded, since it hardly depends on what else a machine does.
{flags}, {compiler}; how: `benchmarks/instructions.py`.

| run | instructions a job |
|---|---|
"""


def results(kind: str = "cpu") -> list[dict[str, Any]]:
    """The result files of a kind ("cpu" or "gpu"), the newest first. A rehearsal is no result."""
    files = [(path.name, json.loads(path.read_text(encoding="utf-8"))) for path in RESULTS.glob("*.json")]
    found = [{"file": name, **result} for name, result in files if result.get("kind", "cpu") == kind]
    found = [result for result in found if not result.get("rehearsal")]
    return sorted(
        found, key=lambda result: (result["date"], len(result["file"]), result["file"]), reverse=True
    )


def page() -> str:
    """The text of the page."""
    parts, machines = [HEAD], set()
    for result in results():
        if result["machine"] not in machines:  # an older run of the same machine stays in its file
            parts.append(_result(result))
            machines.add(result["machine"])
    if not machines:
        parts.append(NOTHING)
    counted = json.loads((HERE / "instructions.json").read_text(encoding="utf-8"))
    rows = [f"| `{name}` | {value:,.0f} |\n" for name, value in counted["figures"].items()]
    return "".join([*parts, COUNTS.format(**counted), *rows, gpu_page.section(results("gpu"))])


def _result(result: dict[str, Any]) -> str:
    load, cores = result["load_before"], result["cores"]
    quiet = "quiet" if load / cores <= BUSY else "BUSY: not to be quoted"
    clean = "" if result["clean"] else ", with changes that are not committed"
    where = f"{result['cpu']}, {cores} cores, {result['memory_gib']} GiB, {result['system']}"
    built = f"Built by {result['compiler']}, `{result['flags']}`; Python {result['python']}"
    what = f"Commit {result['commit'][:12]}{clean}. Load average before the run {load:.2f} ({quiet})"
    source = f"`{result['command']}`: [{result['file']}](../benchmarks/results/{result['file']})"
    lines = [
        f"\n## {result['machine']}, {result['date']}\n",
        _wrapped(f"{where}. {built}. {what}. {source}."),
        "",
    ]
    found = result["benchmarks"]
    peers = [each for each in found if "ratio" in each]
    if peers:
        lines += ["### M/M/100, FIFO, load .95: beside other engines\n", *_peers(found, peers)]
    for group, (title, words) in GROUPS.items():
        rows = [each for each in found if each["file"] == group]
        if rows:
            lines += [f"### {title}\n", f"{_wrapped(words)}\n", *_table(rows)]
    if result["skipped"]:
        lines.append(f"Not measured here: {', '.join(f'`{name}`' for name in result['skipped'])}.\n")
    return "\n".join(lines)


def _peers(found: list[dict[str, Any]], peers: list[dict[str, Any]]) -> list[str]:
    rows = [
        "| engine | jobs a repeat | repeats | jobs/s (quartiles) | events/s | gpusim beside it, jobs/s | ratio |"
    ]
    rows.append("|---|---|---|---|---|---|---|")
    for each in [*(e for e in found if e.get("engine") == "gpusim"), *peers]:
        rate, events = _rate(each)
        name = each["engine"] + (f" {each['version']}" if "version" in each else "")
        beside = ratio = ""
        if "ratio" in each:
            beside = _short(each["beside_jobs_per_second"])
            ratio = f"{each['ratio']:.3g} ({each['ratio_low']:.3g} - {each['ratio_high']:.3g})"
        repeats = each["repeats"]
        rows.append(f"| {name} | {each['jobs']:,} | {repeats} | {rate} | {events} | {beside} | {ratio} |")
    return [*rows, ""]


def _table(found: list[dict[str, Any]]) -> list[str]:
    head = "| run | jobs/s (quartiles) | events/s | ns a job | seconds (quartiles) | repeats |"
    rows = [head, "|---|---|---|---|---|---|"]
    for each in found:
        seconds = each["seconds"]
        spread = f"{seconds['median']:.3g} ({seconds['q1']:.3g} - {seconds['q3']:.3g})"
        if each["timer"] != "process_time":
            spread += ", clock"
        if "speed_up" in each:
            low, high = each["speed_up_low"], each["speed_up_high"]
            spread += f"; {each['speed_up']:.2f} times one thread ({low:.2f} - {high:.2f})"
        if "rate" in each:
            low, high = each["rate_low"], each["rate_high"]
            spread += f"; {each['rate']:.2f} times the jobs/s of {each['turns_of']} ({low:.2f} - {high:.2f})"
        if "goal_rate" in each:
            spread += _goal(f"{each['goal_rate']:g} times", each["rate"] >= each["goal_rate"])
        if "goal_ns" in each:
            ns = 1e9 * seconds["median"] / each["jobs"]
            spread += _goal(f"{each['goal_ns']:g} ns a job", ns <= each["goal_ns"])
        if "goal_seconds" in each:
            spread += _goal(f"{each['goal_seconds']:g}", seconds["median"] <= each["goal_seconds"])
        if "peak_megabytes" in each:
            spread += f"; peak {each['peak_megabytes']:g} MB"
        rate = events = each_job = ""
        if each.get("jobs"):
            rate, events = _rate(each)
            each_job = f"{1e9 * seconds['median'] / each['jobs']:,.0f}"
        rows.append(f"| {each['name']} | {rate} | {events} | {each_job} | {spread} | {each['repeats']} |")
    return [*rows, ""]


def _goal(goal: str, met: bool) -> str:
    return f"; goal {goal}, {'met' if met else 'missed'}"


def _wrapped(words: str) -> str:
    return textwrap.fill(words, 118, break_long_words=False, break_on_hyphens=False)


def _rate(each: dict[str, Any]) -> tuple[str, str]:
    """Jobs/s with quartiles, and events/s."""
    seconds, jobs = each["seconds"], each["jobs"]
    median, low, high = (_short(jobs / seconds[key]) for key in ("median", "q3", "q1"))
    return f"{median} ({low} - {high})", _short(2 * jobs / seconds["median"])


def _short(rate: float) -> str:
    """Three digits, in thousands (k) or millions (M)."""
    return f"{rate / 1e6:.3g} M" if rate >= 1e6 else f"{rate / 1e3:.3g} k"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
