"""Checks of the whole: a clock fine enough for the times of the scenario, and days of whole ticks."""

from __future__ import annotations

from collections.abc import Iterator

from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.policy import Policy
from gpusim.scenario.slo_words import EVERY_DAY, WHOLE_DAY
from gpusim.scenario.week import DAY
from gpusim.units import format_duration

TICKS_A_RUN = 10  # the mean run time must be at least so many ticks, else rounding would show in the answer
MOST_TICKS = 2**43  # the engine's clock


def clock_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Times shorter than a tick, a horizon of too many ticks, days without a whole number of them."""
    tick = parts.tick
    if tick is None:
        if parts.policy is not None:
            yield from _period(parts, parts.policy)
        return
    if parts.study is not None and parts.study.horizon / tick >= MOST_TICKS:
        finest = format_duration(parts.study.horizon / MOST_TICKS, digits=2)
        yield Mistake(
            "the tick is too fine for this horizon",
            f"write a tick above {finest}",
            format_duration(tick),
            ("tick",),
            "tick",
        )
    ticks_a_day = DAY / tick
    if _uses_hours(parts) and abs(ticks_a_day - round(ticks_a_day)) > 1e-9 * ticks_a_day:
        yield Mistake(
            "a day has no whole number of ticks, but hours or days are used",
            f"write a tick that divides 24h, for example {_finer(tick)}",
            format_duration(tick),
            ("tick",),
            "tick",
        )
    for part in parts.classes:
        if part.model is not None:
            yield from _runs(part, part.model, tick)
            yield from _times(part, part.model, tick)
    for path, slo in parts.slos:
        if slo is not None and 0 < slo.limit < tick:
            yield _below_a_tick(slo.limit, tick, path)
        elif slo is not None and slo.metric == "slowdown" and 0 < slo.bound < tick:
            yield _below_a_tick(slo.bound, tick, path)
    if parts.policy is not None:
        for key in ("period", "window"):
            seconds = getattr(parts.policy, key)
            if seconds and seconds < tick:
                yield _below_a_tick(seconds, tick, ("policy", key))
        yield from _period(parts, parts.policy)


def _uses_hours(parts: Parts) -> bool:
    """Whether anything asks what time of the day or day of the week it is."""
    for _, slo in parts.slos:
        if slo is not None and (slo.hours != WHOLE_DAY or slo.days != EVERY_DAY):
            return True
    models = (part.model for part in parts.classes if part.model is not None)
    streams = (stream for model in models for stream in model.streams)
    return any(s.profile is not None or any(item.daily is not None for item in s.schedule) for s in streams)


def _runs(part: ClassPart, model: JobClass, tick: float) -> Iterator[Mistake]:
    told: set[Path] = set()
    for index, stream in enumerate(model.streams):
        mean = stream.mean_held
        inside = model.arrivals_path(index) if model.entries[index].run_time is not None else ()
        path = (*part.path, *inside, "run_time")
        if mean < TICKS_A_RUN * tick and path not in told:
            told.add(path)
            yield Mistake(
                f"the mean run time is below {TICKS_A_RUN} ticks, too coarse a clock for it",
                f"write tick: {_finer(mean / TICKS_A_RUN)} at the top, or longer runs",
                f"mean {format_duration(mean, digits=3)}, tick {format_duration(tick)}",
                path,
                "tick",
            )


def _times(part: ClassPart, model: JobClass, tick: float) -> Iterator[Mistake]:
    times: list[tuple[Path, float | None]] = [
        (
            ("limit",),
            model.limit.fixed or min([*model.limit.round_up, *(model.limit.pick or ())], default=None),
        ),
        (("patience",), model.patience),
        (("segment",), model.segment),
        (("deadline",), model.deadline),
        (("checkpoint",), model.checkpoint),
        (("checkpoint_cost",), model.checkpoint_cost),
        (("restart_cost",), model.restart_cost),
    ]
    if model.preemptible is not None:
        times.append((("preemptible", "exempt"), model.preemptible.exempt))
        times.append((("preemptible", "grace"), model.preemptible.grace))
    for index, entry in enumerate(model.entries):
        if entry.limit is not None:
            least = entry.limit.fixed or min([*entry.limit.round_up, *(entry.limit.pick or ())], default=None)
            times.append(((*model.arrivals_path(index), "limit"), least))
    for path, seconds in times:
        if seconds and seconds < tick:
            yield _below_a_tick(seconds, tick, (*part.path, *path))


def _period(parts: Parts, policy: Policy) -> Iterator[Mistake]:
    """Jobs that give up before the scheduler has looked at them once."""
    if policy.period is None:
        return
    for part in parts.classes:
        patience = None if part.model is None else part.model.patience
        if patience is not None and 0 < patience < policy.period:
            yield Mistake(
                "jobs may leave before the scheduler has looked at them once",
                f"write a patience of at least {format_duration(policy.period)}, or a shorter policy.period",
                f"patience {format_duration(patience)}, policy.period {format_duration(policy.period)}",
                (*part.path, "patience"),
                "short-patience",
            )


def _below_a_tick(seconds: float, tick: float, path: Path) -> Mistake:
    remedy = f"write at least {format_duration(tick)}, or tick: {_finer(seconds)} at the top"
    return Mistake("shorter than one tick of the clock", remedy, format_duration(seconds), path, "tick")


def _finer(seconds: float) -> str:
    """A round tick of at most `seconds`."""
    fits = (tick for tick in (60.0, 1.0, 0.1, 0.01, 0.001) if tick <= seconds)
    return format_duration(next(fits, 0.0001))
