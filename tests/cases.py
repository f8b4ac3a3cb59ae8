"""Random small centers for comparing engines: ties on purpose, every policy, tight room."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace

import hypothesis.strategies as st

from center_case import Case, differences
from gpusim.engine import reference as oracle

__all__ = ["Case", "cases", "differences", "plain_cases", "random_case", "random_plain_case"]


def random_plain_case(seed: int) -> Case:
    """A center of 1-24 GPUs with up to 60 jobs of up to 4 classes, crowded enough that jobs wait and tie.

    One pool, first in first out, a pass at every change, no chains, levels on wait: what most centers are.
    """
    rng = random.Random(seed)
    gpus = rng.choice([1, 2, 3, 5, 8, 12, 24])
    classes = tuple(
        oracle.JobClass(
            tier=rng.choice([0, 0, 0, 1, -1, 2]),
            tenant=rng.randrange(3),
            patience=rng.choice([-1, -1, -1, 0, 1, 3, 10, 40]),
        )
        for _ in range(rng.randint(1, 4))
    )
    span = rng.choice([0, 3, 20, 60, 200])
    longest = rng.choice([2, 5, 12, 40])
    largest = rng.choice([1, 2, max(1, gpus // 2), gpus, gpus, gpus + 1])
    exact = rng.random() < 0.4

    def job() -> oracle.Job:
        service = rng.randint(1, longest)
        limit = service if exact else rng.randint(1, 2 * longest)
        return oracle.Job(
            rng.randint(0, span), service, limit, rng.randint(1, largest), rng.randrange(len(classes))
        )

    jobs = tuple(sorted((job() for _ in range(rng.randint(1, 60))), key=lambda j: j.submit))
    warm_up = rng.choice([0, 0, 5, 30])
    count_end = warm_up + rng.choice([0, span // 2, span + 1, 3 * span])
    slos = tuple(
        oracle.Slo(
            rng.choice([0, 1, 2, 5, 20, 100]),
            rng.choice([0, 500_000, 800_000, 900_000, 1_000_000]),
            frozenset(rng.sample(range(len(classes)), rng.randint(1, len(classes)))),
        )
        for _ in range(rng.randint(0, 3))
    )
    policy = oracle.Policy(
        backfill=rng.choice([oracle.NONE, oracle.SKIP, oracle.ALL, oracle.ALL, 1, 1, 1, 2, 3]),
        kill_at_limit=rng.random() < 0.5,
        max_waiting=rng.choice([-1, -1, -1, 0, 1, 4, 10]),
        tenant_max_waiting=rng.choice([(), (), (), (0, -1, 2), (3, 1, -1), (5, 5, 5)]),
    )
    windows = oracle.Windows(warm_up, count_end, count_end + rng.choice([0, 1, 7, 100, 5000]))
    return Case(jobs, classes, policy, (gpus,), windows, slos)


def random_case(seed: int) -> Case:
    """A plain case in one of four, else one of a theme, in which each further feature has a good chance."""
    case = random_plain_case(seed)
    rng = random.Random(f"features of {seed}")
    if rng.random() < 0.25:
        return case
    for add, chance in rng.choice(THEMES):
        if rng.random() < chance:
            case = add(rng, case)
    return case


def _crowd(rng: random.Random, case: Case) -> Case:
    """Everybody closer together, nobody refused: queues long enough for every rule about their order."""
    span = rng.choice([5, 20, 60])
    jobs = sorted((replace(j, submit=j.submit % span) for j in case.jobs), key=lambda j: j.submit)
    windows = oracle.Windows(0, span, rng.choice([span, 3 * span, 5000]))
    policy = replace(case.policy, max_waiting=-1, tenant_max_waiting=())
    classes = tuple(replace(c, patience=rng.choice([-1, -1, -1, c.patience])) for c in case.classes)
    return replace(case, jobs=tuple(jobs), windows=windows, policy=policy, classes=classes)


def _pools(rng: random.Random, case: Case) -> Case:
    """Two or three pools, often alike, in another order of preference for each of more classes."""
    n = rng.choice([2, 2, 2, 3])
    largest = max(case.gpus)
    gpus = [rng.choice([0, 1, 2, 3, 5, 8, 12, 24, largest, largest, (largest + 1) // 2]) for _ in range(n)]
    gpus[rng.randrange(n)] = largest  # as tight as the plain case
    if rng.random() < 0.4:
        gpus = [largest] * n
    classes = (case.classes * 4)[: rng.randint(3, 5)]
    classes = tuple(replace(c, pools=tuple(rng.sample(range(n), rng.choice([1, 2, 2, n])))) for c in classes)
    jobs = tuple(replace(j, job_class=rng.randrange(len(classes))) for j in case.jobs)
    policy = case.policy
    if policy.window < 0 and rng.random() < 0.4:
        policy = replace(policy, backfill=oracle.NONE)
    return replace(case, gpus=tuple(gpus), classes=classes, jobs=jobs, policy=policy)


def _chains(rng: random.Random, case: Case) -> Case:
    """Chains of 2-5 jobs, often submitted together, sometimes long after the one before has ended."""
    jobs = list(case.jobs)
    free = rng.sample(range(len(jobs)), rng.randint(0, len(jobs)))
    delays = rng.choice([[0], [0, 1, 3], [0, 0, 2, 10, 40]])
    together = rng.random() < 0.6
    moved: dict[int, int] = {}  # job: its new submit
    after: dict[int, int] = {}  # job: the one in front, both by their place in the plain case
    while len(free) >= 2:
        chain = sorted(free.pop() for _ in range(min(len(free), rng.randint(2, 5))))
        for one, next_one in itertools.pairwise(chain):
            after[next_one] = one
            moved[next_one] = jobs[chain[0]].submit if together else jobs[next_one].submit
        for i in chain[1:]:  # mostly one gang size and often one class along the chain
            jobs[i] = replace(jobs[i], gpus=jobs[rng.choice([i, *chain[:1] * 4])].gpus)
            jobs[i] = replace(jobs[i], job_class=jobs[rng.choice([i, *chain[:1] * 2])].job_class)
    windows, policy = case.windows, case.policy
    if rng.random() < 0.25:  # some chains are submitted to their end only after the horizon
        horizon = 1 + jobs[rng.randrange(len(jobs))].submit
        windows = replace(windows, warm_up=0, count_end=horizon, horizon=horizon)
    if rng.random() < 0.25:  # newcomers are refused, be it that they arrive or that they become eligible
        policy = replace(policy, max_waiting=rng.choice([0, 1, 2, 4]))
    order = sorted(range(len(jobs)), key=lambda i: (moved.get(i, jobs[i].submit), i))
    rank = {i: k for k, i in enumerate(order)}
    return replace(
        case,
        jobs=tuple(
            replace(
                jobs[i],
                submit=moved.get(i, jobs[i].submit),
                after=rank[after[i]] if i in after else -1,
                delay=rng.choice(delays) if i in after else 0,
            )
            for i in order
        ),
        windows=windows,
        policy=policy,
    )


def _sjf(rng: random.Random, case: Case) -> Case:
    return replace(case, policy=replace(case.policy, order=oracle.SJF))


def _window(rng: random.Random, case: Case) -> Case:
    """A window matters where reservations are made and small jobs could pass them."""
    backfill = rng.choice([1, 1, 2, 3, oracle.ALL, oracle.ALL])
    window = rng.choice([0, 1, 2, 3, 4, 6, 10])
    case = case if rng.random() < 0.2 else _crowd(rng, case)
    jobs = tuple(replace(j, gpus=rng.choice([j.gpus, j.gpus, 1])) for j in case.jobs)
    return replace(case, jobs=jobs, policy=replace(case.policy, window=window, backfill=backfill))


def _max_tests(rng: random.Random, case: Case) -> Case:
    """Often with room left for jobs that no pass has looked at: then every pass too many shows."""
    policy = replace(case.policy, max_tests=rng.choice([0, 1, 1, 2, 2, 3, 4, 5, 8]))
    return replace(case, gpus=tuple(n * rng.choice([1, 3]) for n in case.gpus), policy=policy)


def _period(rng: random.Random, case: Case) -> Case:
    return replace(case, policy=replace(case.policy, period=rng.choice([2, 2, 3, 4, 5, 7])))


def _killed_ok(rng: random.Random, case: Case) -> Case:
    """Jobs are killed at their limits, which counts as done in some classes."""
    longest = max(job.limit for job in case.jobs)
    return replace(
        case,
        jobs=tuple(replace(j, limit=rng.choice([j.limit, rng.randint(1, longest)])) for j in case.jobs),
        classes=tuple(replace(c, killed_ok=rng.random() < 0.7) for c in case.classes),
        policy=replace(case.policy, kill_at_limit=True),
    )


def _levels(rng: random.Random, case: Case) -> Case:
    """Levels of every metric, limits by class, and a scope of gang sizes, hours and days."""
    day = rng.choice([2, 5, 24, 100])  # [ticks] short enough that jobs are submitted on several days
    windows = replace(case.windows, day=day, week_phase=rng.randrange(7 * day))
    classes = range(len(case.classes))
    largest = max(job.gpus for job in case.jobs)
    metrics = [oracle.WAIT, oracle.TURNAROUND, oracle.SLOWDOWN, oracle.TURNED_AWAY]
    metrics += [oracle.TURNAROUND] * (3 if any(job.after >= 0 for job in case.jobs) else 0)

    def level() -> oracle.Slo:
        metric = rng.choice(metrics)
        limits = [0, 2, 5, 20, 90]
        if metric == oracle.SLOWDOWN:
            limits = [0, 1000, 1001, 1500, 2000, 5000, 20_000]
        if metric == oracle.TURNAROUND:
            limits = [3, 10, 30, 100, 300]
        low = rng.choice([1, 1, 1, rng.randint(1, largest)])
        hours = (0, 0) if rng.random() < 0.5 else (rng.randrange(day), rng.randrange(day))
        return oracle.Slo(
            rng.choice(limits),
            rng.choice([0, 300_000, 500_000, 800_000, 900_000, 1_000_000]),
            frozenset(rng.sample(classes, rng.randint(1, len(classes)))),
            metric=metric,
            limits={c: rng.choice(limits) for c in classes if rng.random() < 0.3},
            bound=rng.choice([1, 1, 3, 10]),
            gpus_low=low,
            gpus_high=rng.choice([2**31 - 1, 2**31 - 1, rng.randint(low, largest)]),
            hours_from=hours[0],
            hours_to=hours[1],
            days=rng.choice([127, 127, 31, 96, rng.randrange(128)]),
        )

    return replace(case, windows=windows, slos=tuple(level() for _ in range(rng.randint(1, 6))))


def _alike(rng: random.Random, case: Case) -> Case:
    """Run times and limits of two lengths only, so that many runs end together."""
    lengths = rng.choice([(2, 5), (3, 6), (4, 20)])
    limits = {length: rng.choice([length, length + 1]) for length in lengths}

    def alike(job: oracle.Job) -> oracle.Job:
        service = rng.choice(lengths)
        return replace(job, service=service, limit=limits[service])

    return replace(case, jobs=tuple(alike(job) for job in case.jobs))


def _few_reservations(rng: random.Random, case: Case) -> Case:
    return replace(case, policy=replace(case.policy, backfill=rng.choice([1, 1, 2, 3])))


def _some_too_large(rng: random.Random, case: Case) -> Case:
    """Some gangs fit nowhere: submits that are no change."""
    large = max(case.gpus) + 1
    return replace(case, jobs=tuple(replace(j, gpus=large) if rng.random() < 0.1 else j for j in case.jobs))


def _chain_levels(rng: random.Random, case: Case) -> Case:
    """Levels on the turnaround of chains, loose enough that it is the fate of the jobs that decides."""
    case, loose = _levels(rng, case), [30, 100, 300, 10_000]

    def looser(slo: oracle.Slo) -> oracle.Slo:
        limits = {c: rng.choice(loose) for c in slo.limits}
        return replace(slo, metric=oracle.TURNAROUND, limit=rng.choice(loose), limits=limits)

    return replace(case, slos=tuple(looser(slo) for slo in case.slos))


Theme = tuple[tuple[Callable[[random.Random, Case], Case], float], ...]

EVERYTHING: Theme = (
    (_crowd, 0.4),
    (_window, 0.35),
    (_max_tests, 0.25),
    (_pools, 0.45),
    (_chains, 0.45),  # once all submits are final
    (_sjf, 0.35),
    (_period, 0.35),
    (_killed_ok, 0.4),
    (_levels, 0.75),
)
POOLS: Theme = (
    (_crowd, 0.8),
    (_window, 0.3),
    (_pools, 1.0),
    (_alike, 0.5),
    (_few_reservations, 0.4),
    (_sjf, 0.2),
    (_levels, 0.5),
)
RESERVATIONS: Theme = (
    (_window, 1.0),
    (_few_reservations, 0.8),
    (_pools, 0.3),
    (_sjf, 0.3),
    (_period, 0.1),
)
CHAINS: Theme = (
    (_crowd, 0.3),
    (_some_too_large, 0.3),
    (_chains, 1.0),
    (_killed_ok, 0.7),
    (_sjf, 0.2),
    (_chain_levels, 1.0),
    (_levels, 0.4),
)
PASSES: Theme = (
    (_some_too_large, 0.6),
    (_max_tests, 1.0),
    (_chains, 0.6),
    (_period, 0.5),
    (_levels, 0.5),
)
THEMES = (EVERYTHING, EVERYTHING, EVERYTHING, POOLS, RESERVATIONS, CHAINS, PASSES)


def cases() -> st.SearchStrategy[Case]:
    """Random cases; a failing one is named by its seed."""
    return st.integers(0, 2**63).map(random_case)


def plain_cases() -> st.SearchStrategy[Case]:
    """Random cases without the further features: one pool, no chains, levels on wait."""
    return st.integers(0, 2**63).map(random_plain_case)
