"""What the oracle is asked: jobs, classes, policy, sharing, windows and service levels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NONE, SKIP, ALL = 0, -1, -2  # Policy.backfill; K >= 1: reservations for the first K blocked jobs of a pool
FIFO, SJF, FAIRSHARE, FAIR_TREE, MULTIFACTOR, WEIGHTED_SHARE = range(6)  # Policy.order
WAIT, TURNAROUND, SLOWDOWN, TURNED_AWAY, PREEMPTIONS = 0, 1, 2, 3, 4  # Slo.metric


@dataclass(frozen=True)
class Job:
    """A gang. Its position in the sequence is its job index (R6)."""

    submit: int  # [tick]
    service: int  # [ticks] true run time
    limit: int  # [ticks] what the user asked for
    gpus: int  # size of the gang, started whole or not at all, in one pool
    job_class: int = 0  # position in the class table
    after: int = -1  # index of an earlier job that must end first (S11); -1 none
    delay: int = 0  # [ticks] from that job's end, or its own submit, until it is eligible (S11, S35)
    user: int = 0  # of its tenant (S34)


@dataclass(frozen=True)
class JobClass:
    """What jobs of a kind have in common."""

    tier: int = 0  # larger first (R10)
    tenant: int = 0
    patience: int = -1  # [ticks] from eligible to start; -1 never gives up (S4)
    pools: tuple[int, ...] = (0,)  # allowed pools, the preferred one first (R12)
    killed_ok: bool = False  # a job killed at its limit counts as done (S12)
    preemptible: bool = False  # may be a victim (S20)
    exempt: int = 0  # [ticks] from a start until the job may be a victim
    grace: int = 0  # [ticks] a victim keeps its preemptor waiting (R30)
    requeue: str = "place"  # a victim keeps its "place", goes to the "tail", or ends: "cancel" (R28)
    checkpoint: int | None = None  # [ticks of work] between checkpoints; None: never (R29)
    checkpoint_cost: int = 0  # [ticks] of a checkpoint
    restart: int = 0  # [ticks] overhead of every start but the first (R7)
    urgent: bool = False  # takes from any lower tier, quotas ignored (R24)


@dataclass(frozen=True)
class Policy:
    """How the queue is served."""

    backfill: int = NONE  # NONE, SKIP, ALL or K >= 1 (R14)
    kill_at_limit: bool = True  # S5; False: limits only decide reservations (replays of logs)
    max_waiting: int = -1  # [jobs] of the center; -1 no bound (S3)
    tenant_max_waiting: tuple[int, ...] = ()  # [jobs] by tenant; -1, or a tenant past the end, no bound
    order: int = FIFO  # inside a tier (S10, S30-S33)
    window: int = -1  # [ticks] a reservation is at most this far ahead; -1 no bound (R15, S8)
    max_tests: int = -1  # [jobs] a pass looks at; -1 all (S7)
    period: int = 1  # [ticks] passes only at its multiples (S9)


@dataclass(frozen=True)
class Share:
    """An amount of GPUs as a part of the pool's capacity (S14)."""

    ppm: int  # millionths


Amount = int | Share | None  # GPUs, a share of the pool, or None: no limit


@dataclass(frozen=True)
class Tenant:
    """A leaf of the tree of quotas. Amounts are by pool; an empty tuple is None for every pool."""

    parent: int = -1  # the cohort's node; -1: alone
    nominal: tuple[Amount, ...] = ()  # its own quota; None: no quota in this pool, only without a parent
    borrow: tuple[Amount, ...] = ()  # at most this much beyond it
    lend: tuple[Amount, ...] = ()  # at most this much of it to others
    strict: bool = False  # a quota-blocked job stops its tenant's later ones (S19)
    within: str = "never"  # preemption inside the tenant: "never", "lower", "lower_or_newer" (S20)
    reclaim: str = "never"  # from other tenants that use more than they own: "never", "lower", "any"
    borrow_preempts: int | None = None  # highest tier that a borrowing job of a higher one may evict
    max_gpus: int | None = None  # used at a time over all pools (S25)
    max_jobs: int | None = None  # running at a time
    users: int = 1  # a job has one of users 0 .. users - 1 (S34)
    user_max_gpus: int | None = None  # used at a time by each of them over all pools
    user_max_jobs: int | None = None  # running at a time


@dataclass(frozen=True)
class Cohort:
    """An inner node of the tree. Amounts are by pool; an empty tuple is 0 of nominal and None of the others."""

    parent: int = -1  # another cohort's node; -1: a root
    nominal: tuple[Amount, ...] = ()
    borrow: tuple[Amount, ...] = ()
    lend: tuple[Amount, ...] = ()


@dataclass(frozen=True)
class Sharing:
    """Who shares the center. Nodes are the T tenants, 0 .. T - 1, and then the cohorts (S13)."""

    tenants: tuple[Tenant, ...]
    cohorts: tuple[Cohort, ...] = ()
    borrowers: str = "last"  # "last": two sweeps; "in_order": one (S17)
    unassigned: int = -1  # tenant whose nominal is what the others leave (S14); its own entry means nothing


@dataclass(frozen=True)
class Fairness:
    """Who comes first by what was used (S30-S33). Nodes are the T tenants, 0 .. T - 1, and then the accounts."""

    weight: tuple[int, ...]  # by node; 0: behind everybody
    account_parent: tuple[int, ...] = ()  # by node: an account's node, -1 the top; empty: all -1
    calc_period: int = 300  # [ticks] between two computations of the keys
    decay_q32: int = 2**32  # what is left of usage after one such period, in units of 2^-32
    w_age: int = 0  # weights of MULTIFACTOR (S32)
    w_fairshare: int = 0
    w_size: int = 0
    w_qos: int = 0
    max_age: int = 604_800  # [ticks] at which age counts in full
    qos: tuple[int, ...] = ()  # by class, in units of 2^-20; empty: all 0
    over_quota: bool = False  # only use beyond the nominal quota is usage (S30)
    center_pools: int = 0  # the first so many pools are the center, of which a gang is a share (S32); 0: all


@dataclass(frozen=True)
class Closure:
    """A time known from the beginning in which a pool has fewer GPUs (S36)."""

    pool: int
    start: int  # [tick]
    end: int  # [tick] the first one after it
    gpus: int


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

    limit: int  # [ticks]; thousandths for SLOWDOWN; evictions for PREEMPTIONS; no meaning for TURNED_AWAY
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
