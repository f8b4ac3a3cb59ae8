"""What a scenario may say about quotas, but probably does not mean: jobs never admitted, settings that never act."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpusim.scenario.amounts import MILLION, Amounts
from gpusim.scenario.checks_quotas import most_usable
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass, Tenant
from gpusim.scenario.quotas import NOBODY, QuotaTree
from gpusim.units import format_share

if TYPE_CHECKING:
    from gpusim.scenario.scenario import Scenario


def quota_notices(scenario: Scenario) -> Iterator[Mistake]:
    """Yield the notices on quotas and limits of tenants."""
    yield from _too_large(scenario)
    yield from _tenant_overload(scenario)
    yield from _without_quotas(scenario)
    yield from _idle_cohorts(scenario)


def _notice(code: str, path: Path, what: str, found: str, remedy: str) -> Mistake:
    return Mistake(what, remedy, found, path, code, at_key=True)


def _classes(scenario: Scenario) -> Iterator[tuple[int, Path, Tenant, JobClass]]:
    for index, tenant in enumerate(scenario.tenants):
        for position, job_class in enumerate(tenant.classes):
            yield index, ("tenants", index, "classes", position), tenant, job_class


def _sizes(scenario: Scenario) -> dict[str, int] | None:
    """GPUs there are of each pool; None if one is not known."""
    pools = scenario.center.pools
    have = [scenario.center.have] if pools is None else [pool.have for pool in pools]
    known = [gpus for gpus in have if gpus is not None]
    return dict(zip(scenario.pool_names, known, strict=True)) if len(known) == len(have) else None


def _too_large(scenario: Scenario) -> Iterator[Mistake]:
    """Jobs larger than what their tenant may use at most in the center as it is."""
    sizes = _sizes(scenario)
    if sizes is None:
        return
    for index, path, tenant, job_class in _classes(scenario):
        most = None if job_class.urgent else most_usable(scenario.quotas, index, tenant, job_class, sizes)
        if most is None or job_class.largest_gang <= most[0]:
            continue
        share = _share_above(job_class, most[0])
        within = "what the tenant owns and may borrow" if most[1] == "quota" else f"{most[1]} of the tenant"
        yield _notice(
            "gang-over-quota",
            (*path, "gpus"),
            f"jobs larger than {within} are rejected",
            f"{format_share(share, digits=2)} of the jobs, up to {job_class.largest_gang:,} GPUs > {most[0]:,}",
            f"raise {most[1]}, make the gangs smaller, or write urgent: true",
        )


def _share_above(job_class: JobClass, gpus: int) -> float:
    """Share of a class's jobs that ask for more than so many GPUs."""
    rates = [stream.long_run_rate for stream in job_class.streams]
    weights = rates if math.fsum(rates) > 0 else [1.0] * len(rates)
    above = [
        math.fsum(share for size, share in stream.gpus.items() if size > gpus) for stream in job_class.streams
    ]
    pairs = zip(weights, above, strict=True)
    return math.fsum(weight * share for weight, share in pairs) / math.fsum(weights)


def _tenant_overload(scenario: Scenario) -> Iterator[Mistake]:
    """Tenants whose demand is above all that they may use at once."""
    sizes = _sizes(scenario)
    if sizes is None:
        return
    loads = scenario.class_loads
    tree, first = scenario.quotas, 0
    for index, tenant in enumerate(scenario.tenants):
        mine = range(first, first + len(tenant.classes))
        first += len(tenant.classes)
        load = math.fsum(loads[k] for k in mine if not tenant.classes[k - mine.start].urgent)
        ceilings = [tree.ceiling(index, pool, gpus) for pool, gpus in sizes.items()]
        most = math.inf if None in ceilings else sum(ceiling or 0 for ceiling in ceilings)
        key = "quota" if tenant.quota is not None else "cohort"
        if tenant.max_gpus is not None and tenant.max_gpus < most:
            most, key = tenant.max_gpus, "max_gpus"
        if load > most:
            yield _notice(
                "tenant-overload",
                ("tenants", index, key),
                "the demand of this tenant is larger than all it may use: its queue grows without end",
                f"offered load {load:.1f} GPUs > {most:,}",
                f"raise {'max_gpus' if key == 'max_gpus' else 'quota or borrow'}, or expect its levels to fail",
            )


def _lends_too_much(path: Path, tenant: Tenant) -> Iterator[Mistake]:
    """A bound on lending above all there is to lend; of shares, or of GPUs, told apart from each other."""
    quota = None if tenant.quota is None else tenant.quota.everywhere
    lend = None if tenant.lend is None else tenant.lend.everywhere
    if quota is None or lend is None or quota.rest or (quota.ppm is None) != (lend.ppm is None):
        return
    if (lend.ppm or lend.gpus) > (quota.ppm or quota.gpus):
        what = "'lend' has no effect: it is more than the tenant owns (both are parts of the pool)"
        found = f"lend {lend}, quota {quota}"
        yield _notice("unused", (*path, "lend"), what, found, "remove it, or write less than the quota")


def _without_quotas(scenario: Scenario) -> Iterator[Mistake]:
    """What is about quotas where there are none."""
    owned = any(tenant.quota is not None or tenant.cohort is not None for tenant in scenario.tenants)
    if not owned and scenario.policy.borrowers == "in_order" and scenario.policy.order != "weighted_share":
        what = "'borrowers' has no effect: no tenant has a quota"
        yield _notice(
            "unused", ("policy", "borrowers"), what, "borrowers in_order", "remove it, or add quotas"
        )
    for index, tenant in enumerate(scenario.tenants):
        yield from _lends_too_much(("tenants", index), tenant)
        bound = tenant.quota is not None or tenant.cohort is not None
        bound = bound or tenant.max_gpus is not None or tenant.max_running is not None
        if tenant.queueing == "strict" and not bound:
            what = "'queueing' has no effect: no quota or limit blocks jobs of this tenant"
            path = ("tenants", index, "queueing")
            yield _notice("unused", path, what, "queueing strict", "remove it, or add a quota")


def _idle_cohorts(scenario: Scenario) -> Iterator[Mistake]:
    """Cohorts in which nobody could ever use more than it owns, because nobody lends or nobody borrows.

    Somebody who says how much it borrows from such a cohort is told so as a mistake.
    """
    tree = scenario.quotas
    for root in range(tree.tenants, len(tree.nodes)):
        members = tree.tenants_of(root)
        if tree.nodes[root].parent != NOBODY or any(_may_borrow(tree, k, scenario) for k in members):
            continue
        if all(_is_zero(tree.nodes[k].borrow) for k in members):
            key, remedy = "borrow", "remove borrow: 0 from one of them, or the cohort"
        else:
            key, remedy = (
                "lend",
                "let one that owns GPUs lend them (remove lend: 0, or raise it), or remove the cohort",
            )
        what = "nobody borrows in" if key == "borrow" else "nobody lends to anybody in"
        inside = [k for k, node in enumerate(tree.nodes) if root in tree.path(k)]
        written = [k for k in inside if _is_zero(getattr(tree.nodes[k], key))]
        yield _notice(
            "idle-cohort",
            _place(scenario, written[0], key) if written else _place(scenario, members[0], "cohort"),
            f"{what} cohort {tree.nodes[root].name}: each of its tenants has its own quota only",
            f"tenants {', '.join(tree.nodes[k].name for k in members)}",
            remedy,
        )


def _is_zero(amounts: Amounts | None) -> bool:
    return amounts is not None and amounts.is_zero


def _may_borrow(tree: QuotaTree, tenant: int, scenario: Scenario) -> bool:
    """Whether some pool could be so large that a tenant may use more of it than it owns, if nobody uses any."""
    return any(
        (tree.ceiling(tenant, pool, MILLION) or 0) > tree.nominal(pool, MILLION)[tenant]
        for pool in scenario.pool_names
    )


def _place(scenario: Scenario, node: int, key: str) -> Path:
    tenants = len(scenario.tenants)
    return ("tenants", node, key) if node < tenants else ("cohorts", node - tenants, key)
