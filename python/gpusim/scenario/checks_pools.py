"""Checks of the whole: pools by name, gangs that fit nowhere, and the range that a study searches."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gpusim.scenario.fields import LARGEST_GPUS
from gpusim.scenario.mistakes import Mistake, Path, dotted
from gpusim.scenario.model import JobClass, Study
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.pools import Pool
from gpusim.suggest import did_you_mean
from gpusim.units import format_share

VARY_WORDS = ("gpus", "demand")
"""What a study can vary beside a pool."""


def pool_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Names of pools, in the center and in the classes, and gangs larger than each allowed pool."""
    if parts.center is None or parts.unread("center", "pools"):
        return
    pools = parts.center.pools or ()
    first: dict[str, Path] = {}
    for index, pool in enumerate(pools):
        path: Path = ("center", "pools", index)
        if pool.name in VARY_WORDS:
            what = f"the name '{pool.name}' has a meaning of its own in study.vary"
            yield Mistake(what, f"write {pool.name}-1", f"'{pool.name}'", (*path, "name"))
        if pool.name in first:
            remedy = f"rename one, for example {pool.name}-2; the other is {dotted(first[pool.name])}"
            yield Mistake(
                "another pool has this name", remedy, f"'{pool.name}'", (*path, "name"), "duplicate-name"
            )
        first.setdefault(pool.name, path)
        if pool.have is None and parts.study is not None and pool.name != parts.study.vary:
            remedy = f"add have: and its GPUs, or study: {{vary: {pool.name}}}"
            yield Mistake(f"nothing says how large pool '{pool.name}' is", remedy, "", path, "missing-key")
    for part in parts.classes:
        if part.model is not None:
            yield from _class_pools(parts, part, part.model, pools)


def _class_pools(
    parts: Parts, part: ClassPart, model: JobClass, pools: tuple[Pool, ...]
) -> Iterator[Mistake]:
    names = [pool.name for pool in pools]
    if model.pools is not None and not pools:
        what = "this class names pools, but the center has none"
        remedy = "remove it, or write center: {pools: [{name: .., have: ..}, ..]}"
        yield Mistake(what, remedy, ", ".join(model.pools), (*part.path, "pools"), "pool", at_key=True)
        return
    wrong = False
    for index, name in enumerate(model.pools or ()):
        path = (*part.path, "pools", index)
        if name not in names:
            near = did_you_mean(name, names)
            remedy = f"did you mean '{near}'? " if near else ""
            what, wrong = f"no pool is named '{name}'", True
            yield Mistake(what, f"{remedy}known: {', '.join(names)}", f"'{name}'", path, "pool")
        elif name in (model.pools or ())[:index]:
            yield Mistake("this pool stands here twice", "remove one", f"'{name}'", path, "duplicate-name")
    if pools and not wrong:
        yield from _too_large(parts, part, model, pools)


def _too_large(parts: Parts, part: ClassPart, model: JobClass, pools: tuple[Pool, ...]) -> Iterator[Mistake]:
    allowed = [pool for pool in pools if model.pools is None or pool.name in model.pools]
    varied = None if parts.study is None else parts.study.vary
    if any(pool.have is None or pool.name == varied for pool in allowed):
        return
    largest = max((pool.have or 0 for pool in allowed), default=0)
    if model.largest_gang > largest:
        listed = ", ".join(f"{pool.name} {pool.have}" for pool in allowed)
        yield Mistake(
            "a gang larger than every pool it may run in can never start",
            f"make the gang at most {largest}, or allow or enlarge a pool",
            f"{model.largest_gang} GPUs > {listed}",
            gang_path(part, model),
            "impossible-gang",
            at_key=True,
        )


def gang_path(part: ClassPart, model: JobClass) -> Path:
    """Return the path of the largest gang of a class: of the class itself, or of one of its streams."""
    largest = model.largest_gang
    index = next(i for i, stream in enumerate(model.streams) if stream.gpus.largest == largest)
    inside = model.arrivals_path(index) if model.entries[index].gpus is not None else ()
    path = (*part.path, *inside, "gpus")
    return path if len(model.streams[index].gpus) == 1 else (*path, str(largest))


def vary_mistakes(parts: Parts) -> Iterator[Mistake]:
    """What the study varies, and the range of factors on demand."""
    study, center = parts.study, parts.center
    if study is None:
        return
    if center is not None and not parts.unread("center", "pools"):
        names = [pool.name for pool in center.pools or ()]
        path: Path = ("study", "vary")
        if study.vary not in (*VARY_WORDS, *names):
            near = did_you_mean(study.vary, [*VARY_WORDS, *names])
            remedy = f"did you mean '{near}'? " if near else ""
            allowed = ", ".join([*VARY_WORDS, *names])
            what = "the study can vary gpus, demand or a pool"
            yield Mistake(what, f"{remedy}allowed: {allowed}", f"'{study.vary}'", path, "unknown-word")
        elif study.vary == "gpus" and len(names) > 1 and ("study", "vary") in parts.written:
            remedy = f"write the pool that may grow: {' or '.join(names)}; or demand"
            yield Mistake(
                "the center has several pools, so 'gpus' does not say which", remedy, "vary gpus", path
            )
        elif (
            study.vary == "demand"
            and not names
            and center.have is None
            and not parts.unread("center", "have")
        ):
            remedy = "write for example center: {have: 512}"
            yield Mistake("varying demand needs a center of known size", remedy, "no center.have", path)
    yield from _demand_range(study)


def _demand_range(study: Study) -> Iterator[Mistake]:
    low, high, step = study.min_demand, study.max_demand, study.demand_step
    if low is None or high is None:
        return
    if low > high:
        yield Mistake(
            "min_demand is above max_demand",
            f"write at most {format_share(high)}, or raise max_demand",
            f"{format_share(low)} > {format_share(high)}",
            ("study", "min_demand"),
            "demand-range",
        )
    elif math.ceil(low / step - 1e-9) > math.floor(high / step + 1e-9):
        yield Mistake(
            f"no multiple of {format_share(step)} between {format_share(low)} and {format_share(high)}",
            "write a smaller demand_step, or a wider range",
            f"min_demand {format_share(low)}, max_demand {format_share(high)}",
            ("study", "demand_step" if "demand_step" in study.model_fields_set else "max_demand"),
            "demand-range",
        )


def size_mistakes(parts: Parts) -> Iterator[Mistake]:
    """min_gpus, max_gpus and granularity."""
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
        if part.model is not None and part.model.largest_gang > _largest_place(
            parts, part.model, study.max_gpus
        ):
            largest = part.model.largest_gang
            yield Mistake(
                "a gang larger than max_gpus can never start",
                f"raise study.max_gpus to at least {largest}, or make the gang smaller",
                f"{largest} GPUs > {study.max_gpus}",
                gang_path(part, part.model),
                "impossible-gang",
                at_key=True,
            )


def _largest_place(parts: Parts, model: JobClass, max_gpus: int) -> int:
    """The largest that any pool a class may run in can become [GPUs]."""
    pools = (parts.center.pools or ()) if parts.center is not None else ()
    if not pools or parts.study is None:
        return max_gpus
    allowed = [pool for pool in pools if model.pools is None or pool.name in model.pools]
    if not any(pool.name == parts.study.vary for pool in allowed):
        return LARGEST_GPUS  # its own check
    return max(max_gpus, *(pool.have or 0 for pool in allowed if pool.name != parts.study.vary), 0)


def _no_multiple(parts: Parts, study: Study, high: int) -> Iterator[Mistake]:
    """A range of sizes, not empty, without a size that can be bought."""
    step, least = study.granularity, study.min_gpus or 1
    if parts.unread("study", "granularity"):
        return
    pools = parts.center is not None and parts.center.pools is not None
    gangs = (part.model.largest_gang for part in parts.classes if part.model is not None)
    gang = 1 if pools else max(gangs, default=1)
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
