"""Checks of the whole: quotas against the pools, and jobs against what their tenant may use at most."""

from __future__ import annotations

from collections.abc import Iterator

from gpusim.scenario.amounts import MILLION, Amounts
from gpusim.scenario.checks_pools import gang_path
from gpusim.scenario.checks_sharing import has_ceilings, tree_of
from gpusim.scenario.fields import LARGEST_GPUS
from gpusim.scenario.mistakes import Mistake, Path
from gpusim.scenario.model import JobClass
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.pools import WHOLE_CENTER
from gpusim.scenario.quotas import QuotaTree
from gpusim.scenario.sharing import TenantTerms
from gpusim.suggest import did_you_mean
from gpusim.units import format_share


def quota_mistakes(parts: Parts) -> Iterator[Mistake]:
    """Amounts of pools that are not there, quotas above the pool or of GPUs in one that varies, impossible jobs."""
    if parts.center is None or parts.unread("center", "pools"):
        return
    pools = pool_sizes(parts)
    wrong = [*_amounts(parts, list(pools)), *_two_rests(parts)]
    yield from wrong
    tree = tree_of(parts)
    if tree is None or wrong:
        return
    yield from _sums(parts, pools)
    contract = "quotas" if parts.policy is None else parts.policy.contract
    if contract != "shared":
        yield from _fixed(parts, tree)
    if has_ceilings(parts, tree) and parts.study is not None:
        yield from _impossible(parts, tree.under(contract), pools)


def pool_sizes(parts: Parts) -> dict[str, int | None]:
    """GPUs there are of each pool, by name; None where the scenario does not say."""
    assert parts.center is not None
    if parts.center.pools is None:
        return {WHOLE_CENTER: parts.center.have}
    return {pool.name: pool.have for pool in parts.center.pools}


def varied_pool(parts: Parts) -> str | None:
    """The pool whose size the study searches; None if none."""
    if parts.study is None or parts.center is None or parts.study.vary == "demand":
        return None
    return WHOLE_CENTER if parts.center.pools is None else parts.study.vary


def _columns(parts: Parts) -> Iterator[tuple[Path, str, Amounts]]:
    for part in parts.members:
        for key in ("quota", "borrow", "lend"):
            amounts = None if part.model is None else getattr(part.model, key)
            if amounts is not None:
                yield (*part.path, key), key, amounts


def _amounts(parts: Parts, pools: list[str]) -> Iterator[Mistake]:
    """Names of pools that are not there, and GPUs that could be of any of several pools."""
    for path, key, amounts in _columns(parts):
        for name, _ in amounts.pools:
            if name in pools:
                continue
            near = did_you_mean(name, pools)
            known = "the center names no pools" if pools == [WHOLE_CENTER] else f"known: {', '.join(pools)}"
            remedy = f"did you mean '{near}'? {known}" if near else known
            what = f"no pool is named '{name}'"
            yield Mistake(what, remedy, f"'{name}'", (*path, name), "pool", at_key=True)
        amount = amounts.everywhere
        if amount is not None and amount.gpus and len(pools) > 1:
            form = ", ".join(f"{name}: .." for name in pools)
            what = "the center has several pools, so GPUs do not say of which"
            yield Mistake(what, f"write a share, or {key}: {{{form}}}", str(amount), path, "pool")


def _two_rests(parts: Parts) -> Iterator[Mistake]:
    rests = [path for path, key, amounts in _columns(parts) if key == "quota" and amounts.rest]
    for path in rests[1:]:
        yield Mistake("two tenants own the rest", "give one of them a share", "rest", path, "quota")


def _sums(parts: Parts, pools: dict[str, int | None]) -> Iterator[Mistake]:
    """Quotas that add up to more than the pool, told at the first that does not fit any more."""
    varied = varied_pool(parts)
    for pool, have in pools.items():
        size = None if pool == varied else have
        sum_ppm = sum_gpus = 0
        for part in parts.members:
            amount = None
            if part.model is not None and part.model.quota is not None:
                amount = part.model.quota.of(pool)
            if amount is None or amount.rest or amount.is_zero:
                continue
            sum_ppm, sum_gpus = sum_ppm + (amount.ppm or 0), sum_gpus + amount.gpus
            owned = sum_gpus + (0 if size is None else size * sum_ppm // MILLION)
            if sum_ppm > MILLION or (size is not None and owned > size):
                whole = f"pool {pool}" if len(pools) > 1 else "the center"
                total = format_share(sum_ppm / MILLION) if sum_ppm > MILLION else f"{owned:,} GPUs > {size:,}"
                at = ("quota", pool) if part.model is not None and _by_pool(part.model.quota) else ("quota",)
                yield Mistake(
                    f"quotas add up to more than {whole}",
                    "lower them until all together are at most 100%; lending and borrowing do the rest",
                    f"{total} with this one",
                    (*part.path, *at),
                    "quota",
                )
                break


def _by_pool(amounts: Amounts | None) -> bool:
    return amounts is not None and bool(amounts.pools)


def _fixed(parts: Parts, tree: QuotaTree) -> Iterator[Mistake]:
    """Quotas in GPUs of a pool whose size the study searches: nobody would own what is added."""
    pool = varied_pool(parts)
    if pool is None or tree.unassigned >= 0 or parts.unread("study", "vary"):
        return
    have = pool_sizes(parts).get(pool)
    for part in parts.members:
        quota = None if part.model is None else part.model.quota
        amount = None if quota is None else quota.of(pool)
        if amount is None or not amount.gpus:
            continue
        share = f"{format_share(amount.gpus / have, digits=4)}, " if have else "a share such as 25%, "
        yield Mistake(
            "a quota in GPUs, but the study varies how many there are: nobody would own the others",
            f"write {share}or quota: rest for one tenant, or study: {{vary: demand}}",
            f"quota {amount}, vary {'gpus' if pool == WHOLE_CENTER else pool}",
            (*part.path, "quota", *((pool,) if _by_pool(quota) else ())),
            "quota",
        )


def _impossible(parts: Parts, tree: QuotaTree, pools: dict[str, int | None]) -> Iterator[Mistake]:
    """Classes all of whose jobs ask for more than their tenant could ever use."""
    varied, study = varied_pool(parts), parts.study
    assert study is not None
    largest = {
        pool: (study.max_gpus or LARGEST_GPUS) if pool == varied or have is None else have
        for pool, have in pools.items()
    }
    for part in parts.classes:
        if part.model is None or part.model.urgent:
            continue
        tenant = part.path[1]
        assert isinstance(tenant, int)
        most = most_usable(tree, tenant, parts.members[tenant].model, part.model, largest)
        smallest = min(gpus for stream in part.model.streams for gpus in stream.gpus)
        if most is not None and smallest > most[0]:
            yield _too_large(part, part.model, smallest, most)


def most_usable(
    tree: QuotaTree, tenant: int, terms: object, model: JobClass, sizes: dict[str, int]
) -> tuple[int, str] | None:
    """(most GPUs that a tenant may use at once in a pool of the class, the key that says so); None: no bound."""
    found: list[int] = []
    for pool, gpus in sizes.items():
        if model.pools is None or pool in model.pools:
            ceiling = tree.ceiling(tenant, pool, gpus)
            found.append(LARGEST_GPUS if ceiling is None else ceiling)
    most = max(found, default=LARGEST_GPUS)
    if isinstance(terms, TenantTerms):
        for limit, key in ((terms.user_max_gpus, "user_max_gpus"), (terms.max_gpus, "max_gpus")):
            if limit is not None and limit <= most:
                return limit, key
    return (most, "quota") if most < LARGEST_GPUS else None


def _too_large(part: ClassPart, model: JobClass, smallest: int, most: tuple[int, str]) -> Mistake:
    gpus, key = most
    within = "what its tenant owns and may borrow" if key == "quota" else f"{key} of its tenant"
    return Mistake(
        "no job of this class could ever start: all are larger than " + within,
        f"raise {'quota or borrow' if key == 'quota' else key}, or make the gangs smaller",
        f"{smallest:,} GPUs > {gpus:,}",
        gang_path(part, model),
        "impossible-gang",
        at_key=True,
    )
