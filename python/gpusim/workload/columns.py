"""Turns whatever a user holds (lists, numpy arrays, pandas columns) into checked numeric columns.

Nothing here imports pandas: a Series is read through `numpy.asarray`, and its timestamps are `datetime`
objects. Every function adds what is wrong to a `Findings` and returns None if the column as a whole is
unusable; rows are named by their position in the input, ``jobs[3].gpus``, counted from 0.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem
from gpusim.workload.findings import Findings
from gpusim.workload.ticks import Numbers

Column: TypeAlias = npt.ArrayLike | Sequence[Any]

_GIVE_COLUMN = "give a list, a numpy array or a table column with one value a job"
_EPOCH = datetime.datetime(1970, 1, 1)


def read_instants(name: str, values: Column, findings: Findings) -> tuple[Numbers | None, int | None]:
    """Read instants: numbers [s], or dates and times, which become seconds from the first of them.

    Returns
    -------
    seconds : int64 or float64 array, or None
        None if the column is unusable.
    unix_start : int or None
        Unix time of second 0, rounded down, where `values` holds dates (without a zone: taken as UTC).
    """
    array = _as_vector(name, values, findings)
    if array is None:
        return None, None
    if array.dtype.kind == "M":
        if _any_missing(name, np.isnat(array), "a date", findings):
            return None, None
        if not len(array):
            return np.zeros(0), None
        first = array.min()
        start = first.astype("datetime64[s]").astype(np.int64)
        return (array - first) / np.timedelta64(1, "s"), int(start)
    if array.dtype.kind == "O" and any(isinstance(value, datetime.datetime) for value in array):
        return _from_datetimes(name, array, findings)
    return _read_seconds(name, array, findings), None


def read_durations(name: str, values: Column, findings: Findings) -> Numbers | None:
    """Read durations: numbers [s], or timedeltas; None if the column is unusable."""
    array = _as_vector(name, values, findings)
    if array is None:
        return None
    if array.dtype.kind == "M" or (
        array.dtype.kind == "O" and any(isinstance(value, datetime.date) for value in array)
    ):
        remedy = "give durations, for example end - start, in seconds or as timedeltas"
        findings.add(Problem(f"jobs.{name}", "dates where durations belong", remedy, "workload/not-numbers"))
        return None
    return _read_seconds(name, array, findings)


def read_integers(name: str, values: Column, findings: Findings, what: str) -> npt.NDArray[np.int64] | None:
    """Read whole numbers (``4.0`` counts as 4); None if any row is not one.

    Parameters
    ----------
    what : str
        Names the thing counted in messages: "a whole number of GPUs".
    """
    array = _as_vector(name, values, findings)
    numbers = None if array is None else _numbers(name, array, findings)
    if numbers is None:
        return None
    if numbers.dtype == np.int64:
        return numbers.astype(np.int64, copy=False)
    whole = np.isfinite(numbers) & (numbers == np.rint(numbers)) & (np.abs(numbers) < 2.0**63)
    if whole.all():
        return numbers.astype(np.int64)
    findings.add_rows(
        ~whole,
        lambda row: Problem(
            f"jobs[{row}].{name}",
            f"is not {what}",
            "write a whole number",
            "workload/not-whole" if math.isfinite(numbers[row]) else "workload/not-finite",
            show(numbers[row]),
        ),
    )
    return None


def show(value: Any) -> str:
    """Write a value for an error message: ``3``, not ``np.float64(3.0)``; at most 40 characters."""
    if isinstance(value, (float, np.floating)):
        text = repr(float(value)).removesuffix(".0")
    elif isinstance(value, np.generic):
        text = str(value)
    else:
        text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _as_vector(name: str, values: Column, findings: Findings) -> npt.NDArray[Any] | None:
    where = f"jobs.{name}"
    if isinstance(values, np.ma.MaskedArray):
        hidden = np.ma.getmaskarray(values)
        values = [None if missing else value for missing, value in zip(hidden, values.data, strict=True)]
    try:
        array = np.asarray(values)
        if array.dtype.kind in "USTb" and array.ndim == 1:  # [1, "a"] became text: look at the elements
            elements: Any = values
            array = np.empty(len(array), dtype=object)
            array[:] = list(elements)
    except (TypeError, ValueError):
        findings.add(Problem(where, "is not a plain column of values", _GIVE_COLUMN, "workload/shape"))
        return None
    if array.ndim == 1:
        return array
    found = f"{array.ndim}-dimensional, shape {array.shape}" if array.ndim else f"one {type(values).__name__}"
    findings.add(Problem(where, "is not one-dimensional", _GIVE_COLUMN, "workload/shape", found))
    return None


def _numbers(name: str, array: npt.NDArray[Any], findings: Findings) -> Numbers | None:
    """Numeric column as int64 or float64; text, truth values and missing values are named row by row."""
    kind = array.dtype.kind
    if kind == "i" or (kind == "u" and (not len(array) or int(array.max()) < 2**63)):
        return array.astype(np.int64)
    if kind in "uf":
        return array.astype(np.float64)
    if kind != "O":
        remedy = "convert it with astype(float) first"
        found = str(array.dtype)
        findings.add(Problem(f"jobs.{name}", "does not hold numbers", remedy, "workload/not-numbers", found))
        return None
    before = len(findings)
    plain: list[float] = []
    for row, value in enumerate(array):
        number = _plain_number(value)
        if number is None:
            missing = _is_missing(value)
            what = "is missing" if missing else "is not a number"
            remedy = "drop the row or fill the value in" if missing else "convert the column to numbers first"
            code = "workload/missing" if missing else "workload/not-numbers"
            findings.add(Problem(f"jobs[{row}].{name}", what, remedy, code, show(value)), row)
        else:
            plain.append(number)
    if len(findings) > before:
        return None
    if all(isinstance(number, int) and -(2**63) <= number < 2**63 for number in plain):
        return np.array(plain, dtype=np.int64)
    return np.array(plain, dtype=np.float64)


def _is_missing(value: Any) -> bool:
    """None, and pandas' NA and NaT (which passes for a datetime), told by name: no import of pandas."""
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _plain_number(value: Any) -> float | None:
    if isinstance(value, (str, bytes, bool, np.bool_, datetime.timedelta)) or value is None:
        return None
    if isinstance(value, (int, np.integer)):
        return int(value) if abs(int(value)) < 2**1000 else math.inf
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _read_seconds(name: str, array: npt.NDArray[Any], findings: Findings) -> Numbers | None:
    """Numbers [s] or timedeltas, finite; None if the column is unusable."""
    if array.dtype.kind == "m":
        if _any_missing(name, np.isnat(array), "a duration", findings):
            return None
        seconds: Numbers | None = array / np.timedelta64(1, "s")
    elif array.dtype.kind == "O" and any(isinstance(value, datetime.timedelta) for value in array):
        wrong = [not isinstance(v, datetime.timedelta) or _is_missing(v) for v in array]
        if _any_missing(name, np.array(wrong), "a duration like its neighbours", findings, array):
            return None
        seconds = np.array([value.total_seconds() for value in array], dtype=np.float64)
    else:
        seconds = _numbers(name, array, findings)
    if seconds is None:
        return None
    finite = np.isfinite(seconds)
    if finite.all():
        return seconds
    findings.add_rows(
        ~finite,
        lambda row: Problem(
            f"jobs[{row}].{name}",
            "is not a finite number",
            "drop the row or fill the value in",
            "workload/not-finite",
            show(seconds[row]),
        ),
    )
    return None


def _from_datetimes(
    name: str, array: npt.NDArray[Any], findings: Findings
) -> tuple[npt.NDArray[np.float64] | None, int | None]:
    """Column of datetime objects, with or without zones (but not mixed), as seconds from the first."""
    wrong = [not isinstance(v, datetime.datetime) or _is_missing(v) for v in array]
    if _any_missing(name, np.array(wrong), "a date like its neighbours", findings, array):
        return None, None
    try:
        first = min(array)
        seconds = np.array([(value - first).total_seconds() for value in array], dtype=np.float64)
    except TypeError:
        remedy = "give all of them a time zone, or none"
        found = "dates with and without a time zone"
        findings.add(Problem(f"jobs.{name}", "cannot be compared", remedy, "workload/not-numbers", found))
        return None, None
    epoch = _EPOCH if first.tzinfo is None else _EPOCH.replace(tzinfo=datetime.timezone.utc)
    return seconds, math.floor((first - epoch).total_seconds())


def _any_missing(
    name: str,
    bad: npt.NDArray[np.bool_],
    what: str,
    findings: Findings,
    array: npt.NDArray[Any] | None = None,
) -> bool:
    findings.add_rows(
        bad,
        lambda row: Problem(
            f"jobs[{row}].{name}",
            f"is not {what}",
            "drop the row or fill the value in",
            "workload/missing",
            "missing" if array is None else show(array[row]),
        ),
    )
    return bool(bad.any())
