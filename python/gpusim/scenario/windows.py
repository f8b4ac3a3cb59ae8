"""Which submissions count: how long a service level takes to be decided, and the cool-down that follows.

Jobs submitted in [warm_up, count_end) are counted, and the rest of the horizon, the cool-down, must decide
them: `wait <= 4h` knows after 4 h, `turnaround <= 21.63d` after 21.63 days. `auto` is the longest of these
times, taken over the jobs that can come late: jobs of a stream that ends (`until`) early enough, and jobs of a
schedule, are decided within the horizon anyway, and need no cool-down.

    wait, turnaround   the limit
    deadline           the deadline of each class
    slowdown           factor x bound: the longest a run of up to `bound` may take
    turned away        the patience of each class; 0 without one (such jobs leave at once, or never)

Where jobs are applications first, all but turnaround and deadline begin with the end of the approval: its longest time
comes on top.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from gpusim.scenario.arrivals import Stream
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass, Study
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.slo import Slo, resolve_scope
from gpusim.units import format_duration

SAME_DURATION = 1e-12  # relative: 48.3h and 2898min are one duration, but not one float


@dataclass(frozen=True)
class Decision:
    """How long a level takes to be decided for jobs of one stream."""

    slo: Path
    seconds: float  # after the submit [s]
    last: float  # the last submit of the stream [s], at most the horizon
    part: ClassPart | None = None  # None: the scope of the level is not known
    stream: int = 0
    once: bool = False  # whether the stream holds nothing but jobs at given times

    def fits(self, count_end: float, horizon: float) -> bool:
        """Whether all of its jobs that are submitted before `count_end` are decided in the horizon."""
        return min(self.last, count_end) + self.seconds <= horizon * (1 + SAME_DURATION)


def decision_time(slo: Slo, job_class: JobClass) -> float:
    """Return how long after its submit a job of the class may still be undecided [s]."""
    if slo.metric == "deadline":
        return job_class.deadline or 0.0
    own = (job_class.patience or 0.0) if slo.metric == "turned_away" else _own_time(slo)
    held = 0.0 if job_class.approval is None else job_class.approval.longest
    return own if slo.metric == "turnaround" else held + own


def _own_time(slo: Slo) -> float:
    return slo.factor * slo.bound if slo.metric == "slowdown" else slo.limit


def decisions(parts: Parts) -> Iterator[Decision]:
    """Yield each level with each stream it counts."""
    if parts.study is None:
        return
    horizon, phase, names = parts.study.horizon, parts.week_phase, parts.class_names
    complete = bool(names) and all(tenant and name for tenant, name in names)
    for path, slo in parts.slos:
        if slo is None or not slo.judges_jobs:
            continue
        members: tuple[int, ...] = ()
        if complete:
            with contextlib.suppress(Mistake):  # told by another check
                members = resolve_scope(slo.scope, names)
        known = [parts.classes[member] for member in members]
        if not known or any(part.model is None for part in known):
            yield Decision(path, _own_time(slo), horizon)
        for part in known:
            if part.model is not None:
                seconds = decision_time(slo, part.model)
                for index, stream in enumerate(part.model.streams):
                    last, once = _last_submit(stream, phase, horizon)
                    yield Decision(path, seconds, last, part, index, once)


def _last_submit(stream: Stream, phase: float, horizon: float) -> tuple[float, bool]:
    """Return the last time a stream may submit, and whether it holds nothing but jobs at given times."""
    if not stream.schedule:
        return min(horizon, math.inf if stream.until is None else stream.until), False
    times = stream.occurrences(phase, horizon)
    last = max((time + within for time, within, _ in times), default=0.0)
    return min(last, horizon), all(item.at is not None for item in stream.schedule)


def counted_window(parts: Parts) -> tuple[float, float]:
    """Return the cool-down and the end of the counted submissions [s]; `parts.study` must be known."""
    assert parts.study is not None
    study = parts.study
    cool_down = _longest(parts, study) if study.cool_down == "auto" else float(study.cool_down)
    return cool_down, study.horizon - cool_down


def _longest(parts: Parts, study: Study) -> float:
    """The cool-down that decides every counted job but those of given times."""
    late = (
        each for each in decisions(parts) if not each.once and not each.fits(study.horizon, study.horizon)
    )
    return max((each.seconds for each in late), default=0.0)


def window_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Yield what is wrong with horizon, warm-up and cool-down, given the service levels."""
    study = parts.study
    if study is None:
        return
    if study.warm_up >= study.horizon:
        yield Mistake(
            "the warm-up takes the whole horizon",
            f"write less than {format_duration(study.horizon)}, or a longer horizon",
            format_duration(study.warm_up),
            ("study", "warm_up"),
            "window",
        )
        return
    (cool_down, _), longest = counted_window(parts), _longest(parts, study)
    reason = " (auto: the largest SLO limit)" if study.cool_down == "auto" else ""
    key = "cool_down" if ("study", "cool_down") in parts.written else "horizon"
    if cool_down < longest * (1 - SAME_DURATION):
        yield Mistake(
            "the cool-down is shorter than the longest SLO limit, so late jobs would be undecided at the end",
            f"write auto, or at least {format_duration(longest)}",
            f"cool_down {format_duration(cool_down)}, longest limit {format_duration(longest)}",
            ("study", "cool_down"),
            "short-cool-down",
        )
        cool_down, reason, key = longest, " (the largest SLO limit)", "horizon"
    if study.horizon - cool_down <= study.warm_up:
        needed = format_duration(study.warm_up + cool_down, digits=4)
        yield Mistake(
            "no time is left in which jobs are counted",
            f"write a horizon well above {needed}, or a shorter warm_up or cool_down",
            f"horizon {format_duration(study.horizon)}, warm_up {format_duration(study.warm_up)}, "
            f"cool_down {format_duration(cool_down)}{reason}",
            ("study", key),
            "window",
        )
        return
    yield from _undecided_schedules(parts, study, study.horizon - cool_down)


def _undecided_schedules(parts: Parts, study: Study, count_end: float) -> Iterator[Mistake]:
    """Jobs of given times that are counted, but may end after the horizon."""
    for each in decisions(parts):
        if (
            each.part is None
            or each.part.model is None
            or not each.once
            or each.fits(count_end, study.horizon)
        ):
            continue
        last = min(each.last, count_end)
        yield Mistake(
            f"{each.part.full_name} jobs may be undecided at the end of the horizon",
            f"write a horizon of at least {format_duration(last + each.seconds)}, or submit them earlier",
            f"submitted until {format_duration(last)}, decided {format_duration(each.seconds)} later, "
            f"horizon {format_duration(study.horizon)}",
            (*each.part.path, *each.part.model.arrivals_path(each.stream), "schedule"),
            "late-schedule",
            at_key=True,
        )
