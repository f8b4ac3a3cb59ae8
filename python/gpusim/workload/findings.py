"""Collects the problems of one workload, so that an error names all of them and not only the first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, WorkloadError

WRITTEN_OUT = 200
"""Problems written out in full; further ones are only counted (a log may have a million bad lines)."""


class Findings:
    """A growing list of problems, ended by `raise_if_any`."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, Problem]] = []
        self.more = 0

    def __len__(self) -> int:
        return len(self.problems) + self.more

    def add(self, problem: Problem, row: int = -1) -> None:
        """Add one problem; `row` orders the report (-1: before all rows)."""
        if len(self.problems) < WRITTEN_OUT:
            self.problems.append((row, problem))
        else:
            self.more += 1

    def add_rows(
        self,
        bad: npt.NDArray[np.bool_],
        problem_of: Callable[[int], Problem],
        order_of: Callable[[int], int] = int,
    ) -> None:
        """Add one problem for each bad row.

        Parameters
        ----------
        bad : (rows,) bool array
            The rows that are wrong.
        problem_of : callable
            Writes the problem of a row; called only for the rows that are written out.
        order_of : callable, default: the row itself
            Where in the report the problem of a row stands, for example its line in the file.
        """
        rows = np.flatnonzero(bad)
        room = max(0, WRITTEN_OUT - len(self.problems))
        self.problems.extend((order_of(int(row)), problem_of(int(row))) for row in rows[:room])
        self.more += len(rows[room:])

    def raise_if_any(self) -> None:
        """Raise WorkloadError with every problem, in the order of the rows, if there is one."""
        if self.problems:
            ordered = sorted(self.problems, key=lambda entry: entry[0])
            raise WorkloadError([problem for _, problem in ordered], more=self.more)
