"""Fair-share orders, from the scenario's words to the engine's columns (S30-S33)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from gpusim.engine.fairness import Fairness
from gpusim.plan.reserved import reserved_gpus
from gpusim.scenario import Scenario
from gpusim.scenario.fairness import ACCOUNT_ORDERS, FAIR_ORDERS, USAGE_ORDERS, whole_weights

_Q32 = 1 << 32
_ONE = 1 << 20
"""1 as the engine writes factors and the quality of service."""


def fairness(scenario: Scenario) -> Fairness | None:
    """Weights, accounts and what is remembered; None in orders that have no weights.

    Weights keep their ratios exactly where `whole_weights` says so. What is remembered from one calculation to the next
    is a whole number of 2^-32. A gang is a share of the center: GPUs of reservations are in its pools already.
    """
    asked, terms = scenario.policy, scenario.policy.fairness
    if asked.order not in FAIR_ORDERS:
        return None
    tenants, accounts = scenario.tenants, account_rows(scenario) if asked.order in ACCOUNT_ORDERS else []
    names = [name for name, _, _ in accounts]
    weights = whole_weights([t.weight for t in tenants] + [weight for _, _, weight in accounts])
    above = [t.account if accounts else None for t in tenants] + [parent for _, parent, _ in accounts]
    age, share, size, qos = whole_weights(terms.weights.numbers)
    return Fairness(
        weight=np.array(weights, dtype=np.int64),
        account_parent=np.array(
            [-1 if name is None else len(tenants) + names.index(name) for name in above], dtype=np.int32
        ),
        calc_period=max(1, scenario.ticks(terms.calc_period)),
        decay_q32=decay_q32(terms.calc_period, terms.half_life) if asked.order in USAGE_ORDERS else _Q32,
        w_age=age,
        w_fairshare=share,
        w_size=size,
        w_qos=qos,
        max_age=max(1, scenario.ticks(terms.max_age)),
        qos=np.array([round(c.qos * _ONE) for _, _, c in scenario.classes()], dtype=np.int64),
        over_quota=terms.usage == "over_quota" and asked.order in USAGE_ORDERS,
        center_pools=len(scenario.pool_names) if reserved_gpus(scenario) else 0,
    )


def decay_q32(calc_period: float, half_life: float | str) -> int:
    """Share of the usage that is kept from one calculation to the next [2^-32], to the nearest.

    Examples
    --------
    >>> decay_q32(300.0, 300.0) == 2**31
    True
    """
    if isinstance(half_life, str):
        return _Q32
    return round(Fraction(_Q32) * Fraction(0.5 ** (calc_period / half_life)))


def account_rows(scenario: Scenario) -> list[tuple[str, str | None, float]]:
    """(name, the account it belongs to, weight) of each account; one that is only named has weight 1, at the top."""
    listed = [(account.name, account.account, account.weight) for account in scenario.accounts]
    known = {name for name, _, _ in listed}
    members = [*(t.account for t in scenario.tenants), *(parent for _, parent, _ in listed)]
    named = dict.fromkeys(name for name in members if name is not None and name not in known)
    return [*listed, *((name, None, 1.0) for name in named)]
