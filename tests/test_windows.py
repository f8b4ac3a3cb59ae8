"""Which submissions count, and the notices that new parts of the demand add."""

from __future__ import annotations

import pytest

from gpusim.errors import ScenarioError
from gpusim.scenario import RunTime, Scenario
from gpusim.workload.run_time_law import distribution_of

DAY = 86_400.0
RANDOM: dict[str, object] = {"arrivals": {"rate": "40/day"}, "gpus": 4, "run_time": {"deterministic": "2h"}}
CHAIN: dict[str, object] = {
    "arrivals": {"schedule": [{"at": "7d", "count": 5, "within": "4d"}]},
    "gpus": 64,
    "run_time": {"deterministic": "21d"},
    "segment": "24h",
    "limit": "24h",
}


def scenario(*slos: str, study: dict[str, object] | None = None, **changes: dict[str, object]) -> Scenario:
    """One tenant with a class of random jobs and one of scheduled chains, each with some changes."""
    classes = [
        {"name": "random", **RANDOM, **changes.pop("random", {})},
        {"name": "chain", **CHAIN, **changes.pop("chain", {})},
    ]
    data: dict[str, object] = {
        "schema": 1,
        "name": "test",
        "tenants": [{"name": "lab", "classes": classes}],
        "slos": list(slos),
        "study": {"horizon": "35d", "warm_up": "7d", **(study or {})},
    }
    return Scenario.from_dict({**data, **changes})


@pytest.mark.parametrize(
    ("slo", "hours"),
    [
        ("wait <= 4h for 90% of random jobs", 4),
        ("turnaround <= 12h for 90% of random jobs", 12),
        ("deadline met for 90% of random jobs", 30),
        ("bounded slowdown <= 12 for 90% of random jobs", 2),  # 12 x 10 min
        ("bounded slowdown (bound 1h) <= 12 for 90% of random jobs", 12),
        ("abandoned <= 5% of random jobs", 6),  # a job that waits gives up by its patience
        ("wait <= 4h for 90% of chain jobs", 0),  # all submitted early: decided anyway
    ],
)
def test_auto_is_the_time_that_the_slowest_level_takes_to_be_decided(slo: str, hours: float) -> None:
    of = scenario(slo, random={"deadline": "30h", "patience": "6h"})
    assert of.cool_down == hours * 3600
    assert of.count_end == 35 * DAY - hours * 3600


def test_jobs_submitted_early_enough_need_no_cool_down() -> None:
    slos = ("wait <= 4h for 90% of random jobs", "turnaround <= 21.63d for 100% of chain jobs")
    assert scenario(*slos).cool_down == 4 * 3600  # 11 + 21.63 d is before the horizon's end
    early = {"arrivals": {"rate": "40/day", "until": "20d"}}
    assert scenario("turnaround <= 10d for 90% of random jobs", random=early).cool_down == 0
    late = {"arrivals": {"rate": "40/day", "until": "26d"}}
    assert scenario("turnaround <= 10d for 90% of random jobs", random=late).cool_down == 10 * DAY


def test_a_deadline_of_scheduled_chains_must_fall_inside_the_horizon() -> None:
    slo = "turnaround <= 21.63d for 100% of chain jobs"
    late = {"arrivals": {"schedule": [{"at": "10d", "count": 5, "within": "4d"}]}}
    with pytest.raises(ScenarioError) as caught:
        scenario(slo, "wait <= 4h for 90% of all jobs", chain=late)
    (problem,) = caught.value.problems
    assert problem.where == "tenants[0].classes[1].arrivals.schedule"
    assert "submitted until 14d, decided 21.63d later, horizon 35d" in problem.found
    assert "35.63d" in problem.remedy
    # not counted, not judged: a cool-down of the limit leaves them out
    assert scenario(slo, chain=late, study={"cool_down": "21.63d"}).count_end == pytest.approx(13.37 * DAY)


def test_a_cool_down_shorter_than_a_decision_is_refused() -> None:
    with pytest.raises(ScenarioError, match="the cool-down is shorter than the longest SLO limit"):
        scenario("turnaround <= 12h for 90% of random jobs", study={"cool_down": "11h"})
    scenario("turnaround <= 21.63d for 100% of chain jobs", study={"cool_down": 0})


@pytest.mark.parametrize(
    ("code", "where", "says", "changes"),
    [
        (
            "short-round-up",
            "classes[0].limit",
            "runs up to 2h, last 1h",
            {"random": {"limit": {"factor": [1, 4], "round_up": ["30min", "1h"]}}},
        ),
        (
            "limit-kills",
            "classes[0].limit",
            "30% reach",
            {"random": {"limit": {"pick": {"1h": "30%", "4h": "70%"}}}},
        ),
        (
            "limit-kills",
            "classes[0].arrivals[1].limit",
            "100% run longer than 1h",
            {"random": {"arrivals": [{"rate": "40/day"}, {"rate": "1/h", "limit": "1h"}]}},
        ),
        ("unused", "study.min_demand", "vary gpus", {"study": {"min_demand": "50%"}}),
        ("unused", "study.max_gpus", "vary demand", {"study": {"vary": "demand", "max_gpus": 512}}),
        ("unused", "policy.window", "backfill none", {"policy": {"backfill": "none", "window": "1d"}}),
        ("unused", "classes[0].deadline", "no service level judges", {"random": {"deadline": "1d"}}),
        (
            "overload",
            "center.pools",
            "> have 96",
            {"center": {"pools": [{"name": "a", "have": 64}, {"name": "b", "have": 32}]}},
        ),
    ],
)
def test_a_notice_tells_what_is_probably_not_meant(
    code: str, where: str, says: str, changes: dict[str, dict[str, object]]
) -> None:
    center = {} if "pools" in changes.get("center", {}) else {"center": {"have": 4096}}
    notices = scenario("wait <= 4h for 90% of random jobs", **{**center, **changes}).notices()
    found = [notice for notice in notices if notice.code == f"scenario/{code}"]
    assert found, [str(notice) for notice in notices]
    assert found[0].where.endswith(where)
    assert says in str(found[0])


def test_a_chain_of_full_segments_at_their_limit_kills_nobody() -> None:
    codes = {notice.code for notice in scenario("turnaround <= 21.63d for 100% of chain jobs").notices()}
    assert codes == set()


@pytest.mark.parametrize(
    "law",
    [
        {"lognormal": {"median": "2h", "sigma": 1.6, "max": "72h"}},
        {"exponential": {"mean": "1h", "max": "6h"}},
        {"uniform": ["10h", "14h"]},
        {"weibull": {"shape": 0.5, "mean": "2h", "max": "72h"}},
        {"hyperexponential": {"phases": {"10min": "90%", "20h": "10%"}, "max": "72h"}},
        {"quantiles": {"0%": "10s", "5%": "30s", "50%": "10min", "95%": "3h", "100%": "48h"}},
        {"deterministic": "2h"},
    ],
    ids=lambda law: next(iter(law)),
)
def test_jobs_are_drawn_from_the_law_whose_mean_the_load_is_worked_out_with(law: dict[str, object]) -> None:
    run_time = RunTime.model_validate(law)
    assert distribution_of(run_time).mean() == pytest.approx(run_time.mean(), rel=1e-7)
