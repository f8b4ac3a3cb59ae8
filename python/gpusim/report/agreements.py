"""What leases, approvals and reservations come to, as every page shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from gpusim.plan.agreements import Agreements, ApprovalOutcome, LeaseOutcome, ReservationOutcome
from gpusim.plan.why import Why
from gpusim.report import words
from gpusim.report.layout import Column, bullets, plain, section, table


def agreement_sections(found: Agreements | None, why: Why | None = None) -> Iterator[RenderableType]:
    """A section each for leases, approvals and reservations, where there are any.

    Parameters
    ----------
    found : Agreements or None
    why : Why, optional
        Tells what draining costs.
    """
    if found is None:
        return
    if found.leases:
        yield _leases(found.leases)
    if found.approvals:
        yield approvals_section(found.approvals)
    if found.reservations:
        yield _reservations(found.reservations, why)


def _leases(leases: Sequence[LeaseOutcome]) -> RenderableType:
    columns = (
        Column("class", number=False),
        Column("leases"),
        Column("GPUs leased"),
        Column("of it used"),
        Column("GPUs used"),
        Column("taken back"),
        Column("GPUs returned"),
    )
    rows = [
        (
            each.name,
            words.few(each.leases),
            words.amount(each.leased.value),
            words.percent(each.use),
            words.amount(each.used),
            words.percent(each.taken_back),
            words.amount(each.returned),
        )
        for each in leases
    ]
    leased, used = (
        sum(each.leased.value for each in leases),
        sum(each.used for each in leases),
    )
    return section(
        "Leases",
        plain(
            f"Of {words.amount(leased)} GPUs leased on average, {words.amount(used)} are expected to be used; "
            f"{words.amount(leased - used)} stand idle in somebody's hands."
        ),
        table(columns, rows),
        plain(
            "Leased is measured: mean over time. Used is an expectation from the use factors in the scenario, not a "
            "measurement. Taken back: share of the leases below the threshold of their review. Returned: what those "
            "would hold until the end of their term, expected."
        ),
    )


def approvals_section(approvals: Sequence[ApprovalOutcome]) -> RenderableType:
    """What is asked for, what is granted, and how long it takes."""
    return section(
        "Approval before the queue",
        bullets(map(_approval, approvals)),
        plain(
            "Expected from the scenario, not measured. Waits count from the end of an approval, turnarounds and "
            "deadlines from the application."
        ),
    )


def _approval(each: ApprovalOutcome) -> str:
    parts = []
    if each.until_call:
        parts.append(f"{words.duration(each.until_call)} until the next call")
    if each.decision:
        parts.append(f"{words.duration(each.decision)} for the decision")
    takes = f"takes {words.duration(each.time)} on average" if parts else "takes no time"
    how = f" ({', '.join(parts)})" if len(parts) > 1 else ""
    if each.accept == 1.0:
        return f"{each.name}: {words.few(each.granted)} applications in a period, all granted; approval {takes}{how}"
    return (
        f"{each.name}: {words.few(each.asked)} applications in a period, {words.few(each.granted)} granted "
        f"({words.percent(each.accept)}): oversubscribed {1 / each.accept:.3g} x; approval {takes}{how}"
    )


def _reservations(reservations: Sequence[ReservationOutcome], why: Why | None) -> RenderableType:
    columns = (
        Column("reservation", number=False),
        Column("when", number=False),
        Column("GPUs"),
        Column("open"),
        Column("used while open"),
    )
    rows = [
        (
            each.name,
            each.when,
            words.count(each.gpus),
            words.percent(each.open),
            words.UNKNOWN if each.used is None else words.percent(each.used.value),
        )
        for each in reservations
    ]
    return section(
        "Reservations",
        table(columns, rows),
        plain(
            "Open: share of the counted time. Used: share of the reserved GPUs that their jobs hold meanwhile."
        ),
        bullets(_drained(why)),
    )


def _drained(why: Why | None) -> Iterator[str]:
    for pool in why.pools if why is not None else ():
        of = f" of {pool.name}" if why is not None and len(why.pools) > 1 else ""
        hours = words.count(pool.drained_gpu_hours)
        yield (
            f"Draining costs {words.percent(pool.drained)} of the {words.gpus(pool.gpus)}{of}, {hours} GPU-hours a "
            "period: idle because waiting jobs would not end before a reservation begins"
        )
