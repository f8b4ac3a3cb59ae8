"""What is wrong with fair orders, users and closures: every problem, one line each (S30-S36)."""

from collections.abc import Sequence

from gpusim.engine.reference_terms import (
    FAIRSHARE,
    WEIGHTED_SHARE,
    Closure,
    Fairness,
    Job,
    JobClass,
    Policy,
    Sharing,
)

ONE = 2**20


def problems_of_fairness(
    policy: Policy, fairness: Fairness | None, sharing: Sharing | None, classes: int, pools: int
) -> list[str]:
    """What is wrong with weights, accounts and periods, and with the orders that need them."""
    problems = []
    if policy.order >= FAIRSHARE and (sharing is None or fairness is None):
        problems.append(f"order {policy.order} without sharing and fairness; give both")
    if policy.order == WEIGHTED_SHARE and sharing is not None and sharing.borrowers != "in_order":
        problems.append("order WEIGHTED_SHARE with borrowers last; use in_order")
    if policy.order == WEIGHTED_SHARE and policy.max_tests >= 0:
        problems.append(f"order WEIGHTED_SHARE with max_tests ({policy.max_tests}); use -1")
    if fairness is None:
        return problems
    nodes = len(fairness.weight)
    if sharing is not None:
        problems += _problems_of_nodes(fairness, len(sharing.tenants))
    for n, weight in enumerate(fairness.weight):
        if not 0 <= weight < 2**31:
            problems.append(f"weight out of range ({weight}, node {n}); use 0 .. 2^31 - 1")
    if len(fairness.account_parent) not in (0, nodes):
        problems.append(f"account_parent for {len(fairness.account_parent)} nodes; weight has {nodes}")
    if fairness.calc_period < 1:
        problems.append(f"calc_period below 1 ({fairness.calc_period}); give ticks")
    if not 0 <= fairness.decay_q32 <= 2**32:
        problems.append(
            f"decay_q32 out of range ({fairness.decay_q32}); use 0 (forgets all) .. 2^32 (nothing)"
        )
    for name in ("w_age", "w_fairshare", "w_size", "w_qos"):
        if not 0 <= getattr(fairness, name) <= ONE:
            problems.append(f"{name} out of range ({getattr(fairness, name)}); use 0 .. 2^20")
    if not 0 <= fairness.center_pools <= pools:
        problems.append(f"center_pools out of range ({fairness.center_pools}); use 0 (all) .. {pools}")
    if fairness.max_age < 1:
        problems.append(f"max_age below 1 ({fairness.max_age}); give ticks")
    if len(fairness.qos) not in (0, classes):
        problems.append(f"qos for {len(fairness.qos)} classes; there are {classes}")
    for c, qos in enumerate(fairness.qos):
        if not 0 <= qos <= ONE:
            problems.append(f"qos out of range ({qos}, class {c}); use 0 .. 2^20")
    return problems


def _problems_of_nodes(fairness: Fairness, tenants: int) -> list[str]:
    """What is wrong with the tree of accounts."""
    nodes, parents = len(fairness.weight), fairness.account_parent
    if nodes < tenants:
        return [f"weight for {nodes} nodes; there are {tenants} tenants"]
    problems = []
    for n, parent in enumerate(parents):
        if parent != -1 and not tenants <= parent < nodes:
            problems.append(f"account_parent is no account ({parent}, node {n}); use -1 or {tenants}..")
            continue
        seen, above = {n}, parent
        while tenants <= above < len(parents) and above not in seen:
            seen.add(above)
            above = parents[above]
        if above == n >= tenants:
            problems.append(f"an account above itself (node {n}); parents must end at -1")
    return problems


def problems_of_users(sharing: Sharing | None, jobs: Sequence[Job], classes: Sequence[JobClass]) -> list[str]:
    """What is wrong with the users of tenants and their limits."""
    rows = sharing.tenants if sharing is not None else ()
    problems = []
    for t, row in enumerate(rows):
        if row.users < 1:
            problems.append(f"users below 1 ({row.users}, tenant {t}); a tenant has at least one")
        for name in ("user_max_gpus", "user_max_jobs"):
            most = getattr(row, name)
            if most is not None and most < 0:
                problems.append(f"{name} below 0 ({most}, tenant {t}); None is no limit")
    for i, job in enumerate(jobs):
        tenant = classes[job.job_class].tenant if 0 <= job.job_class < len(classes) else -1
        users = rows[tenant].users if 0 <= tenant < len(rows) else 1
        if job.user < 0 or (job.user >= users and sharing is not None):
            problems.append(f"no such user ({job.user}, job {i}); its tenant has {users}")
    return problems


def problems_of_closures(closures: Sequence[Closure], policy: Policy, pools: int) -> list[str]:
    """What is wrong with closures, and with a policy that they do not go with."""
    problems = []
    if closures and not policy.kill_at_limit:
        problems.append("closures without kill_at_limit; a job past its limit would run into them")
    for k, one in enumerate(closures):
        if not 0 <= one.pool < pools:
            problems.append(f"no such pool ({one.pool}, closure {k}); there are {pools}")
        if not 0 <= one.start < one.end:
            problems.append(f"closure out of order ({one.start}..{one.end}, closure {k}); 0 <= start < end")
        if one.gpus < 1:
            problems.append(f"gpus below 1 ({one.gpus}, closure {k}); leave it out")
    return problems
