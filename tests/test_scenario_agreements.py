"""What a file says about fair orders, users, contracts, leases, approvals and reservations."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreed_scenario import TEXT, agreed
from any_value import check_value
from gpusim.errors import ScenarioError
from gpusim.scenario import Scenario, scenario_fields
from gpusim.scenario.approval import Approval, mean_until_call
from gpusim.scenario.fairness import whole_weights
from gpusim.scenario.lease import Lease
from gpusim.scenario.reservations import Reservation
from gpusim.scenario.use_law import UseLaw, read_use
from gpusim.scenario.week import zone_named

DAY, HOUR, WEEK = 86_400.0, 3600.0, 604_800.0


@pytest.fixture(scope="module")
def base() -> Scenario:
    return agreed()


def problems_of(base: Scenario, changes: dict[str, Any]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        base.override(changes)
    return [str(problem) for problem in caught.value.problems]


def told(scenario: Scenario, code: str) -> list[str]:
    return [
        f"{n.where}: {n.what} ({n.found}); {n.remedy}"
        for n in scenario.notices()
        if n.code == f"scenario/{code}"
    ]


# ---- values ----------------------------------------------------------------------------------------------------------


def test_everything_survives_plain_data(base: Scenario) -> None:
    again = Scenario.from_dict(base.to_dict())
    assert again.hash == base.hash
    assert again.to_dict() == base.to_dict()
    assert (
        base.override({"policy.fairness.half_life": "never"}).to_dict()["policy"]["fairness"]["half_life"]
        == "never"
    )
    paths = {row.path for row in scenario_fields()}
    for path in (
        "policy.contract",
        "policy.fairness.weights.age",
        "tenants[].users",
        "tenants[].classes[].lease.use",
        "tenants[].classes[].approval.delay",
        "accounts[].weight",
        "reservations[].every",
    ):
        assert path in paths
    assert "tenants[].classes[].approval.delay.lognormal" not in paths  # told under run_time


def test_a_grant_is_read(base: Scenario) -> None:
    grant = base.tenants[1].classes[0]
    assert grant.lease == Lease(use=UseLaw("uniform", (0.1, 0.9)), reclaim_below="30%", review="3d", node=8)
    assert grant.approval == Approval(calls="7d", first="2026-02-03", accept="31%", delay="24h")
    assert [Approval(calls=word).calls for word in ("weekly", "monthly", "quarterly", "yearly")] == [
        WEEK,
        30 * DAY,
        91.25 * DAY,
        365 * DAY,
    ]
    assert Approval(accept="50%", delay=0).delay is None


def test_weights_become_whole_numbers_of_the_same_ratios() -> None:
    assert whole_weights([1.0, 4.0, 0.2, 2.0]) == [5, 20, 1, 10]
    assert whole_weights([3.0, 1.0]) == [3, 1]
    assert whole_weights([0.0, 0.0]) == [0, 0]
    large = whole_weights([1.0, 1e6, 1 / 3])
    assert max(large) == 1 << 20
    assert large[0] == round((1 << 20) / 1e6)
    assert whole_weights([1e-9, 1.0])[0] == 1  # never 0: that is last


@given(st.lists(st.decimals(0, 1000, places=2).map(float), min_size=1, max_size=6))
def test_ratios_of_plain_decimals_are_exact(weights: list[float]) -> None:
    whole = whole_weights(weights)
    for one, first in zip(weights, whole, strict=True):
        for other, second in zip(weights, whole, strict=True):
            assert round(one * 100) * second == round(other * 100) * first


@pytest.mark.parametrize(
    "given",
    ["50%", {"uniform": ["20%", "80%"]}, {"uniform": ["0%", "100%"]}, {"triangular": ["10%", "40%", "100%"]}, {"triangular": ["10%", "10%", "90%"]}, {"pick": {"10%": "30%", "70%": "70%"}}],
)  # fmt: skip
def test_use_laws_agree_with_a_fine_sum(given: object) -> None:
    law = read_use(given)
    u = (np.arange(400_000) + 0.5) / 400_000
    if law.pick is not None:
        values = np.where(u < 0.3, 0.1, 0.7)
    elif law.kind == "share":
        values = np.full_like(u, 0.5)
    elif law.kind == "uniform":
        values = law.shares[0] + u * (law.shares[1] - law.shares[0])
    else:
        low, mode, high = law.shares
        rise = (mode - low) / (high - low)
        values = np.where(
            u < rise,
            low + np.sqrt(u * (high - low) * (mode - low)),
            high - np.sqrt((1 - u) * (high - low) * (high - mode)),
        )
    assert law.mean == pytest.approx(values.mean(), rel=1e-5)
    for threshold in (0.15, 0.3, 0.5, 0.99):
        share, integral = law.below(threshold)
        assert share == pytest.approx((values < threshold).mean(), abs=1e-5)
        assert integral == pytest.approx(values[values < threshold].sum() / len(values), abs=1e-5)


def test_leases_taken_back_hold_until_their_review(base: Scenario) -> None:
    grant = base.tenants[1].classes[0]
    assert grant.lease is not None
    assert grant.lease.clawed == pytest.approx(0.25)
    assert grant.lease.mean_uses() == pytest.approx((0.2, 0.6))
    assert grant.mean_service == pytest.approx((0.75 * 7 + 0.25 * 3) * DAY)
    assert grant.streams[0].held_within(2 * DAY) == pytest.approx(2 * DAY)
    assert grant.streams[0].held_within(4 * DAY) == pytest.approx((0.75 * 4 + 0.25 * 3) * DAY)


def test_a_rate_counts_applications_and_a_load_what_is_granted(base: Scenario) -> None:
    grant = base.tenants[1].classes[0]
    assert grant.rate * DAY == pytest.approx(2 * 0.31)
    loaded = base.override({"tenants.firm.classes.grant.arrivals": {"load": 300}})
    assert loaded.tenants[1].classes[0].rate * grant.mean_gang * grant.mean_service == pytest.approx(300)
    counted = base.count_end - base.study.warm_up
    assert base.expected_jobs([1]) == pytest.approx(0.62 * counted / DAY)


def test_waits_of_applications_are_decided_after_the_approval(base: Scenario) -> None:
    assert base.cool_down == pytest.approx(7 * DAY + DAY + 4 * HOUR)
    assert base.override({"slos": ["turnaround <= 12d for 90% of grant jobs"]}).cool_down == pytest.approx(
        12 * DAY
    )


def test_the_load_follows_the_calls(base: Scenario) -> None:
    from gpusim.scenario.load import hourly_load

    alone = base.override(
        {
            "tenants.lab.classes.train.arrivals.load": 0,
            "tenants.ministry.classes.audit.arrivals.load": 0,
            "reservations": [],
        }
    )
    gpus = hourly_load(alone).gpus
    first = int(
        (1 * DAY + DAY) // HOUR
    )  # the call on 3 February, a day after the start, and a day for the decision
    assert gpus[: first - 1].max() == 0
    assert gpus[first + 2] == pytest.approx(0.62 * 24 * 1, rel=0.15)  # what one day granted, at 24 GPUs
    assert alone.offered_load < 0.62 * 24 * 6 * 1.01  # the long run is not reached


# ---- approval --------------------------------------------------------------------------------------------------------


def test_half_a_period_until_a_call_without_a_profile() -> None:
    assert mean_until_call(7 * DAY, 3 * DAY, (10 * DAY, 24 * DAY), None, 0.0) == pytest.approx(3.5 * DAY)
    assert mean_until_call(7 * DAY, 0.0, (0.0, 3.5 * DAY), None, 0.0) == pytest.approx(5.25 * DAY)


def test_a_profile_moves_the_mean_time_until_a_call() -> None:
    quiet = Scenario.from_yaml(
        TEXT.replace("{rate: 2/day}", "{rate: 2/day, profile: {peak: 14h, ratio: 3, weekend: 0}}")
    )
    profile = quiet.tenants[1].classes[0].streams[0].profile
    assert profile is not None
    u = np.arange(0, WEEK, 900.0) + 450.0
    rate = np.array([profile.cumulative(t + 450.0) - profile.cumulative(t - 450.0) for t in u])
    exact = float(np.average(WEEK - u, weights=rate))  # calls on Monday at 00:00
    assert mean_until_call(WEEK, 0.0, (0.0, 2 * WEEK), profile, 0.0) == pytest.approx(exact, rel=1e-3)
    assert exact > 3.6 * DAY  # most is asked for early in the week


# ---- reservations ----------------------------------------------------------------------------------------------------


def windows(**keys: Any) -> list[tuple[float, float]]:
    zone = zone_named("Asia/Seoul")
    assert zone is not None
    each = Reservation.model_validate({"name": "r", "gpus": 8, **keys})
    found = each.windows("2026-02-02 00:00", zone, 0.0, 14 * DAY)
    return [(begin / HOUR, end / HOUR) for begin, end in found]


def test_reservations_are_open_once_or_again_and_again() -> None:
    assert windows(**{"from": "10h", "to": "12h"}) == [(10, 12)]
    assert windows(**{"from": "2026-02-03 08:00", "to": "2026-02-04"}) == [(32, 48)]
    assert windows(**{"from": "2026-02-03 08:00", "to": "2026-02-03T01:00Z"}) == [(32, 34)]  # 10:00 in Seoul
    assert windows(**{"from": "10h", "to": "12h", "every": "week"}) == [(10, 12), (178, 180)]
    assert windows(**{"from": "100h", "to": "102h", "every": "5d"}) == [(100, 102), (220, 222)]
    assert windows(**{"from": "13d", "to": "20d"}) == [(312, 336)]  # the horizon ends it
    assert windows(every="Mon", hours="22-06") == [(22, 30), (190, 198)]
    assert windows(every="weekends", hours="00-24") == [(120, 168), (288, 336)]
    assert windows(every="day", hours="09:30-10", **{"from": "2d", "to": "4d"}) == [(57.5, 58), (81.5, 82)]
    assert windows(hours="08-22")[:2] == [(8, 22), (32, 46)]


def test_reservations_know_their_classes(base: Scenario) -> None:
    course, service = base.reserved()
    assert (course.classes, course.pool, len(course.windows)) == ((2,), 0, 30)
    assert (service.classes, service.windows) == ((), ((10 * DAY, 10 * DAY + 8 * HOUR),))
    everybody = base.override(
        {"reservations": [{"name": "r", "gpus": 8, "from": "1d", "to": "2d", "classes": ["lab", "audit"]}]}
    )
    assert everybody.reserved()[0].classes == (0, 2)


def test_reservations_and_accounts_are_addressed_by_name(base: Scenario) -> None:
    changed = base.override(
        ["reservations.course.gpus=64", "accounts.public.weight=5", "reservations.service.to=10d4h"]
    )
    assert changed.reservations[0].gpus == 64
    assert changed.reserved()[1].windows == ((10 * DAY, 10 * DAY + 4 * HOUR),)
    assert changed.accounts[0].weight == 5


# ---- contracts -------------------------------------------------------------------------------------------------------


def test_contracts_change_the_tree_alone(base: Scenario) -> None:
    plain = base.override(
        {
            "policy.order": "fifo",
            "tenants.lab.cohort": "all",
            "tenants.firm.cohort": "all",
            "tenants.firm.borrow": "5%",
        }
    )
    assert plain.quotas.ceiling(0, "gpus", 1000) == 800
    parts = plain.override(["policy.contract=partitioned"])
    assert [parts.quotas.ceiling(k, "gpus", 1000) for k in range(3)] == [500, 300, 200]
    shared = plain.override(["policy.contract=shared"])
    assert [shared.quotas.ceiling(k, "gpus", 1000) for k in range(3)] == [None] * 3
    fixed = {"tenants.firm.quota": 300, "policy.contract": "shared"}
    assert plain.override(fixed)  # nobody would own what the study adds, but nobody owns anything


# ---- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tenants.lab.weight": -1}, "a weight cannot be negative (-1); write 0 or more"),
        ({"tenants.lab.weight": 2e6}, "only their ratios count"),
        ({"accounts[0].weight": -2}, "a weight cannot be negative (-2)"),
        ({"policy.fairness.weights.age": -2}, "a weight cannot be negative (-2)"),
        ({"policy.fairness.weights": {}}, "all weights are 0"),
        ({"policy.fairness.half_life": "nver"}, "did you mean 'never'?"),
        ({"policy.fairness.half_life": 0}, "write a duration above 0s"),
        ({"policy.fairness.usage": "over quota"}, "did you mean 'over_quota'?"),
        ({"policy.order": "fairtree"}, "did you mean 'fair_tree'?"),
        ({"policy.contract": "shard"}, "did you mean 'shared'?"),
        ({"tenants.lab.classes.train.qos": 1.5}, "must lie between 0 and 1"),
        ({"tenants.lab.account": "lab"}, "no account is named 'lab' ('lab'); did you mean 'labs'?"),
        ({"tenants.firm.account": None}, "no tenant is in this account ('private')"),
        ({"accounts[0].account": "labs"}, "accounts that belong to each other in a circle (public in labs in public)"),
        ({"accounts[2].name": "labs", "tenants.firm.account": "labs"}, "another account has this name"),
        ({"tenants.firm.user_max_jobs": 3}, "'user_max_jobs' without 'users'"),
        ({"tenants.lab.users": 900_000, "tenants.firm.users": 900_000, "tenants.firm.user_max_jobs": 1}, "1,800,000 with limits > 1,048,576"),
        ({"tenants.lab.quota": "rest", "tenants.firm.cohort": "a", "tenants.ministry.cohort": "a"}, "cannot belong to a tenant in no cohort"),
        ({"tenants.lab.users": 0}, "the number of users must be at least 1"),
        ({"tenants.lab.user_max_gpus": 4}, "all are larger than user_max_gpus of its tenant (8 GPUs > 4)"),
        ({"policy.order": "weighted_share", "policy.borrowers": "last"}, "weighted_share decides itself who borrows last"),
        ({"policy.order": "weighted_share", "policy.max_tests": 5}, "remove max_tests"),
        ({"policy.order": "weighted_share", "policy.contract": "shared"}, "so weighted_share orders nothing"),
        ({"policy.contract": "partitioned", "tenants.firm.quota": None}, "contract: partitioned leaves this tenant without a part ('firm' has no quota)"),
        ({"policy.contract": "partitioned", "tenants.lab.quota": None, "tenants.firm.quota": None, "tenants.ministry.quota": None}, "in which nobody has a part"),
        ({"policy.contract": "partitioned", "cohorts": [{"name": "a", "quota": "5%"}], "tenants.firm.cohort": "a", "tenants.lab.cohort": "a", "tenants.firm.quota": "20%"}, "nobody may use what a cohort owns"),
        ({"policy.contract": "partitioned", "tenants.ministry.quota": 0}, "no job of this class could ever start"),
        ({"tenants.firm.classes.grant.gpus": {"12": "50%", "32": "50%"}}, "a lease is of whole nodes (12 GPUs, nodes of 8); write 8 or 16"),
        ({"tenants.firm.classes.grant.gpus": 4}, "write 8, or lease: {node: ..}"),
        ({"tenants.firm.classes.grant.limit": "9d"}, "a lease ends with its term: its limit is exact"),
        ({"tenants.firm.classes.grant.preemptible": True}, "a lease has no 'preemptible': a lease is not evicted"),
        ({"tenants.firm.classes.grant.segment": "1d"}, "a lease has no 'segment'"),
        ({"tenants.firm.classes.grant.checkpoint": "1h"}, "a lease has no 'checkpoint'"),
        ({"tenants.firm.classes.grant.lease.use": 0}, "a use factor must be above 0 and at most 100%"),
        ({"tenants.firm.classes.grant.lease.use": {"uniform": ["80%", "20%"]}}, "the shares of uniform must rise"),
        ({"tenants.firm.classes.grant.lease.use": {"uniform": ["20%", "120%"]}}, "a use factor must be above 0 and at most 100% ('120%')"),
        ({"tenants.firm.classes.grant.lease.use": {"beta": [1, 2]}}, "unknown law 'beta' of use factors"),
        ({"tenants.firm.classes.grant.lease.use": {"pick": {"10%": "30%"}}}, "must sum to 100%"),
        ({"tenants.firm.classes.grant.lease.review": None}, "'reclaim_below' without 'review'"),
        ({"tenants.firm.classes.grant.lease.reclaim_below": None}, "'review' without 'reclaim_below'"),
        ({"tenants.firm.classes.grant.approval": {}}, "an approval that grants everything at once"),
        ({"tenants.firm.classes.grant.approval.calls": "montly"}, "did you mean 'monthly'?"),
        ({"tenants.firm.classes.grant.approval.calls": None}, "'first' without 'calls'"),
        ({"tenants.firm.classes.grant.approval.accept": 0}, "a share must be above 0"),
        ({"tenants.firm.classes.grant.approval.delay": {"lognormal": {"median": "30d"}}}, "'sigma' is missing"),
        ({"study.start": "Mon"}, "a date in a study that begins on a day of the week (first 2026-02-03 00:00, start Mon 00:00)"),
        ({"reservations[0].classes": ["audi"]}, "no class or tenant is named 'audi' ('audi'); did you mean 'audit'?"),
        ({"reservations[0].pool": "b200"}, "no pool is named 'b200'"),
        ({"reservations[1].name": "course"}, "a reservation has this name"),
        ({"reservations[1].name": "demand"}, "has a meaning of its own in study.vary"),
        ({"reservations[1].to": "9d"}, "a reservation that ends before it begins (from 10d, to 9d)"),
        ({"reservations[1].to": None}, "'to' is missing"),
        ({"reservations[1].every": "4h"}, "the next one begins before this one ends (8h every 4h)"),
        ({"reservations[1].every": "Mon"}, "days without hours"),
        ({"reservations[0].hours": "9am"}, "not hours of the day"),
        ({"reservations[0].hours": None}, "'every' without hours"),
        ({"reservations[0].every": "10d"}, "hours of the day on no days"),
        ({"reservations[0].every": "sometimes"}, "not how often a reservation comes"),
        ({"reservations[1].from": "50d", "reservations[1].to": "60d"}, "never open within the horizon"),
        ({"reservations[1].only": True}, "'only' without 'classes'"),
        ({"reservations[0].only": True, "tenants.ministry.classes.audit.limit": "4h"}, "all ask for longer than a reservation lasts (4h > 3h)"),
        ({"reservations[0].only": True, "tenants.ministry.classes.audit.gpus": 40}, "fits into the reservations it may run in (40 GPUs > 32)"),
        ({"reservations[1].gpus": 990, "study.vary": "demand", "reservations[1].from": "11d1h", "reservations[1].to": "11d10h"}, "reservations of more GPUs than the center at one time (1,022 GPUs > 1,000, 11.4d after the start)"),
        ({"reservations[1].gpus": 600, "study.max_gpus": 500}, "than max_gpus at one time"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_place_and_its_remedy(
    base: Scenario, changes: dict[str, Any], says: str
) -> None:
    found = problems_of(base, changes)
    assert any(says in text for text in found), found
    assert all("; " in text for text in found)


def test_bad_input_is_told_all_at_once() -> None:
    text = TEXT
    for old, new in [
        ("weight: 3", "weight: -3"),  # line 6: negative weight
        ("account: labs", "account: labz"),  # line 7: unknown account
        ("user_max_gpus: 64", "user_max_gpus: 6"),  # line 15: train can never run
        ("quota: 30%", "quota: 70%"),  # line 21: quotas above the pool
        ("gpus: {16: 50%, 32: 50%}", "gpus: {12: 50%, 32: 50%}"),  # line 25: no whole nodes
        ("delay: 1d}", "delay: 1}"),  # line 28: a duration without a unit
        ("quota: 20%", "quota: 0\n    borrow: 5%"),  # line 32: borrowing from nobody; 36: audit can never run
        ("{name: public, weight: 2}", "{name: public, account: labs}"),  # line 40: circle
        ("classes: [audit]", "classes: [ministery]"),  # line 44: unknown tenant
        ("to: 10d8h", "to: 9d"),  # line 45: ends before it begins
        ("order: multifactor", "order: multifactor\n  contract: partitionned"),  # line 48
        ("horizon: 42d", "horizon: 4d"),  # line 51
    ]:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_yaml(text, "center.yaml")
    lines = [int(problem.where.split(":")[1]) for problem in caught.value.problems]
    assert lines == [6, 7, 15, 21, 25, 28, 32, 36, 40, 44, 45, 48, 51], str(caught.value)
    assert all(problem.remedy for problem in caught.value.problems)


def test_a_wrong_key_of_a_tenant_does_not_hide_its_quota(base: Scenario) -> None:
    found = problems_of(base, {"tenants.lab.weight": -1, "tenants.lab.quota": "60%"})
    assert any("quotas add up to more than the center" in text for text in found), found


# ---- notices ---------------------------------------------------------------------------------------------------------


def test_the_base_has_nothing_to_notice(base: Scenario) -> None:
    codes = ("unused", "all-taken-back", "slow-start", "reservation-blocks", "overload", "tenant-overload")
    assert [told(base, code) for code in codes] == [[]] * len(codes)


def test_weights_that_a_level_goes_by_are_not_without_effect(base: Scenario) -> None:
    none = {f"tenants.{name}.quota": None for name in ("lab", "firm", "ministry")}
    plain = base.override({**none, "policy": {"order": "fifo"}})
    assert any("'weight' has no effect" in text for text in told(plain, "unused"))
    judged = told(plain.override({"slos": ["fair-share error <= 10%"]}), "unused")
    assert not any("'weight'" in text or "'account'" in text for text in judged), judged


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"policy.order": "fifo"}, "unused", "'fairness' has no effect in this order (order fifo)"),
        ({"policy.order": "fifo"}, "unused", "'weight' has no effect in this order"),
        ({"policy.order": "fairshare"}, "unused", "'weights' has no effect in this order"),
        ({"policy.order": "fairshare"}, "unused", "'account' has no effect in this order"),
        ({"policy.fairness.usage": "over_quota", **{f"tenants.{name}.quota": None for name in ("lab", "firm", "ministry")}}, "unused", "no tenant has a quota, so all use counts (usage over_quota); give tenants a quota"),
        ({"policy.fairness.weights.qos": 0}, "unused", "'qos' has no effect: nothing weighs it"),
        ({"tenants.firm.users": 5}, "unused", "'users' has no effect: nothing limits them"),
        ({"tenants.firm.classes.grant.lease.reclaim_below": "5%"}, "unused", "no lease uses so little"),
        ({"tenants.firm.classes.grant.lease.review": "10d"}, "unused", "the review comes after the term"),
        ({"tenants.firm.classes.grant.lease.use": "20%"}, "all-taken-back", "all are taken back at the review"),
        ({"study.warm_up": "2d"}, "slow-start", "warm_up 2d, approval up to 8d"),
        ({"tenants.ministry.classes.audit.limit": "4h"}, "unused", "no ministry/audit job fits into this reservation (4h > 3h)"),
        ({"reservations[1]": {"name": "s", "gpus": 990, "from": "1h", "to": "2h", "every": "day"}}, "reservation-blocks", "firm/grant jobs can never start"),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_noticed(
    base: Scenario, changes: dict[str, object], code: str, says: str
) -> None:
    found = told(base.override(changes), code)
    assert any(says in text for text in found), found


# ---- anything --------------------------------------------------------------------------------------------------------

KEYS: list[tuple[str | int, ...]] = [
    *(("tenants", 0, key) for key in ("users", "user_max_gpus", "user_max_jobs", "weight", "account")),
    *(("tenants", 1, "classes", 0, key) for key in ("lease", "approval", "qos")),
    *(("tenants", 1, "classes", 0, "lease", key) for key in ("use", "reclaim_below", "review", "node")),
    *(("tenants", 1, "classes", 0, "approval", key) for key in ("calls", "first", "accept", "delay")),
    ("accounts",),
    ("accounts", 0),
    *(
        ("reservations", 0, key)
        for key in ("name", "gpus", "from", "to", "every", "hours", "classes", "only", "pool")
    ),
    ("reservations",),
    *(("policy", key) for key in ("order", "fairness", "contract")),
    *(("policy", "fairness", key) for key in ("half_life", "calc_period", "usage", "weights", "max_age")),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["50%", "all", "public", "1h", "-5%", "weekdays", "2026-02-30", "2026-03-02", "08-22", "week"]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "use", "uniform", "pick", "calls", "delay", "age"]), inner)
    ),
    max_leaves=3,
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KEYS), VALUES)
@pytest.mark.slow
def test_no_value_makes_anything_but_our_own_errors(path: tuple[str | int, ...], value: object) -> None:
    data = agreed().to_dict()
    check_value(data, path, value)
