"""What a scenario says about order, quotas, users, leases and reservations, in words for the page of `gpusim check`."""

from __future__ import annotations

from collections.abc import Iterator

from gpusim.plan.fairness import decay_q32
from gpusim.report import words
from gpusim.scenario import Scenario
from gpusim.scenario.fairness import ACCOUNT_ORDERS, FAIR_ORDERS, USAGE_ORDERS
from gpusim.scenario.lease import Lease
from gpusim.scenario.reservations import when_in_words
from gpusim.scenario.sharing import TenantTerms
from gpusim.units import format_share

_ORDERS = {
    "fifo": "first come, first served",
    "sjf": "shortest request first",
    "fairshare": "tenants that have used least for their weight first",
    "fair_tree": "accounts, then tenants in them, that have used least for their weight first",
    "multifactor": "largest priority first, of",
    "weighted_share": "tenants that borrow least for their weight first",
}
_CONTRACTS = {
    "quotas": "tenants own their quotas; cohorts lend and borrow",
    "shared": "nobody owns anything: one queue for all",
    "partitioned": "each tenant has its quota and nobody borrows",
}


def terms(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Names and values of the facts, as far as there are any."""
    yield "order", _order(scenario)
    if scenario.policy.order in FAIR_ORDERS:
        yield "weights", _weights(scenario)
    if scenario.policy.order in USAGE_ORDERS:
        yield "memory", _memory(scenario)
    owned = any(t.quota is not None or t.cohort is not None for t in scenario.tenants)
    if owned or scenario.policy.contract != "quotas":
        yield "contract", _CONTRACTS[scenario.policy.contract]
    for tenant in scenario.tenants:
        if tenant.user_max_gpus is not None or tenant.user_max_jobs is not None:
            yield f"users of {tenant.name}", _users(tenant)
    for name, entry in zip(scenario.class_names, scenario.classes(), strict=True):
        if entry.job_class.lease is not None:
            yield f"leases of {name}", _lease(entry.job_class.lease)
    for each in scenario.reserved():
        names = [scenario.class_names[k] for k in each.classes]
        whose = f"for {', '.join(names)}" if names else "for nobody"
        only = ", which run nowhere else" if each.terms.only else ""
        yield (
            f"reservation {each.terms.name}",
            f"{words.gpus(each.terms.gpus)} {when_in_words(each.terms)}, {whose}{only}",
        )


def _order(scenario: Scenario) -> str:
    policy = scenario.policy
    text = ("larger priority first, then " if policy.tiers else "") + _ORDERS[policy.order]
    if policy.order != "multifactor":
        return text
    weights = policy.fairness.weights
    named = zip(("age", "fair share", "size", "qos"), weights.numbers, strict=True)
    return f"{text} {' + '.join(f'{weight:g} x {name}' for name, weight in named if weight)}"


def _weights(scenario: Scenario) -> str:
    listed = [f"{tenant.name} {tenant.weight:g}" for tenant in scenario.tenants]
    if scenario.policy.order in ACCOUNT_ORDERS and scenario.accounts:
        listed += [f"account {account.name} {account.weight:g}" for account in scenario.accounts]
    return ", ".join(listed)


def _memory(scenario: Scenario) -> str:
    terms = scenario.policy.fairness
    every = words.duration(terms.calc_period)
    use = "use beyond quotas" if terms.usage == "over_quota" else "use"
    if isinstance(terms.half_life, str):
        return f"{use} is never forgotten; places change every {every}"
    kept = decay_q32(terms.calc_period, terms.half_life) / 2**32
    half = words.duration(terms.half_life)
    return f"{use} counts half after {half}; places change every {every}, when {format_share(kept, digits=6)} is kept"


def _users(tenant: TenantTerms) -> str:
    parts = []
    if tenant.user_max_gpus is not None:
        parts.append(words.gpus(tenant.user_max_gpus))
    if tenant.user_max_jobs is not None:
        parts.append(words.things(tenant.user_max_jobs, "running job"))
    return f"{tenant.users or 1:,}, each with at most {' and '.join(parts)}"


def _lease(lease: Lease) -> str:
    text = f"whole nodes of {lease.node} GPUs, of which holders use {format_share(lease.use.mean, digits=3)} on average"
    if lease.reclaim_below is None or lease.review is None:
        return text
    return (
        f"{text}; after {words.duration(lease.review)} those below {format_share(lease.reclaim_below)} are taken back, "
        f"{format_share(lease.clawed, digits=3)} of them"
    )
