"""Turns blocks of SWF text into rows of numbers, quickly, and describes the lines it cannot read.

Numbers are found by array operations on the bytes of a block; Python looks at single lines only to describe
an error. That every number was read is proven by counting: a block has as many numbers as blank-separated
words.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem
from gpusim.workload.findings import Findings

Floats = npt.NDArray[np.float64]

# Columns of a row table: what is kept of each line of the log, as float64.
LINE, ID, SUBMIT, RUN, GPUS, LIMIT, STATUS = range(7)

FIELDS = (
    "job number", "submit time", "wait time", "run time", "allocated processors", "average CPU time",
    "used memory", "requested processors", "requested time", "requested memory", "status", "user", "group",
    "executable", "queue", "partition", "preceding job", "think time",
)  # fmt: skip
_FEWEST_FIELDS = 9
_STATUS_FIELD = 11
_COMMENT, _LINE_FEED, _SPACE = b";"[0], b"\n"[0], b" "[0]

_BLANK, _DIGIT, _SIGN, _POINT, _OTHER = range(5)
_KIND = np.full(256, _OTHER, dtype=np.uint8)  # kind of a byte; most letters of nan and inf are "other"
_KIND[list(b" \t\n\v\f\r")] = _BLANK
_KIND[list(b"0123456789")] = _DIGIT
_KIND[list(b"+-")] = _SIGN
_KIND[list(b".eE")] = _POINT


class Block:
    """The rows of one block of whole lines.

    Attributes
    ----------
    rows : (n, 7) float64 array
        Line number, id, submit, run time, processors, limit, status of each job line that could be read.
    lines : int
        Line feeds in the block.
    bad : int
        Job lines that could not be read; they have been described to the findings.
    """

    def __init__(self, text: bytes, first_line: int, name: str, findings: Findings) -> None:
        self._buffer = np.frombuffer(text, dtype=np.uint8).copy()
        self._ends = np.flatnonzero(self._buffer == _LINE_FEED)
        self.lines = len(self._ends)
        self._kind = _KIND[self._buffer]
        self._find_words()
        self._hide_comments_and_extras()

        wrong = np.zeros(self.lines, dtype=np.bool_)
        wrong[np.searchsorted(self._ends, np.flatnonzero(self._kind == _OTHER))] = True
        wrong |= (self._words > 0) & (self._words < _FEWEST_FIELDS)
        self._hide_lines(wrong)
        values = self._values()
        if values is None:
            malformed = self._malformed(text)
            self._hide_lines(malformed)
            wrong |= malformed
            values = self._values()
        if values is None:
            raise AssertionError(f"{name}: numbers and words do not match")  # pragma: no cover
        self.bad = int(wrong.sum())
        findings.add_rows(
            wrong,
            lambda row: _describe(self._line(text, row), name, first_line + row),
            lambda row: first_line + row,
        )
        self.rows = self._table(values, first_line)

    def _find_words(self) -> None:
        """Find where words start, how many each line has, and which is each line's first."""
        solid = self._kind != _BLANK
        solid[1:] &= self._kind[:-1] == _BLANK
        self._starts = np.flatnonzero(solid)
        before = np.searchsorted(self._starts, self._ends)
        self._words = np.diff(before, prepend=0)
        self._first = before - self._words

    def _hide_comments_and_extras(self) -> None:
        filled = self._words > 0
        lead = np.zeros(self.lines, dtype=np.uint8)
        lead[filled] = self._buffer[self._starts[self._first[filled]]]
        self._hide_lines(lead == _COMMENT)
        extra = self._words > len(FIELDS)
        self._blank(self._starts[self._first[extra] + len(FIELDS)], self._ends[extra])
        self._words[extra] = len(FIELDS)

    def _hide_lines(self, which: npt.NDArray[np.bool_]) -> None:
        which = which & (self._words > 0)
        self._blank(self._starts[self._first[which]], self._ends[which])
        self._words[which] = 0

    def _blank(self, begin: npt.NDArray[np.intp], end: npt.NDArray[np.intp]) -> None:
        """Overwrite the ranges [begin, end), which do not touch each other, with blanks."""
        if not len(begin):
            return
        step = np.zeros(len(self._buffer) + 1, dtype=np.int8)
        step[begin] = 1
        step[end] = -1
        inside = np.cumsum(step[:-1], dtype=np.int8).astype(np.bool_)
        self._buffer[inside] = _SPACE
        self._kind[inside] = _BLANK

    def _values(self) -> Floats | None:
        """Every number of the block, or None if some word is not exactly one finite number."""
        if not self._words.any():
            return np.zeros(0)
        values = self._parse(np.int64) if self._is_whole() else None
        if values is None or np.abs(values).max() >= 2.0**53:
            values = self._parse(np.float64)
        if values is None or len(values) != self._words.sum() or not np.isfinite(values).all():
            return None
        return values

    def _is_whole(self) -> bool:
        """Tell whether all numbers are written without point and exponent: they parse four times as fast.

        A sign without a digit behind it is left to the slower parser, which refuses it.
        """
        signs = self._kind[:-1] == _SIGN
        lone = (signs & (self._kind[1:] != _DIGIT)).any()
        return not (lone or (self._kind == _POINT).any())

    def _parse(self, dtype: type[np.int64 | np.float64]) -> Floats | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)  # older numpy: bad text is a warning only
                return np.fromstring(self._buffer.tobytes(), dtype=dtype, sep=" ").astype(np.float64)
        except (ValueError, DeprecationWarning):
            return None

    def _malformed(self, text: bytes) -> npt.NDArray[np.bool_]:
        """Lines with a word of number characters that is no number, such as ``1-2`` (slow; errors only)."""
        wrong = np.zeros(self.lines, dtype=np.bool_)
        for row in np.flatnonzero(self._words):
            words = self._line(text, row).split()[: len(FIELDS)]
            wrong[row] = not all(_is_readable(word) for word in words)
        return wrong

    def _line(self, text: bytes, row: int | np.intp) -> bytes:
        begin = int(self._ends[row - 1]) + 1 if row else 0
        return text[begin : int(self._ends[row])]

    def _table(self, values: Floats, first_line: int) -> Floats:
        lines = np.flatnonzero(self._words)
        words = self._words[lines]
        first = np.cumsum(words) - words

        def field(number: int) -> Floats:
            column: Floats = values[first + (number - 1)]
            return column

        rows = np.empty((len(lines), 7))
        rows[:, LINE] = lines + first_line
        rows[:, ID] = field(1)
        rows[:, SUBMIT] = field(2)
        rows[:, RUN] = field(4)
        rows[:, GPUS] = np.where(field(5) > 0, field(5), field(8))
        rows[:, LIMIT] = np.where(field(9) > 0, field(9), field(4))
        has_status = words >= _STATUS_FIELD
        rows[:, STATUS] = -1
        rows[has_status, STATUS] = values[first[has_status] + (_STATUS_FIELD - 1)]
        return rows


def _number(word: bytes) -> float | None:
    """The value of a word, None if it is no number (``1_000`` is one in Python, not here)."""
    try:
        return None if b"_" in word else float(word)
    except ValueError:
        return None


def _is_readable(word: bytes) -> bool:
    value = _number(word)
    return value is not None and math.isfinite(value)


def _describe(line: bytes, name: str, number: int) -> Problem:
    """Say what is wrong with a line that could not be read."""
    where = f"{name}:{number}"
    words = line.split()
    begin = _text(line.strip())
    if len(words) < _FEWEST_FIELDS:
        what = f"has {len(words)} field{'s' if len(words) != 1 else ''} where SWF has {len(FIELDS)}"
        remedy = "write 18 numbers separated by blanks, -1 where unknown; or delete the line"
        separator = next((mark for mark in ",|;" if line.count(mark.encode()) >= _FEWEST_FIELDS - 1), None)
        if separator:
            remedy = f"separate the fields with blanks, not '{separator}'; or build gpusim.Jobs from a table"
        return Problem(where, what, remedy, "workload/columns", begin)
    position = next(k for k, word in enumerate(words) if not _is_readable(word))
    word = words[position]
    field = f"field {position + 1} ({FIELDS[position]})"
    remedy = "write a number, or -1 where it is unknown"
    if any(code >= 128 for code in word):
        what = f"{field} has bytes that are not ASCII text"
        return Problem(where, what, remedy, "workload/bytes", _text(word))
    what, code = "is not a number", "workload/not-numbers"
    if _number(word) is not None:
        what, code = "is not a finite number", "workload/not-finite"
    return Problem(where, f"{field} {what}", remedy, code, _text(word))


def _text(raw: bytes) -> str:
    text = raw[:60].decode("latin-1").encode("unicode_escape").decode()
    return f"'{text if len(text) <= 40 else text[:37] + '...'}'"
