"""The default center `korea-nacc` is the one that its design describes, and its variants change what they say.

Expected numbers come from outside: the tables of the design (jobs counted by an independent simulation of the same
center), published GPU counts, and arithmetic on both.
"""

from __future__ import annotations

import pytest

from gpusim.plan.experiment import run_spec
from gpusim.scenario import Scenario, example

DAY = 86_400.0

# jobs of 35 days, and GPUs offered in the mean, as an independent simulation of this center had them
CLASSES = {
    "national_fm/urgent": (0.23, 26),
    "national_fm/eval": (35_000, 10),
    "national_fm/campaign": (105, 3840),
    "national_fm/ablation": (520, 700),
    "services/serve": (840, 64 + 24),
    "academia/notebook": (35_400, 62),
    "academia/research": (104_000, 1837),
    "academia/sweep": (162_400, 131),
    "industry/finetune": (6_300, 708),
    "institutes/institute": (1_540, 187),
}
BATCH = ("ablation", "finetune", "institute", "research")
OVER_ASKING = ("eval", "ablation", "notebook", "research", "sweep", "finetune", "institute")


@pytest.fixture(scope="module")
def korea() -> Scenario:
    return example("korea-nacc")


def class_named(scenario: Scenario, name: str):  # type: ignore[no-untyped-def]
    return next(entry.job_class for entry in scenario.classes() if entry.job_class.name == name)


def index_of(scenario: Scenario, name: str) -> int:
    return [full.split("/")[1] for full in scenario.class_names].index(name)


def changed_classes(scenario: Scenario, variant: str) -> set[str]:
    other = scenario.variant(variant)
    pairs = zip(scenario.classes(), other.classes(), strict=True)
    return {one.job_class.name for one, two in pairs if one.job_class != two.job_class}


# ---- the center and its demand ---------------------------------------------------------------------------------------


def test_the_center_has_the_published_gpus_and_korean_time(korea: Scenario) -> None:
    assert korea.center.have == 8_160 + 2_296 == 10_456
    assert korea.pool_names == ("gpus",)
    assert (korea.center.time_zone, korea.week_phase) == ("Asia/Seoul", 0.0)


def test_twenty_eight_days_are_counted_after_seven(korea: Scenario) -> None:
    assert (korea.study.warm_up, korea.count_end, korea.study.horizon) == (7 * DAY, 35 * DAY, 35.5 * DAY)
    study = korea.study
    assert (study.attainment, study.confidence, study.granularity) == (0.9, 0.95, 8)
    assert (study.tolerance, study.seed) == (0.02, 20260201)


def test_classes_submit_as_many_jobs_as_in_an_independent_simulation(korea: Scenario) -> None:
    assert set(korea.class_names) == set(CLASSES)
    for index, name in enumerate(korea.class_names):
        jobs = korea.expected_jobs([index])
        whole = jobs if name.endswith(("urgent", "campaign")) else jobs * 35 / 28
        assert whole == pytest.approx(CLASSES[name][0], rel=0.015), name


def test_classes_offer_the_loads_of_the_design(korea: Scenario) -> None:
    for name, load in zip(korea.class_names, korea.class_loads, strict=True):
        assert load == pytest.approx(CLASSES[name][1], rel=0.02), name


def test_the_nominal_peak_is_the_one_of_the_design(korea: Scenario) -> None:
    campaigns = 5 * 1024
    others = sum(
        load
        for name, load in zip(korea.class_names, korea.class_loads, strict=True)
        if "campaign" not in name
    )
    assert campaigns + others == pytest.approx(8_867, abs=4)


def test_load_over_time_lies_between_mean_and_peak_of_the_design(korea: Scenario) -> None:
    assert korea.mean_load == pytest.approx(7_586 + 64, rel=0.02)
    assert 8_867 <= korea.peak_load <= 1.15 * 8_867  # the peak of a day is above its mean


def test_five_campaigns_are_chains_of_day_long_jobs_due_inside_the_horizon(korea: Scenario) -> None:
    campaign = class_named(korea, "campaign")
    (stream,) = campaign.streams
    assert (campaign.segment, campaign.limit.fixed, stream.run_time.deterministic) == (DAY, DAY, 21 * DAY)
    ((time, within, count),) = stream.occurrences(korea.week_phase, korea.study.horizon)
    assert (time, within, count) == (7 * DAY, 4 * DAY, 5)
    (level,) = [each for each in korea.resolved_slos() if each.metric == "turnaround"]
    assert level.limit == pytest.approx(1.03 * 21 * DAY)
    assert time + within + level.limit <= korea.study.horizon
    assert korea.expected_jobs(level) == 5


def test_tiers_are_those_of_the_design(korea: Scenario) -> None:
    tiers: dict[int, set[str]] = {}
    for _, _, job_class in korea.classes():
        tiers.setdefault(job_class.priority, set()).add(job_class.name)
    ordered = [tiers[priority] for priority in sorted(tiers, reverse=True)]
    assert ordered == [{"urgent"}, {"serve"}, {"notebook", "eval"}, {"campaign"}, set(BATCH), {"sweep"}]


def test_the_nine_o_clock_course_and_the_service_have_runs_of_their_own(korea: Scenario) -> None:
    daily, spike = class_named(korea, "notebook").streams
    assert (daily.run_time.lognormal.median, daily.run_time.max) == (3600, 8 * 3600)
    assert (spike.run_time.lognormal.median, spike.run_time.max, spike.limit.fixed) == (
        5400,
        4 * 3600,
        4 * 3600,
    )
    assert len(spike.occurrences(0.0, 28 * DAY)) == 20  # weekdays
    always, day = class_named(korea, "serve").streams
    assert always.run_time.deterministic > korea.variant("year").study.horizon
    assert [count for _, _, count in always.occurrences(0.0, 35 * DAY)] == [32]
    assert day.run_time.mean() == pytest.approx(12 * 3600)
    assert (day.run_time.quantile(0.25), day.run_time.max) == (pytest.approx(11 * 3600), 14 * 3600)


def test_users_ask_for_one_to_four_times_what_they_need_in_round_numbers(korea: Scenario) -> None:
    hours = (0.5, 1, 2, 4, 8, 12, 24, 48, 72)
    for name in OVER_ASKING:
        limit = class_named(korea, name).limit
        assert (limit.factor, limit.round_up) == ((1, 4), tuple(hour * 3600 for hour in hours))


# ---- levels and marks ------------------------------------------------------------------------------------------------


def test_the_eleven_levels_are_those_of_the_design(korea: Scenario) -> None:
    assert [level.sentence for level in korea.resolved_slos()] == [
        "wait <= 1min for 95% of notebook jobs submitted 08:00-22:00",
        "wait <= 4h for 90% of finetune jobs",
        "wait <= 30min for 100% of urgent jobs",
        "wait <= 12h for 90% of research jobs of 16-64 GPUs",
        "turnaround <= 21.63d for 100% of campaign jobs",
        "wait <= 30min for 90% of research jobs of <= 8 GPUs",
        "wait <= 6h for 90% of ablation jobs",
        "wait <= 12h for 90% of institute jobs",
        "wait <= 6h for 90% of sweep jobs",
        "wait <= 15min for 90% of eval jobs",
        "wait <= 5min for 99% of serve jobs",
    ]


def test_every_number_of_the_demand_is_marked_as_assumed_and_no_published_one(korea: Scenario) -> None:
    for tenant in korea.tenants:
        for job_class in tenant.classes:
            path = f"tenants.{tenant.name}.classes.{job_class.name}"
            for key in ("gpus", "run_time", "limit", "priority"):
                assert f"{path}.{key}" in korea.assumed
            assert any(each.startswith(f"{path}.arrivals") for each in korea.assumed)
    assert "slos" in korea.assumed
    assert not any(each.startswith(("center", "study.horizon", "study.seed")) for each in korea.assumed)


def test_the_reader_is_told_that_the_answer_is_built_in_and_that_urgent_does_not_preempt(
    korea: Scenario,
) -> None:
    said = " ".join(korea.assumptions)
    assert "built in and no evidence" in said
    assert "Urgent jobs do not preempt" in said
    assert "do not preempt" in korea.description


# ---- variants --------------------------------------------------------------------------------------------------------


def test_every_variant_says_what_it_is_about(korea: Scenario) -> None:
    assert len(korea.variants) == 23
    assert all(variant.about for variant in korea.variants.values())


@pytest.mark.parametrize(
    ("variant", "classes"),
    [
        ("quotas", set()),
        ("parts", set()),
        ("backfill-100", set()),
        ("reclaim", {*BATCH, "sweep"}),
        ("preemption", {*BATCH, "sweep", "urgent"}),
        ("fifo", set()),
        ("skip", set()),
        ("period-60s", set()),
        ("no-tiers", {"campaign", "serve", "notebook", "eval", "sweep"}),
        ("demand-30", {"campaign", "serve", "notebook", *OVER_ASKING}),
        ("efficiency-2x", {"campaign", *OVER_ASKING}),
        ("exact-limits", set(OVER_ASKING)),
        ("limits-4x", set(OVER_ASKING)),
        ("research-sigma-1.2", {"research"}),
        ("single-arrivals", {"research"}),
        ("no-spike", {"notebook"}),
        ("eight-weeks", {"urgent"}),
        ("staggered", {"urgent", "campaign"}),
        ("year", {"urgent", "campaign"}),
    ],
)
def test_a_variant_changes_the_classes_it_names_and_no_others(
    korea: Scenario, variant: str, classes: set[str]
) -> None:
    assert changed_classes(korea, variant) == classes


def test_contracts_are_one_group_each_against_the_right_base(korea: Scenario) -> None:
    contracts = {name: each.of for name, each in korea.variants.items() if each.group == "contracts"}
    assert contracts == {
        "fifo": None,
        "backfill-100": None,
        "quotas": None,
        "parts": "quotas",  # borrowing off
        "reclaim": "quotas",
        "preemption": None,
        "staggered": "eight-weeks",
        "fairshare": None,
        "leases": None,
        "leases-reclaim": "leases",
        "approval": "leases",
    }


def test_in_parts_every_tenant_owns_what_it_has_as_with_quotas_and_borrows_nothing(korea: Scenario) -> None:
    quotas, parts = run_spec(korea.variant("quotas"), 1).sharing, run_spec(korea.variant("parts"), 1).sharing
    assert quotas is not None
    assert parts is not None
    tenants = len(korea.tenants)
    assert parts.nominal[:tenants].tolist() == quotas.nominal[:tenants].tolist()
    assert set(quotas.parent[:tenants].tolist()) == {tenants}
    assert set(parts.parent[:tenants].tolist()) == {-1}


def test_policies_of_variants(korea: Scenario) -> None:
    assert korea.variant("fifo").policy.backfill == "none"
    assert korea.variant("skip").policy.backfill == "skip"
    assert korea.variant("backfill-100").policy.backfill == 100
    assert korea.variant("period-60s").policy.period == 60
    assert {
        class_named(korea.variant("no-tiers"), name).priority for name in ("campaign", "eval", *BATCH)
    } == {10}


def test_demand_is_thirty_percent_up_in_jobs_or_in_gangs(korea: Scenario) -> None:
    more = korea.variant("demand-30")
    for index, name in enumerate(korea.class_names):
        factor = {"urgent": 1, "campaign": 1328 / 1024, "serve": (64 + 31) / (64 + 24)}.get(
            name.split("/")[1], 1.3
        )
        assert more.class_loads[index] == pytest.approx(factor * korea.class_loads[index], rel=1e-9), name
    assert class_named(more, "campaign").largest_gang == 1328


def test_twice_the_efficiency_halves_run_times_and_keeps_jobs_and_gangs(korea: Scenario) -> None:
    fast = korea.variant("efficiency-2x")
    for index, name in enumerate(korea.class_names):
        once, twice = class_named(korea, name.split("/")[1]), class_named(fast, name.split("/")[1])
        assert twice.gpus == once.gpus
        if name.endswith("campaign"):
            assert twice.run_time.deterministic == once.run_time.deterministic / 2
            continue
        assert fast.expected_jobs([index]) == pytest.approx(korea.expected_jobs([index])), name
        if not name.endswith(("urgent", "serve")):
            assert twice.run_time.quantile(0.3) == pytest.approx(once.run_time.quantile(0.3) / 2)
            assert twice.run_time.max == once.run_time.max / 2
    assert (
        class_named(fast, "notebook").streams[1].run_time
        == class_named(korea, "notebook").streams[1].run_time
    )


def test_a_lighter_tail_or_single_arrivals_keep_the_load(korea: Scenario) -> None:
    index = index_of(korea, "research")
    for name in ("research-sigma-1.2", "single-arrivals"):
        assert korea.variant(name).class_loads[index] == korea.class_loads[index]
    assert class_named(korea.variant("research-sigma-1.2"), "research").run_time.lognormal.sigma == 1.2
    assert class_named(korea.variant("single-arrivals"), "research").streams[0].batch is None


def test_staggered_campaigns_do_the_same_work_eight_days_apart(korea: Scenario) -> None:
    together, apart = korea.variant("eight-weeks"), korea.variant("staggered")
    assert korea.variants["staggered"].of == "eight-weeks"
    assert together.count_end - together.study.warm_up == 56 * DAY
    assert together.class_loads == apart.class_loads
    times = [time for time, _, _ in class_named(apart, "campaign").streams[0].occurrences(0.0, 63 * DAY)]
    assert times == [7 * DAY, 15 * DAY, 23 * DAY, 31 * DAY, 39 * DAY]
    assert times[-1] + 21.63 * DAY < apart.study.horizon


def test_a_year_has_two_rounds_of_campaigns_and_three_urgent_jobs(korea: Scenario) -> None:
    year = korea.variant("year")
    assert year.count_end - year.study.warm_up == 364 * DAY
    assert year.expected_jobs([index_of(year, "campaign")]) == 2 * 5 * 21
    assert year.expected_jobs([index_of(year, "urgent")]) == pytest.approx(3 * 364 / 365)


# ---- leases, applications and fair share -----------------------------------------------------------------------------


def test_leases_carry_the_useful_work_of_the_jobs_they_replace(korea: Scenario) -> None:
    assert changed_classes(korea, "leases") == {"finetune", "research"}
    leases = korea.variant("leases")
    for name, used in (("finetune", 708), ("research", 1837)):
        lease, terms = class_named(leases, name), class_named(leases, name).lease
        assert terms.use.mean == pytest.approx(0.5)
        assert lease.mean_gang == pytest.approx(26.6, abs=0.05)  # 4,224 GPUs granted to 159 projects
        assert lease.streams[0].mean_held == 28 * DAY
        assert leases.class_loads[index_of(leases, name)] * 0.5 == pytest.approx(used, rel=0.01)
        steady, there = lease.streams
        assert steady.long_run_load == pytest.approx(used / 0.5, rel=0.001)
        assert there.schedule[0].count * lease.mean_gang == pytest.approx(used / 0.5, rel=0.01)


def test_low_use_is_taken_back_and_costs_little_useful_work(korea: Scenario) -> None:
    kept, reclaimed = korea.variant("leases"), korea.variant("leases-reclaim")
    before, after = (class_named(each, "research") for each in (kept, reclaimed))
    assert after.lease.clawed == pytest.approx(0.148, abs=0.001)  # one in seven
    steady = [each.streams[0] for each in (before, after)]
    assert steady[1].job_rate == steady[0].job_rate
    held = steady[1].mean_held / steady[0].mean_held
    assert after.streams[1].schedule[0].count / before.streams[1].schedule[0].count == pytest.approx(
        held, rel=0.01
    )
    taken, stays = after.lease.mean_uses()
    parts = after.lease.parts(steady[1].run_time, 1e12)
    assert (stays * parts[0] + taken * parts[1]) / (0.5 * 28 * DAY) == pytest.approx(0.97, abs=0.005)


def test_applications_are_as_many_as_the_first_call_had(korea: Scenario) -> None:
    asked = korea.variant("approval")
    assert (asked.study.warm_up, asked.count_end) == (korea.study.warm_up, korea.count_end)
    for name in ("finetune", "research"):
        approval = class_named(asked, name).approval
        assert approval.accept == pytest.approx(159 / 514, abs=0.0001)
        rate = class_named(korea.variant("leases"), name).streams[0].job_rate
        assert class_named(asked, name).streams[0].job_rate == pytest.approx(rate, rel=0.001)


def test_fair_shares_are_what_was_published(korea: Scenario) -> None:
    fair = korea.variant("fairshare")
    weights = {tenant.name: tenant.weight for tenant in fair.tenants}
    assert weights == {
        "national_fm": 6120,
        "services": 112,
        "academia": 2624,
        "industry": 1288,
        "institutes": 312,
    }
    assert sum(weights.values()) == korea.center.have
    assert changed_classes(korea, "fairshare") == set()
