"""Reads logs in the Standard Workload Format (SWF 2.2).

A log has header lines that start with ``;`` and then one job a line, 18 numbers separated by blanks, -1
where a value is unknown. What this reader does with them:

===========  =================================================================================================
job          field 1, the id; queue order is (submit, id)
submit       field 2 [s]
service      field 4, the run time [s]; a row whose run time is 0 or less is dropped (``no_run_time``)
gpus         field 5, allocated processors, or field 8, requested processors, where field 5 is 0 or less; a
             row with neither is dropped (``no_processors``)
limit        field 9, the requested time [s], or the run time where field 9 is 0 or less
status       field 11; rows 2, 3 and 4 (one stretch of a swapped-out job) are dropped (``partial_run``)
             where another row sums the same job up, as the format prescribes
===========  =================================================================================================

Accepted: any order of rows, decimals, blank lines, comments anywhere, no header, Windows and old Mac line
ends, a byte-order mark, more than 18 fields (the rest may be text), and 9 to 17 fields (what is missing
counts as unknown). Dropped rows must be numbers but are not looked at further. Not accepted, because no
schedule could be trusted: kept rows that share an id (the four archive logs and both test logs we hold have
none), negative submit times, text or NaN in fields 1 to 18, fractions of a processor or an id.

The steps are: blocks of text (`logfile`), rows of numbers (`swf_lines`), jobs (here).

References
----------
.. [1] Parallel Workloads Archive, "The Standard Workload Format",
   https://www.cs.huji.ac.il/labs/parallel/workload/swf.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, WorkloadError
from gpusim.workload import logfile
from gpusim.workload.columns import show
from gpusim.workload.findings import Findings
from gpusim.workload.jobs import Jobs
from gpusim.workload.swf_lines import GPUS, ID, LIMIT, LINE, RUN, STATUS, SUBMIT, Block, Floats
from gpusim.workload.ticks import (
    MAX_GPUS,
    MAX_TICKS,
    checked_tick,
    duration_ticks,
    quotient,
    submit_ticks,
    too_much_work,
)

_UNIX_START = re.compile(rb"^[ \t]*;[ \t]*UnixStartTime[ \t]*:[ \t]*(\d+)", re.MULTILINE | re.IGNORECASE)


def read_swf(
    path: str | os.PathLike[str], *, tick: float = 1.0, blocks: Iterable[bytes] | None = None
) -> Jobs:
    r"""Read a log in the Standard Workload Format, plain or gzip-compressed.

    Parameters
    ----------
    path : path-like
        The log. Whether it is compressed is told from its first bytes.
    tick : float, default 1.0
        Length of one tick of the result [s]. Submit times are rounded down, durations to the nearest tick.
    blocks : iterable of bytes, optional
        The file's text where it has been opened already (see `logfile.blocks`).

    Returns
    -------
    Jobs
        Sorted by (submit, id); submit times as in the log (they need not begin at 0). `dropped` counts rows
        left out as ``no_run_time``, ``no_processors`` and, if there are any, ``partial_run``; `unix_start`
        is the header's UnixStartTime; `source` is `path`.

    Raises
    ------
    UsageError
        The file is missing, is a folder or may not be read; `tick` is not positive.
    WorkloadError
        Lists the problems by file and line: cut or damaged gzip data, no text, no jobs, fewer than 9
        fields, text or NaN where a number belongs, negative submit times, repeated ids, fractions of a
        processor, values the engine cannot hold, or nothing left after dropping rows.

    Notes
    -----
    Takes about 0.6 s and 80 MB for a log of 188,000 jobs.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.swf")
    ...     _ = log.write_text("1 0 -1 60 4 -1 -1 -1 90 -1 1 1 1 -1 -1 -1 -1 -1\n"
    ...                        "2 5 -1 -1 4 -1 -1 -1 90 -1 5 1 1 -1 -1 -1 -1 -1\n")
    ...     jobs = read_swf(log)
    >>> len(jobs), jobs.limit.tolist(), jobs.dropped
    (1, [90], {'no_run_time': 1, 'no_processors': 0})
    """
    tick = checked_tick(tick)
    name = os.fspath(path)
    findings = Findings()
    parts: list[npt.NDArray[np.float64]] = []
    unix_start: int | None = None
    line, good, bad = 1, 0, 0
    for text in logfile.blocks(name) if blocks is None else blocks:
        if line == 1 and (found := _UNIX_START.search(text)):
            unix_start = int(found[1])
        block = Block(text, line, name, findings)
        parts.append(block.rows)
        line += block.lines
        good, bad = good + len(block.rows), bad + block.bad
        _refuse_other_formats(name, good, bad, findings)
    if not good and not bad:
        what = "holds header and blank lines only" if line > 1 else "is empty"
        findings.add(Problem(name, what, "give a log with at least one job line", "workload/no-jobs"))
        findings.raise_if_any()
    rows = np.concatenate(parts)
    del parts
    dropped, keep = _sort_out(rows)
    if good and not keep.any():
        counts = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        remedy = "jobs need a run time (field 4) and processors (field 5 or 8) above 0; check the columns"
        what = "no job is left after dropping rows"
        findings.add(Problem(name, what, remedy, "workload/all-dropped", counts))
    return _to_jobs(rows[keep], name, tick, dropped, unix_start, findings)


def _refuse_other_formats(name: str, good: int, bad: int, findings: Findings) -> None:
    """Stop at the first block if none of its lines can be read as SWF: one message says it better."""
    if good == 0 and bad > 3:
        first = min(findings.problems, key=lambda entry: entry[0])[1]
        what = f"this is not the Standard Workload Format: no line could be read, the first {first.what}"
        remedy = (
            "give a log with 18 blank-separated numbers a line, a csv with the header "
            "timestamp,duration,num_gpus,cluster, or build gpusim.Jobs from your own table"
        )
        raise WorkloadError(Problem(first.where, what, remedy, "workload/not-swf", first.found))


def _sort_out(rows: Floats) -> tuple[dict[str, int], npt.NDArray[np.bool_]]:
    """Tell which rows are kept, and count the others by reason."""
    state, ids = rows[:, STATUS], rows[:, ID]
    partial = np.isin(state, (2, 3, 4))
    if partial.any():
        partial &= np.isin(ids, ids[~partial])
    no_run_time = ~partial & (rows[:, RUN] <= 0)
    no_processors = ~partial & ~no_run_time & (rows[:, GPUS] <= 0)
    dropped = {"no_run_time": int(no_run_time.sum()), "no_processors": int(no_processors.sum())}
    if partial.any():
        dropped["partial_run"] = int(partial.sum())
    return dropped, ~(partial | no_run_time | no_processors)


def _to_jobs(
    rows: Floats, name: str, tick: float, dropped: dict[str, int], unix_start: int | None, findings: Findings
) -> Jobs:
    """Check the kept rows and put them on ticks."""
    submit, run, limit = (quotient(rows[:, column], tick) for column in (SUBMIT, RUN, LIMIT))
    ids, gpus = rows[:, ID], rows[:, GPUS]

    def line_of(row: int) -> int:
        return int(rows[row, LINE])

    def place(row: int) -> str:
        return f"{name}:{line_of(row)}"

    def check(
        bad: npt.NDArray[np.bool_], column: int, what: str, remedy: str, code: str, unit: str = ""
    ) -> None:
        findings.add_rows(
            bad,
            lambda row: Problem(place(row), what, remedy, f"workload/{code}", show(rows[row, column]) + unit),
            line_of,
        )

    remedy = "write seconds from the start of the log, 0 or more"
    check(submit < 0, SUBMIT, "negative submit time", remedy, "negative-time", " s")
    times = ((submit, SUBMIT, "submit time"), (run, RUN, "run time"), (limit, LIMIT, "requested time"))
    for ticks, column, what in times:
        remedy = f"keep it below 2**43 ticks of {tick:g} s; check the unit, or choose a longer tick"
        check(ticks >= MAX_TICKS - 0.5, column, f"{what} is too large", remedy, "too-large", " s")
    remedy = "write a whole number of processors"
    check(gpus != np.rint(gpus), GPUS, "fraction of a processor", remedy, "not-whole")
    check(gpus > MAX_GPUS, GPUS, "too many processors", f"write at most {MAX_GPUS:,}", "too-large")
    whole = (ids == np.rint(ids)) & (np.abs(ids) < 2.0**53)
    check(~whole, ID, "job number is not a whole number", "number the jobs 1, 2, 3, ...", "not-whole")
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    earliest = first[inverse]
    findings.add_rows(
        earliest != np.arange(len(ids)),
        lambda row: Problem(
            place(row),
            "job number is used twice",
            "give every job its own number in field 1, or delete the repeated line",
            "workload/duplicate-id",
            f"{show(ids[row])}, also on line {line_of(earliest[row])}",
        ),
        line_of,
    )
    findings.raise_if_any()
    service = duration_ticks(run)
    if too_much_work(gpus, service):
        remedy = "check the units of run time and processors, or choose a longer tick"
        what = "sum of processors x run time is too large to be counted exactly"
        raise WorkloadError(Problem(name, what, remedy, "workload/too-much-work", "2**62 GPU-ticks or more"))
    return Jobs.from_ticks(
        submit=submit_ticks(submit),
        service=service,
        limit=duration_ticks(limit),
        gpus=gpus.astype(np.int32),
        id=ids.astype(np.int64),
        tick=tick,
        source=name,
        dropped=dropped,
        unix_start=unix_start,
    )
