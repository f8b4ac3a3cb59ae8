"""Checks of the whole: who belongs to which cohort, and what is said about borrowing and preemption.

How much is owned, and who is too small for its own jobs, is in checks_quotas.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpusim.scenario.mistakes import Mistake, Path, dotted
from gpusim.scenario.parts import MemberPart, Parts
from gpusim.scenario.quotas import NOBODY, QuotaTree
from gpusim.scenario.sharing import Cohort, TenantTerms
from gpusim.suggest import did_you_mean
from gpusim.units import format_duration


def sharing_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Cohorts that are not there, empty or circular; borrowing from nobody; preemption that cannot be."""
    yield from _cohort_names(parts)
    for part in parts.members:
        if isinstance(part.model, TenantTerms):
            yield from _own_preemption(part.path, part.model)
        if part.model is not None and part.whole:
            yield from _bounds_without_cohort(part)
    for each in parts.classes:
        exempt = (
            0.0 if each.model is None or each.model.preemptible is None else each.model.preemptible.exempt
        )
        if parts.study is not None and exempt > parts.study.horizon:
            horizon = format_duration(parts.study.horizon)
            yield Mistake(
                "exempt for longer than the horizon: these jobs are never evicted",
                f"write less than {horizon}, or remove preemptible",
                f"exempt {format_duration(exempt)}, horizon {horizon}",
                (*each.path, "preemptible", "exempt"),
                "window",
            )
    tree = tree_of(parts)
    if tree is not None and tree.circles:
        yield from _circles(parts, tree)
    elif tree is not None and not list(_unknown(parts)):
        yield from _empty(parts, tree)
        yield from _nobody_lends(parts, tree)


def tree_of(parts: Parts) -> QuotaTree | None:
    """The tree of quotas; None if something of it could not be read."""
    if not parts.members or not all(part.whole for part in parts.members):
        return None
    models = [part.model for part in parts.members]
    tenants = [model for model in models if isinstance(model, TenantTerms)]
    return QuotaTree.of(tenants, [model for model in models if isinstance(model, Cohort)])


def has_ceilings(parts: Parts, tree: QuotaTree) -> bool:
    """Whether it is known what tenants may use: who belongs to whom is neither a circle nor unknown."""
    return not tree.circles and not list(_unknown(parts))


def _cohort_names(parts: Parts) -> Iterator[Mistake]:
    """Two cohorts of one name, and names that the list of cohorts does not have."""
    first: dict[str, Path] = {}
    for path, model in _listed(parts):
        if model is None:
            continue
        if model.name in first:
            remedy = f"rename one, for example {model.name}-2; the other is {dotted(first[model.name])}"
            what = "another cohort has this name"
            yield Mistake(what, remedy, f"'{model.name}'", (*path, "name"), "duplicate-name")
        first.setdefault(model.name, path)
    for path, name in _unknown(parts):
        near = did_you_mean(name, first)
        remedy = f"did you mean '{near}'? " if near else ""
        yield Mistake(
            f"no cohort is named '{name}'",
            f"{remedy}known: {', '.join(first)}; or add it to cohorts:",
            f"'{name}'",
            (*path, "cohort"),
            "cohort",
        )


def _listed(parts: Parts) -> list[tuple[Path, TenantTerms | Cohort | None]]:
    return [(part.path, part.model) for part in parts.members if part.path[0] == "cohorts"]


def _unknown(parts: Parts) -> Iterator[tuple[Path, str]]:
    """Names of cohorts that are not listed, where cohorts are."""
    names = [None if model is None else model.name for _, model in _listed(parts)]
    for part in parts.members if names and None not in names else ():
        if part.model is not None and part.model.cohort is not None and part.model.cohort not in names:
            yield part.path, part.model.cohort


def _circles(parts: Parts, tree: QuotaTree) -> Iterator[Mistake]:
    told: set[int] = set()
    for node in tree.circles:
        if node in told:
            continue
        circle = tree.path(node)
        told |= set(circle)
        names = " in ".join(tree.nodes[k].name for k in (*circle, node))
        what = "cohorts that belong to each other in a circle"
        path = (*parts.members[node].path, "cohort")
        yield Mistake(what, "let one of them belong to no cohort", names, path, "cohort")


def _empty(parts: Parts, tree: QuotaTree) -> Iterator[Mistake]:
    """Cohorts without tenants, and tenants alone in theirs."""
    for node in range(tree.tenants, len(parts.members)):
        if not tree.tenants_of(node):
            what = "no tenant is in this cohort"
            remedy = f"write cohort: {tree.nodes[node].name} in a tenant, or remove the cohort"
            found = f"'{tree.nodes[node].name}'"
            yield Mistake(what, remedy, found, (*parts.members[node].path, "name"), "cohort")
    for tenant in range(tree.tenants):
        root = tree.path(tenant)[-1]
        above = [tree.nodes[k].quota for k in tree.path(tenant)[1:]]
        alone = tree.nodes[tenant].parent != NOBODY and tree.tenants_of(root) == [tenant]
        if alone and all(quota is None or quota.is_zero for quota in above):
            name = tree.nodes[tree.nodes[tenant].parent].name
            others = [tree.nodes[k].name for k in range(tree.tenants, len(tree.nodes)) if k != root]
            near = did_you_mean(name, others)
            remedy = f"did you mean '{near}'? " if near else ""
            yield Mistake(
                "the only tenant of its cohort: nobody to borrow from or to lend to",
                f"{remedy}put another tenant into it, or remove 'cohort'",
                f"'{name}'",
                (*parts.members[tenant].path, "cohort"),
                "cohort",
            )


def _bounds_without_cohort(part: MemberPart) -> Iterator[Mistake]:
    assert part.model is not None
    if part.model.cohort is not None:
        return
    for key, verb in (("borrow", "borrows from"), ("lend", "lends to")):
        if getattr(part.model, key) is not None:
            yield Mistake(
                f"'{key}' without 'cohort': it {verb} nobody",
                "add the cohort it belongs to, or remove the key",
                f"{key} {getattr(part.model, key)}",
                (*part.path, key),
                "cohort",
                at_key=True,
            )


def _nobody_lends(parts: Parts, tree: QuotaTree) -> Iterator[Mistake]:
    """Tenants that may borrow so much from a tree in which nobody else has anything to lend."""
    for tenant in range(tree.tenants):
        node = tree.nodes[tenant]
        if node.parent == NOBODY or node.borrow is None or node.borrow.is_zero:
            continue
        root = tree.path(tenant)[-1]
        mine = set(tree.path(tenant))
        others = [k for k in range(len(tree.nodes)) if tree.path(k)[-1] == root and k != tenant]
        if not others or tree.tenants_of(root) == [tenant]:
            continue  # told as the only tenant
        if not any(_lends(tree, k, k in mine) for k in others):
            yield Mistake(
                "borrowing from nobody: no one in this cohort has GPUs to lend",
                "give another of its tenants a quota that it lends, or remove 'borrow'",
                f"borrow {node.borrow}",
                (*parts.members[tenant].path, "borrow"),
                "cohort",
                at_key=True,
            )


def _lends(tree: QuotaTree, k: int, above: bool) -> bool:
    """Whether a node owns anything that leaves it; what a cohort owns is its members' without being lent."""
    node = tree.nodes[k]
    return (
        node.quota is not None
        and not node.quota.is_zero
        and (above or node.lend is None or not node.lend.is_zero)
    )


def _own_preemption(path: Path, tenant: TenantTerms) -> Iterator[Mistake]:
    asked = tenant.preempts
    if asked.while_borrowing != "never" and asked.reclaim == "never":
        yield Mistake(
            "'while_borrowing' without 'reclaim'",
            "write reclaim: any or lower, or remove while_borrowing",
            f"while_borrowing {asked.while_borrowing}",
            (*path, "preempts", "while_borrowing"),
            at_key=True,
        )
