"""Checks of the whole: leases in whole nodes, held for exactly their term; approvals that can be granted."""

from __future__ import annotations

from collections.abc import Iterator

from gpusim.scenario.approval import Approval
from gpusim.scenario.lease import Lease
from gpusim.scenario.limits import JobLimit
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.week import is_date
from gpusim.units import format_duration, format_share


def lease_mistakes(parts: Parts) -> Iterator[Mistake]:
    """What a lease or an approval cannot have."""
    for part in parts.classes:
        if part.model is None:
            continue
        if part.model.lease is not None:
            yield from _lease(part, part.model, part.model.lease)
        if part.model.approval is not None:
            yield from _approval(parts, part, part.model.approval)


def _lease(part: ClassPart, model: JobClass, lease: Lease) -> Iterator[Mistake]:
    yield from _whole_nodes(part.path, model, lease)
    yield from _exact(part.path, model)
    for key, value, why in (
        ("preemptible", model.preemptible is not None, "a lease is not evicted"),
        ("segment", model.segment is not None, "a lease is one piece"),
        ("checkpoint", model.checkpoint is not None, "a lease is not evicted"),
        ("restart_cost", model.restart_cost > 0, "a lease is not evicted"),
    ):
        if value:
            remedy = f"remove {key}, or remove lease"
            yield Mistake(
                f"a lease has no '{key}': {why}", remedy, "", (*part.path, key), "lease", at_key=True
            )
    here = (*part.path, "lease")
    if lease.reclaim_below is not None and lease.review is None:
        what = "'reclaim_below' without 'review': nobody looks at the use"
        found = f"reclaim_below {format_share(lease.reclaim_below)}"
        yield Mistake(
            what, "add for example review: 14d", found, (*here, "reclaim_below"), "lease", at_key=True
        )
    if lease.review is not None and lease.reclaim_below is None:
        what = "'review' without 'reclaim_below': nothing is taken back"
        found = f"review {format_duration(lease.review)}"
        yield Mistake(
            what, "add for example reclaim_below: 30%", found, (*here, "review"), "lease", at_key=True
        )


def _whole_nodes(path: Path, model: JobClass, lease: Lease) -> Iterator[Mistake]:
    told: set[Path] = set()
    for index, stream in enumerate(model.streams):
        inside = model.arrivals_path(index) if model.entries[index].gpus is not None else ()
        for gpus in stream.gpus:
            where = (*path, *inside, "gpus", *(() if len(stream.gpus) == 1 else (str(gpus),)))
            if gpus % lease.node == 0 or where in told:
                continue
            told.add(where)
            down, up = gpus - gpus % lease.node, gpus + -gpus % lease.node
            nearest = f"{up}" if down == 0 else f"{down} or {up}"
            yield Mistake(
                "a lease is of whole nodes",
                f"write {nearest}, or lease: {{node: ..}} with the GPUs of a node",
                f"{gpus} GPUs, nodes of {lease.node}",
                where,
                "lease",
                at_key=len(stream.gpus) > 1,
            )


def _exact(path: Path, model: JobClass) -> Iterator[Mistake]:
    limits: list[tuple[Path, JobLimit]] = [((*path, "limit"), model.limit)]
    for index, entry in enumerate(model.entries):
        if entry.limit is not None:
            limits.append(((*path, *model.arrivals_path(index), "limit"), entry.limit))
    for where, limit in limits:
        if limit.mode != "exact":
            what = "a lease ends with its term: its limit is exact"
            yield Mistake(what, "remove limit", f"limit {limit.mode}", where, "lease", at_key=True)


def _approval(parts: Parts, part: ClassPart, approval: Approval) -> Iterator[Mistake]:
    here = (*part.path, "approval")
    if not approval.holds and approval.accept == 1.0:
        remedy = "add calls: monthly, delay: 10d or accept: 31%, or remove approval"
        yield Mistake("an approval that grants everything at once", remedy, "", here, "approval", at_key=True)
    if approval.first is not None and approval.calls is None:
        what = "'first' without 'calls': there is no call"
        yield Mistake(what, "add for example calls: monthly", "", (*here, "first"), "approval", at_key=True)
    elif isinstance(approval.first, str) and parts.study is not None and not is_date(parts.study.start):
        yield Mistake(
            "a date in a study that begins on a day of the week",
            "write a time since it begins, such as 7d, or study: {start: 2026-02-02}",
            f"first {approval.first}, start {parts.study.start}",
            (*here, "first"),
            "moment",
        )
