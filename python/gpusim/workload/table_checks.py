"""What a column of a job table must hold; each check reports every row that does not, by its place in the input.

A column that could not be read at all is None here, and has been reported already.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem
from gpusim.workload.columns import show
from gpusim.workload.findings import Findings
from gpusim.workload.ticks import MAX_TICKS, Numbers, quotient


def check_lengths(columns: Mapping[str, Numbers | None], findings: Findings) -> bool:
    """Report columns of different length, or of none; True if they can be read side by side."""
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        remedy = "give every column one value a job"
        findings.add(Problem("jobs", "columns differ in length", remedy, "workload/length", found))
    elif lengths and not max(lengths.values()):
        findings.add(Problem("jobs", "there are no jobs", "give at least one row", "workload/no-jobs"))
    return len(set(lengths.values())) == 1


def check_instants(
    seconds: Numbers | None, tick: float, findings: Findings
) -> npt.NDArray[np.float64] | None:
    """Submit times [s] to ticks as float64, not yet rounded; none may be negative."""
    if seconds is None:
        return None
    ticks = quotient(seconds, tick)
    remedy = "count seconds from the first submit, so that it is 0 or more"
    findings.add_rows(
        ticks < 0,
        lambda row: Problem(
            f"jobs[{row}].submit", "is negative", remedy, "workload/negative-time", f"{show(seconds[row])} s"
        ),
    )
    _check_size("submit", seconds, ticks, tick, findings)
    return ticks


def check_durations(
    name: str, seconds: Numbers | None, tick: float, findings: Findings
) -> npt.NDArray[np.float64] | None:
    """Run times or limits [s] to ticks as float64, not yet rounded; all must be above 0."""
    if seconds is None:
        return None
    ticks = quotient(seconds, tick)
    what = "run time" if name == "service" else "limit"
    findings.add_rows(
        seconds <= 0,
        lambda row: Problem(
            f"jobs[{row}].{name}",
            "is not above 0",
            f"give a positive {what}, or leave the job out",
            f"workload/no-{name}",
            f"{show(seconds[row])} s",
        ),
    )
    _check_size(name, seconds, ticks, tick, findings)
    return ticks


def check_delays(seconds: Numbers | None, tick: float, findings: Findings) -> npt.NDArray[np.float64] | None:
    """Delays [s] to ticks as float64, not yet rounded; none may be negative."""
    if seconds is None:
        return None
    ticks = quotient(seconds, tick)
    remedy = "give the time from the end of the job it follows, or from its own submit, 0 or more"
    findings.add_rows(
        ticks < 0,
        lambda row: Problem(
            f"jobs[{row}].delay", "is negative", remedy, "workload/negative-time", f"{show(seconds[row])} s"
        ),
    )
    _check_size("delay", seconds, ticks, tick, findings)
    return ticks


def _check_size(
    name: str, seconds: Numbers, ticks: npt.NDArray[np.float64], tick: float, findings: Findings
) -> None:
    remedy = f"keep it below 2**43 ticks of {tick:g} s; check the unit, or choose a longer tick"
    findings.add_rows(
        ticks >= MAX_TICKS - 0.5,
        lambda row: Problem(
            f"jobs[{row}].{name}", "is too large", remedy, "workload/too-large", f"{show(seconds[row])} s"
        ),
    )


def check_range(
    name: str, values: npt.NDArray[np.int64] | None, low: int, high: int, findings: Findings, code: str
) -> None:
    """Report values outside low .. high."""
    if values is None:
        return
    findings.add_rows(
        (values < low) | (values > high),
        lambda row: Problem(
            f"jobs[{row}].{name}",
            f"is below {low}" if values[row] < low else "is too large",
            f"give a whole number from {low} to {high:,}",
            code if values[row] < low else "workload/too-large",
            show(values[row]),
        ),
    )


def check_distinct(ids: npt.NDArray[np.int64] | None, findings: Findings) -> None:
    """Report ids that an earlier row has."""
    if ids is None:
        return
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    earliest = first[inverse]
    findings.add_rows(
        earliest != np.arange(len(ids)),
        lambda row: Problem(
            f"jobs[{row}].id",
            "is used twice",
            "give every job its own id, or leave id out",
            "workload/duplicate-id",
            f"{ids[row]}, also at jobs[{earliest[row]}]",
        ),
    )
