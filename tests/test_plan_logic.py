"""What plans conclude, on a center whose truth is known because nothing of it is simulated."""

from __future__ import annotations

import dataclasses
import json
import math
from statistics import NormalDist

import numpy as np
import pytest

import gpusim
from gpusim.errors import UsageError
from gpusim.plan.answer import Answer
from gpusim.plan.axis import axis_of, grid_of, start_of
from gpusim.plan.demand import DemandAnswer
from gpusim.report import compare_page, size_page, to_text
from pretend_center import pretend, scenario

LEVELS = ("wait <= 30min for 90% of runs jobs", "turnaround <= 6h for 80% of gangs jobs")


def truth(attainment: float = 0.9) -> float:
    """The size that meets both levels of the default center in this share of the periods."""
    low, high = 900.0, 1300.0
    for _ in range(60):
        size = (low + high) / 2
        pairs = ((1000.0, 0.02), (980.0, 0.05))
        both = math.prod(NormalDist().cdf(math.log(size / need) / sd) for need, sd in pairs)
        low, high = (low, size) if both >= attainment else (size, high)
    return high


def in_words(answer: Answer, width: int = 100) -> str:
    return " ".join(to_text(size_page(answer), width).split())


# ---- size -----------------------------------------------------------------------------------------------------------


def test_size_finds_the_known_answer_within_its_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario())
    assert answer.resolved
    assert answer.gpus_low is not None
    assert answer.gpus is not None
    assert answer.gpus_low - 4 <= truth() <= answer.gpus + 4
    assert answer.gpus - answer.gpus_low <= 0.02 * answer.gpus
    assert answer.gpus % 4 == 0


def test_who_pays_is_shown_at_the_answer_and_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario())
    by_name = {slo.sentence: slo for slo in answer.slos}
    assert answer.binding_slo == LEVELS[1]
    for slo in by_name.values():
        assert slo.below is not None
        assert slo.below.value <= slo.attainment.value + 0.1
    text = to_text(size_page(answer))
    assert text.index(LEVELS[1]) < text.index(LEVELS[0])  # who fails first stands first
    assert "just below" in text


def test_explaining_costs_a_fraction_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch)
    answer = gpusim.size(scenario())
    assert answer.spent.runs == center.cells
    assert center.cells - answer.sizing.total_runs <= 0.35 * answer.sizing.total_runs


def test_classes_that_are_not_in_every_period_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, rare=0.3)
    answer = gpusim.size(scenario())
    shares = {c.name: c.occurs for c in answer.findings.classes}
    assert shares["lab/runs"].value == 1.0
    assert shares["lab/gangs"].low < 0.3 < shares["lab/gangs"].high
    assert "Not in every period: lab/gangs" in in_words(answer)


def test_what_the_search_knows_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario())
    high = [r.attainment for r in answer.rules if r.attainment and r.rule.gpus > (answer.gpus or 0)]
    assert high
    assert all(a.implied > 0 and a.share > 0.85 for a in high)
    for rule in answer.rules:
        assert rule.attainment is not None
        assert rule.attainment.low <= rule.attainment.share <= rule.attainment.high


def test_at_answer_every_replication_was_really_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario())
    assert answer.at_answer is not None
    assert answer.at_answer.implied == 0
    assert sum(slo.jobs for slo in answer.slos) == 2000 * answer.at_answer.replications


# ---- no number of GPUs is enough ------------------------------------------------------------------------------------


def test_a_level_no_gpus_can_meet_ends_the_search_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch, least=(0, 30_000))
    answer = gpusim.size(scenario())
    assert answer.feasible is False
    assert answer.resolved
    assert answer.gpus is None
    assert center.cells <= 150
    assert answer.binding_slo == LEVELS[1]
    ceiling = answer.findings.ceiling
    assert ceiling is not None
    assert [each.sentence for each in ceiling.impossible] == [LEVELS[1]]


def test_the_remedy_names_a_limit_that_would_be_met(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, least=(0, 30_000))
    ceiling = gpusim.size(scenario()).findings.ceiling
    assert ceiling is not None
    stretch = ceiling.impossible[0].stretch
    assert stretch is not None
    assert 30_000 <= stretch * 6 * 3600 <= 30_000 * 1.02
    hours = ceiling.impossible[0].remedy.rpartition(" ")[2]
    again = gpusim.size(scenario(f"slos[1]=turnaround <= {hours} for 80% of gangs jobs"))
    assert again.feasible


def test_a_level_beyond_the_period_says_that_no_limit_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, least=(0, 10**9))
    answer = gpusim.size(scenario())
    assert "no longer limit within the period would do" in str(answer)
    assert in_words(answer).startswith("No number of GPUs is enough to meet all 2 service levels")
    json.dumps(answer.to_dict(), allow_nan=False)


def test_the_ceiling_costs_eight_runs_where_everything_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch)
    gpusim.size(scenario())
    assert center.batches[0] == (8, False)


def test_the_top_of_the_grid_is_no_proof_and_is_not_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario("study.max_gpus=960"))
    assert answer.feasible is False
    assert "960 GPUs" in str(answer)
    assert "raise study.max_gpus" in str(answer)
    assert "No number of GPUs" not in in_words(answer)


# ---- demand ---------------------------------------------------------------------------------------------------------


def test_the_largest_demand_is_the_one_at_which_the_center_is_just_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario(), vary="demand")
    assert isinstance(answer, DemandAnswer)
    assert answer.resolved
    right = 1100 / truth()
    assert answer.factor is not None
    assert answer.factor_high is not None
    assert answer.factor - 0.011 <= right <= answer.factor_high + 0.011
    assert answer.load == pytest.approx(answer.factor * answer.findings.offered_load)
    assert answer.binding_slo == LEVELS[1]


def test_a_factor_is_on_the_rates_as_written_whatever_the_study_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    plain, more = (gpusim.size(scenario(f"study.demand={f}"), vary="demand") for f in (1.0, 1.25))
    assert isinstance(plain, DemandAnswer)
    assert isinstance(more, DemandAnswer)
    assert abs((plain.factor or 0) - (more.factor or 9)) <= 0.02
    assert more.load == pytest.approx(plain.load, rel=0.02)
    assert more.have is not None
    assert more.have.gpus == 1_250_000


def test_demand_page_and_json_speak_of_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario(), vary="demand")
    assert isinstance(answer, DemandAnswer)
    data = answer.to_dict()
    assert (data["kind"], data["vary"], data["gpus"]) == ("size", "demand", 1100)
    assert data["factor"] == data["factor_low"] <= data["factor_high"]
    assert all("capacity" not in row and 0 < row["demand"] <= 4 for row in data["evidence"])
    assert data["at_answer"]["demand"] == data["factor"]
    text = in_words(answer)
    assert text.startswith("1,100 GPUs carry")
    assert "of the stated demand" in text
    assert "size considered" not in text


def test_a_demand_that_nothing_carries_is_infeasible(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(scenario("study.min_demand=2", "study.max_demand=3"), vary="demand")
    assert answer.feasible is False
    assert "does not carry even 200% of the stated demand" in str(answer)
    assert "even at 200% of the stated demand" in in_words(answer)


def test_varying_demand_needs_a_center() -> None:
    bare = gpusim.Scenario.from_dict({k: v for k, v in scenario().to_dict().items() if k != "center"})
    with pytest.raises(UsageError, match="not given") as error:
        gpusim.size(bare, vary="demand")
    assert error.value.code == "plan/have"


# ---- pools ----------------------------------------------------------------------------------------------------------

POOLS = "center.pools=[{name: new}, {name: old, have: 600}]"


def pooled() -> gpusim.Scenario:
    data = scenario().to_dict()
    data["center"] = {"pools": [{"name": "new"}, {"name": "old", "have": 600}]}
    data["study"]["vary"] = "new"
    return gpusim.Scenario.from_dict(data)


def test_one_pool_is_sized_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(pooled())
    assert answer.vary == "new"
    assert answer.pools == {"new": None, "old": 600}
    assert answer.gpus is not None
    assert answer.gpus_low is not None
    assert answer.gpus_low - 4 <= truth() - 600 <= answer.gpus + 4
    text = in_words(answer)
    assert f"You need {answer.gpus} GPUs of new" in text
    assert "Beside 600 GPUs of old, which stay." in text


def test_cells_hold_every_pool() -> None:
    axis = axis_of(pooled())
    assert axis.gpus(np.array([8, 16])).tolist() == [[8, 600], [16, 600]]
    assert axis.total(8) == 608
    assert grid_of(pooled(), axis).low == 4
    assert 100 < start_of(pooled(), axis) < 1000


def test_a_pool_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'new'") as error:
        gpusim.size(pooled(), vary="nww")
    assert error.value.code == "plan/vary"
    with pytest.raises(UsageError, match="which of several pools"):
        gpusim.size(pooled(), vary="gpus")


# ---- occupancy ------------------------------------------------------------------------------------------------------


def with_occupancy(sentence: str) -> gpusim.Scenario:
    data = scenario().to_dict()
    data["slos"].append(sentence)
    return gpusim.Scenario.from_dict(data)


def test_a_floor_on_occupancy_gives_a_band_of_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(with_occupancy("occupancy >= 70%"))
    band = answer.band
    assert band is not None
    assert not band.empty
    assert band.low == answer.gpus
    # 900 L_r / N >= .7 in 90 % of the periods: N <= 900 / .7 x the 10 % quantile of L
    assert band.high == pytest.approx(900 / 0.7 * math.exp(-0.02 * 1.2816), rel=0.015)
    assert "meet every level" in in_words(answer)


def test_contradicting_levels_leave_an_empty_band_and_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(with_occupancy("occupancy >= 90%"))
    band = answer.band
    assert band is not None
    assert band.empty
    assert (band.low, band.high) == (None, None)
    assert "the other levels need" in band.because
    assert "'occupancy >= 90%' holds" in band.because
    assert "no size meets everything" in in_words(answer)
    assert answer.gpus is not None  # the other levels have their answer all the same


def test_a_ceiling_on_occupancy_raises_the_band(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    answer = gpusim.size(with_occupancy("occupancy between 50% and 75%"))
    band = answer.band
    assert band is not None
    assert band.low == pytest.approx(900 / 0.75 * math.exp(0.02 * 1.2816), rel=0.015)
    assert band.high == pytest.approx(900 / 0.5 * math.exp(-0.02 * 1.2816), rel=0.015)


def test_occupancy_is_no_part_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    plain, floor = gpusim.size(scenario()), gpusim.size(with_occupancy("occupancy >= 70%"))
    assert plain.sizing == floor.sizing
    assert len(floor.slos) == 2


# ---- compare --------------------------------------------------------------------------------------------------------


def with_variants() -> gpusim.Scenario:
    data = scenario().to_dict()
    data["variants"] = {
        "more": {"about": "A fifth more work", "set": {"study.demand": "120%"}},
        "most": {"of": "more", "set": {"study.demand": "150%"}},
    }
    return gpusim.Scenario.from_dict(data)


def test_a_change_is_priced_against_the_same_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch)
    found = gpusim.compare(with_variants(), ["more"], replications=40)
    base = np.ceil(center.critical(1, np.arange(40)) / found.step) * found.step
    assert found.base.critical.tolist() == base.tolist()
    more = found["more"]
    assert more.difference == pytest.approx(0.2 * found.base.gpus, rel=0.02)
    assert more.low is not None
    assert more.high is not None
    assert more.low <= more.difference <= more.high
    assert more.shown
    assert more.mean == pytest.approx(0.2 * base.mean(), rel=0.02)
    assert more.pairs == 40
    assert sum(each.replications for each in more.binding) >= 40


def test_a_mean_that_is_clear_is_not_called_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    found = gpusim.compare(with_variants(), ["more"], replications=20)
    open_ = dataclasses.replace(found["more"], low=-5.0)
    text = to_text(compare_page(dataclasses.replace(found, variants=(open_,))))
    assert "none of the changes is shown to move what is enough in 90% of periods" in " ".join(text.split())
    assert "though on average some do: more +" in " ".join(text.split())
    assert "no effect shown at equal service: between 5 fewer and " in " ".join(text.split())
    assert "an average period needs +" in " ".join(text.split())


def test_a_variant_of_a_variant_is_compared_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    found = gpusim.compare(with_variants(), ["most"], replications=20)
    assert [each.name for each in found.variants] == ["more", "most"]
    assert found["most"].against == "more"
    assert found["most"].difference == pytest.approx(0.3 * found.base.gpus, rel=0.03)


def test_all_variants_and_a_change_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    found = gpusim.compare(with_variants(), "all", changes=["study.demand=90%"], replications=20)
    assert [each.name for each in found.variants] == ["more", "most", "as changed"]
    assert found["as changed"].difference == pytest.approx(-0.1 * found.base.gpus, rel=0.03)
    text = to_text(compare_page(found))
    said = " ".join(text.split())
    assert "all 3 hold at once" in said
    assert "the 3 intervals hold all at once with 95% confidence".casefold() in said.casefold()
    for word in ("more", "most", "as changed", "A fifth more work", "study.demand"):
        assert word in text
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_group_stands_for_its_variants_and_a_wrong_name_is_told_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch)
    data = with_variants().to_dict()
    data["variants"]["less"] = {"group": "demand", "set": {"study.demand": "90%"}}
    data["variants"]["most"]["group"] = "demand"
    grouped = gpusim.Scenario.from_dict(data)
    found = gpusim.compare(grouped, ["demand"], replications=20)
    assert [each.name for each in found.variants] == ["more", "most", "less"]
    assert found.provenance.call["variants"] == ["more", "most", "less"]
    with pytest.raises(UsageError, match=r"did you mean 'demand'\? known: more, most, less, demand"):
        gpusim.compare(grouped, ["demnad"])


def test_intervals_of_several_variants_are_wider_than_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    one = gpusim.compare(with_variants(), ["more"], replications=20)["more"]
    assert (one.low, one.high) == (one.low_alone, one.high_alone)
    three = gpusim.compare(with_variants(), "all", changes=["study.demand=90%"], replications=20)["more"]
    assert (three.low_alone, three.high_alone) == (one.low, one.high)
    assert three.low <= one.low  # type: ignore[operator]
    assert three.high >= one.high  # type: ignore[operator]


def test_price_is_told_at_equal_service_and_who_pays_at_equal_size(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch)
    found = gpusim.compare(with_variants(), ["more"], replications=40)
    more, numbers = found["more"], np.arange(40)
    assert {shift.gpus for shift in more.shifts} == {round(found.base.gpus)}
    for k, sentence in enumerate(LEVELS):
        (shift,) = [each for each in more.shifts if each.sentence == sentence]
        need = center.need[k] * center.load(1, numbers, k)
        assert shift.before == (need <= found.base.gpus).sum()
        assert shift.after == (1.2 * need <= found.base.gpus).sum()
        assert shift.shown
    said = " ".join(to_text(compare_page(found)).split())
    assert f"more: costs {more.difference:,.0f} GPUs ({more.low:,.0f} to {more.high:,.0f}) at equal" in said
    assert (
        f"With the {found.base.gpus:,.0f} GPUs that suffice without it pays '{more.shifts[0].sentence}'"
        in said
    )
    assert f"({more.shifts[0].before} to {more.shifts[0].after} of 40 periods)" in said
    after, before = more.binding[0], {b.sentence: b.replications for b in found.base.binding}
    said_so = f"Decides: '{after.sentence}' {after.replications} (before {before[after.sentence]})"
    assert said_so in said


def test_a_saving_is_called_one_and_a_change_of_nothing_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    less = gpusim.compare(with_variants(), changes=["study.demand=80%"], replications=20)
    assert "as changed: saves" in " ".join(to_text(compare_page(less)).split())
    same = gpusim.compare(with_variants(), changes=["policy.backfill=none"], replications=20)
    assert "no effect shown at equal service: between" in " ".join(to_text(compare_page(same)).split())
    assert "nobody is shown to pay or to gain" in " ".join(to_text(compare_page(same)).split())


def test_what_each_variant_cost_is_told_and_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch)
    found = gpusim.compare(with_variants(), ["most"], replications=20)
    assert [each.name for each in found.costs] == ["as it is", "more", "most"]
    assert sum(each.runs for each in found.costs) == found.spent.runs == center.cells
    assert sum(each.seconds for each in found.costs) <= found.spent.seconds


def test_each_critical_size_costs_few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch)
    gpusim.compare(with_variants(), ["more"], replications=50)
    assert center.cells <= 2 * 50 * 8


def test_an_impossible_variant_is_told_and_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, least=(0, 20_000))
    found = gpusim.compare(
        scenario(), changes=["slos[1]=turnaround <= 2h for 80% of gangs jobs"], replications=20
    )
    changed = found["as changed"]
    assert changed.infeasible.startswith("no number of GPUs is enough")
    assert changed.difference == math.inf
    assert changed.never == 20
    assert "never met" in to_text(compare_page(found))
    json.dumps(found.to_dict(), allow_nan=False)


def test_nothing_to_compare_is_refused_with_what_could_be() -> None:
    with pytest.raises(UsageError, match="known: more, most"):
        gpusim.compare(with_variants())
    with pytest.raises(UsageError, match="no variant and no group has this name"):
        gpusim.compare(with_variants(), ["mroe"])
    with pytest.raises(UsageError) as error:
        gpusim.compare(with_variants(), ["more"], replications=3, step=6)
    assert [p.code for p in error.value.problems] == ["plan/replications", "plan/step"]


@pytest.mark.parametrize("width", [80, 100])
def test_every_page_fits_the_screen(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    pretend(monkeypatch)
    pages = [
        size_page(gpusim.size(with_occupancy("occupancy >= 90%"))),
        size_page(gpusim.size(scenario(), vary="demand")),
        size_page(gpusim.size(pooled())),
        compare_page(gpusim.compare(with_variants(), "all", replications=12)),
    ]
    for page in pages:
        lines = to_text(page, width).splitlines()
        assert max(map(len, lines)) <= width
