"""From a scenario to sources: what each way of writing a demand becomes, and draws of uncertain numbers."""

import math
from itertools import pairwise

import numpy as np
import pytest

from gpusim.engine.reference_generator import generate
from gpusim.errors import WorkloadError
from gpusim.scenario import Scenario
from gpusim.workload.compile import compile_sources
from gpusim.workload.draws import compile_draws, elicited_values
from gpusim.workload.quantile_table import table_mean
from gpusim.workload.scheduled_events import cut, event_tables
from gpusim.workload.source import LimitMode, source_key
from sources import DAY, WEEK, Z_BOUND

HEAD = """
schema: 1
name: t
center: {have: 512, time_zone: Asia/Seoul}
study: {horizon: 28d, warm_up: 7d, start: "Wed 09:00"}
slos: ["wait <= 4h for 90% of all jobs"]
"""
RUN = "run_time: {deterministic: 1h}"


def scenario(*classes: str, head: str = HEAD) -> Scenario:
    """A scenario of one tenant, `a`, with these classes given as flow mappings without braces."""
    listed = "\n".join(f"      - {{{text}}}" for text in classes)
    return Scenario.from_yaml(f"{head}tenants:\n  - name: a\n    classes:\n{listed}\n")


def only(text: str):
    generator = compile_sources(scenario(f"name: x, gpus: 8, {text}"), 1)
    (source,) = generator.sources
    return source


def test_a_plain_class_is_a_plain_source() -> None:
    source = only(f"arrivals: {{rate: 48/day}}, {RUN}")
    assert (source.name, source.key, source.job_class) == ("a/x", source_key("a", "x"), 0)
    assert source.active
    assert not any((source.is_batch, source.is_chain, source.is_scheduled))
    assert table_mean(source.gap) == pytest.approx(1800.0, rel=1e-8)
    assert table_mean(source.service) == 3600.0
    assert (source.from_tick, source.until_tick, source.profile) == (0, -1, -1)


def test_streams_of_a_class_are_sources_of_their_own() -> None:
    text = (
        "name: x, gpus: 8, arrivals: [{rate: 24/day}, {rate: 48/day, from: 7d, until: 14d, gpus: 2, "
        "run_time: {deterministic: 2h}, limit: 4h}], " + RUN
    )
    first, second, other = compile_sources(
        scenario(text, "name: y, gpus: 1, arrivals: {rate: 0/day}, " + RUN), 1
    ).sources
    assert [s.name for s in (first, second, other)] == ["a/x", "a/x#2", "a/y"]
    assert second.key == source_key("a", "x#2")
    assert [s.job_class for s in (first, second, other)] == [0, 0, 1]
    assert (second.from_tick, second.until_tick) == (7 * DAY, 14 * DAY)
    assert second.gpus.tolist() == [2]
    assert table_mean(second.service) == 7200.0
    assert (second.limit_mode, second.limit_a) == (LimitMode.FIXED, 14_400)
    assert not other.active


@pytest.mark.slow
def test_batches_count_jobs() -> None:
    source = only(f"arrivals: {{rate: 96/day, batch: {{mean: 4, within: 20s, correlation: 0.5}}}}, {RUN}")
    assert table_mean(source.gap) == pytest.approx(3600.0, rel=1e-8)
    assert source.is_batch
    assert (source.spread, source.common) == (20, 32_768)
    jobs = generate(
        compile_sources(
            scenario(f"name: x, gpus: 8, arrivals: {{rate: 960/day, batch: {{mean: 4}}}}, {RUN}"), 1
        ),
        0,
        28 * DAY,
    )
    # compound Poisson: the variance of a count is its mean x E[B^2] / E[B] = 2 x 4 - 1
    assert abs(len(jobs["submit"]) - 28 * 960) < Z_BOUND * math.sqrt(28 * 960 * 7)


def test_profiles_follow_local_time() -> None:
    text = f"arrivals: {{rate: 960/day, profile: {{hours: [{', '.join(['0'] * 8 + ['1'] * 2 + ['0'] * 14)}]}}}}, {RUN}"
    generator = compile_sources(scenario(f"name: x, gpus: 8, {text}"), 3)
    assert generator.week_phase == 2 * DAY + 9 * 3600
    assert len(generator.profiles) == 1
    jobs = generate(generator, 0, WEEK)
    local = (jobs["submit"] + 9 * 3600) % DAY
    assert np.all((local >= 8 * 3600) & (local < 10 * 3600))
    assert abs(len(local) - 7 * 960) < Z_BOUND * math.sqrt(7 * 960)


def test_equal_profiles_are_kept_once() -> None:
    text = "arrivals: {rate: 9/day, profile: {peak: 14h, ratio: 2.5, weekend: 60%}}, gpus: 1, " + RUN
    other = text.replace("2.5", "2.6")
    generator = compile_sources(scenario(f"name: x, {text}", f"name: y, {text}", f"name: z, {other}"), 1)
    assert [source.profile for source in generator.sources] == [0, 0, 1]


def test_schedules_meet_local_weekdays_and_large_counts_are_cut() -> None:
    source = only(
        f'arrivals: {{schedule: [{{daily: "09:00", days: weekdays, count: 40, within: 1h}}]}}, {RUN}'
    )
    assert source.is_scheduled
    tick, within, count = source.events.T
    assert int(count.max()) <= 15
    assert count.sum() == 40 * 20
    weekday = (tick + 2 * DAY + 9 * 3600) // DAY % 7
    assert set(weekday.tolist()) == {0, 1, 2, 3, 4}
    assert tick[:3].tolist() == [0, 1200, 2400]
    assert within[:3].tolist() == [1200, 1200, 1200]
    assert count[:3].tolist() == [13, 13, 14]


def test_overlapping_occurrences_go_to_several_tables_whatever_their_counts() -> None:
    times = [(0, 100, 5), (50, 100, 5), (120, 0, 5), (160, 10, 5), (100, 0, 5)]
    tables = event_tables(times)
    assert [table[:, 0].tolist() for table in tables] == [[0, 100, 120, 160], [50]]
    more = event_tables([(tick, within, 40) for tick, within, _ in times])
    assert len(more) == len(tables)
    for table in (*tables, *more):
        assert np.all(table[:-1, 0] + table[:-1, 1] <= table[1:, 0])


@pytest.mark.parametrize(("within", "count"), [(0, 1), (0, 100), (7, 100), (3600, 15), (3600, 16), (10, 0)])
def test_cutting_keeps_the_interval_and_the_count(within, count) -> None:
    parts = cut(1000, within, count)
    assert sum(n for _, _, n in parts) == count
    assert all(n <= 15 for _, _, n in parts)
    assert parts[0][0] == 1000
    assert parts[-1][0] + parts[-1][1] == 1000 + within
    assert all(a + b == c for (a, b, _), (c, _, _) in pairwise(parts))


def test_chains_take_segment_and_delay() -> None:
    source = only(
        "arrivals: {rate: 4/day}, run_time: {deterministic: 50h}, segment: 24h, segment_delay: 10min"
    )
    assert (source.segment, source.delay) == (DAY, 600)


def test_phases_of_random_arrivals_are_sources_that_add_up() -> None:
    law = "run_time: {hyperexponential: {phases: {10min: 90%, 20h: 10%}, max: 72h}}"
    short, long = compile_sources(scenario(f"name: x, gpus: 1, arrivals: {{rate: 40/day}}, {law}"), 1).sources
    assert [short.name, long.name] == ["a/x", "a/x/2"]
    rates = [1.0 / table_mean(source.gap) for source in (short, long)]
    assert rates == pytest.approx([36 / DAY, 4 / DAY], rel=1e-8)
    assert table_mean(long.service) == pytest.approx(72_000 * -math.expm1(-3.6), rel=1e-8)
    assert long.longest_service() == 72 * 3600
    assert long.cap_from < 2**32


def test_far_phases_in_batches_are_refused_with_a_remedy() -> None:
    law = "run_time: {hyperexponential: {phases: {10min: 90%, 20h: 10%}}}"
    with pytest.raises(WorkloadError, match="one for each of its parts"):
        only(f"arrivals: {{rate: 40/day, batch: {{mean: 4}}}}, {law}")


@pytest.mark.parametrize(
    "law",
    [
        "lognormal: {median: 2h, sigma: 1.6, max: 72h}",
        "exponential: {mean: 1h}",
        "deterministic: 90min",
        "weibull: {shape: 0.5, scale: 1h, max: 72h}",
        "weibull: {shape: 0.7, mean: 2h}",
        "quantiles: {5%: 30s, 50%: 10min, 95%: 3h, 100%: 48h}",
        "quantiles: {0%: 10s, 25%: 100s, 50%: 10min, 95%: 3h}",
    ],
)
def test_the_table_has_the_scenario_s_own_mean_run_time(law) -> None:
    made = scenario(f"name: x, gpus: 8, arrivals: {{load: 100}}, run_time: {{{law}}}")
    (_, _, job_class), *_ = made.classes()
    (source,) = compile_sources(made, 1).sources
    assert table_mean(source.service) == pytest.approx(job_class.run_time.mean(), rel=1e-6)
    load = 8 * table_mean(source.service) / table_mean(source.gap)
    assert load == pytest.approx(100.0, rel=1e-6)


def test_arrivals_too_rare_for_the_clock_are_refused_by_class() -> None:
    made = scenario(f"name: x, gpus: 1, arrivals: {{rate: 0.003/day}}, {RUN}")
    compile_sources(made, 1)
    with pytest.raises(WorkloadError, match=r"a/x: arrivals are too rare.*demand_uncertainty"):
        compile_sources(made.override(["study.demand_uncertainty=200%"]), 1)


def test_limits_are_picked_or_rounded_up() -> None:
    picked = only(f"arrivals: {{rate: 4/day}}, {RUN}, limit: {{pick: {{1h: 30%, 24h: 70%}}}}")
    assert picked.limit_mode == LimitMode.PICK
    assert sorted(picked.choices.tolist()) == [3600, DAY]
    rounded = only(f"arrivals: {{rate: 4/day}}, {RUN}, limit: {{factor: [1, 4], round_up: [2h, 5h]}}")
    assert (rounded.limit_mode, rounded.limit_a, rounded.limit_b) == (LimitMode.FACTOR, 65_536, 4 * 65_536)
    assert rounded.choices.tolist() == [7200, 18_000]


def test_adding_a_class_changes_no_other_class_s_jobs() -> None:
    texts = [
        f"name: x, gpus: 8, arrivals: {{rate: 99/day}}, {RUN}",
        f"name: y, gpus: 1, arrivals: {{load: 9}}, {RUN}",
    ]
    one, two = (generate(compile_sources(scenario(*names), 5), 2, WEEK) for names in (texts[:1], texts[::-1]))
    mine = two["job_class"] == 1
    for name in ("submit", "service", "gpus", "limit", "source_index"):
        np.testing.assert_array_equal(one[name], two[name][mine])


# ------------------------------------------------------------------------------------------- draws

UNCERTAIN = (
    "name: x, gpus: 8, arrivals: {load: {uniform: [50, 150]}}, "
    "run_time: {lognormal: {median: 2h, sigma: 1.5, max: 72h}}"
)
CERTAIN = "name: y, gpus: 1, arrivals: {rate: 48/day}, run_time: {exponential: {mean: 1h}}"


def test_each_replication_has_its_own_numbers_and_only_their_class_has_new_rows() -> None:
    made = scenario(UNCERTAIN, CERTAIN)
    made.offered_load  # noqa: B018 - what was asked before must not stick to the drawn scenarios
    generator = compile_draws(made, 7, range(20))
    assert generator.rows.shape == (20, 2)
    assert len(set(generator.rows[:, 0].tolist())) == 20
    assert len(set(generator.rows[:, 1].tolist())) == 1
    loads = []
    for draw in range(20):
        source = generator.of_draw(draw)[0]
        loads.append(8 * table_mean(source.service) / table_mean(source.gap))
        (value,) = elicited_values(made.elicited(), 7, draw).values()
        assert loads[-1] == pytest.approx(value, rel=1e-6)
    assert 50 < min(loads) < 75
    assert 125 < max(loads) < 150


def test_a_draw_depends_on_seed_replication_and_path_alone() -> None:
    alone, both = (
        scenario(UNCERTAIN),
        scenario(CERTAIN.replace("48/day", "{uniform: [1/day, 2/day]}"), UNCERTAIN),
    )
    path = alone.elicited()[0].path
    for replication in (0, 3, 12_345):
        first = elicited_values(alone.elicited(), 7, replication)
        assert elicited_values(both.elicited(), 7, replication)[path] == first[path]
    values = {elicited_values(alone.elicited(), s, r)[path] for s in (1, 2) for r in (0, 1)}
    assert len(values) == 4


def test_draws_are_those_of_the_replications_asked_for() -> None:
    made = scenario(UNCERTAIN, CERTAIN)
    some, few = compile_draws(made, 7, [4, 9, 2]), compile_draws(made, 7, np.array([9]))
    left, right = (generate(g, 9, WEEK, draw=d) for g, d in ((some, 1), (few, 0)))
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])


def test_uncertain_numbers_are_spread_as_their_law() -> None:
    # Kolmogorov-Smirnov: sqrt(n) D exceeds 2.6 with probability 3e-6.
    made = scenario(UNCERTAIN)
    shares = np.sort(
        [(next(iter(elicited_values(made.elicited(), 7, r).values())) - 50) / 100 for r in range(500)]
    )
    assert math.sqrt(500) * np.max(np.abs(shares - (np.arange(500) + 0.5) / 500)) < 2.6


def test_without_uncertain_numbers_all_draws_share_the_rows_of_the_plain_sources() -> None:
    made = scenario(CERTAIN)
    generator = compile_draws(made, 7, range(3))
    assert generator.rows.tolist() == [[0], [0], [0]]
    np.testing.assert_array_equal(
        generator.sources[0].gap.nodes, compile_sources(made, 7).sources[0].gap.nodes
    )


def test_the_nominal_sources_have_the_medians() -> None:
    (source,) = compile_sources(scenario(UNCERTAIN), 7).sources
    assert 8 * table_mean(source.service) / table_mean(source.gap) == pytest.approx(100.0, rel=1e-6)
