"""What the oracle reports about a run that is over: counts, sums, integrals and service levels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gpusim.engine.reference_center import Center
from gpusim.engine.reference_terms import (
    PREEMPTIONS,
    SLOWDOWN,
    TURNAROUND,
    TURNED_AWAY,
    WAIT,
    Job,
    JobClass,
    Slo,
    Windows,
)

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
    "held",
    "cancelled",
)
PREEMPTION_COUNTS = ("preemptions", "preempted")  # where there is sharing or a preemptible class
PREEMPTION_SUMS = ("requeued_wait", "lost")
ENDED = ("finished", "killed_limit")
LOST = ("rejected", "rejected_full", "abandoned", "cancelled")


@dataclass
class Outcome:
    """Everything a run answers, by job index, by class, by pool and by service level."""

    start: list[int]  # [tick] by job: the first start, -1 never
    end: list[int]  # [tick] by job: the final end, -1 not before the horizon
    outcome: list[str]  # by job: a state of COUNTS, or unsubmitted (submit >= horizon)
    counts: list[dict[str, int]]  # by class: COUNTS, and maybe PREEMPTION_COUNTS, of counted jobs
    sums: list[dict[str, int]]  # by class: wait, turnaround [ticks] of counted jobs; gpu_ticks of all jobs;
    # maybe requeued_wait [ticks] of counted jobs, lost [GPU-ticks] of all jobs
    slo: list[dict[str, int]]  # by level: met, violated, censored counted jobs (TURNAROUND: chains)
    passed: bool  # every level met
    integrals: dict[str, int]  # over the counting window: allocated, waiting_jobs, waiting_gpus, running_jobs
    max_waiting: int  # [jobs] most seen after the passes of a tick
    max_running: int  # [jobs]
    end_tick: int  # last tick in which something was applied, 0 if none
    jobs: int  # submitted before the horizon
    eligible: list[int]  # [tick] by job: when it joined the queue, -1 never
    pool: list[int]  # by job: where it ran last, -1 never
    pool_gpu_ticks: list[int]  # by pool: GPU-ticks allocated in the counting window
    first_pool: list[int]  # by job: where it ran first, -1 never
    preemptions: list[int]  # by job: how often it was evicted
    lost: list[int]  # [GPU-ticks] by job, of the starts that are over
    starts: list[tuple[int, int, int]]  # (tick, job, pool) of every start, in order
    evictions: list[tuple[int, int]]  # (tick, job) of every eviction, in order
    longest_cascade: int  # most evictions in one tick
    causes: list[dict[str, int]]  # [GPU-ticks] by class: why its jobs waited in the counting window
    idle: list[dict[str, int]]  # [GPU-ticks] by pool: labels of its idle GPUs there, and allocated


def measure(
    run: Center, jobs: Sequence[Job], classes: Sequence[JobClass], windows: Windows, slos: Sequence[Slo]
) -> Outcome:
    """Look at every job once more, now that it is known what became of it."""
    horizon, window = windows.horizon, run.window
    counts = [dict.fromkeys(COUNTS, 0) for _ in classes]
    sums = [{"wait": 0, "turnaround": 0, "gpu_ticks": 0} for _ in classes]
    integrals = {"allocated": 0, "waiting_jobs": 0, "waiting_gpus": 0, "running_jobs": 0}
    pool_gpu_ticks = [0] * len(run.gpus)
    evictions = [sum(i == victim for _, victim in run.evictions) for i in range(len(jobs))]
    waits = [*run.waits, *((i, run.waiting_since[i], horizon) for i in run.waiting)]

    # all submitted jobs: ticks spent waiting and running inside the window
    for i, begin, end in waits:
        waited = _overlap((begin, end), window)
        integrals["waiting_jobs"] += waited
        integrals["waiting_gpus"] += waited * jobs[i].gpus
    for stay in run.stays:
        job, ran = jobs[stay.job], _overlap((stay.begin, stay.end), window)
        integrals["running_jobs"] += ran
        integrals["allocated"] += ran * job.gpus
        sums[job.job_class]["gpu_ticks"] += ran * job.gpus
        pool_gpu_ticks[stay.pool] += ran * job.gpus

    # counted jobs only: R33, R37
    for i, job in enumerate(jobs):
        start, end, outcome, c = run.start[i], run.end[i], run.outcome[i], job.job_class
        if outcome == "unsubmitted" or not window[0] <= job.submit < window[1]:
            continue
        counts[c]["submitted"] += 1
        counts[c][outcome] += 1
        if start >= 0:
            counts[c]["started"] += 1
            sums[c]["wait"] += start - run.eligible[i]
        if outcome in ENDED:
            sums[c]["turnaround"] += end - run.eligible[i]

    if run.sharing is not None or any(row.preemptible for row in classes):
        _add_preemption(run, counts, sums, waits, evictions)

    levels = [_level(run, slo, windows, evictions) for slo in slos]
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
        eligible=run.eligible,
        pool=run.pool,
        pool_gpu_ticks=pool_gpu_ticks,
        first_pool=run.first_pool,
        preemptions=evictions,
        lost=[sum(stay.lost for stay in run.stays if stay.job == i) for i in range(len(jobs))],
        starts=[(stay.begin, stay.job, stay.pool) for stay in run.stays],
        evictions=run.evictions,
        longest_cascade=max(Counter(tick for tick, _ in run.evictions).values(), default=0),
        causes=run.ledger.causes,
        idle=run.ledger.idle,
    )


def _add_preemption(
    run: Center,
    counts: list[dict[str, int]],
    sums: list[dict[str, int]],
    waits: Sequence[tuple[int, int, int]],
    evictions: Sequence[int],
) -> None:
    """S27: evictions of counted jobs, what they waited after the first one, and GPU-ticks lost by all jobs."""
    for count, row in zip(counts, sums, strict=True):
        count.update(dict.fromkeys(PREEMPTION_COUNTS, 0))
        row.update(dict.fromkeys(PREEMPTION_SUMS, 0))
    for i, job in enumerate(run.jobs):
        if run.outcome[i] != "unsubmitted" and run.window[0] <= job.submit < run.window[1]:
            counts[job.job_class]["preemptions"] += evictions[i]
            counts[job.job_class]["preempted"] += evictions[i] > 0
    for i, begin, end in waits:
        again = begin > run.eligible[i]  # the first wait begins there
        if again and run.window[0] <= run.jobs[i].submit < run.window[1]:
            sums[run.jobs[i].job_class]["requeued_wait"] += end - begin
    for stay in run.stays:
        if stay.is_over and run.window[0] <= stay.end < run.window[1]:
            sums[run.jobs[stay.job].job_class]["lost"] += stay.lost


def _level(run: Center, slo: Slo, windows: Windows, evictions: Sequence[int]) -> dict[str, int]:
    """Judge every counted job in the scope of a level; for TURNAROUND the chain that begins with it."""
    level = {"met": 0, "violated": 0, "censored": 0}
    for i, job in enumerate(run.jobs):
        if not run.window[0] <= job.submit < run.window[1] or not _in_scope(slo, job, windows):
            continue
        if slo.metric != TURNAROUND:
            level[_judge_job(run, i, slo, evictions[i])] += 1
        elif job.after < 0:
            level[_judge_chain(run, _chain_from(run.jobs, i), slo)] += 1
    return level


def _in_scope(slo: Slo, job: Job, windows: Windows) -> bool:
    """Whether a level counts a job of this class and size, submitted at this time of the week."""
    if job.job_class not in slo.classes or not slo.gpus_low <= job.gpus <= slo.gpus_high:
        return False
    day, time = divmod(job.submit + windows.week_phase, windows.day)  # day 0 is a Monday
    if slo.hours_from == slo.hours_to:  # the whole calendar day
        begun = day
    elif slo.hours_from < slo.hours_to:
        if not slo.hours_from <= time < slo.hours_to:
            return False
        begun = day
    elif time >= slo.hours_from:  # over midnight, before it
        begun = day
    elif time < slo.hours_to:  # over midnight, after it: these hours began the day before
        begun = day - 1
    else:
        return False
    return bool(slo.days >> (begun % 7) & 1)


def _judge_job(run: Center, i: int, slo: Slo, evictions: int) -> str:
    """R38, S12, S27 for wait, slowdown, turned_away and preemptions of one submitted job."""
    job, outcome, eligible, start = run.jobs[i], run.outcome[i], run.eligible[i], run.start[i]
    limit = slo.limit_of(job.job_class)
    if slo.metric in (WAIT, TURNED_AWAY) and start >= 0:  # R37: once started, both are known
        return "violated" if slo.metric == WAIT and start - eligible > limit else "met"
    if outcome in LOST:
        return "violated"
    if outcome == "held" or slo.metric == TURNED_AWAY:
        return "censored"

    decided = outcome in ENDED
    if slo.metric == PREEMPTIONS:
        kept = evictions <= limit
    elif slo.metric == SLOWDOWN:
        if outcome == "killed_limit" and not run.class_of(i).killed_ok:
            return "violated"
        until = run.end[i] if decided else run.horizon
        # turnaround / max(service, bound) <= limit / 1000
        kept = (until - eligible) * 1000 <= limit * max(job.service, slo.bound)
    else:  # it waits
        kept = run.horizon - eligible <= limit
    if not kept:
        return "violated"
    return "met" if decided else "censored"


def _chain_from(jobs: Sequence[Job], first: int) -> list[int]:
    """The chain that begins with job `first`, in order; a job without followers is a chain of one."""
    chain = [first]
    while followers := [k for k, job in enumerate(jobs) if job.after == chain[-1]]:
        chain += followers  # one
    return chain


def _judge_chain(run: Center, chain: list[int], slo: Slo) -> str:
    """S12 for the turnaround of a whole chain, from its first submit to its last end."""
    first = run.jobs[chain[0]]
    if any(run.outcome[i] in LOST for i in chain):
        return "violated"
    ended = run.outcome[chain[-1]] in ENDED
    if run.outcome[chain[-1]] == "killed_limit" and not run.class_of(chain[-1]).killed_ok:
        return "violated"
    until = run.end[chain[-1]] if ended else run.horizon
    if until - first.submit > slo.limit_of(first.job_class):
        return "violated"
    return "met" if ended else "censored"


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> int:
    """Ticks in both half-open intervals."""
    return max(0, min(a[1], b[1]) - max(a[0], b[0]))
