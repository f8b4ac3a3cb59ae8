"""The oracle's center: who waits, who runs, and what happens tick by tick."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gpusim.engine.reference_candidates import class_could_preempt
from gpusim.engine.reference_causes import Ledger
from gpusim.engine.reference_closures import Closures
from gpusim.engine.reference_fairness import FairKeys
from gpusim.engine.reference_multifactor import priority
from gpusim.engine.reference_pass import Pass
from gpusim.engine.reference_quota import Quotas, Use
from gpusim.engine.reference_terms import (
    FAIR_TREE,
    FAIRSHARE,
    MULTIFACTOR,
    SJF,
    Closure,
    Fairness,
    Job,
    JobClass,
    Policy,
    Sharing,
    Windows,
)
from gpusim.engine.reference_users import user_could_ever
from gpusim.engine.reference_work import wall_time, work_done, work_saved


@dataclass
class Stay:
    """One start of a job and what came of it."""

    job: int
    pool: int
    begin: int  # [tick]
    end: int  # [tick] foreseen, then true
    grace: int  # [ticks] its victims kept it waiting
    first: bool  # not a restart
    lost: int = 0  # [GPU-ticks] once it is over
    is_over: bool = False


class Center:
    """The state of one run, and the loop over its events."""

    def __init__(
        self,
        jobs: Sequence[Job],
        classes: Sequence[JobClass],
        policy: Policy,
        gpus: Sequence[int],
        windows: Windows,
        sharing: Sharing | None = None,
        fairness: Fairness | None = None,
        closures: Sequence[Closure] = (),
    ) -> None:
        self.jobs, self.classes, self.policy, self.gpus = jobs, classes, policy, gpus
        self.horizon, self.sharing, self.fairness = windows.horizon, sharing, fairness
        self.quotas = Quotas(sharing, gpus) if sharing is not None else None
        self.fair: FairKeys | None = None  # keys that change at multiples of calc_period (S30)
        if policy.order in (FAIRSHARE, FAIR_TREE, MULTIFACTOR):
            assert sharing is not None
            assert fairness is not None
            self.fair = FairKeys(fairness, len(sharing.tenants))
        self.closures = Closures(closures, gpus)
        self.window = (windows.warm_up, min(windows.count_end, windows.horizon))
        self.ledger = Ledger(self, self.window)
        self.pools = [self.pools_of(job) for job in jobs]
        self.held: list[int] = []  # job indices
        self.waiting: list[int] = []
        self.running: list[int] = []
        self.submitted = 0  # jobs [0, submitted) have been submitted
        self.pass_is_due = False  # something changed since the last pass
        self.last_pass: Pass | None = None  # of this tick
        self.eligible = [-1] * len(jobs)  # tick of joining the queue
        self.start = [-1] * len(jobs)
        self.end = [-1] * len(jobs)  # set at every start, known to the simulator but not to the scheduler
        self.pool = [-1] * len(jobs)  # of the last start
        self.first_pool = [-1] * len(jobs)
        self.last_start = [-1] * len(jobs)
        self.queued = [-1] * len(jobs)  # the eligible tick that orders the queue (S26)
        self.waiting_since = [-1] * len(jobs)
        self.remaining = [job.service for job in jobs]  # [ticks] of work not saved yet
        self.killed = [False] * len(jobs)  # the start under way ends at its limit
        self.stays: list[Stay] = []  # every start, in order
        self.last = [-1] * len(jobs)  # the position of a job's last one
        self.waits: list[tuple[int, int, int]] = []  # (job, from, to): waits that are over
        self.evictions: list[tuple[int, int]] = []  # (tick, job), in order
        self.outcome = ["unsubmitted"] * len(jobs)
        self.max_waiting = self.max_running = self.end_tick = 0

    def simulate(self) -> None:
        """The main loop: next tick, drain its events, run passes until nothing changes."""
        while (now := self.next_tick()) < self.horizon:  # R5: events at the horizon are not processed
            woken = now in self.wake_ups()  # R2, S24, S30, S36: as things are before this tick
            expired = any(now >= self.expiry(i) for i in self.waiting)  # S2: a live expiry is an event
            self.elapse(now)
            self.end_tick, self.last_pass = now, None
            completed = self.complete(now)
            newcomers = self.join(now)
            if (
                completed or newcomers or expired or woken
            ):  # R1: rejected, cancelled and held jobs cause no pass
                self.pass_is_due = True
            if self.settle(now, newcomers):
                self.ledger.renew()
            else:
                self.ledger.admit()
            self.max_waiting = max(self.max_waiting, len(self.waiting))
            self.max_running = max(self.max_running, len(self.running))
        self.elapse(self.horizon)

    def elapse(self, now: int) -> None:
        """Nothing has changed since the last tick that was processed: charge for the time."""
        self.ledger.charge(self.end_tick, now)
        if self.fair is not None:
            self.fair.elapse(self.end_tick, now, self.counted_use())

    def next_tick(self) -> int:
        """Tick of the next completion, submit, eligibility, live expiry, wake-up or pass; the horizon if none."""
        ticks = [self.horizon]
        ticks += [self.end[i] for i in self.running]
        ticks += [self.expiry(i) for i in self.waiting]
        ticks += [self.release(i) for i in self.held]
        ticks += self.wake_ups()
        ticks += [job.submit for job in self.jobs[self.submitted : self.submitted + 1]]
        if self.pass_is_due:  # S9: at the next multiple of the period
            ticks.append((self.end_tick // self.policy.period + 1) * self.policy.period)
        return min(ticks)

    def wake_ups(self) -> list[int]:
        """Ticks ahead at which a pass is worth while though nothing happens, if nothing happens before (R2)."""
        ticks = self.closures.next_after(self.end_tick)  # S36: also while nobody waits
        if self.fair is not None and self.waiting:  # S30
            ticks.append(self.fair.next_after(self.end_tick))
        for old in self.running:  # S24: the end of an exempt time that somebody waits for
            exempt_until = self.last_start[old] + self.class_of(old).exempt
            if self.class_of(old).preemptible and exempt_until > self.end_tick and self.awaited(old):
                ticks.append(exempt_until)
        return ticks

    def awaited(self, old: int) -> bool:
        """Whether a job waits whose class could evict running job `old`."""
        return any(
            self.pool[old] in self.class_of(new).pools
            and class_could_preempt(self.quotas, self.class_of(new), self.class_of(old))
            for new in self.waiting
        )

    def expiry(self, i: int) -> int:
        """The tick at which waiting job i loses patience (S4: counted from eligible; R4: once started, never)."""
        patience = self.class_of(i).patience
        return self.horizon if patience < 0 or self.start[i] >= 0 else self.eligible[i] + patience

    def release(self, i: int) -> int:
        """S11, S35: the tick at which submitted job i is eligible; the horizon while its predecessor has no end."""
        job = self.jobs[i]
        if job.after < 0:
            return job.submit + job.delay
        if self.outcome[job.after] not in ("finished", "killed_limit"):
            return self.horizon
        return max(job.submit, self.end[job.after] + job.delay)

    def class_of(self, i: int) -> JobClass:
        """The class of job i."""
        return self.classes[self.jobs[i].job_class]

    def allowed(self, i: int) -> list[int]:
        """Pools that could ever run job i, the preferred one first; the others are never considered."""
        return self.pools[i]

    def pools_of(self, job: Job) -> list[int]:
        """Allowed pools that are large enough and in which the tenant's ceiling is high enough (R9, S16, S34)."""
        row, quotas = self.classes[job.job_class], self.quotas
        tenant = self.sharing.tenants[row.tenant] if self.sharing is not None else None
        if tenant is not None and not row.urgent and not user_could_ever(tenant, job):
            return []
        return [
            pool
            for pool in row.pools
            if self.gpus[pool] >= job.gpus
            and (quotas is None or row.urgent or quotas.could_ever(row.tenant, pool, job.gpus))
        ]

    def free(self, pool: int) -> int:
        """GPUs of the pool that are not closed and that nobody holds (S36)."""
        open_gpus = self.gpus[pool] - self.closures.closed(pool, self.end_tick)
        return open_gpus - sum(self.jobs[i].gpus for i in self.running if self.pool[i] == pool)

    def use(self, without: Sequence[int] = ()) -> Use:
        """What tenants use, but for some of the running jobs."""
        use = Use()
        for i in self.running:
            if i not in without:
                tenant = self.class_of(i).tenant
                use.gpus[tenant, self.pool[i]] += self.jobs[i].gpus
                use.jobs[tenant] += 1
        return use

    def counted_use(self) -> Counter[int]:
        """GPUs of each tenant that count as usage: all, or those beyond its nominal quotas (S30)."""
        assert self.fairness is not None
        assert self.quotas is not None
        counted: Counter[int] = Counter()
        center = self.fairness.center_pools or len(self.gpus)
        for (tenant, pool), gpus in self.use().gpus.items():
            if self.fairness.over_quota and pool >= center:
                continue
            owned = self.quotas.nominal[tenant][pool] if self.fairness.over_quota else None
            counted[tenant] += max(0, gpus - (owned or 0))
        return counted

    def last_stay(self, i: int) -> Stay:
        """The last start of a job that has started."""
        return self.stays[self.last[i]]

    def estimated_end(self, i: int, now: int) -> int:
        """When the scheduler expects running job i to end; an overdue one is never free now (R8, S23)."""
        return max(self.last_start[i] + self.last_stay(i).grace + self.jobs[i].limit, now + 1)

    def grace_of(self, victims: Sequence[int]) -> int:
        """[ticks] that the job in whose favour they are evicted has to wait with its own work (R30)."""
        return max((self.class_of(i).grace for i in victims), default=0)

    def complete(self, now: int) -> bool:
        """Jobs that end now give their GPUs back. Returns whether there were any."""
        done = [i for i in self.running if self.end[i] == now]
        for i in done:
            self.running.remove(i)
            self.outcome[i] = "killed_limit" if self.killed[i] else "finished"
            stay = self.last_stay(i)
            work = work_done(self.remaining[i], self.class_of(i), stay.first, now - stay.begin, stay.grace)
            stay.lost, stay.is_over = self.jobs[i].gpus * (now - stay.begin - work), True
        return bool(done)

    def join(self, now: int) -> list[int]:
        """Submits of this tick, then everybody who is eligible now joins the queue. Returns these newcomers."""
        while self.submitted < len(self.jobs) and self.jobs[self.submitted].submit == now:
            self.submit(self.submitted)
            self.submitted += 1
        newcomers = sorted(i for i in self.held if self.release(i) <= now)
        for i in newcomers:
            self.held.remove(i)
            self.waiting.append(i)
            self.outcome[i] = "waiting"
            self.eligible[i] = self.queued[i] = self.waiting_since[i] = now
        return newcomers

    def submit(self, i: int) -> None:
        """Job i is rejected (R9), or cancelled as its chain is dead, or held until it is eligible (S11)."""
        after = self.jobs[i].after
        if not self.allowed(i):
            self.outcome[i] = "rejected"
        elif after >= 0 and self.outcome[after] in ("rejected", "rejected_full", "abandoned", "cancelled"):
            self.outcome[i] = "cancelled"
        else:
            self.outcome[i] = "held"
            self.held.append(i)

    def settle(self, now: int, newcomers: list[int]) -> bool:
        """R3: pass, let leave who must; pass again while anybody left or was evicted. Returns whether one was made.

        S9: without a pass between periods.
        """
        passed = False
        while True:
            evicted = False
            if self.pass_is_due and now % self.policy.period == 0:
                evicted = self.schedule(now)
                self.pass_is_due = False
                passed = True
            gave_up = self.abandon(now)
            refused = self.refuse(now, newcomers)
            if not gave_up and not refused and not evicted:
                return passed
            self.pass_is_due = True  # S1: a refused newcomer has left

    def schedule(self, now: int) -> bool:
        """One scheduling pass. Returns whether anybody was evicted."""
        scan = Pass(self, now)
        scan.scan()
        self.last_pass = scan
        return scan.evicted

    def rank(self, i: int) -> tuple[int, int, int, int]:
        """R10, S10, S26: the larger tier, the smaller key, the earlier place in the queue, the lower index."""
        return -self.class_of(i).tier, self.key(i), self.queued[i], i

    def key(self, i: int) -> int:
        """What orders waiting jobs of a tier now (S10, S30-S33)."""
        tenant = self.class_of(i).tenant
        if self.policy.order == SJF:
            return self.jobs[i].limit
        if self.policy.order == FAIRSHARE and self.fair is not None:
            return self.fair.level[tenant]
        if self.policy.order == FAIR_TREE and self.fair is not None:
            return self.fair.rank[tenant]
        if self.policy.order == MULTIFACTOR and self.fair is not None:
            # R11: as of the last multiple of calc_period, or of joining the queue
            at = max(self.waiting_since[i], self.fair.last_until(self.end_tick))
            age, tenants = at - self.queued[i], len(self.fair.rank)
            pools = self.fair.fairness.center_pools or len(self.gpus)
            rank, total = self.fair.rank[tenant], sum(self.gpus[:pools])
            return -priority(self.fair.fairness, self.jobs[i], age, rank, tenants, total)
        return 0

    def begin(self, i: int, now: int, pool: int, grace: int) -> None:
        """Job i leaves the queue and holds its GPUs of the pool until its end (R7, S5, S23)."""
        limit, first = self.jobs[i].limit, self.start[i] < 0
        wall = wall_time(self.remaining[i], self.class_of(i), first)
        self.killed[i] = self.policy.kill_at_limit and wall > limit
        self.stays.append(Stay(i, pool, now, now + grace + (limit if self.killed[i] else wall), grace, first))
        self.last[i] = len(self.stays) - 1
        self.waits.append((i, self.waiting_since[i], now))
        self.last_start[i] = now
        if first:
            self.start[i], self.first_pool[i] = now, pool
        self.end[i] = self.stays[-1].end
        self.pool[i] = pool
        self.outcome[i] = "running"
        self.waiting.remove(i)
        self.running.append(i)
        assert self.free(pool) >= 0

    def evict(self, i: int, now: int) -> None:
        """Job i gives its GPUs back before its end; it waits again, or ends for good (S22, S23)."""
        stay, row = self.last_stay(i), self.class_of(i)
        elapsed = now - stay.begin
        saved = work_saved(self.remaining[i], row, stay.first, elapsed, stay.grace)
        stay.lost = self.jobs[i].gpus * (elapsed - saved)
        stay.end, stay.is_over = now, True
        self.remaining[i] -= saved
        assert self.remaining[i] > 0
        self.evictions.append((now, i))
        self.running.remove(i)
        self.end[i] = -1
        if row.requeue == "cancel":
            self.end[i] = now
            self.outcome[i] = "cancelled"
            self.cancel_after(i)
            return
        if row.requeue == "tail":
            self.queued[i] = now
        self.waiting_since[i] = now
        self.waiting.append(i)
        self.outcome[i] = "waiting"

    def abandon(self, now: int) -> bool:
        """R4: jobs that still wait and whose patience is used up leave. Returns whether there were any."""
        impatient = [i for i in self.waiting if now >= self.expiry(i)]
        for i in impatient:
            self.leave(i, now, "abandoned")
        return bool(impatient)

    def refuse(self, now: int, newcomers: list[int]) -> bool:
        """S3: newcomers beyond `max_waiting` leave, last index first. Returns whether there were any."""
        refused = False
        for i in sorted(newcomers, reverse=True):
            tenant = self.classes[self.jobs[i].job_class].tenant
            if i in self.waiting and (self.center_is_over() or self.tenant_is_over(tenant)):
                self.leave(i, now, "rejected_full")
                refused = True
        return refused

    def center_is_over(self) -> bool:
        """Whether more jobs wait than the center allows."""
        return 0 <= self.policy.max_waiting < len(self.waiting)

    def tenant_is_over(self, tenant: int) -> bool:
        """Whether more jobs of the tenant wait than it is allowed."""
        limits = self.policy.tenant_max_waiting
        limit = limits[tenant] if tenant < len(limits) else -1
        waiting = [i for i in self.waiting if self.classes[self.jobs[i].job_class].tenant == tenant]
        return 0 <= limit < len(waiting)

    def leave(self, i: int, now: int, outcome: str) -> None:
        """Job i leaves the queue without having started; the rest of its chain is cancelled (S11)."""
        self.waiting.remove(i)
        self.waits.append((i, self.waiting_since[i], now))
        self.outcome[i] = outcome
        self.cancel_after(i)

    def cancel_after(self, dead: int) -> None:
        """Job `dead` will never finish: the held jobs of its chain are cancelled (S11)."""
        while followers := [k for k in self.held if self.jobs[k].after == dead]:
            (dead,) = followers  # at most one job follows another
            self.held.remove(dead)
            self.outcome[dead] = "cancelled"
