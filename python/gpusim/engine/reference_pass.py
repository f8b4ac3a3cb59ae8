"""One pass of the oracle: scan the queue in order, start who may start (R10-R15, R19-R22, S7, S8, S17-S19, S33)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpusim.engine.reference_preemption import victims
from gpusim.engine.reference_profile import Profile
from gpusim.engine.reference_quota import Use
from gpusim.engine.reference_terms import ALL, NONE, SKIP, WEIGHTED_SHARE
from gpusim.engine.reference_users import user_admits
from gpusim.engine.reference_weighted_share import in_turn

if TYPE_CHECKING:
    from gpusim.engine.reference_center import Center


class Pass:
    """What is true during one pass and forgotten after it."""

    def __init__(self, run: Center, now: int) -> None:
        self.run, self.now = run, now
        self.profiles = [Profile(now, gpus) for gpus in run.gpus]
        for i in run.running:
            self.profiles[run.pool[i]].carve(now, run.estimated_end(i, now), run.jobs[i].gpus)
        for pool, profile in enumerate(self.profiles):
            run.closures.carve(profile, pool, now)  # S36
        self.blocked: set[int] = set()  # pools whose scan has ended (NONE)
        self.stopped: set[tuple[int, int]] = set()  # (strict tenant, pool) behind a quota-blocked job
        self.reservations = [0] * len(run.gpus)  # by pool
        self.reserved = Use()  # what the reserved jobs of each tenant will use (R21)
        self.owned = Use()  # kept for owners that may not reclaim (R20)
        self.evicted = False  # whether anybody was

    def scan(self) -> None:
        """Look at the waiting jobs in order, in one sweep or two."""
        policy = self.run.policy
        queue = sorted(self.run.waiting, key=self.run.rank)
        if policy.max_tests >= 0:  # S7
            queue = queue[: policy.max_tests]
        if policy.order == WEIGHTED_SHARE:
            for i in in_turn(self, queue):
                self.handle(i)
            return
        if self.run.sharing is None or self.run.sharing.borrowers == "in_order":
            for i in queue:
                self.handle(i)
            return
        put_off: list[int] = []
        for i in queue:  # R22, S17
            if self.needs_no_loan(i) and not self.would_overtake(i, put_off):
                self.handle(i)
            else:
                put_off.append(i)
        for i in put_off:
            self.handle(i)

    def handle(self, i: int) -> None:
        """Start the job, or evict others for it, or say how it is blocked (S18)."""
        run, job, row = self.run, self.run.jobs[i], self.run.class_of(i)
        pools = [p for p in run.allowed(i) if p not in self.blocked and (row.tenant, p) not in self.stopped]
        admitting = [pool for pool in pools if self.admits(i, pool)]

        for pool in admitting:  # R12: the first that passes; R8: its earliest time there is now
            if self.profiles[pool].fits(self.now, job.limit, job.gpus):
                self.start(i, pool)
                return
        for pool in pools:
            if gone := victims(self, i, pool):
                self.evict(gone)
                self.start(i, pool, run.grace_of(gone))
                return
        if not admitting:
            self.block_by_quota(i, pools)
        elif run.policy.backfill == NONE:
            self.blocked.update(admitting)  # R13: it ends the scan of these pools, not of the others
        elif run.policy.backfill != SKIP:
            self.reserve(i, admitting)

    def start(self, i: int, pool: int, grace: int = 0) -> None:
        """Job i starts; in the profile it lasts its whole limit, after the grace of its victims (R7, S23)."""
        job = self.run.jobs[i]
        self.run.begin(i, self.now, pool, grace)
        self.profiles[pool].carve(self.now, self.now + grace + job.limit, job.gpus)

    def evict(self, gone: Sequence[int]) -> None:
        """Victims leave at once; who waits again is looked at in the next pass of this tick (R27, S22)."""
        self.evicted = True
        for old in gone:
            end = self.run.estimated_end(old, self.now)
            self.profiles[self.run.pool[old]].carve(self.now, end, -self.run.jobs[old].gpus)
            self.run.evict(old, self.now)

    def reserve(self, i: int, pools: Sequence[int]) -> None:
        """At most one reservation, at the earliest time over these pools (R14, R15, S8)."""
        run, job = self.run, self.run.jobs[i]
        found = [  # (time, rank of preference, pool)
            (self.profiles[pool].earliest(job.limit, job.gpus), preference, pool)
            for preference, pool in enumerate(pools)
            if run.policy.backfill == ALL or self.reservations[pool] < run.policy.backfill
        ]
        if run.policy.window >= 0:  # a later one is none and does not count
            found = [place for place in found if place[0] <= self.now + run.policy.window]
        if found:
            at, _, pool = min(found)  # fixed for this pass, forgotten after it
            self.profiles[pool].carve(at, at + job.limit, job.gpus)  # R7: reserved for its whole limit
            self.reservations[pool] += 1
            tenant = run.class_of(i).tenant
            self.reserved.gpus[tenant, pool] += job.gpus
            self.reserved.jobs[tenant] += 1

    def block_by_quota(self, i: int, pools: Sequence[int]) -> None:
        """No reservation; a strict tenant's later jobs stop, an owner that may not reclaim keeps its own (R19, R20)."""
        quotas, tenant, gang = self.run.quotas, self.run.class_of(i).tenant, self.run.jobs[i].gpus
        if quotas is None or not user_admits(self.run, i):  # S34: a user's limits are nobody else's matter
            return
        if quotas.tenants[tenant].strict:
            self.stopped.update((tenant, pool) for pool in pools)
        if quotas.tenants[tenant].reclaim == "never":
            own = [pool for pool in pools if quotas.fits_nominal(tenant, pool, gang, self.use())]
            for pool in own[:1]:
                self.owned.gpus[tenant, pool] += gang

    def needs_no_loan(self, i: int) -> bool:
        """Whether the job belongs to the first sweep as things are now (S17)."""
        quotas, row, gang = self.run.quotas, self.run.class_of(i), self.run.jobs[i].gpus
        if quotas is None or row.urgent:
            return True
        use = self.use()
        return any(
            not quotas.limited(row.tenant, pool) or quotas.fits_nominal(row.tenant, pool, gang, use)
            for pool in self.run.allowed(i)
        )

    def would_overtake(self, i: int, put_off: Sequence[int]) -> bool:
        """Whether the job's tenant is strict and an earlier job of it waits for the second sweep (S17)."""
        quotas, tenant = self.run.quotas, self.run.class_of(i).tenant
        if quotas is None or not quotas.tenants[tenant].strict:
            return False
        return any(self.run.class_of(earlier).tenant == tenant for earlier in put_off)

    def use(self, without: Sequence[int] = ()) -> Use:
        """What running jobs use, but these, with what R20 keeps for owners."""
        use = self.run.use(without)
        use.gpus.update(self.owned.gpus)  # adds
        return use

    def admits(self, i: int, pool: int, without: Sequence[int] = ()) -> bool:
        """The quota test of the job in the pool, with these running jobs gone (S15, S25, S34)."""
        quotas, row = self.run.quotas, self.run.class_of(i)
        if quotas is None or row.urgent:
            return True
        if not user_admits(self.run, i, without):
            return False
        return quotas.admits(row.tenant, pool, self.run.jobs[i].gpus, self.use(without), self.reserved)
