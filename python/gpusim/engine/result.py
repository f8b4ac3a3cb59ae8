"""What the engine returns: one row of integers per cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.host_array import to_host

COUNTS = (
    "submitted",
    "rejected",
    "rejected_full",
    "abandoned",
    "started",
    "finished",
    "killed_limit",
    "waiting",
    "running",
    "held",
    "cancelled",
)
SUMS = ("wait", "turnaround", "gpu_ticks")
EVICTIONS = ("preemptions", "preempted", "requeued_wait", "lost")
CAUSES = (
    "held",
    "behind_own",
    "quota",
    "reservation",
    "priority",
    "capacity",
    "fragmentation",
    "down",
)
IDLE = ("reserved", "quota_idle", "free", "fragmented", "drained", "closed")
SLO_COUNTS = ("met", "violated", "censored")
INTEGRALS = ("allocated", "waiting_jobs", "waiting_gpus", "running_jobs")
EXTREMES = ("max_waiting", "max_running", "end_tick")
OUTCOMES = (
    "unsubmitted",
    "waiting",
    "running",
    "finished",
    "killed_limit",
    "abandoned",
    "rejected",
    "rejected_full",
    "held",
    "cancelled",
)

STATUS_OK = 0
STATUS_TEXT = {
    0: "complete",
    1: "more running jobs than slots",
    2: "more waiting jobs than slots",
    3: "profile of free GPUs larger than its slots",
    4: "stopped on request",
    5: "not run",
    6: "more held jobs than slots",
    7: "more chains than slots",
}
"""Texts of `csrc/core/status.h`."""

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Records:
    """Every job of one run in submission order; see `OUTCOMES` for the codes."""

    submit: Int64
    eligible: Int64
    start: Int64
    end: Int64
    gpus: npt.NDArray[np.int32]
    job_class: npt.NDArray[np.int32]
    pool: npt.NDArray[np.int32]
    outcome: npt.NDArray[np.uint8]
    preemptions: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class BatchResult:
    """Results of n cells, row i for cell i, whatever the order in which they were computed.

    The arrays are NumPy's. Where `on_device` is true they lie in the memory of one device instead, with the same names,
    shapes and dtypes, those of `records` included: `cupy.ndarray` of backend "cupy", `DeviceArray` of "cuda". `head`
    and `to_host` work on both. Each array keeps its own memory, and only that, until it and its views are gone.

    Attributes
    ----------
    status : (n,) int32
        0 where the row is valid, else see `STATUS_TEXT`.
    counts : (n, C, 11) int64
        Counted jobs by fate; columns `COUNTS`.
    sums : (n, C, 3) int64
        Columns `SUMS` [tick, tick, GPU-tick].
    slo : (n, S, 3) int64
        Columns `SLO_COUNTS`.
    passed : (n,) bool
        Every level met.
    first_violated : (n,) int32
        A level that was not met, -1 if all were. If several were not, an early run may name another of them
        than the whole run.
    pool_gpu_ticks : (n, P) int64
        GPU-ticks allocated in each pool over [warm_up, count_end).
    integrals : (n, 4) int64
        Columns `INTEGRALS` over [warm_up, count_end).
    extremes : (n, 3) int64
        Columns `EXTREMES`.
    jobs : (n,) int64
        Jobs submitted, counted or not.
    histogram : (n, C, B) int64 or None
        Waits of counted jobs that started, in bins of relative width below 1/128; see `bin_edges`.
    evictions : (n, C, 4) int64 or None
        Columns `EVICTIONS` where tenants share the center: evictions of counted jobs, counted jobs evicted at least
        once, ticks that they waited again, and GPU-ticks lost in [warm_up, count_end) by all jobs.
    longest_cascade : (n,) int64 or None
        Most evictions in one tick.
    causes : (n, C, 8) int64 or None
        GPU-ticks waited in [warm_up, count_end) by cause, on request; columns `CAUSES`.
    idle : (n, P, 6) int64 or None
        Idle GPU-ticks by cause, on request; columns `IDLE`.
    records : Records or None
        Of the only cell, on request.
    reruns : int
        Runs repeated with more working memory. A matter of speed only: a thread keeps the memory it has grown,
        so this number depends on which thread ran which cell.
    backend : str
        The engine that ran them.
    passed_over : dict of str to str
        Engines that "auto" would have preferred, and why it did not take them.
    """

    status: npt.NDArray[np.int32]
    counts: Int64
    sums: Int64
    slo: Int64
    passed: npt.NDArray[np.bool_]
    first_violated: npt.NDArray[np.int32]
    pool_gpu_ticks: Int64
    integrals: Int64
    extremes: Int64
    jobs: Int64
    histogram: Int64 | None
    evictions: Int64 | None
    longest_cascade: Int64 | None
    causes: Int64 | None
    idle: Int64 | None
    records: Records | None
    reruns: int
    backend: str
    passed_over: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, Any], backend: str, passed_over: Mapping[str, str] | None = None
    ) -> BatchResult:
        """Wrap what a backend's native call, or the driver of devices, has returned."""
        records, passed = arrays.get("records"), arrays["passed"]
        return cls(
            status=arrays["status"],
            counts=arrays["counts"],
            sums=arrays["sums"],
            slo=arrays["slo"],
            passed=passed.astype(np.bool_) if isinstance(passed, np.ndarray) else passed,
            first_violated=arrays["first_violated"],
            pool_gpu_ticks=arrays["pool_gpu_ticks"],
            integrals=arrays["integrals"],
            extremes=arrays["extremes"],
            jobs=arrays["jobs"],
            histogram=arrays.get("histogram"),
            evictions=arrays.get("evictions"),
            longest_cascade=arrays.get("longest_cascade"),
            causes=arrays.get("causes"),
            idle=arrays.get("idle"),
            records=Records(**records) if records is not None else None,
            reruns=int(arrays["reruns"]),
            backend=backend,
            passed_over=passed_over or {},
        )

    @property
    def on_device(self) -> bool:
        """Whether the arrays lie in a device's memory."""
        return not isinstance(self.status, np.ndarray)

    def to_host(self) -> BatchResult:
        """The same with NumPy arrays, copied from the device; itself where they are NumPy's already."""
        if not self.on_device:
            return self
        records = None if self.records is None else Records(**_on_host(self.records))
        return replace(self, **{**_on_host(self), "records": records})

    def head(self, n: int) -> BatchResult:
        """The first n cells."""
        rows = (
            "status",
            "counts",
            "sums",
            "slo",
            "passed",
            "first_violated",
            "pool_gpu_ticks",
            "integrals",
            "extremes",
            "jobs",
        )
        kept = {name: getattr(self, name)[:n] for name in rows}
        for name in ("histogram", "evictions", "longest_cascade", "causes", "idle"):
            column = getattr(self, name)
            kept[name] = None if column is None else column[:n]
        return replace(self, **kept, records=None)


def _on_host(result: BatchResult | Records) -> dict[str, Any]:
    """Fields by name, arrays of a device copied."""
    return {each.name: to_host(getattr(result, each.name)) for each in fields(result)}


def bin_edges(bins: int) -> Int64:
    """Lower edges of the wait bins, (bins + 1,) int64 [tick]; bin k holds waits in [edge[k], edge[k + 1]).

    Waits below 128 ticks have their own bin; every octave above is cut into 128 bins.
    """
    k = np.arange(bins + 1, dtype=np.int64)
    octave = np.maximum(k // 128 - 1, 0)
    return np.where(k < 128, k, (128 + k % 128) << octave)
