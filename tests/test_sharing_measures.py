"""What a shared center reports: evictions, lost time, levels on preemptions; and what it refuses to simulate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpusim.engine.reference import (
    FAIR_TREE,
    FAIRSHARE,
    MULTIFACTOR,
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
    Outcome,
    Policy,
    Share,
    Sharing,
    Slo,
    Tenant,
    Windows,
    simulate,
)

WITHIN = Sharing((Tenant(within="lower"),))
LOW_HIGH = (JobClass(preemptible=True), JobClass(tier=1))
ALL_DAY = Windows(0, 1000, 1000)


def twice_evicted(
    windows: Windows = ALL_DAY, slos: tuple[Slo, ...] = (), low: JobClass = LOW_HIGH[0]
) -> Outcome:
    """1 GPU. V(0,10) is evicted at 4 by H(4,3) and at 9 by H'(9,5): V 0-4, 7-9, 14-24.

    tick 0....5....10...15...20..
    V    ====x  ==x    ==========
    H        ===
    H'            =====
    """
    jobs = [Job(0, 10, 10, 1), Job(4, 3, 3, 1, 1), Job(9, 5, 5, 1, 1)]
    return simulate(jobs, (low, LOW_HIGH[1]), Policy(), 1, windows, slos, WITHIN)


def test_evictions_and_what_they_cost_are_counted_by_class() -> None:
    out = twice_evicted()
    assert out.starts == [(0, 0, 0), (4, 1, 0), (7, 0, 0), (9, 2, 0), (14, 0, 0)]
    assert (out.start, out.end, out.preemptions, out.lost) == ([0, 4, 9], [24, 7, 14], [2, 0, 0], [6, 0, 0])
    assert (out.counts[0]["preemptions"], out.counts[0]["preempted"]) == (2, 1)
    assert out.sums[0] == {
        "wait": 0,
        "turnaround": 24,
        "gpu_ticks": 4 + 2 + 10,
        "requeued_wait": 3 + 5,
        "lost": 6,
    }
    assert out.longest_cascade == 1


def test_lost_time_is_booked_when_a_start_ends_and_only_inside_the_window() -> None:
    # 4 are lost at 4, 2 at 9. The window of counted jobs decides nothing here: all jobs' lost time counts.
    assert twice_evicted(Windows(5, 9, 1000)).sums[0]["lost"] == 0
    assert twice_evicted(Windows(5, 10, 1000)).sums[0]["lost"] == 2
    assert twice_evicted(Windows(4, 5, 1000)).sums[0]["lost"] == 4
    assert twice_evicted(Windows(5, 10, 1000)).counts[0]["preemptions"] == 0  # V was submitted before


def test_waits_before_the_first_start_are_no_requeued_waits() -> None:
    # X(0,2,high) V(0,10,low) H(4,3,high): V waits 2, runs 2-4, waits 3, runs 7-17.
    jobs = [Job(0, 2, 2, 1, 1), Job(0, 10, 10, 1), Job(4, 3, 3, 1, 1)]
    out = simulate(jobs, LOW_HIGH, Policy(), 1, ALL_DAY, [], WITHIN)
    assert out.end == [2, 17, 7]
    assert (out.sums[0]["wait"], out.sums[0]["requeued_wait"]) == (2, 3)


def test_a_requeued_wait_that_is_not_over_lasts_until_the_horizon() -> None:
    assert twice_evicted(Windows(0, 12, 12)).sums[0]["requeued_wait"] == 3 + 3


@pytest.mark.parametrize(
    ("limit", "horizon", "verdict"),
    [
        (2, 1000, "met"),
        (1, 1000, "violated"),
        (1, 10, "violated"),  # as soon as there are more
        (2, 10, "censored"),  # not over
        (1, 8, "censored"),
    ],
)
def test_a_level_on_preemptions(limit: int, horizon: int, verdict: str) -> None:
    slo = Slo(limit, 1_000_000, frozenset({0}), metric=PREEMPTIONS)
    out = twice_evicted(Windows(0, 5, horizon), (slo,))
    assert out.slo == [{"met": 0, "violated": 0, "censored": 0} | {verdict: 1}]


def test_who_is_turned_away_violates_a_level_on_preemptions() -> None:
    slo = Slo(5, 0, frozenset({0}), metric=PREEMPTIONS)
    out = simulate([Job(0, 1, 1, 9)], (JobClass(),), Policy(), 1, ALL_DAY, [slo], WITHIN)
    assert out.slo == [{"met": 0, "violated": 1, "censored": 0}]


def test_a_job_cancelled_by_its_eviction_has_waited_well_and_failed_otherwise() -> None:
    metrics = (WAIT, TURNED_AWAY, SLOWDOWN, TURNAROUND, PREEMPTIONS)
    slos = tuple(Slo(100_000, 0, frozenset({0}), metric=metric) for metric in metrics)
    out = twice_evicted(slos=slos, low=replace(LOW_HIGH[0], requeue="cancel"))
    assert (out.outcome[0], out.end[0], out.preemptions[0], out.lost[0]) == ("cancelled", 4, 1, 4)
    assert [level["met"] for level in out.slo] == [1, 1, 0, 0, 0]
    assert [level["violated"] for level in out.slo] == [0, 0, 1, 1, 1]
    assert (out.counts[0]["started"], out.counts[0]["cancelled"], out.counts[0]["finished"]) == (1, 1, 0)
    assert out.sums[0]["turnaround"] == 0


def test_a_requeued_job_has_no_patience_left_to_lose_and_is_no_newcomer() -> None:
    # V waits 3 and 5 ticks after its evictions, with a patience of 1 and room for nobody in the queue.
    jobs = [Job(0, 10, 10, 1), Job(4, 3, 3, 1, 1), Job(9, 5, 5, 1, 1)]
    classes = (JobClass(preemptible=True, patience=1), LOW_HIGH[1])
    out = simulate(jobs, classes, Policy(max_waiting=0), 1, ALL_DAY, [], WITHIN)
    assert out.end == [24, 7, 14]


def test_a_requeued_job_counts_among_those_who_wait() -> None:
    # V waits again from 4: N(5) finds the queue full.
    jobs = [Job(0, 10, 10, 1), Job(4, 3, 3, 1, 1), Job(5, 1, 1, 1, 0)]
    out = simulate(jobs, LOW_HIGH, Policy(max_waiting=1), 1, ALL_DAY, [], WITHIN)
    assert out.outcome == ["finished", "finished", "rejected_full"]


def test_an_urgent_job_needs_no_tenants() -> None:
    classes = (JobClass(preemptible=True), JobClass(tier=1, urgent=True))
    out = simulate([Job(0, 5, 5, 1), Job(2, 2, 2, 1, 1)], classes, Policy(), 1, ALL_DAY, [])
    assert (out.starts, out.evictions) == ([(0, 0, 0), (2, 1, 0), (4, 0, 0)], [(2, 0)])
    assert out.counts[0]["preemptions"] == 1


def test_all_problems_are_listed_at_once() -> None:
    sharing = Sharing(
        (
            Tenant(parent=0, nominal=(1,), within="all"),
            Tenant(parent=3, reclaim="some"),
            Tenant(nominal=(-1, 2), max_jobs=-1),
        ),
        (Cohort(4, nominal=(None,)), Cohort(3, borrow=(Share(-5),))),
        borrowers="first",
        unassigned=9,
    )
    classes = (
        JobClass(tenant=5, exempt=-1, grace=-1, requeue="head", checkpoint=0, checkpoint_cost=-1, restart=-1),
    )
    slos = [Slo(1, 0, frozenset(), metric=7)]
    with pytest.raises(ValueError) as error:
        simulate([Job(0, 1, 1, 1)], classes, Policy(order=FAIRSHARE), 4, ALL_DAY, slos, sharing)
    found = str(error.value).splitlines()
    for part in (
        *("exempt below 0", "grace below 0", "checkpoint_cost below 0", "restart below 0"),
        *("checkpoint below 1", "unknown requeue (head, class 0)", "no such tenant (5, class 0)"),
        *(
            "parent is no cohort (0, node 0)",
            "unknown within (all, tenant 0)",
            "unknown reclaim (some, tenant 1)",
        ),
        "tenant of a cohort without a nominal (node 1)",
        *("nominal below 0 (-1, node 2)", "nominal for 2 pools (node 2)", "max_jobs below 0 (-1, tenant 2)"),
        *(
            "cohort without a nominal (node 3)",
            "a cohort above itself (node 3)",
            "a cohort above itself (node 4)",
        ),
        *(
            "borrow below 0 (Share(ppm=-5), node 4)",
            "unknown borrowers (first)",
            "unassigned is no tenant (9)",
        ),
        "order 2 without sharing and fairness",
        "unknown metric (7, level 0)",
    ):
        assert sum(part in line for line in found) == 1, part
    assert len(found) == 22


def test_all_problems_of_fair_orders_users_and_closures_are_listed_at_once() -> None:
    sharing = Sharing((Tenant(users=0, user_max_gpus=-1, user_max_jobs=-2), Tenant(users=2)))
    fairness = Fairness(
        (1, -1, 2**31, 1),
        (0, 2, 3, 2),
        calc_period=0,
        decay_q32=2**32 + 1,
        w_age=-1,
        w_fairshare=2**20 + 1,
        w_size=-2,
        w_qos=-3,
        max_age=0,
        qos=(0, 2**20 + 1, 0),
        center_pools=2,
    )
    closures = (Closure(1, 5, 5, 1), Closure(0, -1, 5, 0))
    jobs = [Job(0, 1, 1, 1, 1, user=2), Job(0, 1, 1, 1, 1, user=-1, delay=-1)]
    policy = Policy(order=WEIGHTED_SHARE, max_tests=3, kill_at_limit=False)
    classes = (JobClass(), JobClass(tenant=1))
    with pytest.raises(ValueError) as error:
        simulate(jobs, classes, policy, 4, ALL_DAY, [], sharing, fairness, closures)
    found = str(error.value).splitlines()
    for part in (
        *("no such user (2, job 0)", "no such user (-1, job 1)", "delay below 0 (-1, job 1)"),
        *("users below 1 (0, tenant 0)", "user_max_gpus below 0 (-1, tenant 0)"),
        *("user_max_jobs below 0 (-2, tenant 0)", "WEIGHTED_SHARE with borrowers last"),
        *("WEIGHTED_SHARE with max_tests (3)", "weight out of range (-1, node 1)"),
        *("weight out of range (2147483648, node 2)", "account_parent is no account (0, node 0)"),
        *("an account above itself (node 2)", "an account above itself (node 3)", "calc_period below 1 (0)"),
        *("decay_q32 out of range (4294967297)", "w_age out of range (-1)", "w_fairshare out of range"),
        *("w_size out of range", "w_qos out of range", "max_age below 1", "qos for 3 classes"),
        "center_pools out of range (2)",
        *("qos out of range (1048577, class 1)", "closures without kill_at_limit"),
        *("no such pool (1, closure 0)", "closure out of order (5..5, closure 0)"),
        *("closure out of order (-1..5, closure 1)", "gpus below 1 (0, closure 1)"),
    ):
        assert sum(part in line for line in found) == 1, part
    assert len(found) == 28


@pytest.mark.parametrize("order", [FAIRSHARE, FAIR_TREE, MULTIFACTOR, WEIGHTED_SHARE])
@pytest.mark.parametrize("missing", ["sharing", "fairness"])
def test_orders_by_use_need_tenants_and_weights(order: int, missing: str) -> None:
    given = {"sharing": Sharing((Tenant(),), borrowers="in_order"), "fairness": Fairness((1,))}
    del given[missing]
    with pytest.raises(ValueError, match=f"order {order} without sharing and fairness"):
        simulate([Job(0, 1, 1, 1)], (JobClass(),), Policy(order=order), 4, ALL_DAY, [], **given)  # type: ignore[arg-type]


def test_weights_are_those_of_all_tenants() -> None:
    sharing = Sharing((Tenant(), Tenant()))
    fair = (Fairness((1,)), Fairness((1, 1, 1), (-1,)))
    for fairness, message in zip(fair, ("weight for 1 nodes", "account_parent for 1 nodes"), strict=True):
        with pytest.raises(ValueError, match=message):
            simulate([], (JobClass(),), Policy(order=FAIRSHARE), 4, ALL_DAY, [], sharing, fairness)
