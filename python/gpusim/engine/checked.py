"""The one cast of the engine's door: whole numbers inside their range, or an error that names them.

Nothing is converted silently: fractions, floats (whole or not), booleans and numbers that do not fit are refused.
"""

from __future__ import annotations

import operator
import reprlib
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, RunError


def refuse(where: str, what: str, remedy: str, found: str = "") -> RunError:
    """Return the error for a part of a run that cannot be meant."""
    return RunError([Problem(where, what, remedy, "engine/spec", found)])


def integer(where: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int in [low, high]; any integer type will do, but no float and no bool."""
    remedy = f"use a whole number from {low:,} to {high:,}"
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        shown = str(value) if isinstance(value, (float, np.generic)) else reprlib.repr(value)
        raise refuse(where, "is not a whole number", remedy, shown) from None
    if not low <= number <= high:
        shown = str(number) if number.bit_length() <= 128 else f"{number.bit_length()} bits"
        raise refuse(where, "is out of range", remedy, shown)
    return number


def flag(where: str, value: object) -> bool:
    """Return `value` as a bool; numbers do not count as one."""
    if not isinstance(value, (bool, np.bool_)):
        raise refuse(where, "is neither True nor False", "use True or False", reprlib.repr(value))
    return bool(value)


def column(
    where: str,
    values: Any,
    dtype: type[np.signedinteger[Any]],
    low: int | None = None,
    high: int | None = None,
) -> npt.NDArray[Any]:
    """Return an own, read-only, C-contiguous copy of a column of whole numbers.

    Parameters
    ----------
    where : str
        Name of the column, for messages.
    values : int or sequence of int
        A single number is a column of one row.
    dtype : numpy integer type
    low, high : int, optional
        Smallest and largest value allowed. Default: those of `dtype`.

    Raises
    ------
    RunError
        Names the column and the row, the value found there and the range allowed.
    """
    if low is None or high is None:
        limits = np.iinfo(dtype)
        low, high = int(limits.min) if low is None else low, int(limits.max) if high is None else high
    if type(values) is int:  # what most calls give
        own = np.array([integer(where, values, low, high)], dtype)
        own.setflags(write=False)
        return own
    try:
        given: npt.NDArray[Any] = np.atleast_1d(np.asarray(values))
    except ValueError:  # rows of different length
        raise refuse(where, "is not one-dimensional", "pass one value per row") from None
    if given.ndim != 1:
        raise refuse(where, "is not one-dimensional", "pass one value per row", f"shape {given.shape}")
    if given.size and given.dtype.kind not in "iu":  # Python's large numbers come as objects or floats
        rows = values if isinstance(values, (list, tuple)) else given.tolist()
        given = np.array([integer(f"{where}[{i}]", rows[i], low, high) for i in range(len(rows))], dtype)
    elif given.size:
        for row in (int(given.argmin()), int(given.argmax())):
            integer(f"{where}[{row}]" if given.size > 1 else where, given[row], low, high)
    own = np.array(given, dtype=dtype, order="C")
    own.setflags(write=False)
    return own


def flags(where: str, values: Any) -> npt.NDArray[np.bool_]:
    """Return an own, read-only copy of a table of flags, (S, C) bool, whose positions fit int32."""
    try:
        given = np.asarray(values)
    except ValueError:  # rows of different length
        raise refuse(where, "has rows of different length", "give one column per class") from None
    if given.ndim != 2 or given.size >= 1 << 31 or (given.size and given.dtype != np.bool_):
        remedy = "give one row of True and False per level, one column per class"
        raise refuse(where, "is not a table of flags", remedy, f"{given.dtype}, shape {given.shape}")
    own = np.array(given, dtype=np.bool_, order="C")
    own.setflags(write=False)
    return own


def table(
    where: str, values: Any, dtype: type[np.signedinteger[Any]], low: int, high: int
) -> npt.NDArray[Any]:
    """Return an own, read-only, C-contiguous copy of a table of whole numbers, (S, C)."""
    try:
        given = np.asarray(values)
    except ValueError:  # rows of different length
        raise refuse(where, "has rows of different length", "give one column per class") from None
    if given.ndim != 2:
        raise refuse(where, "is not a table", "give one row per level", f"shape {given.shape}")
    rows = [column(f"{where}[{i}]", row, dtype, low, high) for i, row in enumerate(given)]
    own = np.array(rows, dtype=dtype).reshape(given.shape)
    own.setflags(write=False)
    return own


def flag_column(where: str, values: Any) -> npt.NDArray[np.bool_]:
    """Return an own, read-only copy of a column of flags."""
    try:
        given = np.asarray(values)
    except ValueError:  # rows of different length
        raise refuse(where, "is not a column of flags", "give one True or False per row") from None
    if given.ndim != 1 or (given.size and given.dtype != np.bool_):
        remedy = "give one True or False per row"
        raise refuse(where, "is not a column of flags", remedy, f"{given.dtype}, shape {given.shape}")
    own = np.array(given, dtype=np.bool_)
    own.setflags(write=False)
    return own
