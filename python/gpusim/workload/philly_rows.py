"""Turns lines of a Philly csv file into checked columns, and describes the lines it cannot read.

Numbers are read by array operations over a whole column; Python looks at single values only to describe an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, WorkloadError
from gpusim.suggest import did_you_mean
from gpusim.workload.findings import Findings

Floats = npt.NDArray[np.float64]

REQUIRED = ("timestamp", "duration", "num_gpus", "cluster")
OPTIONAL = ("gpu_time",)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_SHOWN = 40


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a file that could be read.

    Attributes
    ----------
    line : (n,) int64
        Line in the file, from 1.
    submit : (n,) int64
        Seconds since 1970-01-01 on the clock of the file.
    duration, gpus : (n,) float64
        [s], [GPU]
    gpu_time : (n,) float64
        [GPU-s]; NaN where the file has no such column.
    tenant : list of n str
    is_repeated : (n,) bool
        Rows that are equal to an earlier one in every column above but `line`.
    """

    line: npt.NDArray[np.int64]
    submit: npt.NDArray[np.int64]
    duration: Floats
    gpus: Floats
    gpu_time: Floats
    tenant: list[str]
    is_repeated: npt.NDArray[np.bool_]


def header_of(text: bytes) -> list[str] | None:
    """Column names of the first line if it is the header of a Philly file or nearly so, else None."""
    line = text.lstrip(b"\n\r\t ").partition(b"\n")[0][:1000].decode("utf-8", "replace")
    names = [name.lower() for name in _split(line)]
    known = sum(name in (*REQUIRED, *OPTIONAL) for name in names)
    return names if len(names) > 1 and known >= 2 else None


def read_rows(name: str, blocks: Iterable[bytes], findings: Findings) -> Table:
    """Read every row; rows with problems are described to the findings and left out.

    Raises
    ------
    WorkloadError
        At once, if the header lacks a column: no row could be understood.
    """
    places: list[int] | None = None
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    number = width = 0
    for block in blocks:
        for raw in block.splitlines():
            number += 1
            text = _decoded(raw, name, number, findings)
            if text is None or not text.strip():
                continue
            fields = _split(text)
            if places is None:
                places, width = _places(name, number, fields), len(fields)
            elif len(fields) != width:
                remedy = f"write the {width} fields that line 1 names, or delete the line"
                what = f"has {len(fields)} field{'s' if len(fields) != 1 else ''} instead of {width}"
                findings.add(
                    Problem(f"{name}:{number}", what, remedy, "workload/columns", _show(text)), number
                )
            else:
                lines.append(number)
                rows.append(tuple(fields[place] if place >= 0 else "" for place in places))
    return _columns(name, np.array(lines, dtype=np.int64), rows, findings, places or [])


def _columns(
    name: str,
    lines: npt.NDArray[np.int64],
    rows: list[tuple[str, ...]],
    findings: Findings,
    places: list[int],
) -> Table:
    if not rows:
        empty = np.zeros(0)
        return Table(lines, empty.astype(np.int64), empty, empty, empty, [], empty.astype(np.bool_))
    stamp, duration, gpus, tenant, gpu_time = (list(column) for column in zip(*rows, strict=True))
    good = np.ones(len(rows), dtype=np.bool_)

    def complain(bad: npt.NDArray[np.bool_], texts: list[str], what: str, remedy: str, code: str) -> None:
        good[bad] = False
        findings.add_rows(
            bad,
            lambda row: Problem(f"{name}:{lines[row]}", what, remedy, code, _show(texts[row])),
            lambda row: int(lines[row]),
        )

    def numbers(column: str, texts: list[str]) -> Floats:
        values, unreadable = _numbers(texts)
        remedy = "write a number"
        complain(unreadable, texts, f"{column} is not a number", remedy, "workload/not-numbers")
        infinite = ~unreadable & ~np.isfinite(values)
        complain(infinite, texts, f"{column} is not a finite number", remedy, "workload/not-finite")
        return values

    submit, unreadable = _instants(stamp)
    what, remedy = "timestamp is not a date and time", "write it as 2017-10-09 07:01:55"
    complain(unreadable, stamp, what, remedy, "workload/date")
    lasts, held = numbers("duration", duration), numbers("num_gpus", gpus)
    work = numbers("gpu_time", gpu_time) if places[-1] >= 0 else np.full(len(rows), np.nan)
    nameless = np.array([not text for text in tenant])
    remedy = "name the virtual cluster of the job, or delete the line"
    complain(nameless, tenant, "cluster is empty", remedy, "workload/missing")

    kept = np.flatnonzero(good)
    return Table(
        line=lines[kept],
        submit=submit[kept],
        duration=lasts[kept],
        gpus=held[kept],
        gpu_time=work[kept],
        tenant=[tenant[row] for row in kept],
        is_repeated=_seen_before([rows[row] for row in kept]),
    )


def _seen_before(rows: list[tuple[str, ...]]) -> npt.NDArray[np.bool_]:
    first: dict[tuple[str, ...], int] = {}
    return np.array([first.setdefault(row, place) != place for place, row in enumerate(rows)], dtype=np.bool_)


def _places(name: str, number: int, fields: list[str]) -> list[int]:
    """Where each column stands (-1: absent, optional), in the order of `REQUIRED` and `OPTIONAL`."""
    names = [field.lower() for field in fields]
    problems = []
    for column in (*REQUIRED, *OPTIONAL):
        if column in REQUIRED and column not in names:
            near = did_you_mean(column, [each for each in names if each not in REQUIRED])
            remedy = f"rename {near} to {column}" if near else f"name the columns {','.join(REQUIRED)}"
            problems.append(
                Problem(f"{name}:{number}", f"no column {column}", remedy, "workload/header", _show(fields))
            )
        if names.count(column) > 1:
            remedy = "keep one of them"
            problems.append(
                Problem(
                    f"{name}:{number}", f"column {column} twice", remedy, "workload/header", _show(fields)
                )
            )
    if problems:
        raise WorkloadError(problems)
    return [names.index(column) if column in names else -1 for column in (*REQUIRED, *OPTIONAL)]


def _split(line: str) -> list[str]:
    """Fields of a line; quotes around one are taken off (no field of this format holds a comma)."""
    return [field.strip().strip('"').strip() for field in line.split(",")]


def _decoded(raw: bytes, name: str, number: int, findings: Findings) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        remedy = "save the file as UTF-8, or delete the line"
        found = _show(raw.decode("latin-1"))
        findings.add(
            Problem(f"{name}:{number}", "holds bytes that are not UTF-8", remedy, "workload/bytes", found),
            number,
        )
        return None


def _numbers(texts: list[str]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Values (NaN where unreadable), and which could not be read."""
    wrong = np.array(["_" in text for text in texts])  # 1_000 is a number in Python, not here
    try:
        return np.array(texts, dtype=np.float64), wrong
    except ValueError:
        values = np.full(len(texts), np.nan)
        for row, text in enumerate(texts):
            try:
                values[row] = float(text)
            except ValueError:
                wrong[row] = True
        return values, wrong


def _instants(texts: list[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Seconds since 1970 (0 where unreadable), and which could not be read."""
    wrong = np.array([_DATE.fullmatch(text) is None for text in texts])
    readable = ["1970-01-01" if bad else text for text, bad in zip(texts, wrong, strict=True)]
    try:
        return np.array(readable, dtype="M8[s]").astype(np.int64), wrong
    except ValueError:  # a 30th of February, or an hour of 25
        seconds = np.zeros(len(texts), dtype=np.int64)
        for row, text in enumerate(readable):
            try:
                seconds[row] = np.datetime64(text, "s").astype(np.int64)
            except ValueError:
                wrong[row] = True
        return seconds, wrong


def _show(value: object) -> str:
    text = ",".join(value) if isinstance(value, list) else str(value)
    text = text.strip().encode("unicode_escape").decode()
    return f"'{text if len(text) <= _SHOWN else text[: _SHOWN - 3] + '...'}'"
