"""Which classes the scope of a service level means."""

from __future__ import annotations

from collections.abc import Sequence

from gpusim.scenario.mistakes import Mistake
from gpusim.suggest import did_you_mean


def resolve_scope(scope: str, names: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """Return the positions of the classes that `scope` means.

    Parameters
    ----------
    scope : str
        As written in the sentence.
    names : sequence of (tenant, class)
        All classes, in order of appearance.

    Raises
    ------
    Mistake
        If the scope is unknown, or could mean two things.
    """
    if scope == "all":
        return tuple(range(len(names)))
    tenant, slash, job_class = scope.partition("/")
    if slash:
        found = tuple(
            index
            for index, (its_tenant, its_class) in enumerate(names)
            if tenant in (its_tenant, "all") and job_class in (its_class, "all")
        )
        return found or _unknown(scope, names)
    by_tenant = tuple(index for index, (its_tenant, _) in enumerate(names) if its_tenant == scope)
    by_class = tuple(index for index, (_, its_class) in enumerate(names) if its_class == scope)
    if by_tenant and by_class and by_tenant != by_class:
        raise Mistake(
            f"'{scope}' is ambiguous: a tenant and a class have this name",
            f"write {scope}/all for the tenant or {'/'.join(names[by_class[0]])} for the class",
            f"'{scope}'",
            code="slo-ambiguous",
        )
    if len(by_class) > 1 and not by_tenant:
        each = " or ".join("/".join(names[index]) for index in by_class)
        raise Mistake(
            f"'{scope}' is ambiguous: {len(by_class)} tenants have a class of this name",
            f"write {each}, or all/{scope} for all of them",
            f"'{scope}'",
            code="slo-ambiguous",
        )
    return by_tenant or by_class or _unknown(scope, names)


def _unknown(scope: str, names: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    tenants = list(dict.fromkeys(tenant for tenant, _ in names))
    classes = list(dict.fromkeys(job_class for _, job_class in names))
    full = ["/".join(pair) for pair in names]
    near = did_you_mean(scope, [*classes, *tenants, *full, "all"])
    listed = ", ".join([*classes, *tenants, "all"][:20])
    raise Mistake(
        f"no class or tenant is named '{scope}'",
        f"did you mean '{near}'? known: {listed}" if near else f"known: {listed}",
        f"'{scope}'",
        code="slo-scope",
    )
