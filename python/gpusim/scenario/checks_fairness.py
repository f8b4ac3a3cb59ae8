"""Checks of the whole: accounts, users, and orders and contracts that contradict what else the file says."""

from __future__ import annotations

from collections.abc import Iterator

from gpusim.scenario.checks_sharing import tree_of
from gpusim.scenario.mistakes import Mistake, Path, dotted
from gpusim.scenario.parts import MemberPart, Parts
from gpusim.scenario.policy import Policy
from gpusim.scenario.sharing import Cohort, TenantTerms
from gpusim.suggest import did_you_mean

_MOST_USERS = 1 << 20
"""Users with limits that the engine keeps account of."""


def fairness_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Accounts that are not there, empty or circular; limits of users nobody has; an order that orders nothing."""
    yield from _accounts(parts)
    known = 0
    for part in parts.members:
        if not isinstance(part.model, TenantTerms) or "users" in part.unread:
            continue
        yield from _users(part.path, part.model)
        limited = part.model.user_max_gpus is not None or part.model.user_max_jobs is not None
        before, known = known, known + (part.model.users or 0) * limited
        if before <= _MOST_USERS < known:
            what = "too many users to keep account of"
            found = f"{known:,} with limits > {_MOST_USERS:,}"
            remedy = "write fewer, or remove user_max_gpus and user_max_jobs from a tenant"
            yield Mistake(what, remedy, found, (*part.path, "users"), "users")
    if parts.policy is not None:
        yield from _order(parts, parts.policy)
        yield from _contract(parts, parts.policy)


def _accounts(parts: Parts) -> Iterator[Mistake]:
    """Two accounts of one name, names that the list does not have, circles, accounts without tenants."""
    first: dict[str, Path] = {}
    for path, account in parts.accounts:
        if account is None:
            continue
        if account.name in first:
            remedy = f"rename one, for example {account.name}-2; the other is {dotted(first[account.name])}"
            what = "another account has this name"
            yield Mistake(what, remedy, f"'{account.name}'", (*path, "name"), "duplicate-name")
        first.setdefault(account.name, path)
    if parts.accounts and None in [account for _, account in parts.accounts]:
        return  # a name may be missing that was meant to be there
    named = [(p.path, p.model.account) for p in parts.members if isinstance(p.model, TenantTerms)]
    named += [(path, account.account) for path, account in parts.accounts if account is not None]
    unknown = [(path, name) for path, name in named if name is not None and name not in first]
    for path, name in unknown if parts.accounts else ():
        near = did_you_mean(name, first)
        remedy = f"did you mean '{near}'? " if near else ""
        remedy = f"{remedy}known: {', '.join(first)}; or add it to accounts:"
        yield Mistake(f"no account is named '{name}'", remedy, f"'{name}'", (*path, "account"), "account")
    above = {account.name: account.account for _, account in parts.accounts if account is not None}
    yield from _circles(above, first)
    if unknown and parts.accounts:
        return
    used = {name for path, name in named if path[0] == "tenants"}
    filled = {each for name in used for each in _line_up(above, name)}
    for name, path in first.items():
        if name not in filled and name not in _line_up(above, above[name]):
            what = "no tenant is in this account"
            remedy = f"write account: {name} in a tenant, or remove the account"
            yield Mistake(what, remedy, f"'{name}'", (*path, "name"), "account")


def _line_up(above: dict[str, str | None], name: str | None) -> list[str]:
    """An account, the one it belongs to, and so on; ends before what was there already."""
    found: list[str] = []
    while name is not None and name not in found:
        found.append(name)
        name = above.get(name)
    return found


def _circles(above: dict[str, str | None], paths: dict[str, Path]) -> Iterator[Mistake]:
    told: set[str] = set()
    for name in above:
        line = _line_up(above, above[name])
        if name in told or name not in line:
            continue
        circle = line[: line.index(name) + 1]
        told |= set(circle)
        names = " in ".join((name, *circle))
        what = "accounts that belong to each other in a circle"
        yield Mistake(
            what, "let one of them belong to no account", names, (*paths[name], "account"), "account"
        )


def _users(path: Path, tenant: TenantTerms) -> Iterator[Mistake]:
    for key, whole in (("user_max_gpus", "max_gpus"), ("user_max_jobs", "max_running")):
        value = getattr(tenant, key)
        if value is not None and tenant.users is None:
            yield Mistake(
                f"'{key}' without 'users': nobody knows how many share it",
                f"add for example users: 200, or write {whole}: {value} for all of them together",
                f"{key} {value}",
                (*path, key),
                "users",
                at_key=True,
            )


def _order(parts: Parts, policy: Policy) -> Iterator[Mistake]:
    weighs = any(policy.fairness.weights.numbers) or parts.unread("policy", "fairness")
    if policy.order == "multifactor" and not weighs:
        yield Mistake(
            "order: multifactor weighs nothing: all weights are 0",
            "write for example fairness: {weights: {age: 1, fairshare: 4}}, or order: fair_tree",
            "",
            ("policy", "order"),
            "order",
        )
    if policy.order != "weighted_share":
        return
    if policy.borrowers == "last":
        yield Mistake(
            "weighted_share decides itself who borrows last",
            "write borrowers: in_order, or remove it",
            "borrowers last",
            ("policy", "borrowers"),
            "order",
        )
    if policy.max_tests is not None:
        yield Mistake(
            "weighted_share looks at the first job of every tenant, not at the first jobs of the queue",
            "remove max_tests",
            f"max_tests {policy.max_tests}",
            ("policy", "max_tests"),
            "order",
        )


def _contract(parts: Parts, policy: Policy) -> Iterator[Mistake]:
    """Contracts that contradict the order, or quotas that do not make one."""
    path: Path = ("policy", "contract")
    found = f"contract {policy.contract}"
    tree = tree_of(parts)
    if tree is None or parts.unread("policy", "contract"):
        return
    owners = [part for part in parts.members if part.model is not None and part.model.quota is not None]
    if policy.order == "weighted_share" and not parts.unread("policy", "order"):
        if policy.contract != "quotas":
            what = "nobody borrows under this contract, so weighted_share orders nothing"
            yield Mistake(what, "write contract: quotas, or order: fifo", found, path, "contract")
        elif not owners:
            what = "weighted_share orders by what is borrowed beyond quotas, and there are none"
            remedy = "give tenants a quota, or write order: fairshare"
            yield Mistake(what, remedy, "order weighted_share", ("policy", "order"), "contract")
    if policy.contract != "partitioned":
        return
    if not owners:
        what = "a partitioned center in which nobody has a part"
        yield Mistake(what, "give every tenant a quota, or write contract: shared", found, path, "contract")
        return
    for part in parts.members:
        yield from _no_part(part)


def _no_part(part: MemberPart) -> Iterator[Mistake]:
    """Under `partitioned`: a tenant that owns nothing, and a cohort that owns what none of its tenants may use."""
    model = part.model
    if isinstance(model, TenantTerms) and model.quota is None:
        yield Mistake(
            "contract: partitioned leaves this tenant without a part",
            "give it a quota, possibly rest, or write contract: quotas",
            f"'{model.name}' has no quota",
            (*part.path, "name"),
            "contract",
        )
    if isinstance(model, Cohort) and model.quota is not None and not model.quota.is_zero:
        yield Mistake(
            "contract: partitioned: nobody may use what a cohort owns",
            "give its GPUs to tenants, or write contract: quotas",
            f"quota {model.quota}",
            (*part.path, "quota"),
            "contract",
        )
