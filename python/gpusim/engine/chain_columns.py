"""Chains of a job table as the engine sees them: a number for each chain, how each job stands in it, who is held."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FOLLOWS, LEADS, LATER = 1, 2, 4
"""Bits of `part`: the job has a predecessor, a successor; it has none of the first and is held."""


def chain_columns(
    after: npt.NDArray[np.int64], delay: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Number the chains of a table.

    Parameters
    ----------
    after : (n,) int64
        Row of each job's predecessor, an earlier one that no other job follows; -1 none.
    delay : (n,) int64
        Ticks that each job is held.

    Returns
    -------
    chain : (n,) int32
        Chains are numbered from 0 in the order of their first jobs; -1 for single jobs.
    part : (n,) uint8
        `FOLLOWS`, `LEADS`, both, or 0 for single jobs; and `LATER`.
    """
    part = np.where(after >= 0, FOLLOWS, 0).astype(np.uint8)
    part[after[after >= 0]] |= LEADS
    chain = np.full(len(after), -1, np.int32)
    first = np.flatnonzero(part == LEADS)
    chain[first] = np.arange(len(first))
    for row in np.flatnonzero(part & FOLLOWS).tolist():  # predecessors stand earlier: theirs are known
        chain[row] = chain[after[row]]
    part[(after < 0) & (delay > 0)] |= LATER
    return chain, part
