"""The oracle: one simulated center in slow, obvious Python.

Jobs ask for gangs of GPUs of a pool. These files say what one run means by doing it literally: every pass sorts
the whole queue, draws every profile of free GPUs again and searches them by brute force. Nothing is kept between
passes but who is held, who waits and who runs. Use it to check the fast engine and to settle what a rule means,
never for studies. It imports nothing but the standard library and shares no code with the engine.

`reference_terms.py` is the question (`reference_problems.py`: what is wrong with it), `reference_center.py` the run,
`reference_measures.py` the answer. One pass is `reference_pass.py`, on profiles of free GPUs (`reference_profile.py`),
quotas (`reference_quota.py`), who may be evicted (`reference_candidates.py`) and who is (`reference_preemption.py`);
what a start makes of its time is `reference_work.py`, why jobs wait and GPUs idle is `reference_causes.py`. Orders by
use: keys of tenants are `reference_fairness.py` and `reference_fair_tree.py`, priorities `reference_multifactor.py`,
shares `reference_weighted_share.py`. Limits of users are `reference_users.py`, closures `reference_closures.py`.

Rules R1..R40 are those of the model, S1..S36 its readings where it is silent. Covered: orders `fifo`, `sjf`,
`fairshare`, Fair Tree, multifactor and weighted share inside priority tiers, several flat pools, backfill with
`window` and `max_tests`, a scheduler period, patience, `max_waiting`, limits, rejection, chains, approval, tenants
with quotas in cohort trees, users, preemption, requeueing, checkpoints, closures, windows, verdicts. Not covered,
because the engine does not have it either: nodes, failures.

Ties, all of them: within a tick first completions, then arrivals and jobs that become eligible by job index, then
passes (S6, S11); in the queue the larger tier, then the smaller key (S10, S30-S33), then the earlier eligible
tick (of the last eviction for `tail`), then the lower job index (R10, S26); among pools that could start a job
now, or at the same earliest time, the preferred one (R12, S8); a start wins over patience (R4); of this tick's
newcomers the last index is refused first (S3); victims of other tenants first, then the lower tier, the later last
start, the higher index (R25). Time is in integer ticks, the run covers ticks [0, horizon) (R5).

Where the rules are silent:

- A job that fits no allowed pool is rejected, also if its chain is dead (R9 before S11).
- `eligible` is the tick of joining the queue: -1 for a job rejected, cancelled, held at the horizon or unsubmitted.
- Only a change makes a pass due: a completion, a job joining the queue, a live expiry, a job leaving. A submit
  that is rejected, cancelled or held is none. A pass that is due when the horizon comes never runs.
- `end_tick` is the last tick in which anything was applied: an end, a submit (also one rejected, cancelled or
  held), a job becoming eligible, an expiry, or a pass of the period, whatever it found. Extremes are taken at these
  ticks, after everything in them, also in ticks without a pass.
- A job's own pools under `none` are the allowed ones that are large enough; smaller ones are not blocked by it.
- With `window` and K > 1 each pool is judged by itself: pools that hold K reservations, or whose earliest time is
  too late, are left out, the best of the others is taken.
- `sums` count turnaround from eligible, also in chains (R37). A chain's turnaround level counts from its first
  submit (S12).
- Slowdown divides by the true service, also if the run was cut at its limit (`killed_ok`), and is met iff
  turnaround * 1000 <= limit * max(service, bound): no maximum with 1 is needed where limit >= 1000.
- A level's limit for a chain is that of its first job's class; `killed_ok` is that of its last job's class.
  A segment killed at its limit before the last violates no turnaround level.
- A chain whose later segments are submitted at the horizon or after it is undecided there, unless it is dead.
- A waiting job is censored for `turned_away`. Hours are half-open, [hours_from, hours_to); the whole day is the
  calendar day. A level without decided jobs is met.

Where they are silent about sharing:

- A tenant's limits see reserved jobs of the tenant as used and running, as the quota does (R21), and the GPUs that R20
  keeps. What R20 keeps for a tenant counts against its own later jobs too.
- A job without an open pool is blocked by nobody's fault: it stops, keeps and reserves nothing.
- A preemptor must fit the profile for the largest grace of its victims and its limit; the grace is that of the victims
  under trial.
- Urgent jobs wake the scheduler for lower tiers only, whatever their tenant may reclaim.
- A wake-up is judged by who waits and runs before anything of its tick is applied; so are those of fair keys.
- `cancel` ends a job at the tick of its eviction. It has met its levels on wait and turned_away by its start, and
  violates the others (S12).
- A start that ends at its limit has lost what S23 does not count as work done in it.
- `requeued_wait` has the ticks of a job that still waits at the horizon.
- Idle GPUs keep the label of the last pass, whatever joins without one; before the first pass they are `free`.
- The unassigned tenant's own nominal means nothing, and no share of its column is spread to it.
- `counts` and `sums` have the columns of preemption where there is `sharing` or a preemptible class.

Cost: about the square of the jobs, each pass at least linear in the queue. 10,000 jobs take 2-20 s.
"""

from collections.abc import Sequence

from gpusim.engine.reference_center import Center
from gpusim.engine.reference_measures import COUNTS, Outcome, measure
from gpusim.engine.reference_problems import problems_of
from gpusim.engine.reference_terms import (
    ALL,
    FAIR_TREE,
    FAIRSHARE,
    FIFO,
    MULTIFACTOR,
    NONE,
    PREEMPTIONS,
    SJF,
    SKIP,
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

__all__ = [
    "ALL",
    "COUNTS",
    "FAIRSHARE",
    "FAIR_TREE",
    "FIFO",
    "MULTIFACTOR",
    "NONE",
    "PREEMPTIONS",
    "SJF",
    "SKIP",
    "SLOWDOWN",
    "TURNAROUND",
    "TURNED_AWAY",
    "WAIT",
    "WEIGHTED_SHARE",
    "Closure",
    "Cohort",
    "Fairness",
    "Job",
    "JobClass",
    "Outcome",
    "Policy",
    "Share",
    "Sharing",
    "Slo",
    "Tenant",
    "Windows",
    "simulate",
]


def simulate(
    jobs: Sequence[Job],
    classes: Sequence[JobClass],
    policy: Policy,
    gpus: int | Sequence[int],
    windows: Windows,
    slos: Sequence[Slo],
    sharing: Sharing | None = None,
    fairness: Fairness | None = None,
    closures: Sequence[Closure] = (),
) -> Outcome:
    """Run `jobs` through a center of `gpus` GPUs and report what happened.

    Parameters
    ----------
    jobs : sequence of Job, sorted by submit; the position is the job index
    classes : sequence of JobClass
    policy : Policy
    gpus : int, or sequence of int, >= 0
        GPUs of the only pool, or of each pool.
    windows : Windows [ticks]
    slos : sequence of Slo
    sharing : Sharing or None
        Tenants and cohorts; None: no quotas, and only urgent jobs preempt.
    fairness : Fairness or None
        Weights and periods; orders from FAIRSHARE on need them, and a `sharing`.
    closures : sequence of Closure
        When pools have fewer GPUs [ticks].

    Raises
    ------
    ValueError
        For jobs out of order, a submit below 0, a service, limit or gang below 1, a class, pool or tenant that does
        not exist, chains that fork or point ahead, an unknown policy or metric, gpus below 0, windows out of order,
        a tree of cohorts or accounts that is none, amounts or times below 0, an order without its weights, closures
        without limits that end jobs. All problems are listed.

    Examples
    --------
    >>> jobs = [Job(submit=0, service=5, limit=5, gpus=2), Job(submit=1, service=3, limit=3, gpus=2)]
    >>> simulate(jobs, [JobClass()], Policy(), gpus=3, windows=Windows(0, 10, 10), slos=[]).start
    [0, 5]
    """
    pools = (gpus,) if isinstance(gpus, int) else tuple(gpus)
    if problems := problems_of(jobs, classes, policy, pools, windows, slos, sharing, fairness, closures):
        raise ValueError("\n".join(problems))
    run = Center(jobs, classes, policy, pools, windows, sharing, fairness, closures)
    run.simulate()
    return measure(run, jobs, classes, windows, slos)
