"""Why jobs wait and GPUs idle, as every page shows it: one sentence, a table by tenant, and what the words mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from gpusim.plan.why import IdleShares, WaitingShares, Why
from gpusim.report import words
from gpusim.report.layout import Column, plain, section, table

_SPOKEN = {
    "behind_own": "behind their own earlier jobs",
    "quota": "for quota",
    "reservation": "because GPUs were reserved for later",
    "priority": "for their turn",
    "capacity": "for GPUs to become free",
}
_TITLES = {
    "behind_own": "behind own",
    "quota": "quota",
    "reservation": "reserved",
    "priority": "order",
    "capacity": "capacity",
}
_MEANT = {
    "behind_own": "Behind own: an earlier job of the same tenant and priority waits too.",
    "quota": (
        "Quota: a quota or limit allows no more, or what is left is held for an owner; where quotas add up to all "
        "GPUs, a full center stands here too."
    ),
    "reservation": (
        "Reserved: enough GPUs are free, but the job would not end before a job ahead, or a reservation, needs them."
    ),
    "priority": "Order: enough GPUs are free, but the scheduler lets the job pass nobody, or has not looked so far.",
    "capacity": "Capacity: too few GPUs are free.",
}


def why_section(found: Why | None) -> RenderableType | None:
    """Why jobs wait and GPUs idle; None if nothing was told."""
    if found is None:
        return None
    told = f"Told from {words.things(found.replications, 'period')}."
    idle = [plain(line) for line in _idle(found.pools)]
    every = found.tenants[-1]
    if every.gpus == 0:
        return section("Why jobs wait", plain(f"No job waited. {told}"), *idle)
    shown = [cause for cause in _TITLES if any(_share(row, cause) for row in found.tenants)]
    several = len(found.tenants) > 2
    rows = found.tenants if several else (*found.classes, every)
    return section(
        "Why jobs wait",
        *(plain(line) for line in _sentences(found.tenants, several)),
        table(
            (
                Column("tenant" if several else "class", number=False),
                Column("GPUs wanted"),
                *(Column(_TITLES[cause]) for cause in shown),
            ),
            [(row.name, _gpus(row.gpus), *(_percent(row, cause) for cause in shown)) for row in rows],
            last_apart=True,
        ),
        plain(
            " ".join(["GPUs wanted: by jobs that wait, mean over time.", *(_MEANT[c] for c in shown), told])
        ),
        *idle,
    )


def _sentences(tenants: Sequence[WaitingShares], several: bool) -> Iterator[str]:
    """Of the tenant that waits most, or of the only one; largest share first."""
    most = max(tenants[:-1], key=lambda row: row.gpus)
    whose = f"jobs of {most.name}" if several else "jobs"
    parts = sorted(_SPOKEN, key=lambda cause: -(_share(most, cause) or 0.0))
    named = [f"{words.percent(_share(most, c) or 0.0)} was {_SPOKEN[c]}" for c in parts if _share(most, c)]
    yield f"Of the GPU-time that {whose} waited, {', '.join(named)}."


def _idle(pools: Sequence[IdleShares]) -> Iterator[str]:
    for pool in pools:
        of = f"Of the {words.gpus(pool.gpus)}" + (f" of {pool.name}" if len(pools) > 1 else "")
        parts = [f"{words.percent(pool.allocated)} are allocated"]
        if pool.reserved:
            parts.append(
                f"{words.percent(pool.reserved)} idle although a waiting job would fit: kept for one ahead, or nobody "
                "may pass"
            )
        if pool.quota_idle:
            parts.append(
                f"{words.percent(pool.quota_idle)} idle because quotas or limits stop every job that waits for them"
            )
        if pool.drained:
            parts.append(
                f"{words.percent(pool.drained)} idle because a job that fits would not end before a reservation"
            )
        if pool.closed:
            parts.append(f"{words.percent(pool.closed)} are reserved")
        parts.append(
            f"{words.percent(pool.free)} idle because nobody waits for them, or only for more at once"
        )
        yield f"{of}, {'; '.join(parts)}."


def _share(row: WaitingShares, cause: str) -> float | None:
    share: float | None = getattr(row, cause)
    return share


def _percent(row: WaitingShares, cause: str) -> str:
    share = _share(row, cause)
    return words.UNKNOWN if share is None else words.percent(share)


def _gpus(number: float) -> str:
    return words.few(number) if number else "0"
