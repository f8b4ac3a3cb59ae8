"""Reads a trace, whatever its format: the one door for logs."""

from __future__ import annotations

import itertools
import os

from gpusim.workload import logfile
from gpusim.workload.jobs import Jobs
from gpusim.workload.philly import read_philly
from gpusim.workload.philly_rows import header_of
from gpusim.workload.swf import read_swf
from gpusim.workload.ticks import checked_tick


def read_trace(path: str | os.PathLike[str], *, tick: float = 1.0) -> Jobs:
    """Read a log of jobs; the format is told from the content, never from the name.

    Two formats are known, plain or gzip-compressed:

    - csv with the header ``timestamp,duration,num_gpus,gpu_time,cluster`` of the Philly log, with tenants
      (`gpusim.workload.philly`);
    - anything else is read as the Standard Workload Format (`gpusim.workload.swf`).

    For other logs build `Jobs` from your own table.

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
    tick = checked_tick(tick)
    blocks = logfile.blocks(path)
    first = next(blocks, b"")
    whole = itertools.chain([first] if first else [], blocks)
    read = read_philly if header_of(first) else read_swf
    return read(path, tick=tick, blocks=whole)
