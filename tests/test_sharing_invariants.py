"""What must hold in every shared center, whoever runs it: capacity, quotas, victims, work, causes, idle GPUs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from gpusim.engine.reference import COUNTS, FAIRSHARE, FIFO, Sharing, Tenant
from gpusim.engine.reference_quota import Quotas
from quota_model import Tank, Tanks
from sharing_needs import needs
from sharing_random import SharedCenter
from sharing_stays import answered, on_many, overlap, running_at, stays_of, waits_of

ENDED = ("finished", "killed_limit")


@on_many
@pytest.mark.slow
def test_no_pool_runs_more_than_it_has_and_no_job_twice(seed: int) -> None:
    case, out = answered(seed)
    stays = stays_of(case, out)
    for tick, _, _ in out.starts:
        now = running_at(stays, tick)
        assert len({stay.job for stay in now}) == len(now)
        for pool, gpus in enumerate(case.gpus):
            assert sum(case.jobs[stay.job].gpus for stay in now if stay.pool == pool) <= gpus


def tanks_of(case: SharedCenter, pool: int) -> Tanks:
    assert case.sharing is not None
    amounts = Quotas(case.sharing, case.gpus)
    rows = zip(amounts.parent, amounts.nominal, amounts.borrow, amounts.lend, strict=True)
    return Tanks(
        [
            Tank(
                parent,
                sum(case.gpus) if nominal[pool] is None else nominal[pool] or 0,
                borrow[pool],
                lend[pool],
            )
            for parent, nominal, borrow, lend in rows
        ]
    )


@on_many
@pytest.mark.slow
def test_without_urgent_jobs_no_tenant_ever_uses_more_than_quotas_and_limits_allow(seed: int) -> None:
    case, _ = answered(seed)
    case = replace(case, classes=tuple(replace(row, urgent=False) for row in case.classes))
    out = case.answer()
    assert case.sharing is not None
    tenant = [case.classes[job.job_class].tenant for job in case.jobs]
    stays = stays_of(case, out)
    for tick in sorted({tick for tick, _, _ in out.starts}):
        now = running_at(stays, tick)
        for pool in range(len(case.gpus)):
            tanks = tanks_of(case, pool)
            for stay in now:
                assert stay.pool != pool or tanks.admit(tenant[stay.job], case.jobs[stay.job].gpus), (
                    tick,
                    stay,
                )
        for t, row in enumerate(case.sharing.tenants):
            own = [case.jobs[stay.job].gpus for stay in now if tenant[stay.job] == t]
            assert row.max_gpus is None or sum(own) <= row.max_gpus
            assert row.max_jobs is None or len(own) <= row.max_jobs
            for user in range(row.users):
                his = [
                    case.jobs[stay.job].gpus
                    for stay in now
                    if tenant[stay.job] == t and case.jobs[stay.job].user == user
                ]
                assert row.user_max_gpus is None or sum(his) <= row.user_max_gpus
                assert row.user_max_jobs is None or len(his) <= row.user_max_jobs


@on_many
@pytest.mark.slow
def test_victims_may_be_victims_and_nobody_starts_or_leaves_twice_in_a_tick(seed: int) -> None:
    case, out = answered(seed)
    assert len(set(out.evictions)) == len(out.evictions)
    starts = [(tick, job) for tick, job, _ in out.starts]
    assert len(set(starts)) == len(starts)
    for tick, victim in out.evictions:
        row = case.classes[case.jobs[victim].job_class]
        last = max(at for at, job in starts if job == victim and at < tick)
        assert row.preemptible
        assert tick - last >= max(1, row.exempt)
        assert (tick, victim) not in starts or last < tick
        pool = next(p for at, job, p in out.starts if (at, job) == (last, victim))
        assert any(  # somebody starts in the victim's pool, for whom it made room
            at == tick and p == pool and may_take(case, job, victim) for at, job, p in out.starts
        )
    assert out.preemptions == [sum(v == i for _, v in out.evictions) for i in range(len(case.jobs))]
    assert out.longest_cascade == max(Counter(tick for tick, _ in out.evictions).values(), default=0)


def may_take(case: SharedCenter, new: int, old: int) -> bool:
    """Whether the classes allow it at all: tiers and rules, no amounts."""
    assert case.sharing is not None
    j, v = (case.classes[case.jobs[i].job_class] for i in (new, old))
    row, lower = case.sharing.tenants[j.tenant], v.tier < j.tier
    if j.urgent:
        return lower
    if j.tenant == v.tenant:
        return (row.within != "never" and lower) or (row.within == "lower_or_newer" and v.tier == j.tier)
    return row.reclaim == "any" or (row.reclaim == "lower" and lower)


@on_many
@pytest.mark.slow
def test_what_a_finished_job_held_is_its_work_and_what_was_lost(seed: int) -> None:
    case, out = answered(seed)
    held: Counter[int] = Counter()
    for stay in stays_of(case, out):
        held[stay.job] += case.jobs[stay.job].gpus * (stay.end - stay.begin)
    for i, job in enumerate(case.jobs):
        assert 0 <= out.lost[i] <= held[i]
        if out.outcome[i] == "finished":
            assert held[i] == out.lost[i] + job.gpus * job.service
        elif out.outcome[i] == "killed_limit":
            assert held[i] < out.lost[i] + job.gpus * job.service


@on_many
@pytest.mark.slow
def test_the_causes_of_waiting_sum_to_the_waiting_gpu_ticks(seed: int) -> None:
    case, out = answered(seed)
    waited, held = Counter[int](), Counter[int]()
    for i, job in enumerate(case.jobs):
        for begin, end in waits_of(case, out, i):
            waited[job.job_class] += job.gpus * overlap(case, begin, end)
        if out.eligible[i] >= 0:
            held[job.job_class] += job.gpus * overlap(case, job.submit, out.eligible[i])
    full = [i for i, outcome in enumerate(out.outcome) if outcome == "rejected_full"]
    assert all(out.start[i] < 0 for i in full)  # they leave in the tick in which they come
    for c, causes in enumerate(out.causes):
        assert sum(causes.values()) - causes["held"] == waited[c]
        assert causes["held"] >= held[c]  # jobs that are held for good beside those that join
        if all(job.after < 0 for job in case.jobs):
            submitted = [
                i for i, outcome in enumerate(out.outcome) if outcome not in ("rejected", "unsubmitted")
            ]
            assert causes["held"] == sum(
                job.gpus * overlap(case, job.submit, min(job.submit + job.delay, case.windows.horizon))
                for i, job in enumerate(case.jobs)
                if i in submitted and job.job_class == c
            )
        assert causes["fragmentation"] == causes["down"] == 0
    assert sum(waited.values()) == out.integrals["waiting_gpus"]


@on_many
@pytest.mark.slow
def test_idle_and_allocated_gpus_are_all_there_are(seed: int) -> None:
    case, out = answered(seed)
    ticks = overlap(case, 0, case.windows.horizon)
    for pool, gpus in enumerate(case.gpus):
        assert sum(out.idle[pool].values()) == gpus * ticks
        assert out.idle[pool]["allocated"] == out.pool_gpu_ticks[pool]
        assert out.idle[pool]["fragmented"] == 0
    assert sum(out.pool_gpu_ticks) == sum(row["gpu_ticks"] for row in out.sums) == out.integrals["allocated"]


@on_many
@pytest.mark.slow
def test_every_job_is_in_one_state_and_evictions_are_counted(seed: int) -> None:
    case, out = answered(seed)
    states = [name for name in COUNTS if name not in ("submitted", "started")]
    for c, row in enumerate(out.counts):
        counted = [
            i
            for i, job in enumerate(case.jobs)
            if job.job_class == c
            and case.windows.warm_up <= job.submit < case.windows.count_end
            and out.outcome[i] != "unsubmitted"
        ]
        assert row["submitted"] == len(counted) == sum(row[name] for name in states)
        assert row["started"] == sum(out.start[i] >= 0 for i in counted)
        assert row["preemptions"] == sum(out.preemptions[i] for i in counted)
        assert row["preempted"] == sum(out.preemptions[i] > 0 for i in counted)
        waited = sum(end - begin for i in counted for begin, end in waits_of(case, out, i))
        first = sum(
            (out.start[i] if out.start[i] >= 0 else end) - out.eligible[i]
            for i in counted
            for _, end in list(waits_of(case, out, i))[:1]
        )
        assert out.sums[c]["requeued_wait"] == waited - first


@on_many
@pytest.mark.slow
def test_tenants_without_quotas_and_rules_are_no_sharing(seed: int) -> None:
    case, _ = answered(seed)
    assert case.sharing is not None
    order = FIFO if case.policy.order >= FAIRSHARE else case.policy.order
    jobs = tuple(replace(job, user=0) for job in case.jobs)
    case = replace(case, jobs=jobs, policy=replace(case.policy, order=order))
    free = Sharing(tuple(Tenant() for _ in case.sharing.tenants))
    plenty = Sharing(tuple(Tenant(nominal=tuple(10**6 for _ in case.gpus)) for _ in case.sharing.tenants))
    none, with_tenants, with_quotas = (
        replace(case, sharing=sharing).answer() for sharing in (None, free, plenty)
    )
    assert with_tenants.starts == none.starts
    assert with_quotas.starts == none.starts
    assert with_tenants.evictions == with_quotas.evictions == none.evictions
    assert with_tenants.causes == with_quotas.causes == none.causes


@pytest.mark.slow
def test_the_random_centers_have_everything() -> None:
    seen: Counter[str] = Counter()
    for seed in range(200):
        case, out = answered(seed)
        assert case.sharing is not None
        seen["evictions"] += len(out.evictions) > 0
        seen["several evictions in a tick"] += out.longest_cascade > 1
        seen["evicted twice"] += max(out.preemptions) > 1
        for name in ("held", "behind_own", "quota", "reservation", "priority", "capacity"):
            seen[name] += any(row[name] for row in out.causes)
        for name in ("reserved", "quota_idle", "free", "drained", "closed"):
            seen[name] += any(row[name] for row in out.idle)
        for name in COUNTS:
            seen[name] += any(row[name] for row in out.counts)
        for name in needs(case):
            seen[name] += 1
        seen[f"order {case.policy.order}"] += 1
        seen["none of S30-S36"] += not needs(case)
    assert min(seen.values()) >= 10, seen.most_common()[::-1]
