"""What a scenario may say about fair orders, leases, approvals and reservations, but probably does not mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpusim.scenario.checks_reservations import shortest_request
from gpusim.scenario.fairness import ACCOUNT_ORDERS, FAIR_ORDERS, USAGE_ORDERS, FairnessTerms
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass
from gpusim.units import format_duration, format_share

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario
    from gpusim.scenario.views import Reserved


def agreement_notices(scenario: Scenario) -> Iterator[Mistake]:
    """Yield the notices on orders, users, leases, approvals and reservations."""
    yield from _orders(scenario)
    for path, job_class in _classes(scenario):
        yield from _lease(path, job_class)
        yield from _approval(scenario, path, job_class)
    for index, each in enumerate(scenario.reserved()):
        yield from _reservation(scenario, ("reservations", index), each)


def _notice(code: str, path: Path, what: str, found: str, remedy: str) -> Mistake:
    return Mistake(what, remedy, found, path, code, at_key=True)


def _unused(path: Path, what: str, found: str, remedy: str) -> Mistake:
    return _notice("unused", path, what, found, remedy)


def _classes(scenario: Scenario) -> Iterator[tuple[Path, JobClass]]:
    for index, tenant in enumerate(scenario.tenants):
        for position, job_class in enumerate(tenant.classes):
            yield ("tenants", index, "classes", position), job_class


def _orders(scenario: Scenario) -> Iterator[Mistake]:
    """Weights, accounts and memory that the order does not look at."""
    policy = scenario.policy
    order, terms = policy.order, policy.fairness
    found = f"order {order}"
    plain = FairnessTerms()
    if order not in USAGE_ORDERS and terms != plain:
        remedy = f"remove it, or write order: {', '.join(USAGE_ORDERS[:-1])} or {USAGE_ORDERS[-1]}"
        yield _unused(("policy", "fairness"), "'fairness' has no effect in this order", found, remedy)
    elif order != "multifactor" and terms.weights != plain.weights:
        what = "'weights' has no effect in this order"
        yield _unused(
            ("policy", "fairness", "weights"), what, found, "remove it, or write order: multifactor"
        )
    owned = any(tenant.quota is not None for tenant in scenario.tenants)
    if order in USAGE_ORDERS and terms.usage == "over_quota" and not owned:
        what = "'usage' has no effect: no tenant has a quota, so all use counts"
        remedy = "give tenants a quota, or write usage: all"
        yield _unused(("policy", "fairness", "usage"), what, "usage over_quota", remedy)
    by_weight = not owned and any(slo.metric in ("delivered", "fair_share_error") for slo in scenario.slos)
    for index, tenant in enumerate(scenario.tenants):
        path: Path = ("tenants", index)
        if order not in FAIR_ORDERS and tenant.weight != 1.0 and not by_weight:
            remedy = "remove it, or write order: fairshare"
            yield _unused((*path, "weight"), "'weight' has no effect in this order", found, remedy)
        if order not in ACCOUNT_ORDERS and tenant.account is not None and not by_weight:
            remedy = "remove it, or write order: fair_tree"
            yield _unused((*path, "account"), "'account' has no effect in this order", found, remedy)
        if tenant.users is not None and tenant.user_max_gpus is None and tenant.user_max_jobs is None:
            what = "'users' has no effect: nothing limits them"
            remedy = "add user_max_gpus or user_max_jobs, or remove it"
            yield _unused((*path, "users"), what, f"users {tenant.users}", remedy)
    weighed = order == "multifactor" and terms.weights.qos > 0
    for path, job_class in _classes(scenario):
        if job_class.qos > 0 and not weighed:
            what = "'qos' has no effect: nothing weighs it"
            remedy = "remove it, or write order: multifactor with a weight of qos"
            yield _unused((*path, "qos"), what, f"qos {job_class.qos:g}", remedy)


def _lease(path: Path, job_class: JobClass) -> Iterator[Mistake]:
    lease = job_class.lease
    if lease is None or lease.review is None or lease.reclaim_below is None:
        return
    here = (*path, "lease")
    if lease.clawed == 0:
        what = "no lease uses so little: nothing is taken back"
        found = f"reclaim_below {format_share(lease.reclaim_below)}"
        yield _unused((*here, "reclaim_below"), what, found, "raise it, or let use vary")
    elif lease.clawed == 1:
        what = "every lease uses less: all are taken back at the review"
        found = f"reclaim_below {format_share(lease.reclaim_below)}"
        remedy = "lower it, or write a law of use, such as {uniform: [20%, 80%]}"
        yield _notice("all-taken-back", (*here, "reclaim_below"), what, found, remedy)
    longest = max(stream.run_time.quantile(0.999) for stream in job_class.streams)
    if lease.clawed > 0 and lease.review >= longest:
        what = "the review comes after the term: nothing is taken back"
        found = f"review {format_duration(lease.review)}, terms up to {format_duration(longest, digits=3)}"
        yield _unused((*here, "review"), what, found, "write an earlier review, or a longer run_time")


def _approval(scenario: Scenario, path: Path, job_class: JobClass) -> Iterator[Mistake]:
    approval = job_class.approval
    if approval is None or not approval.holds:
        return
    if scenario.study.warm_up < approval.longest:
        yield _notice(
            "slow-start",
            (*path, "approval"),
            "the warm-up is shorter than an approval may take: the center fills up while jobs are counted",
            f"warm_up {format_duration(scenario.study.warm_up)}, approval up to "
            f"{format_duration(approval.longest, digits=3)}",
            f"write a warm_up of at least {format_duration(approval.longest, digits=2)}",
        )


def _reservation(scenario: Scenario, path: Path, each: Reserved) -> Iterator[Mistake]:
    """Reservations that their jobs do not fit into, and that leave no time for others."""
    classes = [entry.job_class for entry in scenario.classes()]
    longest = max(end - begin for begin, end in each.windows)
    for k in each.classes:
        asked = min(shortest_request(stream) for stream in classes[k].streams)
        gang = min(gpus for stream in classes[k].streams for gpus in stream.gpus)
        if asked > longest or gang > each.terms.gpus:
            shown = format_duration(asked, digits=3) if asked > longest else f"{gang} GPUs"
            most = format_duration(longest, digits=3) if asked > longest else f"{each.terms.gpus}"
            yield _unused(
                (*path, "classes"),
                f"no {scenario.class_names[k]} job fits into this reservation",
                f"{shown} > {most}",
                "write a shorter limit or smaller gangs, or a larger reservation",
            )
    center = scenario.center
    have = center.have if center.pools is None else center.pools[each.pool].have
    if have is None:
        return
    ends = [0.0, *(time for window in each.windows for time in window), scenario.study.horizon]
    free = max(ends[k + 1] - ends[k] for k in range(0, len(ends), 2))
    for k, job_class in enumerate(classes):
        if k in each.classes or scenario.class_pools(k) != (each.pool,):
            continue
        asked = min(shortest_request(stream) for stream in job_class.streams)
        gang = min(gpus for stream in job_class.streams for gpus in stream.gpus)
        if asked > free and gang > have - each.terms.gpus:
            yield _notice(
                "reservation-blocks",
                path,
                f"{scenario.class_names[k]} jobs can never start: between two of these too little time is left",
                f"{format_duration(asked, digits=3)} > {format_duration(free, digits=3)}",
                "write a shorter limit, fewer GPUs, or a longer time between them",
            )
