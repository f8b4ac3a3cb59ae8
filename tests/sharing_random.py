"""Random small centers shared by tenants, for invariants and for comparing engines: tight, tied, every rule in turn."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from gpusim.engine import reference as oracle
from gpusim.engine.reference import (
    Closure,
    Cohort,
    Fairness,
    Job,
    JobClass,
    Outcome,
    Policy,
    Share,
    Sharing,
    Slo,
    Tenant,
    Windows,
)
from sharing_features import with_features


@dataclass(frozen=True)
class SharedCenter:
    """One center with its tenants, in the oracle's own terms."""

    jobs: tuple[Job, ...]
    classes: tuple[JobClass, ...]
    policy: Policy
    gpus: tuple[int, ...]
    windows: Windows
    slos: tuple[Slo, ...]
    sharing: Sharing | None
    fairness: Fairness | None = None
    closures: tuple[Closure, ...] = ()

    def answer(self) -> Outcome:
        return oracle.simulate(
            self.jobs,
            self.classes,
            self.policy,
            self.gpus,
            self.windows,
            self.slos,
            self.sharing,
            self.fairness,
            self.closures,
        )


def random_shared_center(seed: int, features: bool = True) -> SharedCenter:
    """Up to 40 jobs of 2-6 classes of 1-4 tenants in 1-2 pools; a failing one is named by its seed.

    With `features` perhaps an order by use, users, approval, closures (`sharing_features.py`).
    """
    rng = random.Random(f"shared {seed}")
    gpus = tuple(rng.choice([2, 4, 6, 6, 9, 12]) for _ in range(rng.choice([1, 1, 1, 2])))
    sharing, fairness = random_sharing(rng, gpus)
    classes = tuple(_job_class(rng, len(sharing.tenants), len(gpus)) for _ in range(rng.randint(2, 6)))
    longest, span = rng.choice([6, 15, 40]), rng.choice([10, 20, 40, 100])
    largest = rng.choice([1, 2, (max(gpus) + 1) // 2, (max(gpus) + 1) // 2, max(gpus)])

    def job() -> Job:
        service = rng.randint(1, longest)
        limit = rng.choice([service, 2 * service + 5, rng.randint(1, 2 * longest)])
        return Job(rng.randint(0, span), service, limit, rng.randint(1, largest), rng.randrange(len(classes)))

    jobs = sorted((job() for _ in range(rng.randint(8, 40))), key=lambda j: j.submit)
    if rng.random() < 0.3:  # some chains of two
        for i in range(1, len(jobs), 4):
            jobs[i] = replace(jobs[i], after=i - 1, delay=rng.choice([0, 0, 3]))
    order = oracle.FIFO
    if fairness is not None:
        order = rng.choice([oracle.FAIRSHARE, oracle.FAIRSHARE, oracle.FIFO])
    elif rng.random() < 0.2:
        order = oracle.SJF
    policy = Policy(
        backfill=rng.choice([oracle.NONE, oracle.SKIP, oracle.ALL, 1, 1, 2, 3]),
        kill_at_limit=rng.random() < 0.7,
        max_waiting=rng.choice([-1, -1, -1, -1, 2, 6]),
        order=order,
        window=rng.choice([-1, -1, -1, 10]),
        max_tests=rng.choice([-1, -1, -1, 2, 5]),
        period=rng.choice([1, 1, 1, 3, 7]),
    )
    warm_up = rng.choice([0, 0, 0, 7])
    count_end = warm_up + rng.choice([span + 1, span // 2, 3 * span])
    windows = Windows(warm_up, count_end, count_end + rng.choice([0, 10, 100, 3000]))
    slos = tuple(
        Slo(
            rng.choice([0, 1, 2, 5, 20, 100]) * (1000 if metric == oracle.SLOWDOWN else 1),
            rng.choice([0, 500_000, 900_000, 1_000_000]),
            frozenset(rng.sample(range(len(classes)), rng.randint(1, len(classes)))),
            metric=metric,
        )
        for metric in rng.sample(range(5), rng.randint(0, 5))
    )
    center = SharedCenter(tuple(jobs), classes, policy, gpus, windows, slos, sharing, fairness)
    center = _contended(rng, center) if rng.random() < 0.6 else center
    return with_features(seed, center) if features else center


def _contended(rng: random.Random, center: SharedCenter) -> SharedCenter:
    """Tenants that share what there is and take it from each other; long jobs, most of them preemptible."""
    sharing = center.sharing
    assert sharing is not None
    tenants = len(sharing.tenants)
    below = 2 if rng.random() < 0.5 else 0  # cohorts inside the one of all; then every cohort owns something
    owners = tenants + below + 1 if below else tenants

    def quotas(pool: int) -> list[int]:
        cuts = sorted(rng.randint(0, pool) for _ in range(owners - 1))
        return [b - a for a, b in zip([0, *cuts], [*cuts, pool], strict=True)]

    nominal = list(zip(*(quotas(g) for g in center.gpus), strict=True))
    rows = tuple(
        replace(
            row,
            parent=tenants + rng.randint(0, below),
            nominal=nominal[t],
            borrow=row.borrow if rng.random() < 0.2 else (),
            lend=row.lend if rng.random() < 0.2 else (),
            strict=rng.random() < 0.15,
            within=rng.choice(["lower", "lower", "lower_or_newer", "never"]),
            reclaim=(reclaim := rng.choice(["lower", "any", "any", "never"])),
            borrow_preempts=None if reclaim == "never" else rng.choice([None, 0, 1]),
            max_gpus=None,
            max_jobs=None,
        )
        for t, row in enumerate(sharing.tenants)
    )
    classes = tuple(
        replace(row, tier=rng.choice([0, 0, 1, 2, 3]), preemptible=rng.random() < 0.9)
        for row in center.classes
    )
    own = nominal[tenants:] or [()]
    cohorts = (*(Cohort(tenants + below, nominal) for nominal in own[:below]), Cohort(nominal=own[-1]))
    stretch = rng.choice([1, 3])
    jobs = tuple(replace(j, service=stretch * j.service, limit=stretch * j.limit) for j in center.jobs)
    return replace(
        center,
        jobs=jobs,
        classes=classes,
        policy=replace(center.policy, max_tests=-1, backfill=rng.choice([0, -1, -1, -2, 1, 2])),
        windows=replace(center.windows, horizon=center.windows.horizon + rng.choice([0, 500])),
        sharing=replace(sharing, tenants=rows, cohorts=cohorts, unassigned=-1),
    )


def random_sharing(rng: random.Random, gpus: tuple[int, ...]) -> tuple[Sharing, Fairness | None]:
    """1-4 tenants, alone or in a tree; amounts in GPUs or shares, roughly as much as there is; perhaps fair keys."""
    tenants = rng.choice([1, 2, 2, 3, 4])
    cohorts = rng.choice([0, 1, 1, 1, 2, 3])
    no_quotas = rng.random() < 0.1

    def amount(most: int) -> int | Share:
        return rng.randint(0, most) if rng.random() < 0.7 else Share(rng.randint(0, 1_000_000 * most // 12))

    def limit() -> tuple[int | Share | None, ...]:
        if rng.random() < 0.6:
            return ()
        return tuple(rng.choice([None, None, 0, amount(g)]) for g in gpus)

    def parent(first: int) -> int:
        above = range(max(tenants, first), tenants + cohorts)
        return rng.choice(above) if above and not no_quotas and rng.random() < 0.85 else -1

    def tenant() -> Tenant:
        above = parent(tenants)
        alone = above < 0 and (no_quotas or rng.random() < 0.2)
        reclaim = rng.choice(["never", "lower", "any", "any"])
        row = Tenant(
            above,
            () if alone else tuple(amount(max(1, 2 * g // tenants)) for g in gpus),
            limit(),
            limit(),
            strict=rng.random() < 0.3,
            within=rng.choice(["never", "lower", "lower", "lower_or_newer"]),
            reclaim=reclaim,
            borrow_preempts=rng.choice([None, None, 0, 1]) if reclaim != "never" else None,
            max_gpus=rng.choice([None, None, None, None, None, max(gpus) // 2 + 1]),
            max_jobs=rng.choice([None, None, None, None, 1, 3]),
        )
        weights.append(rng.choice([1, 1, 2, 5]))
        return row

    weights: list[int] = []
    sharing = Sharing(
        tuple(tenant() for _ in range(tenants)),
        tuple(
            Cohort(
                parent(tenants + k + 1),
                rng.choice([(), (), tuple(amount(2) for _ in gpus)]),
                limit() if rng.random() < 0.4 else (),
                limit() if rng.random() < 0.4 else (),
            )
            for k in range(cohorts)
        ),
        borrowers=rng.choice(["last", "last", "in_order"]),
        unassigned=rng.choice([-1, -1, -1, rng.randrange(tenants)]),
    )
    calc_period = rng.choice([0, 0, 5, 16])
    decay_q32 = rng.choice([0, 2**31, 3 * 10**9, 2**32])
    if calc_period == 0:
        return sharing, None
    over_quota = rng.random() < 0.4
    return sharing, Fairness(
        tuple(weights), calc_period=calc_period, decay_q32=decay_q32, over_quota=over_quota
    )


def _job_class(rng: random.Random, tenants: int, pools: int) -> JobClass:
    return JobClass(
        tier=rng.choice([0, 0, 1, 2]),
        tenant=rng.randrange(tenants),
        patience=rng.choice([-1, -1, -1, -1, 5, 30]),
        pools=tuple(rng.sample(range(pools), rng.randint(1, pools))),
        killed_ok=rng.random() < 0.5,
        preemptible=rng.random() < 0.85,
        exempt=rng.choice([0, 0, 0, 2, 6]),
        grace=rng.choice([0, 0, 0, 1, 3]),
        requeue=rng.choice(["place", "place", "place", "tail", "tail", "cancel"]),
        checkpoint=rng.choice([None, None, 1, 3, 5]),
        checkpoint_cost=rng.choice([0, 0, 1, 2]),
        restart=rng.choice([0, 0, 1, 4]),
        urgent=rng.random() < 0.12,
    )
