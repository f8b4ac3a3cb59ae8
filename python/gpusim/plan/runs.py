"""Runs of one scenario under one deadline: the evaluator behind the search, and the measurements after it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gpusim.engine.batch import run_batch
from gpusim.engine.result import STATUS_OK, BatchResult
from gpusim.engine.spec import Sharing
from gpusim.plan.axis import GPUS, Axis
from gpusim.plan.experiment import Experiment
from gpusim.plan.measure import SloOutcome, slo_outcomes
from gpusim.plan.period_levels import PeriodLevels, period_outcomes
from gpusim.plan.rows import chosen, joined
from gpusim.stats.critical import OutOfTime

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_WHOLE = ("sweep", "fill-in", "hold-out")
"""Stages whose runs are made to their end and kept: nearly all of them pass, so that an early end would save
little, and what they measured at the answer need not be run again."""


@dataclass(frozen=True)
class Progress:
    """Where a search stands; given to the progress callback about every 50 ms.

    `value` and `bracket` are in the unit of what varies: GPUs, or demand in millionths.
    """

    stage: str
    value: int
    done: int
    total: int
    runs: int
    bracket: tuple[int | None, int | None]
    seconds: float
    vary: str = GPUS


@dataclass
class Runs:
    """Runs cells of one experiment, counts what they cost, remembers what they showed, and stops at a deadline.

    Parameters
    ----------
    experiment : Experiment
    axis : Axis
        What the values of the cells are.
    attainment : float
        For the bracket shown in progress: the share of passes that separates too small from enough.
    deadline : float or None
        `time.monotonic()` at which runs stop.
    """

    experiment: Experiment
    axis: Axis
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
    _least_pass: dict[int, int] = field(
        default_factory=dict
    )  # replication -> least generous value it passed at
    _most_fail: dict[int, int] = field(
        default_factory=dict
    )  # replication -> most generous value it failed at
    _kept: dict[int, list[tuple[Int64, BatchResult]]] = field(
        default_factory=dict
    )  # value -> whole runs there
    period_levels: PeriodLevels = field(init=False)

    def __post_init__(self) -> None:
        self.period_levels = PeriodLevels(self.experiment, self.axis, self.threads)

    def begin(self, stage: str) -> None:
        """Name the stage that the next runs belong to."""
        self.stage = stage

    def evaluate(self, replications: Int64, capacity: int) -> Bool:
        """Whether each replication meets every level at one value. The `Evaluator` of the search."""
        whole = self.stage in _WHOLE
        values = np.full(len(replications), capacity, dtype=np.int64)
        result, complete = self._run(replications, values, early=not whole)
        if whole:
            self._keep(replications, capacity, result if complete else result.head(_prefix(result)))
        if not complete:
            raise OutOfTime(result.passed[: _prefix(result)])
        if len(replications) > 1:
            self._narrow(capacity, float(result.passed.mean()))
        return result.passed

    def cells(self, replications: Int64, values: Int64) -> Bool:
        """Like `evaluate`, each replication at a value of its own."""
        result, complete = self._run(replications, values, early=True)
        if not complete:
            raise OutOfTime(result.passed[: _prefix(result)])
        return result.passed

    def whole_cells(self, replications: Int64, values: Int64) -> BatchResult:
        """Whole runs, each replication at a value of its own; raises `OutOfTime`."""
        result, complete = self._run(replications, values, early=False)
        if not complete:
            raise OutOfTime
        return result

    def measure(self, replications: Int64, capacity: int, *, histogram: bool = False) -> BatchResult:
        """Whole runs, those already made not again; at the deadline the first that were completed (possibly none)."""
        made = [] if histogram else self._kept.get(capacity, [])
        have = np.concatenate([np.zeros(0, dtype=np.int64), *(numbers for numbers, _ in made)])
        missing = np.setdiff1d(replications, have)
        values = np.full(len(missing), capacity, dtype=np.int64)
        fresh, complete = self._run(missing, values, early=False, histogram=histogram)
        if not complete:
            fresh = fresh.head(_prefix(fresh))
            missing = missing[: len(fresh.status)]
        numbers = np.concatenate([have, missing])
        order = {int(r): i for i, r in enumerate(numbers)}
        rows = []
        for replication in replications:
            if int(replication) not in order:
                break  # results are consumed in replication order
            rows.append(order[int(replication)])
        together = joined([*(result for _, result in made), fresh])
        return chosen(together, np.array(rows, dtype=np.int64))

    def causes(self, replications: Int64, capacity: int) -> BatchResult:
        """Whole runs that also tell why jobs wait and GPUs idle; at the deadline the first that were completed.

        They are few, and made on the cpu. Where tenants own nothing, an account of that is kept.
        """
        values = np.full(len(replications), capacity, dtype=np.int64)
        result, complete = self._run(replications, values, early=False, causes=True)
        return result if complete else result.head(_prefix(result))

    def outcomes(self, replications: Int64, capacity: int, result: BatchResult) -> tuple[SloOutcome, ...]:
        """Every level, from whole runs of the first of these replications at one value."""
        scenario, n = self.experiment.scenario, len(result.status)
        confidence = scenario.study.confidence
        values = np.full(n, capacity, dtype=np.int64)
        judged = self.period_levels.judge(replications[:n], values, result)
        return (*slo_outcomes(scenario, result, confidence), *period_outcomes(judged, confidence))

    def verdicts(self, replications: Int64, capacity: int) -> tuple[Bool, int]:
        """Verdicts at one value, short at the deadline, and how many of them are implied.

        A replication that passed at a less generous value is taken to pass here, and one that failed at a more generous
        one to fail, without running it.
        """
        known = self._implied(replications, capacity)
        open_ = np.flatnonzero(known < 0)
        values = np.full(len(open_), capacity, dtype=np.int64)
        result, complete = self._run(replications[open_], values, early=True)
        done = len(open_) if complete else _prefix(result)
        known[open_[:done]] = result.passed[:done]
        end = len(known) if done == len(open_) else int(open_[done])
        return known[:end] > 0, int(end - np.count_nonzero(open_ < end))

    def seconds(self) -> float:
        """Time since the first run was prepared [s]."""
        return time.monotonic() - self.started

    def missing(self, replications: Int64, capacity: int) -> Int64:
        """Those replications whose whole run at a value has not been made."""
        made = [numbers for numbers, _ in self._kept.get(capacity, [])]
        return np.setdiff1d(replications, np.concatenate([np.zeros(0, dtype=np.int64), *made]))

    def open(self, replications: Int64, capacity: int) -> Int64:
        """Those replications whose verdict at a value is not implied by runs at others."""
        return replications[self._implied(replications, capacity) < 0]

    def _run(
        self,
        replications: Int64,
        values: Int64,
        *,
        early: bool,
        histogram: bool = False,
        causes: bool = False,
    ) -> tuple[BatchResult, bool]:
        shown = int(values[0]) if len(values) else 0

        def report(done: int, total: int) -> bool:
            if self.on_progress is not None:
                bracket = (self._failing, self._passing)
                state = Progress(
                    self.stage, shown, done, total, self.count + done, bracket, self.seconds(), self.axis.vary
                )
                self.on_progress(state)
            return self.deadline is None or time.monotonic() < self.deadline

        wanted = len(replications)
        if not report(0, wanted):
            replications, values = replications[:0], values[:0]
        spec, draw = self.experiment.compiled(replications)
        if causes and spec.sharing is None:
            classes = spec.classes
            nobody = Sharing.nobody(classes.tenants, len(classes), classes.n_pools)
            spec = dataclasses.replace(spec, sharing=nobody)
        result = run_batch(
            spec,
            replications,
            self.axis.gpus(values),
            demand_ppm=self.axis.demand_ppm(values),
            draw=0 if draw is None else draw,
            early=early and not self.period_levels.levels,
            histogram=histogram,
            causes=causes,
            backend="cpu" if causes else self.backend,
            threads=self.threads,
            progress=report,
        )
        valid = result.status == STATUS_OK
        result = self._with_period_levels(replications, values, result, valid)
        self.count += int(valid.sum())
        self.jobs += int(result.jobs[valid].sum())
        self._remember(replications[valid], values[valid], result.passed[valid])
        return result, len(replications) == wanted and bool(valid.all())

    def _with_period_levels(
        self, replications: Int64, values: Int64, result: BatchResult, valid: Bool
    ) -> BatchResult:
        """A replication passes if the levels on whole periods hold too."""
        if not self.period_levels.levels:
            return result
        rows = np.flatnonzero(valid)
        passed = result.passed.copy()
        for judged in self.period_levels.judge(replications[rows], values[rows], chosen(result, rows)):
            passed[rows] &= judged.holds
        return dataclasses.replace(result, passed=passed)

    def _remember(self, replications: Int64, values: Int64, passed: Bool) -> None:
        sign = -1 if self.axis.descending else 1
        for r, value, ok in zip(
            replications.tolist(), (sign * values).tolist(), passed.tolist(), strict=True
        ):
            if ok:
                self._least_pass[r] = min(value, self._least_pass.get(r, value))
            else:
                self._most_fail[r] = max(value, self._most_fail.get(r, value))

    def _implied(self, replications: Int64, capacity: int) -> npt.NDArray[np.int8]:
        """1 passes, 0 fails, -1 not known; a replication seen to pass below a value it failed at implies nothing."""
        value = -capacity if self.axis.descending else capacity
        known = np.full(len(replications), -1, dtype=np.int8)
        for i, r in enumerate(replications.tolist()):
            passes, fails = self._least_pass.get(r), self._most_fail.get(r)
            if passes is not None and fails is not None and passes < fails:
                continue
            if passes is not None and passes <= value:
                known[i] = 1
            elif fails is not None and fails >= value:
                known[i] = 0
        return known

    def _keep(self, replications: Int64, capacity: int, result: BatchResult) -> None:
        self._kept.setdefault(capacity, []).append((replications[: len(result.status)], result))

    def _narrow(self, capacity: int, share: float) -> None:
        better, worse = (min, max) if not self.axis.descending else (max, min)
        if share < self.attainment:
            self._failing = worse(capacity, self._failing if self._failing is not None else capacity)
        else:
            self._passing = better(capacity, self._passing if self._passing is not None else capacity)


def _prefix(result: BatchResult) -> int:
    """Runs complete from the first on: results are consumed in replication order, so no survivor bias."""
    missing = np.flatnonzero(result.status != STATUS_OK)
    return int(missing[0]) if len(missing) else len(result.status)
