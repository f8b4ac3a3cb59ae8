"""Reads Philly logs as flattened for simulators: one csv line a job, with the virtual cluster that ran it.

===========  =================================================================================================
job          column
===========  =================================================================================================
id           the line of the file; queue order is (submit, id)
submit       ``timestamp``, seconds from the earliest of the file. The format states no time zone: taken as UTC
service      ``duration``, the run times of all attempts together [s]; 0 or less: dropped (``no_run_time``)
limit        the run time: the log holds no requests
gpus         ``num_gpus``; 0 or less: dropped (``no_gpus``)
tenant       ``cluster``, the virtual cluster; a tenant is a class of its own
===========  =================================================================================================

``gpu_time`` may be left out; where it stands it must be ``duration`` x ``num_gpus``. Rows may be in any order, and
columns too; further columns are not looked at. **Rows that repeat another one in every column of the table above are
kept as jobs of their own** (`Jobs.repeated` counts them): the log has no job numbers, users do submit the same job
twice within a second, and the totals published for the log count such rows.

References
----------
.. [1] Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training Workloads", USENIX ATC 2019
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gpusim.errors import Problem, WorkloadError
from gpusim.workload import logfile
from gpusim.workload.columns import show
from gpusim.workload.findings import Findings
from gpusim.workload.jobs import MAX_TENANTS, Jobs
from gpusim.workload.philly_rows import Table, read_rows
from gpusim.workload.ticks import (
    MAX_GPUS,
    MAX_TICKS,
    checked_tick,
    duration_ticks,
    quotient,
    submit_ticks,
    too_much_work,
)

_GPU_TIME_SLACK = 1e-6
"""Relative difference between gpu_time and duration x num_gpus that rounding may have left."""


def read_philly(
    path: str | os.PathLike[str], *, tick: float = 1.0, blocks: Iterable[bytes] | None = None
) -> Jobs:
    r"""Read a Philly csv file, plain or gzip-compressed.

    Parameters
    ----------
    path : path-like
        The log.
    tick : float, default 1.0
        Length of one tick of the result [s]. Submit times are rounded down, durations to the nearest tick.
    blocks : iterable of bytes, optional
        The file's text where it has been opened already (see `logfile.blocks`).

    Returns
    -------
    Jobs
        Sorted by (submit, id); `tenants` are the virtual clusters in alphabetical order.

    Raises
    ------
    UsageError
        The file cannot be opened; `tick` is not positive.
    WorkloadError
        Every problem, by file and line: a column is missing; a line has too few or too many fields; text in a
        number, no date, no virtual cluster; a fraction of a GPU; `gpu_time` that is not the product.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = pathlib.Path(folder, "philly.csv")
    ...     _ = log.write_text("timestamp,duration,num_gpus,gpu_time,cluster\n"
    ...                        "2017-10-09 07:01:55,66.0,2,132.0,11cb48\n"
    ...                        "2017-10-09 07:00:55,50.0,1,50.0,6214e9\n")
    ...     jobs = read_philly(log)
    >>> jobs.submit.tolist(), jobs.gpus.tolist(), jobs.tenants
    ([0, 60], [1, 2], ('11cb48', '6214e9'))
    """
    tick = checked_tick(tick)
    name = os.fspath(path)
    findings = Findings()
    table = read_rows(name, logfile.blocks(name) if blocks is None else blocks, findings)
    if not len(table.line) and not len(findings):
        remedy = "give a log with at least one line below the header"
        findings.add(Problem(name, "holds no job", remedy, "workload/no-jobs"))
    no_run_time = table.duration <= 0
    no_gpus = ~no_run_time & (table.gpus <= 0)
    dropped = {"no_run_time": int(no_run_time.sum()), "no_gpus": int(no_gpus.sum())}
    keep = ~(no_run_time | no_gpus)
    if len(keep) and not keep.any() and not len(findings):
        counts = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        remedy = "jobs need a duration and num_gpus above 0; check the columns"
        what = "no job is left after dropping rows"
        findings.add(Problem(name, what, remedy, "workload/all-dropped", counts))
    _check(table, keep, name, tick, findings)
    findings.raise_if_any()
    tenants, tenant = np.unique(np.array(table.tenant)[keep], return_inverse=True)
    service, gpus = duration_ticks(quotient(table.duration[keep], tick)), table.gpus[keep].astype(np.int32)
    if too_much_work(gpus, service):
        what = "sum of num_gpus x duration is too large to be counted exactly"
        remedy = "check the units, or choose a longer tick"
        raise WorkloadError(Problem(name, what, remedy, "workload/too-much-work", "2**62 GPU-ticks or more"))
    start = int(table.submit[keep].min())
    return Jobs.from_ticks(
        submit=submit_ticks(quotient(table.submit[keep] - start, tick)),
        service=service,
        limit=service,
        gpus=gpus,
        id=table.line[keep],
        tick=tick,
        source=name,
        dropped=dropped,
        unix_start=start,
        job_class=tenant,
        tenants=tenants.tolist(),
        is_repeated=table.is_repeated[keep],
    )


def _check(table: Table, keep: npt.NDArray[np.bool_], name: str, tick: float, findings: Findings) -> None:
    """Report every kept row whose numbers cannot be."""

    def check(bad: npt.NDArray[np.bool_], what: str, remedy: str, code: str, column: str) -> None:
        values = getattr(table, column)
        findings.add_rows(
            bad & keep,
            lambda row: Problem(
                f"{name}:{table.line[row]}", what, remedy, f"workload/{code}", show(values[row])
            ),
            lambda row: int(table.line[row]),
        )

    check(table.gpus != np.rint(table.gpus), "fraction of a GPU", "write a whole number", "not-whole", "gpus")
    check(table.gpus > MAX_GPUS, "too many GPUs", f"write at most {MAX_GPUS:,}", "too-large", "gpus")
    long = quotient(table.duration, tick) >= MAX_TICKS - 0.5
    remedy = f"keep it below 2**43 ticks of {tick:g} s; check the unit, or choose a longer tick"
    check(long, "duration is too large", remedy, "too-large", "duration")
    if keep.any():
        late = quotient(table.submit - table.submit[keep].min(), tick) >= MAX_TICKS - 0.5
        check(late, "timestamp is too far from the earliest one", remedy, "too-large", "submit")
    work = table.duration * table.gpus
    with np.errstate(invalid="ignore"):
        differs = np.abs(table.gpu_time - work) > np.maximum(1e-3, _GPU_TIME_SLACK * work)
    remedy = "correct the line, or leave the column gpu_time out"
    check(differs, "gpu_time is not duration x num_gpus", remedy, "gpu-time", "gpu_time")
    if len(names := set(table.tenant)) > MAX_TENANTS:
        what, remedy = "has too many virtual clusters", f"use at most {MAX_TENANTS:,}"
        findings.add(Problem(name, what, remedy, "workload/tenant", f"{len(names):,}"))
