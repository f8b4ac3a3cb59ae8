"""The page of `gpusim replay`: the schedule of a log in a dozen numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType

from gpusim.plan.replay import SLOWDOWN_BOUND, Replay, TenantOutcome
from gpusim.report import words
from gpusim.report.layout import Column, bullets, facts, headline, page, section, table

_REASONS = {
    "no_run_time": "without a run time",
    "no_processors": "without processors",
    "no_gpus": "without GPUs",
    "partial_run": "parts of a job listed as a whole elsewhere",
}
POLICIES = {
    "none": "first come, first served: nobody overtakes (backfill none)",
    "skip": "whoever fits may overtake (backfill skip)",
    "1": "EASY: nobody delays the first blocked job (backfill 1)",
    "all": "conservative: nobody delays anybody before them (backfill all)",
}
"""The backfill policies in words."""


def policy_in_words(backfill: str) -> str:
    """`none | skip | K | all` as a sentence."""
    return POLICIES.get(backfill, f"nobody delays the first {backfill} blocked jobs (backfill {backfill})")


def replay_page(result: Replay, command: str, *, by_tenant: bool = False) -> Group:
    """The schedule's summary on one page; `command` repeats it, `by_tenant` adds a row for each tenant."""
    data = result.to_dict()
    pool = "an unlimited center" if result.gpus is None else words.gpus(result.gpus)
    wait = words.duration(result.mean_wait)
    return page(
        headline(
            f"{words.file_name(result.source)} on {pool}: {words.things(result.jobs, 'job')}, mean wait {wait}."
        ),
        section("Jobs", facts(_jobs(result))),
        section("Waits of jobs that started", facts(_waits(result))),
        section("GPUs", facts(_gpus(result, data))),
        section("Tenants, largest first", _tenants(result.tenants)) if by_tenant else None,
        section("Rows left out", bullets(_dropped(result))) if any(result.dropped.values()) else None,
        section("Where this comes from", facts(_origin(result, command))),
    )


def _jobs(result: Replay) -> Iterator[tuple[str, str]]:
    yield "submitted", words.count(result.jobs)
    yield "started", words.count(result.started)
    yield "refused", f"{words.count(result.rejected)} (larger than the center)"
    if result.repeated:
        yield (
            "repeated",
            f"{words.count(result.repeated)} equal another row of the log; each ran as a job of its own",
        )
    if result.tenants:
        names = [tenant.name for tenant in result.tenants]
        few = ", ".join(names) if len(names) <= 3 else f"{len(names)} (--by tenant lists them)"
        yield "tenants", few
    if result.kill_at_limit:
        yield "killed", f"{words.count(result.killed_limit)} (at the run time they asked for)"


def _waits(result: Replay) -> Iterator[tuple[str, str]]:
    yield "mean", f"{words.duration(result.mean_wait)} ({result.mean_wait:,.3f} s)"
    yield "p95", words.duration(result.p95_wait)
    yield (
        "mean bounded slowdown",
        f"{result.mean_bounded_slowdown:,.3f} (runs below {SLOWDOWN_BOUND} s count as that)",
    )


def _gpus(result: Replay, data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if result.utilization is not None:
        yield "utilization", f"{words.percent(result.utilization)} of the GPUs, first submission to last end"
    yield "used", f"{words.count(result.gpu_hours)} GPU-hours"
    yield "makespan", f"{words.duration(result.makespan)} ({words.count(result.makespan)} s)"
    use = data["in_use"]
    if use is not None:
        yield "in use, mean", f"{words.amount(use['mean'])} GPUs"
        levels = ", ".join(f"{name} {words.count(use[name])}" for name in ("p50", "p95", "p99", "peak"))
        yield "in use over time", f"{levels} GPUs"
        yield "first start, last end", f"{words.count(use['first'])} s, {words.count(use['last'])} s"


def _tenants(tenants: tuple[TenantOutcome, ...]) -> RenderableType:
    columns = (
        Column("tenant", number=False),
        Column("jobs"),
        Column("started"),
        Column("GPU-hours"),
        Column("mean wait"),
        Column("p95 wait"),
    )
    rows = [
        (
            tenant.name,
            words.count(tenant.jobs),
            words.count(tenant.started),
            words.count(tenant.gpu_hours),
            words.duration(tenant.mean_wait),
            words.duration(tenant.p95_wait),
        )
        for tenant in sorted(tenants, key=lambda each: -each.gpu_hours)
    ]
    return table(columns, rows)


def _dropped(result: Replay) -> Iterator[str]:
    for reason, rows in result.dropped.items():
        if rows:
            yield f"{words.things(rows, 'row')} {_REASONS.get(reason, reason)}"


def _origin(result: Replay, command: str) -> Iterator[tuple[str, str]]:
    yield "log", result.source
    yield "policy", policy_in_words(result.backfill)
    yield (
        "ends",
        "at the request (--kill-at-limit)" if result.kill_at_limit else "as recorded; requests only reserve",
    )
    yield "repeat", command
