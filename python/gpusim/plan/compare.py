"""`compare`: what changes of a scenario are worth, in GPUs, on the same replications.

Each replication has a critical size, the smallest at which it meets every level. It is found for the scenario
and for each variant, on the same random numbers: job i of a class in replication r is the same job on both
sides, unless the variant changes that class. So the difference of two variants is far less noisy than either,
and 50 replications show what the search for a size would need thousands for. What is compared is the
`attainment` quantile of the critical sizes, which is what `size` answers: so a difference is what a change is worth at
equal service. Who pays for it is seen at equal size: which levels hold more often or less in the center that the
scenario compared with needs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim.engine.cpu import usable_cores
from gpusim.errors import NotConverged, Problem, UsageError
from gpusim.plan.answer import Spent
from gpusim.plan.axis import DEMAND, Axis, axis_of, grid_of, start_of
from gpusim.plan.comparison import BASE, CHANGED, BindingCount, Compared, Comparison, Cost, LevelShift
from gpusim.plan.experiment import Experiment, horizon_in_words, is_pathwise_monotone
from gpusim.plan.infeasible import ceiling
from gpusim.plan.measure import MET, VIOLATED
from gpusim.plan.provenance import load_call, provenance
from gpusim.plan.runs import Progress, Runs
from gpusim.scenario import Scenario
from gpusim.stats.binomial import at_least
from gpusim.stats.critical import OutOfTime
from gpusim.stats.differences import Difference, differences, order_statistic
from gpusim.stats.grid import CapacityGrid
from gpusim.stats.paired import critical_indices
from gpusim.suggest import did_you_mean
from gpusim.units import show

_STEP_SHARE = 0.003
"""Step between sizes, as a share of the size, where none is given."""
_FIRST_WAVE = 10
"""Replications whose critical sizes tell the others where to start."""

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Asked:
    """A scenario to be measured."""

    name: str
    about: str
    changes: dict[str, Any]
    against: str
    scenario: Scenario


@dataclass
class _Measured:
    """Critical sizes of one scenario, and what decides them."""

    asked: _Asked
    critical: Float64
    below: Int64  # the size one step below; 0 where there is none
    binding: tuple[BindingCount, ...] = ()
    infeasible: str = ""
    shifts: tuple[LevelShift, ...] = ()


@dataclass(frozen=True)
class _Held:
    """Which levels hold in which replications at one size: (n, levels)."""

    gpus: int
    sentences: tuple[str, ...]
    holds: Bool


def compare(
    scenario: Scenario,
    variants: Sequence[str] | str = (),
    *,
    changes: Iterable[str] = (),
    replications: int = 50,
    step: int | None = None,
    vary: str | None = None,
    seed: int | None = None,
    time_limit: float | None = None,
    backend: str = "auto",
    threads: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    command: str | None = None,
) -> Comparison:
    """Price changes of a scenario in GPUs, on the same replications.

    Parameters
    ----------
    scenario : Scenario
    variants : sequence of str, or "all"
        Names of its variants and of groups of them. A variant that names another one as its base is compared with that
        one.
    changes : iterable of str
        Changes such as ``policy.backfill=none``, all made together: one more variant, "as changed".
    replications : int, default 50
        Of each variant, at least 10.
    step : int, optional
        GPUs between the sizes tried; a multiple of the granularity. Default: about 0.3 % of the size.
    vary : str, optional
        "gpus", or the pool whose GPUs are counted. Default: `study.vary`.
    seed : int, optional
        Default: the scenario's.
    time_limit : float, optional
        Seconds; a variant whose size is not found by then is left out, with a note.
    backend, threads, on_progress, command
        As in `gpusim.size`.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        If nothing is to be compared, a variant has no such name, or a number is out of range.
    NotConverged
        If the time limit left not even the scenario as it is.

    Notes
    -----
    The intervals hold together, for all variants of the call, with the study's confidence; each alone is given beside
    it (see `gpusim.stats.differences`).
    """
    axis = axis_of(scenario, vary)
    asked = _asked(scenario, variants, tuple(changes))
    _check(scenario, axis, replications, step)
    seed = scenario.study.seed if seed is None else seed
    threads = threads or usable_cores()
    started = time.monotonic()
    deadline = None if time_limit is None else started + time_limit
    numbers = np.arange(replications, dtype=np.int64)
    measured: dict[str, _Measured] = {}
    held: dict[str, _Held] = {}
    bases = {each.against for each in asked}
    attainment, confidence = scenario.study.attainment, scenario.study.confidence
    notes = []
    step = step or 0
    costs: list[Cost] = []
    complete, count, jobs = True, 0, 0
    for place, each in enumerate(asked, 1):
        if measured and deadline is not None and time.monotonic() >= deadline:
            complete = False
            notes.append(f"'{each.name}' was not begun within the time limit")
            continue
        runs = Runs(
            Experiment(each.scenario, seed),
            axis_of(each.scenario, axis.vary),
            attainment,
            backend,
            threads,
            deadline=deadline,
            on_progress=on_progress,
            count=count,
            jobs=jobs,
            started=started,
        )
        runs.begin(f"{each.name} ({place} of {len(asked)})")
        begun = time.monotonic()
        near = measured.get(each.against) or measured.get(BASE)
        try:
            step, found = _measure(each, runs, numbers, near, step)
            measured[each.name] = found
            if not found.infeasible:
                found.binding = _binding(runs, numbers, found.below)
            if each.against in held and not found.infeasible:
                found.shifts = _shifts(held[each.against], runs, numbers, confidence)
            if each.name in bases and math.isfinite(enough := order_statistic(found.critical, attainment)):
                held[each.name] = _held_at(runs, numbers, int(enough))
        except OutOfTime:
            complete = False
            if each.name in measured:
                notes.append(f"'{each.name}': time ended before it was seen which levels decide and who pays")
            elif not measured:
                what, remedy = (
                    "the scenario as it is was not finished in time",
                    "allow more time, or fewer replications",
                )
                raise NotConverged(Problem("time_limit", what, remedy, "plan/no-replication")) from None
            else:
                notes.append(f"'{each.name}' was not finished within the time limit")
        costs.append(Cost(each.name, runs.count - count, time.monotonic() - begun))
        count, jobs = runs.count, runs.jobs
    compared = _compared(measured, attainment, confidence)
    notes += _notes(measured, replications, attainment, confidence)
    if command is None:
        names = variants if isinstance(variants, str) else list(variants)
        given = f", changes={list(changes)!r}" if changes else ""
        command = f"gpusim.compare({load_call(scenario)}, {names!r}{given}, replications={replications}, seed={seed})"
    return Comparison(
        base=compared[0],
        variants=tuple(compared[1:]),
        vary=axis.vary,
        attainment=attainment,
        confidence=confidence,
        replications=replications,
        step=step,
        complete=complete,
        horizon=horizon_in_words(scenario),
        notes=tuple(notes),
        spent=Spent(count, jobs, time.monotonic() - started, threads),
        costs=tuple(costs),
        provenance=provenance(
            scenario,
            "compare",
            {
                "variants": [each.name for each in asked if each.name not in (BASE, CHANGED)],
                "changes": list(changes),
                "replications": replications,
                "step": step,
                "vary": axis.vary,
                "time_limit": time_limit,
            },
            seed=seed,
            backend=backend,
            command=command,
        ),
    )


def _asked(scenario: Scenario, variants: Sequence[str] | str, changes: tuple[str, ...]) -> list[_Asked]:
    """What is to be measured: the scenario, the bases that variants name, the variants, the changes."""
    names = _names(scenario, variants)
    if not names and not changes:
        known = ", ".join([*scenario.variants, *_groups(scenario)]) or "none in this scenario"
        what, remedy = "nothing to compare", f"name variants (known: {known}), all, or changes"
        raise UsageError(Problem("variants", what, remedy, "plan/nothing-to-compare"))
    asked = [_Asked(BASE, scenario.description, {}, "", scenario)]

    def add(name: str) -> None:
        if any(each.name == name for each in asked):
            return
        made = scenario.variant(name)
        variant = scenario.variants[name]
        base = variant.of or BASE
        if base != BASE:
            add(base)
        asked.append(_Asked(name, variant.about, dict(variant.set), base, made))

    for name in names:
        add(name)
    if changes:
        told = dict(change.partition("=")[::2] for change in changes)
        asked.append(_Asked(CHANGED, "", told, BASE, scenario.override(changes)))
    return asked


def _names(scenario: Scenario, variants: Sequence[str] | str) -> list[str]:
    """Names of variants; a group stands for those that are in it."""
    if variants == "all":
        return list(scenario.variants)
    groups = _groups(scenario)
    wanted = [variants] if isinstance(variants, str) else variants
    known = [*scenario.variants, *groups]
    problems = []
    for given in wanted:
        if given not in known:
            near = did_you_mean(given, known)
            guess = f"did you mean '{near}'? " if near else ""
            remedy = f"{guess}known: {', '.join(known) or 'none in this scenario'}"
            what = "no variant and no group has this name"
            problems.append(Problem(scenario.name, what, remedy, "usage/variant", show(given)))
    if problems:
        raise UsageError(problems)
    return [name for given in wanted for name in groups.get(given, [given])]


def _groups(scenario: Scenario) -> dict[str, list[str]]:
    """Names of the variants in each group."""
    groups: dict[str, list[str]] = {}
    for name, variant in scenario.variants.items():
        if variant.group:
            groups.setdefault(variant.group, []).append(name)
    return groups


def _check(scenario: Scenario, axis: Axis, replications: int, step: int | None) -> None:
    problems = []
    if axis.vary == DEMAND:
        what, remedy = "prices changes in GPUs, not in demand", "use gpus, or the name of a pool"
        problems.append(Problem("study.vary", what, remedy, "plan/vary", DEMAND))
    if replications < 10:
        what = "are too few for a quantile of differences"
        problems.append(
            Problem("replications", what, "use at least 10", "plan/replications", str(replications))
        )
    grain = scenario.study.granularity
    if step is not None and (step < 1 or step % grain):
        what, remedy = "is no multiple of the granularity", f"use a multiple of {grain}"
        problems.append(Problem("step", what, remedy, "plan/step", str(step)))
    if problems:
        raise UsageError(problems)


def _measure(
    asked: _Asked, runs: Runs, replications: Int64, near: _Measured | None, step: int
) -> tuple[int, _Measured]:
    """The critical size of every replication of one scenario; `step` 0 is chosen at the first one."""
    scenario = asked.scenario
    limit = ceiling(runs.experiment, runs.axis, backend=runs.backend, threads=runs.threads)
    runs.count, runs.jobs = runs.count + limit.runs, runs.jobs + limit.jobs
    if limit.infeasible:
        never = np.full(len(replications), math.inf)
        binding = tuple(
            BindingCount(each.sentence, limit.attainment.replications) for each in limit.impossible
        )
        return step, _Measured(asked, never, np.zeros(len(replications), np.int64), binding, str(limit))
    fine = grid_of(scenario, runs.axis)
    if not step:
        step = _step(scenario, runs, fine)
    grid = CapacityGrid(step * math.ceil(fine.low / step), step, max(1, (fine.high - fine.low) // step))
    first, rest = replications[:_FIRST_WAVE], replications[_FIRST_WAVE:]
    starts, stride = _starts(runs, grid, first, near)
    found = critical_indices(runs.cells, first, grid, starts, stride)
    if len(rest):
        expected = _partners(grid, near, len(replications))
        shift = found - expected[: len(first)]
        starts = np.clip(expected[len(first) :] + int(np.median(shift)), 0, grid.count - 1)
        stride = max(1, round(float(np.std(shift)) / 2))
        found = np.concatenate([found, critical_indices(runs.cells, rest, grid, starts, stride)])
    sizes = np.array([math.inf if k >= grid.count else grid.capacity(int(k)) for k in found])
    below = np.array([grid.capacity(int(k) - 1) if k else 0 for k in found], dtype=np.int64)
    return step, _Measured(asked, sizes, below)


def _step(scenario: Scenario, runs: Runs, grid: CapacityGrid) -> int:
    """About 0.3 % of the size, in multiples of the granularity; the size is a guess, the step only a resolution."""
    grain = scenario.study.granularity
    guess = runs.axis.have[runs.axis.pool or 0] or start_of(scenario, runs.axis)
    return grain * max(1, round(_STEP_SHARE * max(guess, grid.low) / grain))


def _starts(runs: Runs, grid: CapacityGrid, first: Int64, near: _Measured | None) -> tuple[Int64, int]:
    """First probes of the first wave: the critical sizes of the scenario compared with, else a guess."""
    if near is not None and np.isfinite(near.critical).any():
        return _partners(grid, near, len(first)), 4
    guess = grid.nearest(start_of(runs.experiment.scenario, runs.axis))
    return np.full(len(first), guess, dtype=np.int64), max(1, guess // 50)


def _partners(grid: CapacityGrid, near: _Measured | None, count: int) -> Int64:
    """Critical indices of the same replications in the scenario compared with; all alike where there is none."""
    if near is None or not np.isfinite(near.critical).any():
        return np.zeros(count, dtype=np.int64)
    return _indices(grid, near.critical[:count])


def _indices(grid: CapacityGrid, sizes: Float64) -> Int64:
    """Grid indices of sizes that may lie beside or above the grid."""
    highest = grid.capacity(grid.count - 1)
    return np.array([grid.nearest(min(size, highest)) for size in sizes], dtype=np.int64)


def _binding(runs: Runs, replications: Int64, below: Int64) -> tuple[BindingCount, ...]:
    """Levels missed one step below each replication's own critical size."""
    inside = np.flatnonzero(below)
    if not inside.size:
        return ()
    sentences, holds = _levels(runs, replications[inside], below[inside])
    missed = (~holds).sum(axis=0)
    counts = [BindingCount(level, int(n)) for level, n in zip(sentences, missed, strict=True) if n]
    return tuple(sorted(counts, key=lambda each: -each.replications))


def _held_at(runs: Runs, replications: Int64, gpus: int) -> _Held:
    """Every level in every replication at one size."""
    return _Held(gpus, *_levels(runs, replications, np.full(len(replications), gpus, dtype=np.int64)))


def _levels(runs: Runs, replications: Int64, sizes: Int64) -> tuple[tuple[str, ...], Bool]:
    """Which levels hold, (n, levels), from whole runs."""
    result = runs.whole_cells(replications, sizes)
    met, violated = result.slo[:, :, MET], result.slo[:, :, VIOLATED]
    levels = runs.experiment.scenario.resolved_slos()
    required = np.array([level.share_ppm for level in levels], dtype=np.int64)
    judged = runs.period_levels.judge(replications, sizes, result)
    holds = [met * 1_000_000 >= required * (met + violated), *(each.holds[:, None] for each in judged)]
    sentences = [each.sentence for each in levels] + [each.level.sentence for each in judged]
    return tuple(sentences), np.concatenate(holds, axis=1)


def _shifts(base: _Held, runs: Runs, replications: Int64, confidence: float) -> tuple[LevelShift, ...]:
    """What a change does to each level at the size that the scenario compared with needs."""
    changed = _held_at(runs, replications, base.gpus)
    shifts = []
    for k, sentence in enumerate(base.sentences):
        if sentence not in changed.sentences:
            continue
        before, after = base.holds[:, k], changed.holds[:, changed.sentences.index(sentence)]
        lost, gained = int((before & ~after).sum()), int((~before & after).sum())
        chance = 2.0 * at_least(max(lost, gained), lost + gained, 0.5) if lost != gained else 1.0
        shifts.append(
            LevelShift(sentence, base.gpus, int(before.sum()), int(after.sum()), chance <= 1.0 - confidence)
        )
    return tuple(sorted(shifts, key=lambda each: each.after - each.before))


def _compared(measured: dict[str, _Measured], attainment: float, confidence: float) -> list[Compared]:
    """Every scenario with what it is worth against another one; the intervals hold together."""
    order = list(measured)
    changed = [name for name in order if measured[name].asked.against in measured]
    pairs = [(order.index(name), order.index(measured[name].asked.against)) for name in changed]
    found = differences([each.critical for each in measured.values()], pairs, attainment, confidence)
    by_name = dict(zip(changed, found, strict=True))
    return [_row(each, by_name.get(name), attainment) for name, each in measured.items()]


def _row(each: _Measured, worth: Difference | None, attainment: float) -> Compared:
    asked = each.asked
    return Compared(
        name=asked.name,
        about=asked.about,
        changes=asked.changes,
        against="" if worth is None else asked.against,
        gpus=order_statistic(each.critical, attainment),
        difference=None if worth is None else worth.difference,
        low=None if worth is None else worth.together.low,
        high=None if worth is None else worth.together.high,
        low_alone=None if worth is None else worth.alone.low,
        high_alone=None if worth is None else worth.alone.high,
        mean=None if worth is None else worth.mean,
        standard_error=None if worth is None else worth.standard_error,
        pairs=0 if worth is None else worth.both,
        binding=each.binding,
        shifts=each.shifts,
        never=int(np.count_nonzero(~np.isfinite(each.critical))),
        infeasible=each.infeasible,
        offered_load=asked.scenario.offered_load,
        peak_load=asked.scenario.peak_load,
        critical=each.critical,
    )


def _notes(
    measured: dict[str, _Measured], replications: int, attainment: float, confidence: float
) -> list[str]:
    """What a reader of the table must know."""
    notes = []
    if len(measured) > 2:
        notes.append(
            f"the {len(measured) - 1} intervals hold all at once with {confidence:.0%} confidence: one that excludes 0 "
            "does not do so because there are many; one that holds 0 is no evidence that there is no effect"
        )
    if replications * (1.0 - attainment) < 3:
        notes.append(
            f"{replications} replications are few for the {attainment:.0%} quantile: fewer than 3 lie above it"
        )
    if not all(is_pathwise_monotone(each.asked.scenario) for each in measured.values()):
        notes.append(
            "more GPUs do not always help a single replication under these policies: its critical size is a size at "
            "which it passes while it fails one step below"
        )
    return notes
