"""`compare` measures each variant as it would be measured alone, names them, and keeps to its time."""

from __future__ import annotations

import pytest

import gpusim
from gpusim.plan.runs import Progress
from gpusim.report import compare_page, to_text
from pretend_center import pretend, scenario

DELIVERED = """\
schema: 1
name: delivered
center: {have: 40}
tenants:
  - name: owner
    quota: rest
    classes:
      - {name: runs, arrivals: {load: 12}, gpus: 4, run_time: {exponential: {mean: 1h}}}
  - name: guest
    quota: 8
    classes:
      - {name: sweep, arrivals: {load: 8}, gpus: 1, run_time: {exponential: {mean: 1h}}}
slos: [delivered >= 90% of granted for guest]
study: {horizon: 1d, warm_up: 5h, attainment: 80%, tolerance: 20%, granularity: 4, max_gpus: 200, seed: 3}
variants:
  quiet: {about: The guest asks for less than it owns, set: {tenants.guest.classes.sweep.arrivals.load: 2}}
"""


def variants(names: str) -> gpusim.Scenario:
    data = scenario().to_dict()
    data["variants"] = {
        name: {"group": "demand", "set": {"study.demand": f"{120 + 5 * k}%"}} for k, name in enumerate(names)
    }
    return gpusim.Scenario.from_dict(data)


def test_a_level_on_whole_periods_is_judged_by_what_the_variant_demands() -> None:
    center = gpusim.Scenario.from_yaml(DELIVERED)
    together = gpusim.compare(center, ["quiet"], replications=10, step=4)["quiet"]
    alone = gpusim.compare(
        center.variant("quiet"), changes=["policy.backfill=1"], replications=10, step=4
    ).base
    assert together.critical.tolist() == alone.critical.tolist()
    assert together.never == 0  # with the demand of the scenario as it is, no size would deliver enough


def test_a_time_limit_leaves_out_what_was_not_finished_and_keeps_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch)
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    stages: list[str] = []

    def show(state: Progress) -> None:
        stages.append(state.stage)
        if state.stage.startswith("b "):
            clock[0] = 100.0

    found = gpusim.compare(variants("abc"), "all", replications=20, time_limit=50.0, on_progress=show)
    assert not found.complete
    assert [each.name for each in found.variants] == ["a"]
    assert [note for note in found.notes if "within the time limit" in note] == [
        "'b' was not finished within the time limit",
        "'c' was not begun within the time limit",
    ]
    assert {"as it is (1 of 4)", "a (2 of 4)", "b (3 of 4)"} <= set(stages)
    assert [each.name for each in found.costs] == ["as it is", "a", "b"]
    assert sum(each.runs for each in found.costs) == found.spent.runs


def test_a_size_found_in_time_is_kept_though_time_ends_before_it_is_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    center = pretend(monkeypatch)
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    whole = gpusim.compare(variants("a"), "all", replications=20)
    explained = sum(
        not early for _, early in center.batches
    )  # all but verdicts: the ceiling, and what decides
    center.batches.clear()

    def show(_: Progress) -> None:
        if sum(not early for _, early in center.batches) == explained - 1:
            clock[0] = 100.0

    found = gpusim.compare(variants("a"), "all", replications=20, time_limit=50.0, on_progress=show)
    assert not found.complete
    assert found["a"].critical.tolist() == whole["a"].critical.tolist()
    assert (found["a"].low, found["a"].high) == (whole["a"].low, whole["a"].high)
    assert found["a"].shifts == ()
    assert "'a': time ended before it was seen which levels decide and who pays" in found.notes
    assert "a: costs" in to_text(compare_page(found))


def test_runs_and_brackets_of_one_variant_tell_nothing_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    center = pretend(monkeypatch)
    one = gpusim.compare(variants("a"), ["a"], replications=20)
    runs = center.cells
    many = gpusim.compare(variants("abc"), ["demand"], replications=20)
    assert many["a"].critical.tolist() == one["a"].critical.tolist()
    assert many.base.critical.tolist() == one.base.critical.tolist()
    assert many.costs[0].runs + many.costs[1].runs == runs
