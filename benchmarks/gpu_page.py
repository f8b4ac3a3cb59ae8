"""The part of `docs/performance.md` that is about devices, made of their result files and of nothing else."""

from __future__ import annotations

from typing import Any

import gpu_goals

HEAD = """
## On a GPU

Made by one command on a machine with an NVIDIA GPU: `python benchmarks/gpu_check.py`; [what each row means](gpu.md).
A row of which no committed result file has a figure is not measured.
"""
NONE_YET = "\nNo result file of a GPU has been committed: nothing below is measured.\n"


def section(results: list[dict[str, Any]]) -> str:
    """The section, for result files of which the newest of each device comes first."""
    parts, shown = [HEAD], set()
    for result in results:
        if result["device"]["name"] not in shown:  # an older run of the same device stays in its file
            parts.append(_result(result))
            shown.add(result["device"]["name"])
    if not shown:
        parts += [NONE_YET, _goals(gpu_goals.lines(None))]
    return "".join(parts)


def _goals(lines: list[gpu_goals.Line]) -> str:
    head = "\n| goal | figure | |\n|---|---|---|\n"
    return head + "".join(f"| {goal} | {figure} | {verdict} |\n" for goal, figure, verdict in lines)


def _result(result: dict[str, Any]) -> str:
    device, tools = result["device"], result["tools"]
    about = {row["name"]: row for row in gpu_goals.rows(result, "about")}
    host = about.get("host", {"cpu": "host not known", "cores": "?", "memory_gib": "?"})
    clean = "" if result["clean"] else ", with changes that are not committed"
    told = (
        f"{device['processors']} multiprocessors, {device['memory_gib']} GiB, driver {result['driver']}, nvcc "
        f"{tools['nvcc']}; host: {host['cpu']}, {host['cores']} cores, {host['memory_gib']} GiB. Commit "
        f"{result['commit'][:12]}{clean}. `{result['command']}`:\n"
        f"[{result['file']}](../benchmarks/results/{result['file']})."
    )
    parts = [f"\n### {device['name']}, {result['date']}\n\n{told}\n", _goals(gpu_goals.lines(result))]
    rates = [row for row in gpu_goals.rows(result, "throughput") if "ratio" in row]
    if rates:
        parts.append(_rates(rates))
    limits = [row["limits"] for row in gpu_goals.rows(result, "profile") if "limits" in row]
    parts += [f"\n{each}\n" for each in limits]
    left_out = list(gpu_goals.left_out(result))
    if left_out:
        parts.append("\nNot measured here:\n\n" + "".join(f"- {_one_line(each)}\n" for each in left_out))
    return "".join(parts)


def _rates(rows: list[dict[str, Any]]) -> str:
    head = (
        "\nIn turns with the host's own engine on all its cores; medians, least and greatest of the repeats.\n\n"
        "| run | runs (a multiprocessor) | jobs a run | events/s | host's events/s | times the host | repeats |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(map(_rate, rows))


def _rate(row: dict[str, Any]) -> str:
    ours, host, ratio = (
        row["events_per_second"][row["engine"]],
        row["events_per_second"][row["beside"]],
        row["ratio"],
    )
    each = f" ({row['runs_a_processor']:g})" if row["runs_a_processor"] else ""
    name = row["name"] if row["equal"] else f"{row['name']}: RESULTS DIFFER"
    return (
        f"| {name} | {row['runs']:,}{each} | {row['jobs_a_run']:,} | {_spread(ours)} | {_spread(host)} "
        f"| {ratio['median']:.3g} ({ratio['min']:.3g} - {ratio['max']:.3g}) | {ratio['repeats']} |\n"
    )


def _spread(values: dict[str, float]) -> str:
    return f"{_short(values['median'])} ({_short(values['min'])} - {_short(values['max'])})"


def _short(rate: float) -> str:
    return f"{rate / 1e9:.3g} G" if rate >= 1e9 else f"{rate / 1e6:.3g} M"


def _one_line(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= 200 else f"{shown[:200]} .."
