"""Reads a trace, whatever its format: the one door for logs."""

from __future__ import annotations

import os

from gpusim.workload.jobs import Jobs
from gpusim.workload.swf import read_swf


def read_trace(path: str | os.PathLike[str], *, tick: float = 1.0) -> Jobs:
    """Read a log of jobs; the format is told from the content, never from the name.

    One format is known so far: the Standard Workload Format, plain or gzip-compressed (see
    `gpusim.workload.swf` for what becomes of each field). For other logs build `Jobs` from your own table.

    Parameters
    ----------
    path : path-like
        The log.
    tick : float, default 1.0
        Length of one tick of the result [s].

    Returns
    -------
    Jobs
        Sorted by (submit, id); `Jobs.dropped` counts the rows left out, by reason.

    Raises
    ------
    UsageError
        The file is missing, is a folder or may not be read; `tick` is not positive.
    WorkloadError
        The log is damaged, in another format, or holds impossible jobs; every problem is listed by file and
        line.
    """
    return read_swf(path, tick=tick)
