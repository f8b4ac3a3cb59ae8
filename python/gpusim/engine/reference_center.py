"""The oracle's center: who waits, who runs, and what happens tick by tick."""

from bisect import bisect_left
from collections.abc import Sequence

from gpusim.engine.reference_terms import ALL, NONE, SJF, Job, JobClass, Policy


class Profile:
    """Free GPUs of a pool over time, in steps: free[i] from times[i] until times[i + 1], the last for ever."""

    def __init__(self, now: int, gpus: int) -> None:
        self.times = [now]
        self.free = [gpus]

    def carve(self, begin: int, end: int, gpus: int) -> None:
        """Take `gpus` away during [begin, end)."""
        for time in (begin, end):
            i = bisect_left(self.times, time)
            if i == len(self.times) or self.times[i] != time:  # cut the step that contains `time` in two
                self.times.insert(i, time)
                self.free.insert(i, self.free[i - 1])
        for i in range(bisect_left(self.times, begin), bisect_left(self.times, end)):
            self.free[i] -= gpus

    def fits(self, begin: int, length: int, gpus: int) -> bool:
        """Whether `gpus` are free during all of [begin, begin + length); `begin` is one of `times`."""
        for i in range(bisect_left(self.times, begin), len(self.times)):
            if self.times[i] >= begin + length:
                break
            if self.free[i] < gpus:
                return False
        return True

    def earliest(self, length: int, gpus: int) -> int:
        """First time from which `gpus` are free for `length` ticks; always the start of a step."""
        return next(time for time in self.times if self.fits(time, length, gpus))


class Center:
    """The state of one run, and the loop over its events."""

    def __init__(
        self,
        jobs: Sequence[Job],
        classes: Sequence[JobClass],
        policy: Policy,
        gpus: Sequence[int],
        horizon: int,
    ) -> None:
        self.jobs, self.classes, self.policy, self.gpus, self.horizon = jobs, classes, policy, gpus, horizon
        self.held: list[int] = []  # job indices
        self.waiting: list[int] = []
        self.running: list[int] = []
        self.submitted = 0  # jobs [0, submitted) have been submitted
        self.pass_is_due = False  # something changed since the last pass
        self.eligible = [-1] * len(jobs)  # tick of joining the queue
        self.start = [-1] * len(jobs)
        self.end = [-1] * len(jobs)  # set at the start, known to the simulator but not to the scheduler
        self.pool = [-1] * len(jobs)
        self.left = [-1] * len(jobs)  # tick of abandoning or being refused
        self.outcome = ["unsubmitted"] * len(jobs)
        self.max_waiting = self.max_running = self.end_tick = 0

    def simulate(self) -> None:
        """The main loop: next tick, drain its events, run passes until nothing changes."""
        while (now := self.next_tick()) < self.horizon:  # R5: events at the horizon are not processed
            self.end_tick = now
            expired = any(now >= self.expiry(i) for i in self.waiting)  # S2: a live expiry is an event
            completed = self.complete(now)
            newcomers = self.join(now)
            if completed or newcomers or expired:  # R1: rejected, cancelled and held jobs cause no pass
                self.pass_is_due = True
            self.settle(now, newcomers)
            self.max_waiting = max(self.max_waiting, len(self.waiting))
            self.max_running = max(self.max_running, len(self.running))

    def next_tick(self) -> int:
        """Tick of the next completion, submit, eligibility, live expiry or pass; the horizon if none."""
        ticks = [self.horizon]
        ticks += [self.end[i] for i in self.running]
        ticks += [self.expiry(i) for i in self.waiting]
        ticks += [self.release(i) for i in self.held]
        ticks += [job.submit for job in self.jobs[self.submitted : self.submitted + 1]]
        if self.pass_is_due:  # S9: at the next multiple of the period
            ticks.append((self.end_tick // self.policy.period + 1) * self.policy.period)
        return min(ticks)

    def expiry(self, i: int) -> int:
        """The tick at which waiting job i loses patience (S4: counted from eligible)."""
        patience = self.classes[self.jobs[i].job_class].patience
        return self.horizon if patience < 0 else self.eligible[i] + patience

    def release(self, i: int) -> int:
        """S11: the tick at which submitted job i is eligible; the horizon while its predecessor has no end."""
        job = self.jobs[i]
        if job.after < 0:
            return job.submit
        if self.outcome[job.after] not in ("finished", "killed_limit"):
            return self.horizon
        return max(job.submit, self.end[job.after] + job.delay)

    def allowed(self, i: int) -> list[int]:
        """Pools that could ever run job i, the preferred one first; a smaller one is never considered."""
        job = self.jobs[i]
        return [pool for pool in self.classes[job.job_class].pools if self.gpus[pool] >= job.gpus]

    def complete(self, now: int) -> bool:
        """Jobs that end now give their GPUs back. Returns whether there were any."""
        done = [i for i in self.running if self.end[i] == now]
        for i in done:
            self.running.remove(i)
            killed = self.policy.kill_at_limit and self.jobs[i].service > self.jobs[i].limit
            self.outcome[i] = "killed_limit" if killed else "finished"
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
            self.eligible[i] = now
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

    def settle(self, now: int, newcomers: list[int]) -> None:
        """R3: pass, let leave who must; pass again while anybody left. S9: without a pass between periods."""
        while True:
            if self.pass_is_due and now % self.policy.period == 0:
                self.schedule(now)
                self.pass_is_due = False
            gave_up = self.abandon(now)
            refused = self.refuse(now, newcomers)
            if not gave_up and not refused:
                return
            self.pass_is_due = True  # S1: a refused newcomer has left

    def schedule(self, now: int) -> None:
        """One scheduling pass: scan the queue in order, start what may start (R10, R12-R15, S7, S8)."""
        profiles = [Profile(now, gpus) for gpus in self.gpus]
        for i in self.running:
            estimated_end = max(self.start[i] + self.jobs[i].limit, now + 1)  # R8: overdue is never free now
            profiles[self.pool[i]].carve(now, estimated_end, self.jobs[i].gpus)
        blocked: set[int] = set()  # pools whose scan has ended (NONE)
        reservations = [0] * len(self.gpus)  # by pool

        queue = sorted(self.waiting, key=self.rank)
        for i in queue if self.policy.max_tests < 0 else queue[: self.policy.max_tests]:  # S7
            job = self.jobs[i]
            pools = self.allowed(i)
            fitting = [
                pool  # R8: its earliest time there is now
                for pool in pools
                if pool not in blocked and profiles[pool].fits(now, job.limit, job.gpus)
            ]
            if fitting:
                self.begin(i, now, fitting[0])  # R12: the first that passes
                profiles[fitting[0]].carve(now, now + job.limit, job.gpus)
            elif self.policy.backfill == NONE:
                blocked.update(pools)  # R13: it ends the scan of its pools, not of the others
                if len(blocked) == len(self.gpus):
                    return
            else:
                found = [  # R15, S8: (time, rank of preference, pool); R14: SKIP has none
                    (profiles[pool].earliest(job.limit, job.gpus), preference, pool)
                    for preference, pool in enumerate(pools)
                    if self.policy.backfill == ALL or reservations[pool] < self.policy.backfill
                ]
                if self.policy.window >= 0:  # a later one is none and does not count
                    found = [place for place in found if place[0] <= now + self.policy.window]
                if found:
                    at, _, pool = min(found)  # fixed for this pass, forgotten after it
                    profiles[pool].carve(at, at + job.limit, job.gpus)  # R7: reserved for its whole limit
                    reservations[pool] += 1

    def rank(self, i: int) -> tuple[int, int, int, int]:
        """R10, S10: the larger tier, (under SJF the shorter limit,) the earlier eligible, the lower index."""
        job = self.jobs[i]
        key = job.limit if self.policy.order == SJF else 0
        return -self.classes[job.job_class].tier, key, self.eligible[i], i

    def begin(self, i: int, now: int, pool: int) -> None:
        """Job i leaves the queue and holds its GPUs of the pool until its end (R7, S5)."""
        job = self.jobs[i]
        self.start[i] = now
        self.end[i] = now + (min(job.service, job.limit) if self.policy.kill_at_limit else job.service)
        self.pool[i] = pool
        self.outcome[i] = "running"
        self.waiting.remove(i)
        self.running.append(i)
        assert sum(self.jobs[k].gpus for k in self.running if self.pool[k] == pool) <= self.gpus[pool]

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
        self.left[i] = now
        self.outcome[i] = outcome
        dead = i
        while followers := [k for k in self.held if self.jobs[k].after == dead]:
            (dead,) = followers  # at most one job follows another
            self.held.remove(dead)
            self.outcome[dead] = "cancelled"
