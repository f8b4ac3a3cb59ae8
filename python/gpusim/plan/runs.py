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
from gpusim.errors import GpusimError
from gpusim.plan.axis import GPUS, Axis
from gpusim.plan.experiment import Experiment
from gpusim.plan.measure import SloOutcome, slo_outcomes
from gpusim.plan.period_levels import PeriodLevels, period_outcomes
from gpusim.plan.rows import chosen, joined
from gpusim.plan.speculation import Speculation
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
        self._speculation = Speculation(self.backend)

    def begin(self, stage: str) -> None:
        """Name the stage that the next runs belong to."""
        self.stage = stage
        self._speculation.forget_told()

    @property
    def ahead(self) -> int:
        """Cells that a search may foresee: as many as a device runs at once; 0 on a cpu, and for whole runs."""
        return 0 if self.stage in _WHOLE else self._speculation.workers(self.experiment, self.axis)

    def foresee(self, replications: Int64, capacities: Int64) -> None:
        """Cells that may be asked for soon, the likeliest first: they may run beside the next ones."""
        if self.ahead:
            self._speculation.tell(replications, capacities)

    @property
    def speculated(self) -> int:
        """Cells run on a device before they were asked for. They are in `count` from when they are asked for."""
        return self._speculation.made

    @property
    def unused(self) -> int:
        """Cells run on a device that nobody has asked for: in neither `count` nor `jobs`."""
        return self._speculation.made - self._speculation.used

    def evaluate(self, replications: Int64, capacity: int) -> Bool:
        """Whether each replication meets every level at one value. The `Evaluator` of the search."""
        values = np.full(len(replications), capacity, dtype=np.int64)
        if self.stage not in _WHOLE:
            passed = self.cells(replications, values)
        else:
            result, complete = self._run(replications, values)
            self._keep(replications, capacity, result if complete else result.head(_prefix(result)))
            if not complete:
                raise OutOfTime(result.passed[: _prefix(result)])
            passed = result.passed
        if len(replications) > 1:
            self._narrow(capacity, float(passed.mean()))
        return passed

    def cells(self, replications: Int64, values: Int64) -> Bool:
        """Like `evaluate`, each replication at a value of its own."""
        passed = self._early(replications, values)
        if len(passed) < len(replications):
            raise OutOfTime(passed)
        return passed

    def whole_cells(self, replications: Int64, values: Int64) -> BatchResult:
        """Whole runs, each replication at a value of its own; raises `OutOfTime`."""
        result, complete = self._run(replications, values)
        if not complete:
            raise OutOfTime
        return result

    def measure(self, replications: Int64, capacity: int, *, histogram: bool = False) -> BatchResult:
        """Whole runs, those already made not again; at the deadline the first that were completed (possibly none)."""
        made = [] if histogram else self._kept.get(capacity, [])
        have = np.concatenate([np.zeros(0, dtype=np.int64), *(numbers for numbers, _ in made)])
        missing = np.setdiff1d(replications, have)
        values = np.full(len(missing), capacity, dtype=np.int64)
        fresh, complete = self._run(missing, values, histogram=histogram)
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
        result, complete = self._run(replications, values, causes=True)
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
        passed = self._early(replications[open_], values)
        done = len(passed)
        known[open_[:done]] = passed
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
        self, replications: Int64, values: Int64, *, histogram: bool = False, causes: bool = False
    ) -> tuple[BatchResult, bool]:
        """Whole runs, and whether all were completed."""
        report, wanted = self._reporter(values), len(replications)
        if not report(0, wanted):
            replications, values = replications[:0], values[:0]
        result = self._batch(replications, values, report, histogram=histogram, causes=causes)
        valid = result.status == STATUS_OK
        self._enter(replications[valid], values[valid], result.passed[valid], int(result.jobs[valid].sum()))
        return result, len(replications) == wanted and bool(valid.all())

    def _early(self, replications: Int64, values: Int64) -> Bool:
        """Verdicts of the first cells, of all unless the deadline came: those run ahead, and the others from a batch.

        What else is worth running ahead goes with that batch.
        """
        report, wanted = self._reporter(values), len(replications)
        if not report(0, wanted):
            return np.zeros(0, dtype=np.bool_)
        speculation, study = self._speculation, (self.experiment, self.axis)
        known, jobs = speculation.take(*study, replications, values)
        missing = np.flatnonzero(known < 0)
        asked = replications[missing], values[missing]
        if len(missing):
            found, ahead = wanted - len(missing), speculation.beside(*study, *asked)

            def seen(done: int, _: int) -> bool:
                return report(min(found + done, wanted), wanted)

            result = self._with(asked, ahead, seen)
            valid = result.status[: len(missing)] == STATUS_OK
            known[missing[valid]] = result.passed[: len(missing)][valid]
            jobs += int(result.jobs[: len(missing)][valid].sum())
        valid = known >= 0
        self._enter(replications[valid], values[valid], known[valid] > 0, jobs)
        undecided = np.flatnonzero(~valid)
        return known[: int(undecided[0]) if len(undecided) else wanted] > 0

    def _with(
        self, asked: tuple[Int64, Int64], ahead: tuple[Int64, Int64], report: Callable[[int, int], bool]
    ) -> BatchResult:
        """One batch of cells asked for, which come first in it, and of cells run ahead, whose verdicts are stored."""
        if not len(ahead[0]):
            return self._batch(*asked, report, early=True)
        replications, values = (np.concatenate(columns) for columns in zip(asked, ahead, strict=True))
        try:
            result = self._batch(replications, values, report, early=True, ahead=len(ahead[0]))
        except GpusimError:  # of a cell that might never be asked for? Then it must not be heard of
            self._speculation.give_up()
            return self._batch(*asked, report, early=True)
        if bool((result.status == STATUS_OK).all()):
            self._speculation.keep(*ahead, result)
        return result

    def _batch(
        self,
        replications: Int64,
        values: Int64,
        report: Callable[[int, int], bool],
        *,
        early: bool = False,
        histogram: bool = False,
        causes: bool = False,
        ahead: int = 0,
    ) -> BatchResult:
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
        if early:
            self._speculation.learn(result.backend, ahead)
        return self._with_period_levels(replications, values, result)

    def _reporter(self, values: Int64) -> Callable[[int, int], bool]:
        """Shows progress, and tells whether there is time left."""
        shown = int(values[0]) if len(values) else 0

        def report(done: int, total: int) -> bool:
            if self.on_progress is not None:
                bracket = (self._failing, self._passing)
                state = Progress(
                    self.stage, shown, done, total, self.count + done, bracket, self.seconds(), self.axis.vary
                )
                self.on_progress(state)
            return self.deadline is None or time.monotonic() < self.deadline

        return report

    def _enter(self, replications: Int64, values: Int64, passed: Bool, jobs: int) -> None:
        """Count and remember cells that were asked for and run."""
        self.count += len(replications)
        self.jobs += jobs
        self._remember(replications, values, passed)

    def _with_period_levels(self, replications: Int64, values: Int64, result: BatchResult) -> BatchResult:
        """A replication passes if the levels on whole periods hold too."""
        if not self.period_levels.levels:
            return result
        rows = np.flatnonzero(result.status == STATUS_OK)
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
