"""The goals of a device, and what a result file says of each: met, not met, or not measured.

Reads nothing but the result it is given, so that `performance_page.py` can use it anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"
LEAST_CONFIGURATIONS = 50
DEVICE, HOST_CORES = "H100", 16
"""What the goals of speed are set for."""
AS_SHIPPED, YEAR = "korea-nacc as shipped", "korea-nacc over a year"

Result = dict[str, Any]


class Line(NamedTuple):
    """A line of the table."""

    goal: str
    figure: str
    verdict: str


NOTHING = ("-", NOT_MEASURED)


def lines(result: Result | None) -> list[Line]:
    """The table; without a result nothing is measured, nor by a rehearsal, which has no device."""
    if result is None or result["rehearsal"]:
        return [Line(goal, *NOTHING) for goal, _ in GOALS]
    return [Line(goal, *read(result)) for goal, read in GOALS]


def step(result: Result, name: str) -> dict[str, Any]:
    found: dict[str, Any] = result["steps"].get(name, {})
    return found


def rows(result: Result, name: str) -> list[dict[str, Any]]:
    """Rows of a step that were measured."""
    return [row for row in step(result, name).get("rows", []) if not {"not_run", "skipped"} & set(row)]


def left_out(result: Result) -> Iterator[str]:
    """What was not measured, each with the reason."""
    for name, found in result["steps"].items():
        if found["status"] != "done":
            yield f"{name}: {found['status']}: {found['reason']}"
        for row in found["rows"]:
            reason = row.get("not_run") or row.get("skipped")
            if reason:
                yield f"{name}, {row['name']}: {reason}"


# ---- readers: what a result says of one goal -------------------------------------------------------------------------


def _parity(engine: str, key: str) -> Callable[[Result], tuple[str, str]]:
    def read(result: Result) -> tuple[str, str]:
        name = f"parity {engine}"
        found, every = rows(result, name), step(result, name).get("rows", [])
        if not found:
            return NOTHING
        equal = sum(bool(row[key]) for row in found)
        figure = f"{equal} of {len(found)} configurations"
        if len(every) > len(found) or step(result, name)["status"] != "done":
            figure += ", others not run"
            complete = False
        else:
            complete = len(found) >= LEAST_CONFIGURATIONS
        if equal < len(found):
            return figure, NOT_MET
        return figure, MET if complete else NOT_MEASURED

    return read


def _sanitizer(check: str) -> Callable[[Result], tuple[str, str]]:
    def read(result: Result) -> tuple[str, str]:
        for row in rows(result, "sanitizer"):
            if row["name"] == check:
                figure = f"{row['errors']} found" if "errors" in row else row["reason"][:60]
                return figure, MET if row["clean"] else NOT_MET
        return NOTHING

    return read


def _rate(policy: str, least: float) -> Callable[[Result], tuple[str, str]]:
    def read(result: Result) -> tuple[str, str]:
        found = [row for row in rows(result, "throughput") if row["name"].startswith(f"mix, {policy}, load")]
        if not found:
            return NOTHING
        rates = [row["events_per_second"][row["engine"]]["median"] for row in found]
        figure = " and ".join(f"{rate / 1e9:.3g} G" for rate in rates) + " events/s"
        if not all(row["equal"] for row in found):
            return f"{figure}, but results differ", NOT_MET
        if DEVICE not in result["device"]["name"]:
            return f"{figure}; the goal is for an {DEVICE}", NOT_MEASURED
        if len(found) < 2:
            return f"{figure}, at one load only", NOT_MEASURED
        return figure, MET if min(rates) >= least else NOT_MET

    return read


def _beside_host(result: Result) -> tuple[str, str]:
    found = [row for row in rows(result, "throughput") if row["name"].startswith("mix, EASY, load")]
    if not found:
        return NOTHING
    cores, ratios = found[0]["cores"], [row["ratio"]["median"] for row in found]
    figure = " and ".join(f"{ratio:.2f}" for ratio in ratios) + f" times {cores} cores"
    if not all(row["equal"] for row in found):
        return f"{figure}, but results differ", NOT_MET
    if min(ratios) < 5 and cores <= HOST_CORES:  # more cores would make it less
        return figure, NOT_MET
    if min(ratios) >= 5 and cores >= HOST_CORES:
        return figure, MET
    return f"{figure}; the goal is for {HOST_CORES}", NOT_MEASURED


def _answer(name: str, most: float) -> Callable[[Result], tuple[str, str]]:
    def read(result: Result) -> tuple[str, str]:
        found = [row for row in rows(result, "answer") if row["name"] == name]
        timed = [row for row in found if "seconds" in row]
        if not timed:
            return NOTHING
        figure = f"{timed[0]['seconds']:.1f} s"
        if "rounds" in timed[0]:
            figure += f", {timed[0]['rounds']} rounds, {timed[0]['idle_share']:.0%} idle"
        if any(row.get("equal") is False for row in found):
            return f"{figure}, but another answer than the host's", NOT_MET
        if DEVICE not in result["device"]["name"]:
            return f"{figure}; the goal is for an {DEVICE}", NOT_MEASURED
        return figure, MET if timed[0]["seconds"] <= most else NOT_MET

    return read


def _compiled(key: str, most: float) -> Callable[[Result], tuple[str, str]]:
    def read(result: Result) -> tuple[str, str]:
        found = [row[key] for row in rows(result, "cupy") if key in row]
        if not found:
            return NOTHING
        return f"{max(found):.2f} s, the slowest of {len(found)} families", MET if max(
            found
        ) <= most else NOT_MET

    return read


def _cupy_speed(result: Result) -> tuple[str, str]:
    found = [row for row in rows(result, "cupy") if "ratio" in row]
    if not found:
        return NOTHING
    figure = ", ".join(
        f"{row['ratio']['median']:.3f} ({row['ratio']['min']:.3f} - {row['ratio']['max']:.3f})"
        for row in found
    )
    if not all(row["equal"] for row in found):
        return f"{figure}, but results differ", NOT_MET
    return f"{figure} of its speed", MET if min(r["ratio"]["median"] for r in found) >= 0.95 else NOT_MET


GOALS: tuple[tuple[str, Callable[[Result], tuple[str, str]]], ...] = (
    ("cuda: the host's integers on >= 50 configurations", _parity("cuda", "equal")),
    ("cuda: the same integers when run again", _parity("cuda", "same_again")),
    ("cupy: the host's integers on >= 50 configurations", _parity("cupy", "equal")),
    ("compute-sanitizer memcheck clean", _sanitizer("memcheck")),
    ("compute-sanitizer racecheck clean", _sanitizer("racecheck")),
    ("compute-sanitizer synccheck clean", _sanitizer("synccheck")),
    ("mix, FIFO, load .85 and .95: >= 3 G events/s", _rate("FIFO", 3e9)),
    ("mix, EASY, load .85 and .95: >= 1 G events/s", _rate("EASY", 1e9)),
    ("mix, EASY: >= 5 times the engine of a 16-core host", _beside_host),
    ("korea-nacc as shipped, certified: <= 10 s", _answer(AS_SHIPPED, 10.0)),
    ("korea-nacc over a year, certified: <= 120 s", _answer(YEAR, 120.0)),
    ("CuPy: first use compiles in <= 10 s", _compiled("compile_seconds", 10.0)),
    ("CuPy: <= 0.3 s once compiled", _compiled("cached_seconds", 0.3)),
    ("CuPy: within 5 % of cuda", _cupy_speed),
)


# ---- text ------------------------------------------------------------------------------------------------------------


def table(result: Result) -> str:
    """The short table that is printed last."""
    found = [("goal", "figure", ""), *lines(result)]
    wide = [max(len(row[k]) for row in found) for k in (0, 1)]
    return "\n".join(
        f"{goal:<{wide[0]}} | {figure:<{wide[1]}} | {verdict}" for goal, figure, verdict in found
    )


def exit_code(result: Result) -> int:
    """0 if parity holds wherever it ran, all of it ran, and no step failed or was cut short; else 1.

    A step or row that cannot be measured here (no compute-sanitizer, no scenario packages) is no failure: it stands in
    the result with its reason, and its goals are not measured.
    """
    for name, found in result["steps"].items():
        if found["status"] in ("failed", "cut") or any("not_run" in row for row in found["rows"]):
            return 1
        if any(row.get(key) is False for row in found["rows"] for key in ("equal", "same_again", "clean")):
            return 1
        if name == "parity cuda" and not rows(result, name):
            return 1
    return 0 if "parity cuda" in result["steps"] else 1


def slug(name: str) -> str:
    """A device's name as part of a file's: ``nvidia-h100-80gb-hbm3``."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
