"""What is wrong with what the oracle is asked: every problem, one line each."""

from collections.abc import Sequence

from gpusim.engine.reference_problems_fair import (
    problems_of_closures,
    problems_of_fairness,
    problems_of_users,
)
from gpusim.engine.reference_terms import (
    ALL,
    FIFO,
    PREEMPTIONS,
    SLOWDOWN,
    TURNAROUND,
    TURNED_AWAY,
    WAIT,
    WEIGHTED_SHARE,
    Closure,
    Cohort,
    Fairness,
    Job,
    JobClass,
    Policy,
    Share,
    Sharing,
    Slo,
    Tenant,
    Windows,
)


def problems_of(
    jobs: Sequence[Job],
    classes: Sequence[JobClass],
    policy: Policy,
    gpus: Sequence[int],
    windows: Windows,
    slos: Sequence[Slo],
    sharing: Sharing | None = None,
    fairness: Fairness | None = None,
    closures: Sequence[Closure] = (),
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
            problems.append(f"delay below 0 ({job.delay}, job {i}); nobody is eligible before submit")
    for c, row in enumerate(classes):
        if not row.pools or len(set(row.pools)) < len(row.pools):
            problems.append(f"pools empty or repeated ({row.pools}, class {c}); name each allowed pool once")
        if any(not 0 <= pool < len(gpus) for pool in row.pools):
            problems.append(f"no such pool ({row.pools}, class {c}); there are {len(gpus)}")
        problems += _problems_of_preemption(c, row)
    if policy.backfill < ALL:
        problems.append(f"unknown backfill ({policy.backfill}); use NONE, SKIP, ALL or K >= 1")
    if not FIFO <= policy.order <= WEIGHTED_SHARE:
        problems.append(f"unknown order ({policy.order}); use FIFO .. WEIGHTED_SHARE")
    if policy.period < 1:
        problems.append(f"period below 1 ({policy.period}); 1 is a pass at every change")
    if min(gpus, default=-1) < 0:
        problems.append(f"gpus below 0 ({gpus}); a center has at least one pool, of 0 or more GPUs")
    if not 0 <= windows.warm_up <= windows.count_end:
        problems.append(f"windows out of order ({windows}); use 0 <= warm_up <= count_end <= horizon")
    if windows.day < 1:
        problems.append(f"day below 1 ({windows.day}); a day has at least one tick")
    for s, slo in enumerate(slos):
        if slo.metric not in (WAIT, TURNAROUND, SLOWDOWN, TURNED_AWAY, PREEMPTIONS):
            problems.append(f"unknown metric ({slo.metric}, level {s}); use WAIT .. PREEMPTIONS")
    if sharing is not None:
        problems += _problems_of_sharing(sharing, classes, len(gpus))
    problems += problems_of_fairness(policy, fairness, sharing, len(classes), len(gpus))
    problems += problems_of_users(sharing, jobs, classes)
    problems += problems_of_closures(closures, policy, len(gpus))
    return problems


def _problems_of_preemption(c: int, row: JobClass) -> list[str]:
    """What is wrong with how a class is preempted, requeued and restarted."""
    problems = []
    for name in ("exempt", "grace", "checkpoint_cost", "restart"):
        if getattr(row, name) < 0:
            problems.append(f"{name} below 0 ({getattr(row, name)}, class {c}); give ticks")
    if row.checkpoint is not None and row.checkpoint < 1:
        problems.append(f"checkpoint below 1 ({row.checkpoint}, class {c}); None is never")
    if row.requeue not in ("place", "tail", "cancel"):
        problems.append(f"unknown requeue ({row.requeue}, class {c}); use place, tail or cancel")
    return problems


def _problems_of_sharing(sharing: Sharing, classes: Sequence[JobClass], pools: int) -> list[str]:
    """What is wrong with the tenants, the cohorts and their tree."""
    problems = []
    tenants = len(sharing.tenants)
    nodes: list[Tenant | Cohort] = [*sharing.tenants, *sharing.cohorts]
    for c, job_class in enumerate(classes):
        if not 0 <= job_class.tenant < tenants:
            problems.append(f"no such tenant ({job_class.tenant}, class {c}); there are {tenants}")
    for n, node in enumerate(nodes):
        if node.parent != -1 and not tenants <= node.parent < len(nodes):
            problems.append(f"parent is no cohort ({node.parent}, node {n}); use -1 or the node of one")
        for name in ("nominal", "borrow", "lend"):
            column = getattr(node, name)
            if len(column) not in (0, pools):
                problems.append(f"{name} for {len(column)} pools (node {n}); there are {pools}")
            for amount in column:
                size = amount.ppm if isinstance(amount, Share) else amount
                if size is not None and size < 0:
                    problems.append(f"{name} below 0 ({amount}, node {n}); give GPUs or a share")
        if n >= tenants and None in node.nominal:
            problems.append(f"cohort without a nominal (node {n}); 0 is no quota of its own")
        without = not node.nominal or None in node.nominal
        if without and n < tenants and node.parent >= 0 and n != sharing.unassigned:
            problems.append(f"tenant of a cohort without a nominal (node {n}); give GPUs, or parent=-1")
        seen, above = {n}, node.parent
        while tenants <= above < len(nodes) and above not in seen:
            seen.add(above)
            above = nodes[above].parent
        if above == n >= tenants:
            problems.append(f"a cohort above itself (node {n}); parents must end at -1")
    for t, tenant in enumerate(sharing.tenants):
        if tenant.within not in ("never", "lower", "lower_or_newer"):
            problems.append(
                f"unknown within ({tenant.within}, tenant {t}); use never, lower or lower_or_newer"
            )
        if tenant.reclaim not in ("never", "lower", "any"):
            problems.append(f"unknown reclaim ({tenant.reclaim}, tenant {t}); use never, lower or any")
        for name in ("max_gpus", "max_jobs"):
            most = getattr(tenant, name)
            if most is not None and most < 0:
                problems.append(f"{name} below 0 ({most}, tenant {t}); None is no limit")
    if sharing.borrowers not in ("last", "in_order"):
        problems.append(f"unknown borrowers ({sharing.borrowers}); use last or in_order")
    if not -1 <= sharing.unassigned < tenants:
        problems.append(f"unassigned is no tenant ({sharing.unassigned}); use -1 or 0..{tenants - 1}")
    return problems
