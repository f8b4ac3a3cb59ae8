"""Chains: jobs that may not start before another job of the same table has ended (S11).

`after` names the predecessor by its row, -1 means none. A job follows at most one other, which stands earlier in
queue order, and is followed by at most one: chains never fork, join or close to a circle.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem
from gpusim.workload.findings import Findings

Int64 = npt.NDArray[np.int64]


def queue_order(submit: npt.NDArray[np.float64] | Int64, ids: Int64) -> npt.NDArray[np.intp]:
    """Rows in the order in which jobs queue: by (submit, id)."""
    return np.lexsort((ids, submit))


def check_after(after: Int64, submit: npt.NDArray[np.float64], ids: Int64, findings: Findings) -> None:
    """Report every row of `after` that is no row, does not queue earlier, or is followed by another job too.

    Parameters
    ----------
    after : (n,) int64
        Row of each job's predecessor in the input, or -1.
    submit : (n,) float64
        Submit ticks as the table will hold them; NaN where unreadable.
    ids : (n,) int64
    """
    rows = len(after)
    rank = np.empty(rows, dtype=np.int64)
    rank[queue_order(submit, ids)] = np.arange(rows)
    outside = (after < -1) | (after >= rows)
    findings.add_rows(
        outside,
        lambda row: Problem(
            f"jobs[{row}].after",
            "is no row of the table",
            f"give the row of the job it follows, 0 to {rows - 1:,}, or -1 for none",
            "workload/after",
            str(after[row]),
        ),
    )
    named = np.where(outside | (after < 0), -1, after)
    findings.add_rows(
        (named >= 0) & (rank[named] >= rank),
        lambda row: Problem(
            f"jobs[{row}].after",
            "follows itself" if named[row] == row else "follows a job that does not queue before it",
            "name a job of an earlier submit time, or of the same one and a smaller id; -1 for none",
            "workload/after",
            f"jobs[{named[row]}]",
        ),
    )
    _check_one_successor(named, findings)


def _check_one_successor(named: Int64, findings: Findings) -> None:
    followers = np.flatnonzero(named >= 0)
    _, first, inverse = np.unique(named[followers], return_index=True, return_inverse=True)
    earliest = np.full(len(named), -1, dtype=np.int64)
    earliest[followers] = followers[first[inverse]]
    findings.add_rows(
        (earliest >= 0) & (earliest != np.arange(len(named))),
        lambda row: Problem(
            f"jobs[{row}].after",
            "names a job that another one follows already",
            f"let it follow jobs[{earliest[row]}], or give every job one successor",
            "workload/after-twice",
            f"jobs[{named[row]}], followed by jobs[{earliest[row]}]",
        ),
    )


def renumbered(after: Int64, order: npt.NDArray[np.intp]) -> Int64:
    """`after` with the rows it names counted in another order; its own rows stay where they are.

    Parameters
    ----------
    after : (n,) int64
        Rows before the move, -1 none.
    order : (n,) integers
        Which old row becomes row 0, 1, ...
    """
    moved_to = np.empty(len(order) + 1, dtype=np.int64)
    moved_to[order] = np.arange(len(order))
    moved_to[-1] = -1  # where an `after` of -1 looks
    return moved_to[after]


def starts_without_waiting(submit: Int64, service: Int64, after: Int64, delay: Int64) -> Int64:
    """When each job starts in a center without limits: when it is no longer held.

    Parameters
    ----------
    submit, service, after, delay : (n,) int64
        A table in queue order [ticks, ticks, row, ticks].

    Returns
    -------
    (n,) int64
        max(submit, end of the predecessor + delay), without predecessor submit + delay [ticks].
    """
    starts = submit + np.where(after < 0, delay, 0)
    for row in np.flatnonzero(after >= 0).tolist():  # predecessors stand earlier: theirs are known
        before = after[row]
        starts[row] = max(starts[row], starts[before] + service[before] + delay[row])
    return starts
