"""The oracle: one simulated center in slow, obvious Python.

Jobs ask for gangs of GPUs of one flat pool. This file says what one run means by doing it literally: every
pass sorts the whole queue, draws the whole profile of free GPUs again and searches it by brute force. Nothing
is kept between passes but who waits and who runs. Use it to check the fast engine and to settle what a rule
means, never for studies. It imports nothing but the standard library and shares no code with the engine.

Rules R1..R40 are those of the model, S1..S6 those of ARCHITECTURE.md section 1. Covered: order `fifo` inside
priority tiers, backfill, patience, `max_waiting`, limits, rejection, windows, verdicts. Not covered, because
the engine does not have it yet either: several pools, nodes, quotas, preemption, failures, chains, other
orders.

Ties, all of them: within a tick first completions, then arrivals, then passes (S6); in the queue the larger
tier, then the earlier submit, then the lower job index (R10); a start wins over patience (R4); of this tick's
newcomers the last index is refused first (S3). Time is in integer ticks, the run covers ticks [0, horizon)
(R5).

Cost: about the square of the jobs, each pass at least linear in the queue. 10,000 jobs take 2-20 s.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

NONE, SKIP, ALL = 0, -1, -2  # Policy.backfill; K >= 1: reservations for the first K blocked jobs

COUNTS = (
    "submitted",
    "rejected",
    "rejected_full",
    "abandoned",
    "started",
    "finished",
    "killed_limit",
    "waiting",
    "running",
)


@dataclass(frozen=True)
class Job:
    """A gang. Its position in the sequence is its job index (R6); S4: it is eligible when submitted."""

    submit: int  # [tick]
    service: int  # [ticks] true run time
    limit: int  # [ticks] what the user asked for
    gpus: int  # size of the gang, started whole or not at all
    job_class: int = 0  # position in the class table


@dataclass(frozen=True)
class JobClass:
    """What jobs of a kind have in common."""

    tier: int = 0  # larger first (R10)
    tenant: int = 0
    patience: int = -1  # [ticks] from submit to first start; -1 never gives up (S4)


@dataclass(frozen=True)
class Policy:
    """How the queue is served."""

    backfill: int = NONE  # NONE, SKIP, ALL or K >= 1 (R14)
    kill_at_limit: bool = True  # S5; False: limits only decide reservations (replays of logs)
    max_waiting: int = -1  # [jobs] of the center; -1 no bound (S3)
    tenant_max_waiting: tuple[int, ...] = ()  # [jobs] by tenant; -1, or a tenant past the end, no bound


@dataclass(frozen=True)
class Windows:
    """[ticks] Jobs submitted in [warm_up, count_end) are counted; the run covers [0, horizon)."""

    warm_up: int
    count_end: int
    horizon: int


@dataclass(frozen=True)
class Slo:
    """`wait <= limit` for a share of the jobs of some classes."""

    limit: int  # [ticks]
    share_ppm: int
    classes: frozenset[int]


@dataclass
class Outcome:
    """Everything a run answers, by job index, by class and by service level."""

    start: list[int]  # [tick] by job, -1 never
    end: list[int]  # [tick] by job, -1 not before the horizon
    outcome: list[str]  # by job: a final state of COUNTS, waiting, running, unsubmitted (submit >= horizon)
    counts: list[dict[str, int]]  # by class: COUNTS of counted jobs
    sums: list[dict[str, int]]  # by class: wait, turnaround [ticks] of counted jobs; gpu_ticks of all jobs
    slo: list[dict[str, int]]  # by level: met, violated, censored counted jobs
    passed: bool  # every level met
    integrals: dict[str, int]  # over the counting window: allocated, waiting_jobs, waiting_gpus, running_jobs
    max_waiting: int  # [jobs] most seen after the passes of a tick
    max_running: int  # [jobs]
    end_tick: int  # last tick in which something was applied, 0 if none
    jobs: int  # submitted before the horizon


class Profile:
    """Free GPUs over time, in steps: free[i] from times[i] until times[i + 1], the last for ever."""

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


class _Run:
    """The state of one run, and the loop over its events."""

    def __init__(
        self, jobs: Sequence[Job], classes: Sequence[JobClass], policy: Policy, gpus: int, horizon: int
    ) -> None:
        self.jobs, self.classes, self.policy, self.gpus, self.horizon = jobs, classes, policy, gpus, horizon
        self.waiting: list[int] = []  # job indices
        self.running: list[int] = []
        self.submitted = 0  # jobs [0, submitted) have arrived
        self.start = [-1] * len(jobs)
        self.end = [-1] * len(jobs)  # set at the start, known to the simulator but not to the scheduler
        self.left = [-1] * len(jobs)  # tick of abandoning or being refused
        self.outcome = ["unsubmitted"] * len(jobs)
        self.max_waiting = self.max_running = self.end_tick = 0

    def simulate(self) -> None:
        """The main loop: next tick, drain its events, run passes until nothing changes."""
        while (now := self.next_tick()) < self.horizon:  # R5: events at the horizon are not processed
            self.end_tick = now
            expired = any(now >= self.expiry(i) for i in self.waiting)  # S2: a live expiry is an event
            completed = self.complete(now)
            newcomers = self.arrive(now)
            if completed or newcomers or expired:  # R1: rejected arrivals cause no pass
                self.settle(now, newcomers)
            self.max_waiting = max(self.max_waiting, len(self.waiting))
            self.max_running = max(self.max_running, len(self.running))

    def next_tick(self) -> int:
        """Tick of the next completion, arrival or live expiry; the horizon if there is none."""
        ticks = [self.horizon]
        ticks += [self.end[i] for i in self.running]
        ticks += [self.expiry(i) for i in self.waiting]
        ticks += [job.submit for job in self.jobs[self.submitted : self.submitted + 1]]
        return min(ticks)

    def expiry(self, i: int) -> int:
        """The tick at which waiting job i loses patience."""
        patience = self.classes[self.jobs[i].job_class].patience
        return self.horizon if patience < 0 else self.jobs[i].submit + patience

    def complete(self, now: int) -> bool:
        """Jobs that end now give their GPUs back. Returns whether there were any."""
        done = [i for i in self.running if self.end[i] == now]
        for i in done:
            self.running.remove(i)
            killed = self.policy.kill_at_limit and self.jobs[i].service > self.jobs[i].limit
            self.outcome[i] = "killed_limit" if killed else "finished"
        return bool(done)

    def arrive(self, now: int) -> list[int]:
        """Jobs submitted now join the queue, except those that can never fit. Returns those that joined."""
        newcomers = []
        while self.submitted < len(self.jobs) and self.jobs[self.submitted].submit == now:
            i = self.submitted
            self.submitted += 1
            if self.jobs[i].gpus > self.gpus:  # R9
                self.outcome[i] = "rejected"
            else:
                self.outcome[i] = "waiting"
                self.waiting.append(i)
                newcomers.append(i)
        return newcomers

    def settle(self, now: int, newcomers: list[int]) -> None:
        """R3: pass, let leave who must; pass again while anybody left."""
        while True:
            self.schedule(now)
            gave_up = self.abandon(now)
            refused = self.refuse(now, newcomers)
            if not gave_up and not refused:  # S1: a refused newcomer has left
                return

    def schedule(self, now: int) -> None:
        """One scheduling pass: scan the queue in order, start what may start (R10, R13, R14, R15)."""
        profile = Profile(now, self.gpus)
        for i in self.running:
            estimated_end = max(self.start[i] + self.jobs[i].limit, now + 1)  # R8: overdue is never free now
            profile.carve(now, estimated_end, self.jobs[i].gpus)
        reservations = 0
        for i in sorted(self.waiting, key=self.rank):
            job = self.jobs[i]
            if profile.fits(now, job.limit, job.gpus):  # R8: its earliest time is now
                self.begin(i, now)
                profile.carve(now, now + job.limit, job.gpus)
            elif self.policy.backfill == NONE:
                return  # R13: a blocked job ends the scan
            elif self.policy.backfill == ALL or reservations < self.policy.backfill:  # R14; SKIP: none
                at = profile.earliest(job.limit, job.gpus)  # R15: fixed for this pass, forgotten after it
                profile.carve(at, at + job.limit, job.gpus)  # R7: a reserved run lasts its whole limit
                reservations += 1

    def rank(self, i: int) -> tuple[int, int, int]:
        """R10: the larger tier, then the earlier submit, then the lower index."""
        return -self.classes[self.jobs[i].job_class].tier, self.jobs[i].submit, i

    def begin(self, i: int, now: int) -> None:
        """Job i leaves the queue and holds its GPUs until its end (R7, S5)."""
        job = self.jobs[i]
        self.start[i] = now
        self.end[i] = now + (min(job.service, job.limit) if self.policy.kill_at_limit else job.service)
        self.outcome[i] = "running"
        self.waiting.remove(i)
        self.running.append(i)
        assert sum(self.jobs[k].gpus for k in self.running) <= self.gpus

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
        """Job i leaves the queue without having started."""
        self.waiting.remove(i)
        self.left[i] = now
        self.outcome[i] = outcome


def simulate(
    jobs: Sequence[Job],
    classes: Sequence[JobClass],
    policy: Policy,
    gpus: int,
    windows: Windows,
    slos: Sequence[Slo],
) -> Outcome:
    """Run `jobs` through a center of `gpus` GPUs and report what happened.

    Parameters
    ----------
    jobs : sequence of Job, sorted by submit; the position is the job index
    classes : sequence of JobClass
    policy : Policy
    gpus : int >= 0, GPUs of the pool
    windows : Windows [ticks]
    slos : sequence of Slo

    Raises
    ------
    ValueError
        For jobs out of order, a submit below 0, a service, limit or gang below 1, a class not in the table,
        an unknown backfill, gpus below 0, windows out of order. All problems are listed.

    Examples
    --------
    >>> jobs = [Job(submit=0, service=5, limit=5, gpus=2), Job(submit=1, service=3, limit=3, gpus=2)]
    >>> simulate(jobs, [JobClass()], Policy(), gpus=3, windows=Windows(0, 10, 10), slos=[]).start
    [0, 5]
    """
    _check(jobs, classes, policy, gpus, windows)
    run = _Run(jobs, classes, policy, gpus, windows.horizon)
    run.simulate()

    horizon = windows.horizon
    window = (windows.warm_up, min(windows.count_end, horizon))
    counts = [dict.fromkeys(COUNTS, 0) for _ in classes]
    sums = [{"wait": 0, "turnaround": 0, "gpu_ticks": 0} for _ in classes]
    levels = [{"met": 0, "violated": 0, "censored": 0} for _ in slos]
    integrals = {"allocated": 0, "waiting_jobs": 0, "waiting_gpus": 0, "running_jobs": 0}

    for i, job in enumerate(jobs):
        start, end, outcome, c = run.start[i], run.end[i], run.outcome[i], job.job_class
        if outcome == "unsubmitted":
            continue

        # all submitted jobs: ticks spent waiting and running inside the window
        if outcome != "rejected":
            queue_exit = start if start >= 0 else run.left[i] if run.left[i] >= 0 else horizon
            waited = _overlap((job.submit, queue_exit), window)
            integrals["waiting_jobs"] += waited
            integrals["waiting_gpus"] += waited * job.gpus
        if start >= 0:
            ran = _overlap((start, end), window)
            integrals["running_jobs"] += ran
            integrals["allocated"] += ran * job.gpus
            sums[c]["gpu_ticks"] += ran * job.gpus

        # counted jobs only: R33, R37, R38
        if not window[0] <= job.submit < window[1]:
            continue
        counts[c]["submitted"] += 1
        counts[c][outcome] += 1
        if start >= 0:
            counts[c]["started"] += 1
            sums[c]["wait"] += start - job.submit
        if outcome in ("finished", "killed_limit"):
            sums[c]["turnaround"] += end - job.submit
        for slo, level in zip(slos, levels, strict=True):
            if c in slo.classes:
                level[_verdict(job.submit, start, outcome, slo.limit, horizon)] += 1

    return Outcome(
        start=run.start,
        end=[end if end < horizon else -1 for end in run.end],
        outcome=run.outcome,
        counts=counts,
        sums=sums,
        slo=levels,
        passed=all(
            level["met"] * 10**6 >= slo.share_ppm * (level["met"] + level["violated"])
            for slo, level in zip(slos, levels, strict=True)
        ),
        integrals=integrals,
        max_waiting=run.max_waiting,
        max_running=run.max_running,
        end_tick=run.end_tick,
        jobs=run.submitted,
    )


def _verdict(submit: int, start: int, outcome: str, limit: int, horizon: int) -> str:
    """R38 for `wait <= limit`. A job still waiting at the horizon could start there at the earliest."""
    if start >= 0:  # R37: once started, the wait is known whatever came after
        return "met" if start - submit <= limit else "violated"
    if outcome != "waiting":  # abandoned, rejected, rejected_full
        return "violated"
    return "violated" if horizon - submit > limit else "censored"


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> int:
    """Ticks in both half-open intervals."""
    return max(0, min(a[1], b[1]) - max(a[0], b[0]))


def _check(
    jobs: Sequence[Job], classes: Sequence[JobClass], policy: Policy, gpus: int, windows: Windows
) -> None:
    """Raise one ValueError that lists everything wrong with the input."""
    problems = []
    for i, job in enumerate(jobs):
        if job.submit < 0:
            problems.append(f"submit below 0 ({job.submit}, job {i}); count ticks from the start of the run")
        if i > 0 and job.submit < jobs[i - 1].submit:
            problems.append(f"submit before the job in front ({job.submit}, job {i}); sort jobs by submit")
        for name, value in (("service", job.service), ("limit", job.limit), ("gpus", job.gpus)):
            if value < 1:
                problems.append(f"{name} below 1 ({value}, job {i}); R5 wants at least 1")
        if not 0 <= job.job_class < len(classes):
            problems.append(f"no such class ({job.job_class}, job {i}); there are {len(classes)}")
    if policy.backfill < ALL:
        problems.append(f"unknown backfill ({policy.backfill}); use NONE, SKIP, ALL or K >= 1")
    if gpus < 0:
        problems.append(f"gpus below 0 ({gpus}); a center has 0 or more")
    if not 0 <= windows.warm_up <= windows.count_end:
        problems.append(f"windows out of order ({windows}); use 0 <= warm_up <= count_end <= horizon")
    if problems:
        raise ValueError("\n".join(problems))
