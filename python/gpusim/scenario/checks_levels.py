"""Service levels against the classes that they count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gpusim.scenario.fairness import FAIR_ORDERS
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.model import JobClass
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.sharing import TenantTerms
from gpusim.scenario.slo import Slo, level_mistakes
from gpusim.suggest import did_you_mean
from gpusim.units import format_share


def check_levels(parts: Parts, data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield what the class table makes wrong with a level; unknown scopes are told by `check`."""
    names = [(part.tenant or "", part.name or "") for part in parts.classes]
    if not names or not all(tenant and name for tenant, name in names):
        return
    classes = [None if _unread(part, data) else part.model for part in parts.classes]
    for path, slo in parts.slos:
        if slo is None:
            continue
        for mistake in level_mistakes(slo, names, classes):
            if mistake.code not in ("slo-scope", "slo-ambiguous"):
                yield mistake.under(path)
        for mistake in _entitled(parts, slo):
            yield mistake.under(path)


def _entitled(parts: Parts, slo: Slo) -> Iterator[Mistake]:
    """Levels on what tenants are entitled to, where the file says nothing of it. Contracts change nothing about it."""
    tenants = [part for part in parts.members if part.path[0] == "tenants"]
    if slo.metric not in ("delivered", "fair_share_error") or not all(part.whole for part in tenants):
        return
    models = [part.model for part in tenants if isinstance(part.model, TenantTerms)]
    owners = [model.name for model in models if model.quota is not None]
    if owners:
        if slo.metric == "delivered" and slo.scope in {model.name for model in models} - set(owners):
            what = "speaks of GPUs that a tenant is granted, but it has no quota"
            remedy = f"give it a quota, or name a tenant that has one ({', '.join(owners[:5])})"
            yield Mistake(what, remedy, f"'{slo.scope}'", code="slo-granted")
        return
    unread = any("weight" in part.unread for part in tenants) or parts.unread("policy", "order")
    weighted = any(model.weight != 1 or model.account is not None for model in models) or (
        parts.policy is not None and parts.policy.order in FAIR_ORDERS
    )
    if unread or parts.policy is None or (weighted and any(model.weight > 0 for model in models)):
        return
    yield Mistake(
        "speaks of what tenants are entitled to, but none has a quota or a weight",
        f"give each a quota, such as {format_share(1 / len(models), digits=2)} (with policy.contract: shared it binds "
        "nobody), or weights that differ",
        f"'{slo.sentence}'",
        code="slo-granted",
    )


def _unread(part: ClassPart, data: Mapping[str, Any]) -> bool:
    """Whether the file gives the class a deadline that could not be read: none is missing then."""
    if part.model is None or part.model.deadline is not None or not data:
        return False
    raw: Any = data
    for step in part.path:
        try:
            raw = raw[step]
        except (TypeError, LookupError):
            return False
    known = JobClass.model_fields
    keys = [str(key) for key in raw] if isinstance(raw, Mapping) else []
    return any(
        key == "deadline" or (key not in known and did_you_mean(key, known) == "deadline") for key in keys
    )
