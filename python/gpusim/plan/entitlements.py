"""What each tenant is entitled to: what the file says it owns, whatever the contract of a run makes of that.

So that runs under different contracts are judged by the same measure: a quota counts as written, also where
`policy.contract: shared` lets it bind nobody. Where no tenant has a quota, weights share out the center; inside an
account they share out what the account has.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gpusim.plan.fairness import account_rows
from gpusim.scenario import Scenario
from gpusim.scenario.quotas import QuotaTree


def entitlements(scenario: Scenario, gpus: Sequence[int]) -> tuple[Fraction, ...]:
    """GPUs that each tenant is entitled to, all pools of the center together; 0 where it has neither quota nor weight.

    Parameters
    ----------
    scenario : Scenario
    gpus : sequence of int
        GPUs of each pool of the center.
    """
    tenants = range(len(scenario.tenants))
    if all(tenant.quota is None for tenant in scenario.tenants):
        return tuple(share * sum(gpus) for share in weight_shares(scenario))
    tree = QuotaTree.of(scenario.tenants, scenario.cohorts)
    owned = [tree.nominal(pool, size) for pool, size in zip(scenario.pool_names, gpus, strict=True)]
    return tuple(Fraction(sum(pool[t] for pool in owned)) for t in tenants)


def weight_shares(scenario: Scenario) -> tuple[Fraction, ...]:
    """Share of the center that the weights give each tenant: its part of its account's, at the top of the whole."""
    rows = [(f"account {name}", parent, weight) for name, parent, weight in account_rows(scenario)]
    rows += [(f"tenant {t.name}", t.account, t.weight) for t in scenario.tenants]
    beside: dict[str | None, Fraction] = {}
    for _, parent, weight in rows:
        beside[parent] = beside.get(parent, Fraction(0)) + Fraction(str(weight))
    above = {name: (parent, weight) for name, parent, weight in rows}

    def share(name: str) -> Fraction:
        parent, weight = above[name]
        if not weight:
            return Fraction(0)
        part = Fraction(str(weight)) / beside[parent]
        return part if parent is None else part * share(f"account {parent}")

    return tuple(share(f"tenant {tenant.name}") for tenant in scenario.tenants)
