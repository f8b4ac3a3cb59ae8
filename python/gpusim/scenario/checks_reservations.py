"""Checks of the whole: reservations that are open at some time, in pools that are there, for jobs that fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gpusim.scenario.arrivals import Stream
from gpusim.scenario.checks_pools import VARY_WORDS
from gpusim.scenario.checks_quotas import pool_sizes, varied_pool
from gpusim.scenario.checks_sharing import tree_of
from gpusim.scenario.mistakes import Mistake, Path, dotted
from gpusim.scenario.moments import write_moment
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.pools import WHOLE_CENTER
from gpusim.scenario.quotas import NOBODY
from gpusim.scenario.reservations import EVERY_FORM, Reservation, Window
from gpusim.scenario.slo_scope import resolve_scope
from gpusim.scenario.week import DAY, is_date, zone_named
from gpusim.suggest import did_you_mean
from gpusim.units import format_duration


class _Open(NamedTuple):
    """A reservation that could be read, with its pool and windows."""

    path: Path
    terms: Reservation
    pool: str | None
    windows: list[Window]


def reservation_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Names, times, pools, classes, and more GPUs than there are."""
    yield from _names(parts)
    opened: list[_Open] = []
    for path, each in parts.reservations:
        if each is None:
            continue
        times = list(_times(parts, path, each))
        yield from times
        pool = None
        for found in _pool(parts, path, each):
            if isinstance(found, Mistake):
                yield found
            else:
                pool = found
        if not times and parts.study is not None and parts.center is not None:
            zone = zone_named(parts.center.time_zone)
            assert zone is not None
            windows = each.windows(parts.study.start, zone, parts.week_phase, parts.study.horizon)
            if not windows:
                what = "this reservation is never open within the horizon"
                found = f"horizon {format_duration(parts.study.horizon)} from {parts.study.start}"
                yield Mistake(what, "write times within it", found, path, "window")
            opened.append(_Open(path, each, pool, windows))
    yield from _too_many(parts, opened)
    yield from _rest_alone(parts, opened)
    yield from _classes(parts, opened)


def _names(parts: Parts) -> Iterator[Mistake]:
    first: dict[str, Path] = {}
    pools = () if parts.center is None else parts.center.pools or ()
    known = {pool.name: ("center", "pools", k) for k, pool in enumerate(pools)}
    for path, each in parts.reservations:
        if each is None:
            continue
        where = (*path, "name")
        if each.name in (*VARY_WORDS, WHOLE_CENTER):
            what = f"the name '{each.name}' has a meaning of its own in study.vary"
            yield Mistake(what, f"write {each.name}-1", f"'{each.name}'", where)
        other = first.get(each.name) or known.get(each.name)
        if other is not None:
            thing = "reservation" if each.name in first else "pool"
            remedy = f"rename one, for example {each.name}-2; the other is {dotted(other)}"
            yield Mistake(f"a {thing} has this name", remedy, f"'{each.name}'", where, "duplicate-name")
        first.setdefault(each.name, path)


def _times(parts: Parts, path: Path, each: Reservation) -> Iterator[Mistake]:
    """What does not say when it is open."""
    if each.hours is None and (each.start is None or each.end is None):
        missing = "to" if each.end is None else "from"
        if each.every is not None and each.start is None and each.end is None:
            remedy = "add hours: 08-22, or from and to of the first"
            yield Mistake("'every' without hours", remedy, f"every {each.every}", path, "missing-key")
        else:
            remedy = f"add {missing}: 7d, or every: weekdays with hours: 08-22"
            yield Mistake(f"'{missing}' is missing", remedy, f"'{each.name}'", path, "missing-key")
        return
    if each.hours is not None and isinstance(each.every, float):
        remedy = "write days, such as every: weekdays, or from and to in place of hours"
        found = f"every {format_duration(each.every)}"
        yield Mistake("hours of the day on no days", remedy, found, (*path, "every"), "window")
    if each.hours is None and isinstance(each.every, str) and each.every != "day":
        remedy = f"add hours: 08-22, or write a time; {EVERY_FORM}"
        yield Mistake("days without hours", remedy, f"every {each.every}", (*path, "every"), "window")
    start = None if parts.study is None else parts.study.start
    dates = [(key, v) for key, v in (("from", each.start), ("to", each.end)) if isinstance(v, str)]
    if start is not None and not is_date(start):
        for key, value in dates:
            yield Mistake(
                "a date in a study that begins on a day of the week",
                "write a time since it begins, such as 7d, or study: {start: 2026-02-02}",
                f"{key} {value}, start {start}",
                (*path, key),
                "moment",
            )
        if dates:
            return
    if start is None or parts.center is None or (zone := zone_named(parts.center.time_zone)) is None:
        return
    first, last = each.ends(start, zone)
    if first is None or last is None:
        return
    if first >= last:
        found = f"from {write_moment(each.start)}, to {write_moment(each.end)}"
        yield Mistake(
            "a reservation that ends before it begins", "write a later to", found, (*path, "to"), "window"
        )
    period = DAY if each.every == "day" else each.every
    if each.hours is None and isinstance(period, float) and last - first > period:
        yield Mistake(
            "the next one begins before this one ends",
            f"write every: {format_duration(last - first)} or longer, or a shorter time",
            f"{format_duration(last - first)} every {format_duration(period)}",
            (*path, "every"),
            "window",
        )


def _pool(parts: Parts, path: Path, each: Reservation) -> Iterator[Mistake | str]:
    """The pool it belongs to, or what is wrong with it."""
    if parts.center is None or parts.unread("center", "pools"):
        return
    names = [pool.name for pool in parts.center.pools or ()]
    if each.pool is None and len(names) > 1:
        remedy = f"add pool: {' or '.join(names)}"
        yield Mistake(
            "the center has several pools, so GPUs do not say of which",
            remedy,
            f"{each.gpus} GPUs",
            (*path, "gpus"),
            "pool",
        )
    elif each.pool is not None and each.pool not in names:
        near = did_you_mean(each.pool, names)
        known = f"known: {', '.join(names)}" if names else "the center names no pools: remove it"
        remedy = f"did you mean '{near}'? {known}" if near else known
        yield Mistake(f"no pool is named '{each.pool}'", remedy, f"'{each.pool}'", (*path, "pool"), "pool")
    else:
        yield each.pool or (names[0] if names else WHOLE_CENTER)


def _too_many(parts: Parts, opened: Sequence[_Open]) -> Iterator[Mistake]:
    """More GPUs reserved at once than there are, told at the first that does not fit any more."""
    if parts.center is None or parts.unread("center", "pools") or parts.unread("center", "have"):
        return
    varied, study = varied_pool(parts), parts.study
    for pool, have in pool_sizes(parts).items():
        size = (None if study is None else study.max_gpus) if pool == varied else have
        mine = [each for each in opened if each.pool == pool]
        if size is None:
            continue
        for k, each in enumerate(mine):
            most, when = _most_at_once(mine[: k + 1])
            if most > size:
                whole = (
                    "max_gpus" if pool == varied else f"pool {pool}" if pool != WHOLE_CENTER else "the center"
                )
                yield Mistake(
                    f"reservations of more GPUs than {whole} at one time",
                    "make one of them smaller, or let them follow each other",
                    f"{most:,} GPUs > {size:,}, {format_duration(when, digits=3)} after the start",
                    (*each.path, "gpus"),
                    "reservation",
                )
                break


def _rest_alone(parts: Parts, opened: Sequence[_Open]) -> Iterator[Mistake]:
    """A tenant in no cohort that owns the rest, where others own all of a reservation (S14): nothing is left."""
    tree = tree_of(parts)
    contract = "quotas" if parts.policy is None else parts.policy.contract
    if tree is None or tree.unassigned < 0 or not any(each.terms.classes for each in opened):
        return
    tree = tree.under(contract)
    if tree.unassigned < 0 or tree.nodes[tree.unassigned].parent != NOBODY:
        return
    if any(node.parent != NOBODY for node in tree.nodes[: tree.tenants]):
        path = (*parts.members[tree.unassigned].path, "quota")
        what = "the rest of a center with reservations and cohorts cannot belong to a tenant in no cohort"
        yield Mistake(what, "write a share, or put it into a cohort", "rest", path, "reservation")


def _most_at_once(reservations: Sequence[_Open]) -> tuple[int, float]:
    """(most GPUs reserved at one time, when) [GPUs, s]."""
    events = sorted(
        (time, gpus)
        for each in reservations
        for begin, end in each.windows
        for time, gpus in ((begin, each.terms.gpus), (end, -each.terms.gpus))
    )
    most, when, now = 0, 0.0, 0
    for time, gpus in events:
        now += gpus
        if now > most:
            most, when = now, time
    return most, when


def _classes(parts: Parts, opened: Sequence[_Open]) -> Iterator[Mistake]:
    """Classes that are not there; and those that may run in reservations only, but fit into none."""
    names = parts.class_names
    if not names or not all(tenant and name for tenant, name in names):
        return
    allowed: dict[int, list[_Open]] = {}
    bound: dict[int, _Open] = {}
    members: set[int]
    for path, each in parts.reservations:
        if each is None:
            continue
        if each.only and not each.classes:
            what = "'only' without 'classes': nobody runs there"
            yield Mistake(
                what, "add classes:, or remove only", "", (*path, "only"), "reservation", at_key=True
            )
        members = set()
        for index, scope in enumerate(each.classes):
            try:
                members |= set(resolve_scope(scope, names))
            except Mistake as mistake:
                found = mistake.found or f"'{scope}'"
                where = (*path, "classes", index)
                yield Mistake(mistake.what, mistake.remedy, found, where, "reservation")
        for here in (one for one in opened if one.path == path):
            for member in members:
                allowed.setdefault(member, []).append(here)
                if each.only:
                    bound.setdefault(member, here)
    for member, here in bound.items():
        yield from _never_fits(parts.classes[member], here, allowed[member])


def _never_fits(part: ClassPart, told: _Open, allowed: Sequence[_Open]) -> Iterator[Mistake]:
    if part.model is None:
        return
    gang = min(gpus for stream in part.model.streams for gpus in stream.gpus)
    widest = max(each.terms.gpus for each in allowed)
    where = (*told.path, "classes")
    if gang > widest:
        what = f"no job of {part.full_name} fits into the reservations it may run in"
        yield Mistake(
            what,
            f"write gpus: {gang} or more, or only: false",
            f"{gang} GPUs > {widest}",
            where,
            "reservation",
        )
        return
    longest = max((end - begin for each in allowed for begin, end in each.windows), default=0.0)
    shortest = min(shortest_request(stream) for stream in part.model.streams)
    if longest and shortest > longest:
        yield Mistake(
            f"no job of {part.full_name} could ever start: all ask for longer than a reservation lasts",
            f"write a limit of at most {format_duration(longest, digits=3)}, a longer reservation, or only: false",
            f"{format_duration(shortest, digits=3)} > {format_duration(longest, digits=3)}",
            where,
            "reservation",
        )


def shortest_request(stream: Stream) -> float:
    """What the jobs of a stream ask for at least, almost surely [s]."""
    limit = stream.limit
    if limit.fixed is not None:
        return limit.fixed
    if limit.pick is not None:
        return min(limit.pick)
    least = stream.run_time.quantile(1e-6) * (1.0 if limit.factor is None else limit.factor[0])
    return next((each for each in limit.round_up if each >= least), least)
