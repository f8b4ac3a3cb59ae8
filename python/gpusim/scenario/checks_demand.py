"""Checks of the whole: more work or jobs than is meant, and arrivals outside the horizon."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from gpusim.scenario.arrivals import Stream
from gpusim.scenario.fields import LARGEST_GPUS
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass, Study
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.units import format_count, format_duration, format_rate

MOST_JOBS = 1_000_000_000  # expected in one replication: beyond it is a slip, and no memory holds them


def demand_mistakes(parts: Parts) -> Iterator[Mistake]:
    """More work than any center does, or more jobs than memory holds: each a slip of a unit."""
    known = [(part, part.model) for part in parts.classes if part.model is not None]
    if not known:
        return
    factor = 1.0 if parts.study is None else parts.study.demand
    loads = [factor * model.offered_load for _, model in known]
    for (part, model), load in zip(known, loads, strict=True):
        if load > LARGEST_GPUS:
            yield Mistake(
                f"{part.full_name} offers more than {LARGEST_GPUS:,} GPUs of work",
                _load_remedy(model),
                _load_found(model, load),
                _arrivals(part, model),
            )
    if max(loads) <= LARGEST_GPUS < sum(loads):
        load, (part, model) = max(zip(loads, known, strict=True), key=lambda pair: pair[0])
        yield Mistake(
            f"all classes together offer more than {LARGEST_GPUS:,} GPUs of work",
            _load_remedy(model),
            f"{sum(loads):,.0f} GPUs; the largest is {part.full_name} with {load:,.0f} GPUs",
            _arrivals(part, model),
        )
    if parts.study is not None:
        yield from _too_many_jobs(parts, parts.study, known)


def _too_many_jobs(parts: Parts, study: Study, known: list[tuple[ClassPart, JobClass]]) -> Iterator[Mistake]:
    phase, horizon = parts.week_phase, study.horizon
    jobs = [study.demand * sum(jobs_of(s, phase, horizon) for s in model.streams) for _, model in known]
    for (part, model), count in zip(known, jobs, strict=True):
        if count > MOST_JOBS:
            yield Mistake(
                f"{part.full_name} submits more than {MOST_JOBS:,} jobs in a replication",
                f"{_rate_remedy(model)}, or write a shorter horizon",
                f"{format_rate(model.rate, digits=3)} for {format_duration(horizon)}: about {count:.3g}",
                _arrivals(part, model),
            )
    if max(jobs) <= MOST_JOBS < sum(jobs):
        _, (_, model) = max(zip(jobs, known, strict=True), key=lambda pair: pair[0])
        yield Mistake(
            f"all classes together submit more than {MOST_JOBS:,} jobs in a replication",
            f"write a shorter horizon, or {_rate_remedy(model)}",
            f"{format_duration(horizon)}: about {sum(jobs):.3g}",
            ("study", "horizon"),
        )


def jobs_of(stream: Stream, phase: float, horizon: float) -> float:
    """Mean number of jobs of a stream in a replication; each segment of a chain is a job."""
    end = horizon if stream.until is None else min(horizon, stream.until)
    if stream.schedule:
        count = float(sum(count for _, _, count in stream.occurrences(phase, horizon)))
    else:
        count = stream.job_rate * max(0.0, end - stream.start)
    return count if stream.segment is None else count * (1 + stream.run_time.mean() / stream.segment)


def _largest(model: JobClass) -> int:
    """Position of the stream that offers most."""
    loads = [stream.long_run_load for stream in model.streams]
    return loads.index(max(loads)) if len(loads) > 1 else 0


def _arrivals(part: ClassPart, model: JobClass) -> Path:
    index = _largest(model)
    entry = model.entries[index]
    key = "rate" if entry.rate is not None else "load" if entry.load is not None else "schedule"
    return (*part.path, *model.arrivals_path(index), key)


def _load_found(model: JobClass, load: float) -> str:
    if len(model.entries) == 1 and model.entries[0].load is not None:
        return f"load {load:,.0f} GPUs" if load < 1e15 else f"load {load:.3g} GPUs"
    rate, time = format_rate(model.rate, digits=3), format_duration(model.mean_service, digits=3)
    return f"{rate} x {model.mean_gang:.3g} GPUs x {time} = {load:.3g} GPUs"


def _load_remedy(model: JobClass) -> str:
    if model.entries[_largest(model)].load is not None:
        return f"write the mean number of GPUs in use, at most {format_count(LARGEST_GPUS)}"
    return f"{_rate_remedy(model)}, and the run time"


def _rate_remedy(model: JobClass) -> str:
    entry = model.entries[_largest(model)]
    if entry.load is not None:
        return "check the load and the unit of the run time"
    if entry.schedule is not None:
        return "check the counts of the schedule"
    return "check the unit of the rate (40/s is 86,400 times 40/day)"


def schedule_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Streams, schedules and segments that do not lie in the horizon."""
    study = parts.study
    if study is None:
        return
    for part in parts.classes:
        if part.model is None:
            continue
        if part.model.segment is not None and part.model.segment > study.horizon:
            yield _beyond("this segment is longer", part.model.segment, study, (*part.path, "segment"))
        for index, stream in enumerate(part.model.streams):
            path = (*part.path, *part.model.arrivals_path(index))
            yield from _outside(stream, study, path)
            if stream.schedule:
                yield from _schedule(stream, parts.week_phase, study, path)


def _outside(stream: Stream, study: Study, path: Path) -> Iterator[Mistake]:
    if stream.start >= study.horizon:
        yield _beyond("these arrivals begin after", stream.start, study, (*path, "from"))
    if stream.until is not None and stream.until > study.horizon:
        yield _beyond("these arrivals go on after", stream.until, study, (*path, "until"))


def _beyond(what: str, seconds: float, study: Study, path: Path) -> Mistake:
    end = "than the horizon" if what.endswith("longer") else "the horizon ends"
    limit = format_duration(study.horizon)
    remedy = f"write at most {limit}, or a longer horizon"
    return Mistake(f"{what} {end}", remedy, f"{format_duration(seconds)}, horizon {limit}", path, "window")


def _schedule(stream: Stream, phase: float, study: Study, path: Path) -> Iterator[Mistake]:
    end = study.horizon if stream.until is None else min(study.horizon, stream.until)
    last = "horizon" if end == study.horizon else "until"
    late = False
    for index, item in enumerate(stream.schedule):
        here = (*path, "schedule", index)
        if item.at is not None and item.at < stream.start:
            late = True
            remedy = f"write at least {format_duration(stream.start)}, or an earlier from"
            found = f"at {format_duration(item.at)}, from {format_duration(stream.start)}"
            yield Mistake(
                "this time of the schedule lies before 'from'", remedy, found, (*here, "at"), "window"
            )
        elif item.at is not None and item.at + item.within > end:
            late = True
            found = f"at {format_duration(item.at)}"
            found += f" within {format_duration(item.within)}" if item.within else ""
            yield Mistake(
                "this time of the schedule lies after the end of the "
                + ("horizon" if last == "horizon" else "stream"),
                f"let it end by {format_duration(end)}, or write a later {last}",
                f"{found}, {last} {format_duration(end)}",
                (*here, "at"),
                "window",
            )
    times = stream.occurrences(phase, study.horizon)
    if not times and not late:
        what = "nothing of this schedule falls into the horizon"
        remedy = "check days, daily, from and until against the start and the horizon of the study"
        yield Mistake(what, remedy, "", (*path, "schedule"), "window", at_key=True)
    for (time, within, _), (after, _, _) in pairwise(times):
        if time + within > after:
            yield Mistake(
                "two times of this schedule overlap",
                "give each its own entry in a list of arrivals, or a shorter within",
                f"one runs from {format_duration(time)} to {format_duration(time + within)}, "
                f"the next begins at {format_duration(after)}",
                (*path, "schedule"),
                "overlap",
                at_key=True,
            )
            break
