"""Tenants whose jobs start at once or are lost: blocking by quota, limit, lending and borrowing, exactly.

Where nobody waits, the numbers of running jobs are a Markov chain. If the states that quotas allow are *coordinate
convex* (what may run may also run with less) and a job is admitted exactly if the state with it is allowed, its
distribution is a truncated product of Poisson ones, for any law of the run time. So blocking tests the formula of
quotas (R17) without any second program of them: all that is needed is which sets of jobs may run together. The
regions are stated here as sums (`allowed`); that R17's recursion is the same is checked state by state.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

import sharing_formulas as theory
from gpusim.engine.reference_quota import Quotas, Use
from gpusim.engine.reference_terms import Cohort, Tenant
from gpusim.engine.reference_terms import Sharing as Terms
from gpusim.engine.sharing import RECLAIM, REQUEUE, Sharing
from gpusim.engine.spec import SKIP, Policy
from gpusim.stats import queueing
from queues import Poisson, Replications, queue, ratio, replicate
from sharing_queues import LONG, RUNS, abandoned, agree, cohort, evicted, seed, shared, terms
from test_theory import LAWS


@dataclass(frozen=True)
class Kind:
    """Jobs of one class: whose, how many GPUs, and how many there would be if none were lost."""

    tenant: int
    gpus: int
    load: float


def lossy(
    kinds: tuple[Kind, ...], sharing: Sharing, gpus: int, time: float, law: str = "exponential"
) -> Replications:
    """Runs of a center in which a job that cannot start at once is lost."""
    streams = [Poisson(k.load, LAWS[law], {k.gpus: 1.0}) for k in kinds]
    name = seed(
        kinds, gpus, time, law, *(x.tolist() for x in (sharing.nominal, sharing.borrow, sharing.lend))
    )
    spec = queue(*streams, seed=name, warm_up=30.0, count=time, cool_down=1.0, policy=Policy(SKIP))
    runs = replicate(shared(spec, [k.tenant for k in kinds], sharing, patience=0), gpus, RUNS)
    assert not runs.result.sums[:, :, 0].any()  # nobody waited
    return runs


# ---- which sets of jobs may run together ------------------------------------------------------------------------


@dataclass(frozen=True)
class Tree:
    """Tenants, then cohorts; amounts in GPUs, None: no limit."""

    tenants: int
    parent: tuple[int, ...]
    nominal: tuple[int, ...]
    borrow: tuple[int | None, ...]
    lend: tuple[int | None, ...]

    def kept(self, node: int) -> int:
        """GPUs that a node never lends."""
        lend = self.lend[node]
        return 0 if lend is None else max(0, self.quota(node) - lend)

    def quota(self, node: int) -> int:
        """GPUs of a node and what its children lend it."""
        children = [n for n, parent in enumerate(self.parent) if parent == node]
        return self.nominal[node] + sum(self.quota(n) - self.kept(n) for n in children)

    def allowed(self, used: tuple[int, ...]) -> bool:
        """Whether tenants may use so many GPUs together: one inequality a node, from the leaves up."""
        asked = dict(enumerate(used))
        for node in sorted(range(len(self.parent)), key=self._depth, reverse=True):
            use, parent = asked.get(node, 0), self.parent[node]
            beyond, borrow = use - self.quota(node), self.borrow[node]
            if beyond > (0 if parent < 0 else math.inf if borrow is None else borrow):
                return False
            if parent >= 0:
                asked[parent] = asked.get(parent, 0) + max(0, use - self.kept(node))
        return True

    def _depth(self, node: int) -> int:
        return 0 if self.parent[node] < 0 else 1 + self._depth(self.parent[node])

    def of_oracle(self) -> Quotas:
        def amount(value: int | None) -> tuple[int | None, ...]:
            return (value,)

        rows = [
            (self.parent[n], (self.nominal[n],), amount(self.borrow[n]), amount(self.lend[n]))
            for n in range(len(self.parent))
        ]
        tenants = tuple(Tenant(*row) for row in rows[: self.tenants])
        return Quotas(
            Terms(tenants, tuple(Cohort(*row) for row in rows[self.tenants :])), (sum(self.nominal),)
        )

    def of_engine(self, classes: int) -> Sharing:
        return cohort(self.tenants, classes, self.parent, self.nominal, self.borrow, self.lend)


def random_tree(rng: random.Random) -> Tree:
    tenants, cohorts = rng.choice([2, 2, 3]), rng.randint(1, 3)
    parent = [tenants + rng.randrange(cohorts) for _ in range(tenants)]
    parent += [-1] + [tenants + rng.randrange(k) for k in range(1, cohorts)]
    nodes = tenants + cohorts
    limits = [tuple(rng.choice([None, None, 0, 1, 2, 3]) for _ in range(nodes)) for _ in ("borrow", "lend")]
    nominal = tuple(rng.randint(0, 4) if n < tenants else rng.choice([0, 0, 0, 2]) for n in range(nodes))
    return Tree(tenants, tuple(parent), nominal, *limits)


@pytest.mark.slow
def test_what_quotas_allow_is_coordinate_convex_and_the_formula_admits_exactly_that() -> None:
    seen: Counter[str] = Counter()
    for case in range(40):
        tree = random_tree(random.Random(f"convex {case}"))
        quotas, everything = tree.of_oracle(), sum(tree.nominal)
        states = [used for used in theory.box([min(everything, 7)] * tree.tenants) if tree.allowed(used)]
        inside = set(states)
        for used in states:
            use = Use(Counter({(t, 0): n for t, n in enumerate(used)}))
            for t in range(tree.tenants):
                fewer = (*used[:t], used[t] - 1, *used[t + 1 :])
                assert used[t] == 0 or fewer in inside
                for gang in (1, 2, 3):
                    more = (*used[:t], used[t] + gang, *used[t + 1 :])
                    admitted = quotas.admits(t, 0, gang, use, Use())
                    assert admitted == tree.allowed(more), (tree, used, t, gang)
                    seen["admitted" if admitted else "refused"] += 1
                    seen["borrowing"] += admitted and more[t] > tree.nominal[t]
    assert min(seen.values()) > 1000, seen


# ---- quotas -----------------------------------------------------------------------------------------------------


@cache
def blocking(
    kinds: tuple[Kind, ...],
    tree: Tree | None,
    gpus: int,
    most_gpus: tuple[int | None, ...] = (),
    most_jobs: tuple[int | None, ...] = (),
) -> tuple[float, ...]:
    """Exact blocking by class, of the product form over what may run together."""
    tenants = 1 + max(k.tenant for k in kinds)

    def held(state: theory.State, weights: list[int]) -> list[int]:
        by_tenant = [0] * tenants
        for n, kind, weight in zip(state, kinds, weights, strict=True):
            by_tenant[kind.tenant] += n * weight
        return by_tenant

    def allowed(state: theory.State) -> bool:
        used, jobs = held(state, [k.gpus for k in kinds]), held(state, [1] * len(kinds))
        return (
            sum(used) <= gpus
            and (tree is None or tree.allowed(tuple(used)))
            and all(most is None or n <= most for n, most in zip(used, most_gpus, strict=False))
            and all(most is None or n <= most for n, most in zip(jobs, most_jobs, strict=False))
        )

    states = [state for state in theory.box([gpus // k.gpus for k in kinds]) if allowed(state)]
    quotas = tree.of_oracle() if tree else None

    def admits(state: theory.State, k: int) -> bool:
        """By the recursion of R17 where there are quotas."""
        more = (*state[:k], state[k] + 1, *state[k + 1 :])
        if quotas is None:
            return allowed(more)
        used = held(state, [kind.gpus for kind in kinds])
        use = Use(Counter(dict(zip(((t, 0) for t in range(tenants)), used, strict=True))))
        return sum(used) + kinds[k].gpus <= gpus and quotas.admits(
            kinds[k].tenant, 0, kinds[k].gpus, use, Use()
        )

    return theory.truncated_blocking(states, [k.load for k in kinds], admits)


def check(what: str, runs: Replications, exact: tuple[float, ...], within: float) -> None:
    for k, blocked in enumerate(exact):
        agree(f"{what}, class {k}", abandoned(runs, k), blocked, within=within)


@LONG
def test_tenants_in_partitions_of_their_own_are_erlang_b_each(times: int) -> None:
    kinds = (Kind(0, 1, 6.4), Kind(1, 1, 8.0), Kind(2, 1, 1.5))
    tree = Tree(3, (-1, -1, -1), (8, 10, 3), (None,) * 3, (None,) * 3)
    exact = tuple(queueing.erlang_b(n, k.load) for n, k in zip(tree.nominal, kinds, strict=True))
    assert exact[:2] == pytest.approx((0.1443938899, 0.1216610643), abs=6e-11)  # domain.md 9
    assert blocking(kinds, tree, 21) == pytest.approx(exact)
    runs = lossy(kinds, tree.of_engine(3), 21, 300.0 * times)
    check("partitions", runs, exact, within=0.15 / times**0.5)


@LONG
@pytest.mark.parametrize("law", LAWS)
def test_tenants_of_one_pool_with_gangs_are_kaufman_and_roberts(law: str, times: int) -> None:
    kinds = (Kind(0, 1, 16.0), Kind(1, 8, 2.0), Kind(2, 32, 0.5))
    exact = queueing.gang_loss(64, [k.gpus for k in kinds], [k.load for k in kinds])
    assert exact.blocking == pytest.approx((0.014376639, 0.123281647, 0.560662082), abs=6e-10)  # domain.md 9
    time = 300.0 * times
    runs = lossy(kinds, Sharing.nobody(3, 3, 1), 64, time, law)
    check(f"complete sharing, {law}", runs, exact.blocking, within=0.25 / times**0.5)
    agree(
        f"complete sharing, {law}, occupancy",
        ratio(runs.integral("allocated"), 64 * time),
        exact.occupancy,
        within=0.03,
    )


@LONG
@pytest.mark.parametrize(
    ("most_gpus", "most_jobs"),
    [((8, None, 4), (None,) * 3), ((None,) * 3, (6, 1, None)), ((7, 8, None), (None, None, 1))],
)
def test_limits_of_tenants_are_thresholds_of_the_product_form(
    most_gpus: tuple[int | None, ...], most_jobs: tuple[int | None, ...], times: int
) -> None:
    kinds = (Kind(0, 1, 5.0), Kind(1, 4, 1.0), Kind(2, 2, 1.5), Kind(0, 3, 0.5))
    exact = blocking(kinds, None, 16, most_gpus, most_jobs)
    free = blocking(kinds, None, 16)
    assert max(abs(x - y) / y for x, y in zip(exact, free, strict=True)) > 0.5  # the limits matter
    limits = {
        name: [-1 if most is None else most for most in given]
        for name, given in (("max_gpus", most_gpus), ("max_jobs", most_jobs))
    }
    runs = lossy(kinds, terms(3, 4, **limits), 16, 300.0 * times)
    check(f"limits {most_gpus} {most_jobs}", runs, exact, within=0.2 / times**0.5)


TREES = {
    "one cohort": Tree(2, (2, 2, -1), (6, 4, 0), (None,) * 3, (None,) * 3),
    "borrowing limits": Tree(3, (3, 3, 3, -1), (6, 4, 2, 0), (2, 0, 1, None), (None,) * 4),
    "lending limits": Tree(3, (3, 3, 3, -1), (6, 4, 2, 0), (None,) * 4, (2, 0, None, None)),
    "both, and a cohort's own": Tree(
        3, (3, 3, 3, -1), (5, 3, 0, 4), (3, None, 5, None), (1, None, None, None)
    ),
    "nested, borrowing": Tree(
        3,
        (3, 3, 4, 5, 5, -1),
        (4, 2, 3, 0, 0, 2),
        (None, 2, 1, 2, None, None),
        (1, None, None, None, 2, None),
    ),
    "nested, lending": Tree(
        3, (3, 3, 4, 5, 5, -1), (4, 2, 3, 0, 0, 1), (None,) * 6, (1, None, None, 1, 1, None)
    ),
}


@LONG
@pytest.mark.parametrize("law", ["exponential", "lognormal"])
@pytest.mark.parametrize("name", TREES)
@pytest.mark.slow
def test_borrowing_and_lending_give_the_product_form_over_what_quotas_allow(
    name: str, law: str, times: int
) -> None:
    tree = TREES[name]
    kinds = tuple(
        Kind(t, gpus, load)
        for t, gpus, load in ((0, 1, 3.0), (0, 2, 0.8), (1, 1, 2.0), (1, 3, 0.4), (2, 1, 2.0))
        if t < tree.tenants
    )
    gpus = sum(tree.nominal)
    exact = blocking(kinds, tree, gpus)
    shared_all = blocking(kinds, None, gpus)
    assert name == "one cohort" or max(abs(x - y) / y for x, y in zip(exact, shared_all, strict=True)) > 0.2
    runs = lossy(kinds, tree.of_engine(len(kinds)), gpus, 300.0 * times, law)
    check(f"quotas, {name}, {law}", runs, exact, within=0.2 / times**0.5)


@pytest.mark.parametrize("name", TREES)
def test_a_pool_smaller_than_the_quotas_cuts_the_product_form(name: str) -> None:
    tree = TREES[name]
    kinds = tuple(Kind(t, gpus, load) for t, gpus, load in ((0, 1, 3.0), (0, 2, 0.8), (1, 1, 2.0)))
    gpus = sum(tree.nominal) - 3
    exact = blocking(kinds, tree, gpus)
    runs = lossy(kinds, tree.of_engine(3), gpus, 300.0)
    check(f"quotas beyond the pool, {name}", runs, exact, within=0.2)


# ---- eviction where nobody waits ----------------------------------------------------------------------------------


@LONG
@pytest.mark.parametrize("how", ["urgent", "owner"])
def test_who_evicts_never_meets_those_below(how: str, times: int) -> None:
    # One rate: all jobs together are M/M/c/c, and so are those of the upper tenant alone. What is evicted is lost.
    servers, high, low = 8, 3.0, 4.0
    kinds = (Kind(0, 1, high), Kind(1, 1, low))
    cancel = {"preemptible": [False, True], "requeue": [REQUEUE.index("cancel")] * 2}
    sharing = (
        terms(2, 2, urgent=[True, False], **cancel)
        if how == "urgent"
        else cohort(2, 2, (2, 2, -1), (servers, 0, 0), reclaim=[RECLAIM.index("any")] * 2, **cancel)
    )
    time = 300.0 * times
    runs = lossy_tiers(kinds, sharing, servers, time)
    lost = {a: a * queueing.erlang_b(servers, a) for a in (high, high + low)}
    done = (high + low - lost[high + low]) - (high - lost[high])
    agree(f"{how}, loss above", abandoned(runs, 0), lost[high] / high, within=0.4 / times**0.5)
    agree(f"{how}, loss below on arrival", abandoned(runs, 1), lost[high + low] / (high + low), within=0.1)
    ended = ratio(runs.count("finished", 1), runs.count("submitted", 1))
    agree(f"{how}, done below", ended, done / low, within=0.05 / times**0.5)
    evictions = (low * (1.0 - lost[high + low] / (high + low)) - done) / low
    agree(
        f"{how}, evicted below",
        ratio(evicted(runs, "preemptions", 1, 1), runs.count("submitted", 1)),
        evictions,
        within=0.15 / times**0.5,
    )


def lossy_tiers(kinds: tuple[Kind, ...], sharing: Sharing, gpus: int, time: float) -> Replications:
    """As `lossy`, the first class above the others; the jobs that run at the end of the window end too."""
    streams = [Poisson(k.load, gpus={k.gpus: 1.0}, tier=-i) for i, k in enumerate(kinds)]
    name = seed(kinds, gpus, time, sharing.urgent.tolist())
    spec = queue(*streams, seed=name, warm_up=30.0, count=time, cool_down=40.0, policy=Policy(SKIP))
    return replicate(shared(spec, [k.tenant for k in kinds], sharing, patience=0), gpus, RUNS)


@LONG
@pytest.mark.parametrize("level", ["any", "lower"])
def test_owners_that_reclaim_are_the_markov_chain(level: str, times: int) -> None:
    # 8 GPUs, 5 and 3 owned. Each borrows what is idle. Where all are busy an owner below its nominal evicts one of the
    # other's: both with `any`; with `lower` only the first, whose tier is higher. The evicted job is lost.
    gpus, nominal, loads = 8, (5, 3), (4.0, 4.5)
    reclaims = (True, level == "any")

    def moves(state: theory.State) -> list[tuple[theory.State, float]]:
        found = []
        for t, other in ((0, 1), (1, 0)):
            more = [*state]
            more[t] += 1
            if sum(state) == gpus:
                more[other] -= 1
            if sum(state) < gpus or (reclaims[t] and state[t] < nominal[t]):
                found.append((tuple(more), loads[t]))
            if state[t]:
                fewer = [*state]
                fewer[t] -= 1
                found.append((tuple(fewer), float(state[t])))
        return found

    states = [s for s in theory.box([gpus, gpus]) if sum(s) <= gpus]
    chances = theory.stationary(states, moves)
    full = [s for s in states if sum(s) == gpus]
    lost = [sum(chances[s] for s in full if not (reclaims[t] and s[t] < nominal[t])) for t in (0, 1)]
    taken = [
        sum(chances[s] for s in full if reclaims[t] and s[t] < nominal[t]) * loads[t] / loads[1 - t]
        for t in (0, 1)
    ]
    sharing = cohort(
        2,
        2,
        (2, 2, -1),
        (*nominal, 0),
        reclaim=[RECLAIM.index(level)] * 2,
        preemptible=[True] * 2,
        requeue=[REQUEUE.index("cancel")] * 2,
    )
    kinds = tuple(Kind(t, 1, load) for t, load in enumerate(loads))
    runs = lossy_tiers(kinds, sharing, gpus, 300.0 * times)
    for t in (0, 1):
        agree(f"reclaim {level}, lost {t}", abandoned(runs, t), lost[t], within=0.2 / times**0.5)
        rate = ratio(evicted(runs, "preemptions", t, 1), runs.count("submitted", t))
        if taken[1 - t]:
            agree(f"reclaim {level}, evicted {t}", rate, taken[1 - t], within=0.2 / times**0.5)
        else:
            assert not evicted(runs, "preemptions", t).any()


def test_two_sweeps_and_one_are_alike_where_nobody_waits() -> None:
    kinds = (Kind(0, 1, 3.0), Kind(0, 2, 0.8), Kind(1, 1, 2.0), Kind(1, 3, 0.4))
    tree = TREES["one cohort"]
    last, in_order = (
        lossy(kinds, replace(tree.of_engine(4), borrowers_last=last), 10, 100.0).result
        for last in (True, False)
    )
    assert np.array_equal(last.counts, in_order.counts)
    assert last.counts[:, :, 3].all()
