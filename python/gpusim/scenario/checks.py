"""What only the whole scenario can know: names, SLO scopes, windows, sizes, demand, the clock.

The checks work on `Parts`, the pieces of a scenario that could be read, so that a file with a wrong field
is told its other mistakes in the same run. Each check is one function that yields mistakes with paths from
the root.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gpusim.scenario.fields import LARGEST_GPUS, read_name
from gpusim.scenario.mistakes import Mistake, Path, dotted
from gpusim.scenario.model import Center, JobClass, Study
from gpusim.scenario.slo import Slo, parse_slo, resolve_scope
from gpusim.units import UnitError, format_count, format_duration, format_rate, parse_duration

TICKS_A_RUN = 10  # the mean run time must be at least so many ticks, else rounding would show in the answer
SAME_DURATION = 1e-12  # relative: 48.3h and 2898min are one duration, but not one float
MOST_TICKS = 2**43  # the engine's clock
MOST_JOBS = 1_000_000_000  # expected in one replication: beyond it is a slip, and no memory holds them

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class ClassPart:
    """A job class as far as it could be read."""

    path: Path
    tenant: str | None  # None: the name could not be read
    name: str | None
    model: JobClass | None


@dataclass
class Parts:
    """A scenario as far as it could be read."""

    tick: float | None
    tenants: list[tuple[Path, str | None]]
    classes: list[ClassPart]
    slos: list[tuple[Path, Slo | None]]
    study: Study | None
    center: Center | None
    written: set[Path]  # paths of study and center that were read without a mistake


def check(parts: Parts) -> list[Mistake]:
    """Return every mistake of the whole, in no particular order."""
    checks = (_names, _scopes, _windows, _gpus, _demand, _clock)
    return [mistake for each in checks for mistake in each(parts)]


def counted_window(study: Study, slos: list[Slo]) -> tuple[float, float]:
    """Return the cool-down and the end of the counted submissions [s]."""
    cool_down = _longest_limit(slos) if study.cool_down == "auto" else float(study.cool_down)
    return cool_down, study.horizon - cool_down


def _longest_limit(slos: list[Slo]) -> float:
    return max((slo.limit for slo in slos), default=0.0)


def _names(parts: Parts) -> Iterator[Mistake]:
    first: dict[Any, Path] = {}
    for path, name in parts.tenants:
        yield from _repeated(first, name, name, path, "tenant")
    for part in parts.classes:
        yield from _repeated(first, (part.path[:-1], part.name), part.name, part.path, "class of this tenant")


def _repeated(
    first: dict[Any, Path], key: Any, name: str | None, path: Path, thing: str
) -> Iterator[Mistake]:
    if name is None:
        return
    if key in first:
        remedy = f"rename one, for example {name}-2; the other is {dotted(first[key])}"
        yield Mistake(
            f"another {thing} has this name", remedy, f"'{name}'", (*path, "name"), "duplicate-name"
        )
    first.setdefault(key, path)


def _scopes(parts: Parts) -> Iterator[Mistake]:
    names = [(part.tenant or "", part.name or "") for part in parts.classes]
    complete = bool(names) and all(part.tenant and part.name for part in parts.classes)
    first: dict[str, Path] = {}
    for path, slo in parts.slos:
        if slo is None:
            continue
        if complete:
            try:
                resolve_scope(slo.scope, names)
            except Mistake as mistake:
                yield mistake.under(path)
        if slo.sentence in first:
            remedy = f"remove one; the other is {dotted(first[slo.sentence])}"
            yield Mistake("the same SLO twice", remedy, f"'{slo.sentence}'", path, "duplicate-slo")
        first.setdefault(slo.sentence, path)


def _windows(parts: Parts) -> Iterator[Mistake]:
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
    slos = [slo for _, slo in parts.slos if slo is not None]
    cool_down, longest = counted_window(study, slos)[0], _longest_limit(slos)
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


def _gpus(parts: Parts) -> Iterator[Mistake]:
    study = parts.study
    if study is None or study.max_gpus is None:
        return
    if study.min_gpus is not None and study.min_gpus > study.max_gpus:
        yield Mistake(
            "min_gpus is above max_gpus",
            f"write at most {study.max_gpus}, or raise max_gpus",
            f"{study.min_gpus} > {study.max_gpus}",
            ("study", "min_gpus"),
            "gpu-range",
        )
    else:
        yield from _no_multiple(parts, study, study.max_gpus)
    for part in parts.classes:
        if part.model is not None and part.model.largest_gang > study.max_gpus:
            largest = part.model.largest_gang
            path = (*part.path, "gpus") if len(part.model.gpus) == 1 else (*part.path, "gpus", str(largest))
            yield Mistake(
                "a gang larger than max_gpus can never start",
                f"raise study.max_gpus to at least {largest}, or make the gang smaller",
                f"{largest} GPUs > {study.max_gpus}",
                path,
                "impossible-gang",
                at_key=True,
            )


def _no_multiple(parts: Parts, study: Study, high: int) -> Iterator[Mistake]:
    """A range of sizes, not empty, without a size that can be bought."""
    step, least = study.granularity, study.min_gpus or 1
    if ("study", "granularity") in parts.written and "granularity" not in study.model_fields_set:
        return  # it could not be read: the default is not what is meant
    gang = max((part.model.largest_gang for part in parts.classes if part.model is not None), default=1)
    low = max(least, gang)
    first = step * math.ceil(low / step)
    if not low <= high < first:
        return
    smaller = "write a smaller granularity"
    yield Mistake(
        f"no multiple of {step:,} between {low:,} and {high:,}",
        f"raise max_gpus to at least {first}, or {smaller}" if first <= LARGEST_GPUS else smaller,
        f"{f'min_gpus {low}' if least >= gang else f'largest gang {low}'}, max_gpus {high}",
        ("study", "max_gpus"),
        "gpu-range",
    )


def _demand(parts: Parts) -> Iterator[Mistake]:
    """More work than any center does, or more jobs than memory holds: each a slip of a unit."""
    known = [(part, part.model) for part in parts.classes if part.model is not None]
    if not known:
        return
    loads = [model.offered_load for _, model in known]
    for (part, model), load in zip(known, loads, strict=True):
        if load > LARGEST_GPUS:
            yield Mistake(
                f"{_full_name(part)} offers more than {LARGEST_GPUS:,} GPUs of work",
                _load_remedy(model),
                _load_found(model, load),
                _arrivals(part, model),
            )
    if max(loads) <= LARGEST_GPUS < sum(loads):
        load, (part, model) = max(zip(loads, known, strict=True), key=lambda pair: pair[0])
        yield Mistake(
            f"all classes together offer more than {LARGEST_GPUS:,} GPUs of work",
            _load_remedy(model),
            f"{sum(loads):,.0f} GPUs; the largest is {_full_name(part)} with {load:,.0f} GPUs",
            _arrivals(part, model),
        )
    if parts.study is None:
        return
    horizon = parts.study.horizon
    jobs = [model.rate * horizon for _, model in known]
    for (part, model), count in zip(known, jobs, strict=True):
        if count > MOST_JOBS:
            yield Mistake(
                f"{_full_name(part)} submits more than {MOST_JOBS:,} jobs in a replication",
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


def _full_name(part: ClassPart) -> str:
    return f"{part.tenant or '?'}/{part.name or '?'}"


def _arrivals(part: ClassPart, model: JobClass) -> Path:
    return (*part.path, "arrivals", "rate" if model.arrivals.load is None else "load")


def _load_found(model: JobClass, load: float) -> str:
    if model.arrivals.load is not None:
        return f"load {load:,.0f} GPUs" if load < 1e15 else f"load {load:.3g} GPUs"
    rate, time = format_rate(model.rate, digits=3), format_duration(model.mean_service, digits=3)
    return f"{rate} x {model.mean_gang:.3g} GPUs x {time} = {load:.3g} GPUs"


def _load_remedy(model: JobClass) -> str:
    if model.arrivals.load is not None:
        return f"write the mean number of GPUs in use, at most {format_count(LARGEST_GPUS)}"
    return f"{_rate_remedy(model)}, and the run time"


def _rate_remedy(model: JobClass) -> str:
    if model.arrivals.load is not None:
        return "check the load and the unit of the run time"
    return "check the unit of the rate (40/s is 86,400 times 40/day)"


def _clock(parts: Parts) -> Iterator[Mistake]:
    tick = parts.tick
    if tick is None:
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
    for part in parts.classes:
        if part.model is None:
            continue
        mean = part.model.mean_service
        if mean < TICKS_A_RUN * tick:
            yield Mistake(
                f"the mean run time is below {TICKS_A_RUN} ticks, too coarse a clock for it",
                f"write tick: {_finer(mean / TICKS_A_RUN)} at the top, or longer runs",
                f"mean {format_duration(mean, digits=3)}, tick {format_duration(tick)}",
                (*part.path, "run_time"),
                "tick",
            )
        limit, patience = part.model.limit.fixed, part.model.patience
        for key, seconds in (("limit", limit), ("patience", patience)):
            if seconds and seconds < tick:
                yield _below_a_tick(seconds, tick, (*part.path, key))
    for path, slo in parts.slos:
        if slo is not None and 0 < slo.limit < tick:
            yield _below_a_tick(slo.limit, tick, path)


def _below_a_tick(seconds: float, tick: float, path: Path) -> Mistake:
    remedy = f"write at least {format_duration(tick)}, or tick: {_finer(seconds)} at the top"
    return Mistake("shorter than one tick of the clock", remedy, format_duration(seconds), path, "tick")


def _finer(seconds: float) -> str:
    """A round tick of at most `seconds`."""
    fits = (tick for tick in (60.0, 1.0, 0.1, 0.01, 0.001) if tick <= seconds)
    return format_duration(next(fits, 0.0001))


def salvage(data: Mapping[str, Any]) -> Parts:
    """Return the parts of raw `data` that can be read; what cannot is None."""
    tenants: list[tuple[Path, str | None]] = []
    classes: list[ClassPart] = []
    for index, tenant in enumerate(_items(data.get("tenants"))):
        path: Path = ("tenants", index)
        tenant_name = _name(_get(tenant, "name"))
        tenants.append((path, tenant_name))
        for position, job_class in enumerate(_items(_get(tenant, "classes"))):
            name, model = _name(_get(job_class, "name")), _read(JobClass, job_class)
            classes.append(ClassPart((*path, "classes", position), tenant_name, name, model))
    slos: list[tuple[Path, Slo | None]] = []
    for index, sentence in enumerate(_items(data.get("slos"))):
        try:
            slos.append((("slos", index), parse_slo(sentence)))
        except ValueError:
            slos.append((("slos", index), None))
    return Parts(
        tick=_tick(data.get("tick", "1s")),
        tenants=tenants,
        classes=classes,
        slos=slos,
        study=_read(Study, data.get("study")),
        center=_read(Center, data.get("center")),
        written={("study", str(key)) for key in _keys(data.get("study"))},
    )


def _read(model: type[Model], raw: Any) -> Model | None:
    """Read `raw`; if keys are wrong, try again without them, so that the right ones are still checked."""
    if isinstance(raw, model):
        return raw
    if not isinstance(raw, Mapping):
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        wrong = {item["loc"][0] for item in error.errors(include_url=False) if item["loc"]}
    try:
        return model.model_validate({key: value for key, value in raw.items() if key not in wrong})
    except ValidationError:
        return None


def _items(raw: Any) -> list[Any]:
    return list(raw) if isinstance(raw, (list, tuple)) else []


def _keys(raw: Any) -> list[Any]:
    return list(raw) if isinstance(raw, Mapping) else []


def _get(raw: Any, key: str) -> Any:
    return raw.get(key) if isinstance(raw, Mapping) else getattr(raw, key, None)


def _name(raw: Any) -> str | None:
    try:
        return read_name(raw)
    except ValueError:
        return None


def _tick(raw: Any) -> float | None:
    try:
        return parse_duration(raw) or None
    except UnitError:
        return None


__all__ = ["ClassPart", "Parts", "check", "counted_window", "salvage"]
