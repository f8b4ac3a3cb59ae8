"""What the oracle is asked: jobs, classes, policy, windows and service levels, and what is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NONE, SKIP, ALL = 0, -1, -2  # Policy.backfill; K >= 1: reservations for the first K blocked jobs of a pool
FIFO, SJF = 0, 1  # Policy.order
WAIT, TURNAROUND, SLOWDOWN, TURNED_AWAY = 0, 1, 2, 3  # Slo.metric


@dataclass(frozen=True)
class Job:
    """A gang. Its position in the sequence is its job index (R6)."""

    submit: int  # [tick]
    service: int  # [ticks] true run time
    limit: int  # [ticks] what the user asked for
    gpus: int  # size of the gang, started whole or not at all, in one pool
    job_class: int = 0  # position in the class table
    after: int = -1  # index of an earlier job that must end first (S11); -1 none
    delay: int = 0  # [ticks] from that job's end until this one is eligible; without `after` it means nothing


@dataclass(frozen=True)
class JobClass:
    """What jobs of a kind have in common."""

    tier: int = 0  # larger first (R10)
    tenant: int = 0
    patience: int = -1  # [ticks] from eligible to start; -1 never gives up (S4)
    pools: tuple[int, ...] = (0,)  # allowed pools, the preferred one first (R12)
    killed_ok: bool = False  # a job killed at its limit counts as done (S12)


@dataclass(frozen=True)
class Policy:
    """How the queue is served."""

    backfill: int = NONE  # NONE, SKIP, ALL or K >= 1 (R14)
    kill_at_limit: bool = True  # S5; False: limits only decide reservations (replays of logs)
    max_waiting: int = -1  # [jobs] of the center; -1 no bound (S3)
    tenant_max_waiting: tuple[int, ...] = ()  # [jobs] by tenant; -1, or a tenant past the end, no bound
    order: int = FIFO  # inside a tier (S10)
    window: int = -1  # [ticks] a reservation is at most this far ahead; -1 no bound (R15, S8)
    max_tests: int = -1  # [jobs] a pass looks at; -1 all (S7)
    period: int = 1  # [ticks] passes only at its multiples (S9)


@dataclass(frozen=True)
class Windows:
    """[ticks] Jobs submitted in [warm_up, count_end) are counted; the run covers [0, horizon)."""

    warm_up: int
    count_end: int
    horizon: int
    day: int = 86_400  # [ticks] a week has seven
    week_phase: int = 0  # [ticks] from Monday 00:00 to tick 0


@dataclass(frozen=True)
class Slo:
    """A share of the jobs (or chains) in a scope must keep a limit (S12)."""

    limit: int  # [ticks]; thousandths for SLOWDOWN; without meaning for TURNED_AWAY
    share_ppm: int
    classes: frozenset[int]
    metric: int = WAIT
    limits: Mapping[int, int] = field(default_factory=dict)  # by class, in place of `limit`
    bound: int = 1  # [ticks] SLOWDOWN: a shorter service counts as this
    gpus_low: int = 1  # gangs of gpus_low .. gpus_high, both included
    gpus_high: int = 2**31 - 1
    hours_from: int = 0  # [ticks of the day] submitted in [hours_from, hours_to); equal: the whole day
    hours_to: int = 0
    days: int = 127  # days on which these hours begin: Monday 1, Tuesday 2, Wednesday 4, ...

    def limit_of(self, job_class: int) -> int:
        """The limit for a job, or for a chain that begins with a job, of this class."""
        return self.limits.get(job_class, self.limit)


def problems_of(
    jobs: Sequence[Job],
    classes: Sequence[JobClass],
    policy: Policy,
    gpus: Sequence[int],
    windows: Windows,
    slos: Sequence[Slo],
) -> list[str]:
    """Everything wrong with the input, one line each."""
    problems = []
    followed: dict[int, int] = {}
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
        if not -1 <= job.after < i:
            problems.append(f"after names no earlier job ({job.after}, job {i}); use -1 or 0..{i - 1}")
        if job.after >= 0 and job.after in followed:
            other = followed[job.after]
            problems.append(f"after names a job twice ({job.after}, jobs {other} and {i}); chains never fork")
        followed[job.after] = i
        if job.delay < 0:
            problems.append(f"delay below 0 ({job.delay}, job {i}); a job cannot follow one that runs")
    for c, row in enumerate(classes):
        if not row.pools or len(set(row.pools)) < len(row.pools):
            problems.append(f"pools empty or repeated ({row.pools}, class {c}); name each allowed pool once")
        if any(not 0 <= pool < len(gpus) for pool in row.pools):
            problems.append(f"no such pool ({row.pools}, class {c}); there are {len(gpus)}")
    if policy.backfill < ALL:
        problems.append(f"unknown backfill ({policy.backfill}); use NONE, SKIP, ALL or K >= 1")
    if policy.order not in (FIFO, SJF):
        problems.append(f"unknown order ({policy.order}); use FIFO or SJF")
    if policy.period < 1:
        problems.append(f"period below 1 ({policy.period}); 1 is a pass at every change")
    if min(gpus, default=-1) < 0:
        problems.append(f"gpus below 0 ({gpus}); a center has at least one pool, of 0 or more GPUs")
    if not 0 <= windows.warm_up <= windows.count_end:
        problems.append(f"windows out of order ({windows}); use 0 <= warm_up <= count_end <= horizon")
    if windows.day < 1:
        problems.append(f"day below 1 ({windows.day}); a day has at least one tick")
    for s, slo in enumerate(slos):
        if slo.metric not in (WAIT, TURNAROUND, SLOWDOWN, TURNED_AWAY):
            problems.append(f"unknown metric ({slo.metric}, level {s}); use WAIT .. TURNED_AWAY")
    return problems
