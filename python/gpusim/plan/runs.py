"""Runs of one scenario under one deadline: the evaluator behind the search, and the measurements after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import run_batch
from gpusim.engine.result import STATUS_OK, BatchResult
from gpusim.engine.spec import RunSpec
from gpusim.stats.critical import OutOfTime


@dataclass(frozen=True)
class Progress:
    """Where a search stands; given to the progress callback about every 50 ms."""

    stage: str
    gpus: int
    done: int
    total: int
    runs: int
    bracket: tuple[int | None, int | None]
    seconds: float


@dataclass
class Runs:
    """Runs cells of one `RunSpec`, counts what they cost, and stops at a deadline.

    Parameters
    ----------
    spec : RunSpec
    attainment : float
        For the bracket shown in progress: the share of passes that separates too small from enough.
    deadline : float or None
        `time.monotonic()` at which runs stop.
    """

    spec: RunSpec
    attainment: float
    backend: str = "auto"
    threads: int = 1
    deadline: float | None = None
    on_progress: Callable[[Progress], object] | None = None
    stage: str = "search"
    count: int = 0
    jobs: int = 0
    started: float = field(default_factory=time.monotonic)
    _failing: int | None = None
    _passing: int | None = None

    def evaluate(self, replications: npt.NDArray[np.int64], capacity: int) -> npt.NDArray[np.bool_]:
        """Whether each replication meets every level; early runs. The `Evaluator` of the search."""
        result, complete = self._run(replications, capacity, early=True)
        if not complete:
            raise OutOfTime(result.passed[: _prefix(result)])
        if len(replications) > 1:
            self._narrow(capacity, float(result.passed.mean()))
        return result.passed

    def measure(
        self, replications: npt.NDArray[np.int64], capacity: int, *, histogram: bool = False
    ) -> BatchResult:
        """Whole runs; at the deadline the first replications that were completed (possibly none)."""
        result, complete = self._run(replications, capacity, early=False, histogram=histogram)
        return result if complete else result.head(_prefix(result))

    def verdicts(self, replications: npt.NDArray[np.int64], capacity: int) -> npt.NDArray[np.bool_]:
        """Like `evaluate`, but short at the deadline instead of raising."""
        result, complete = self._run(replications, capacity, early=True)
        return result.passed if complete else result.passed[: _prefix(result)]

    def seconds(self) -> float:
        """Time since the first run was prepared [s]."""
        return time.monotonic() - self.started

    def _run(
        self, replications: npt.NDArray[np.int64], capacity: int, *, early: bool, histogram: bool = False
    ) -> tuple[BatchResult, bool]:
        def report(done: int, total: int) -> bool:
            if self.on_progress is not None:
                bracket = (self._failing, self._passing)
                state = Progress(
                    self.stage, capacity, done, total, self.count + done, bracket, self.seconds()
                )
                self.on_progress(state)
            return self.deadline is None or time.monotonic() < self.deadline

        wanted = len(replications)
        if not report(0, wanted):
            replications = replications[:0]
        result = run_batch(
            self.spec,
            replications,
            capacity,
            early=early,
            histogram=histogram,
            backend=self.backend,
            threads=self.threads,
            progress=report,
        )
        complete = len(replications) == wanted and bool((result.status == STATUS_OK).all())
        self.count += int((result.status == STATUS_OK).sum())
        self.jobs += int(result.jobs[result.status == STATUS_OK].sum())
        return result, complete

    def _narrow(self, capacity: int, share: float) -> None:
        if share < self.attainment:
            self._failing = max(capacity, self._failing or 0)
        else:
            self._passing = min(capacity, self._passing or capacity)


def _prefix(result: BatchResult) -> int:
    """Runs complete from the first on: results are consumed in replication order, so no survivor bias."""
    missing = np.flatnonzero(result.status != STATUS_OK)
    return int(missing[0]) if len(missing) else len(result.status)
