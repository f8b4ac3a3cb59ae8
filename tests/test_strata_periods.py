"""Which scenarios offer periods of two kinds, whether kinds are those of the runs, and what answers make of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import gpusim
from gpusim.engine.batch import run_batch
from gpusim.engine.result import COUNTS
from gpusim.plan.experiment import Experiment
from gpusim.plan.size import prepared_runs
from gpusim.plan.strata import kinds_of
from gpusim.scenario import Scenario
from gpusim.stats.binomial import clopper_pearson
from gpusim.stats.sample import Kinds
from test_docs import DOCS, documented, keys, rows, sections

RARE = """
schema: 1
name: rare
tenants:
  - name: lab
    classes:
      - {name: urgent, arrivals: {rate: 0.125/d, from: 12h}, gpus: 24, run_time: {deterministic: 2h}, priority: 9}
      - name: batch
        arrivals: {load: 40, profile: {peak: 14h, ratio: 2}}
        gpus: {1: 60%, 4: 40%}
        run_time: {lognormal: {median: 1h, sigma: 0.8, max: 6h}}
policy: {backfill: 1}
slos: [wait <= 10min for every urgent job, wait <= 1h for 80% of batch jobs]
study: {horizon: 54h, warm_up: 6h, cool_down: 6h, attainment: 90%, tolerance: 8%, granularity: 1, seed: 5}
"""
EXPECTED = 0.125 * 36 / 24  # counted are the hours 6 to 48, urgent jobs come from hour 12


def offered(*changes: str, text: str = RARE, vary: str | None = None) -> Kinds | None:
    runs = prepared_runs(Scenario.from_yaml(text, overrides=list(changes)), 5, "cpu", 1, vary=vary)
    return kinds_of(runs.experiment, runs.axis)


def check_labels(scenario: Scenario, rare: str, gpus: int, replications: int) -> None:
    runs = prepared_runs(scenario, scenario.study.seed, "cpu", 2)
    kinds = kinds_of(runs.experiment, runs.axis)
    assert kinds is not None
    numbers = np.arange(replications)
    spec = Experiment(scenario, scenario.study.seed).spec
    counts = run_batch(spec, numbers, gpus, demand_ppm=runs.axis.demand).counts
    submitted = counts[:, list(scenario.class_names).index(rare), COUNTS.index("submitted")]
    assert np.array_equal(kinds.label(numbers), submitted > 0)
    assert 0 < np.count_nonzero(submitted) < replications


def test_kinds_are_those_of_real_runs() -> None:
    check_labels(Scenario.from_yaml(RARE), "lab/urgent", 60, 200)
    check_labels(Scenario.from_yaml(RARE, overrides=["study.demand=150%"]), "lab/urgent", 60, 50)


@pytest.mark.slow
def test_kinds_of_the_korean_center_are_those_of_real_runs() -> None:
    check_labels(gpusim.example("korea-nacc"), "national_fm/urgent", 10_456, 50)


@pytest.mark.parametrize("demand", [1.0, 1.5])
def test_the_weight_is_that_of_a_poisson_process_and_of_the_generator(demand: float) -> None:
    kinds = offered(f"study.demand={demand:.0%}")
    assert kinds is not None
    assert kinds.weight == pytest.approx(-math.expm1(-demand * EXPECTED), abs=1e-9)
    label = kinds.label(np.arange(4_000))
    low, high = clopper_pearson(int(label.sum()), 4_000, 0.999)
    assert low <= kinds.weight <= high
    assert np.array_equal(kinds.label(np.arange(100, 200)), label[100:200])


def test_the_korean_center_offers_periods_with_and_without_an_urgent_job() -> None:
    runs = prepared_runs(gpusim.example("korea-nacc"), 1, "cpu", 2)
    kinds = kinds_of(runs.experiment, runs.axis)
    assert kinds is not None
    assert kinds.name == "an urgent job"
    assert kinds.weight == pytest.approx(-math.expm1(-3 / 365 * 28), abs=2e-3)


@pytest.mark.parametrize(
    "change",
    [
        "study.demand_uncertainty=5%",  # its share is then not known
        "slos[0]=wait <= 10min for every batch job",  # no level judges it
        "tenants.lab.classes.urgent.arrivals.rate=2/d",  # not rare
        "tenants.lab.classes.urgent.arrivals.rate=1/year",  # too rare
        "tenants.lab.classes.urgent.arrivals={schedule: [{at: 20h, count: 1}]}",  # it always comes
        "tenants.lab.classes.urgent.arrivals.batch={mean: 2, within: 20s, correlation: 0.5}",
    ],
)
def test_nothing_is_offered_where_the_share_is_not_exact_or_not_rare(change: str) -> None:
    assert offered(change) is None


def test_nothing_is_offered_where_demand_varies() -> None:
    assert offered("center.have=60", vary="demand") is None
    assert offered() is not None


@pytest.fixture(scope="module")
def answer() -> gpusim.Answer:
    return gpusim.size(Scenario.from_yaml(RARE), threads=2)


@pytest.mark.slow
def test_an_answer_from_two_kinds_says_so_and_is_documented(answer: gpusim.Answer) -> None:
    assert any(
        "with and without an urgent job were sampled separately" in note for note in answer.sizing.notes
    )
    data = json.loads(answer.to_json())
    known = rows(sections(DOCS / "reference/results.md")["size"])
    assert [key for key in dict(keys(data)) if not documented(key, known)] == []
    final = [row for row in data["evidence"] if row["kind"] == "final"]
    assert final
    for row in final:
        weighted = sum(s["weight"] * s["passed"] / s["replications"] for s in row["strata"])
        assert row["share"] == pytest.approx(weighted)
        assert row["low"] <= row["share"] <= row["high"]


@pytest.mark.slow
def test_measurements_use_an_ordinary_sample_of_the_periods(answer: gpusim.Answer) -> None:
    first, stop = answer.sizing.natural["final"]
    for level in answer.slos:
        assert level.attainment.low <= level.attainment.value <= level.attainment.high
    urgent = next(each for each in answer.findings.classes if each.name.endswith("urgent"))
    kinds = offered()
    assert kinds is not None
    label = kinds.label(np.arange(first, stop))
    assert urgent.occurs.low <= kinds.weight <= urgent.occurs.high
    assert stop - first >= 60
    assert abs(label.mean() - kinds.weight) < 0.15
    best = [row for row in answer.sizing.evidence if row.capacity == answer.gpus][-1]
    certain = ("final", "fill-in", "narrow")
    at = [row for row in answer.sizing.evidence if row.capacity == answer.gpus and row.kind in certain][-1]
    assert best.capacity == at.capacity
    assert answer.at_answer is not None
    assert (answer.at_answer.share, answer.at_answer.low) == (at.share, at.low)
