"""The reference generator: published Philox vectors, moments of the streams, independence where it is due.

Statistical tests have fixed seeds and the bound |z| < 4.5: had the seed been drawn at random, each would fail
with probability 7e-6 on a right generator.
"""

import math

import numpy as np
import pytest

from gpusim.engine.reference_generator import COLUMNS, demand_scale, generate, philox4x32, table_value
from gpusim.workload.alias import alias_probabilities
from gpusim.workload.distributions import Deterministic, LogNormal
from gpusim.workload.quantile_table import NODES, QuantileTable, compile_table, table_quantile
from gpusim.workload.source import Generator, LimitMode
from sources import ALIAS, GAP, SERVICE, Z_BOUND, assert_same_jobs, make_source, one

PLACE = ("job_class", "source", "after")


def of_source(jobs, source):
    member = jobs["source"] == source
    return {name: column[member] for name, column in jobs.items() if name not in PLACE}


# ------------------------------------------------------------------------------------- Philox and tables


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # Random123, kat_vectors: philox4x32 10
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_published_known_answers(counter, key, expected) -> None:
    counters, keys = (
        np.array([int(w, 16) for w in words.split()], dtype=np.uint32) for words in (counter, key)
    )
    out = philox4x32(np.stack([counters, counters]), keys)
    assert out.dtype == np.uint32
    assert [" ".join(f"{w:08x}" for w in row) for row in out] == [expected, expected]


def scalar_table_value(nodes, u: int) -> int:
    """ARCHITECTURE.md section 3, one word at a time in Python integers."""
    side = u >> 31
    v = (~u & 0xFFFFFFFF) if side else u
    if v < 32:
        k, frac = v, 0
    else:
        shift = v.bit_length() - 1 - 5
        k = 32 + 32 * shift + ((v >> shift) & 31)
        low = v & ((1 << shift) - 1)
        frac = low << (16 - shift) if shift <= 16 else low >> (shift - 16)
    a, b = int(nodes[side][k]), int(nodes[side][k + 1])
    return a - (((a - b) * frac) >> 16) if side else a + (((b - a) * frac) >> 16)


def test_table_value_agrees_with_the_scalar_rule_at_every_kind_of_word() -> None:
    # Nodes as far apart as the format allows, so that products come near 2^60.
    rng = np.random.default_rng(5)
    nodes = np.sort(rng.integers(0, 1 << 44, 2 * NODES))
    tables = [QuantileTable(np.stack([nodes[:NODES], nodes[NODES:][::-1]]), 0), SERVICE]
    edges = [(32 + j) << octave for octave in range(26) for j in (0, 1, 31)]
    words = {*range(100), 1 << 31, (1 << 31) - 1}
    words |= {edge + step for edge in edges for step in (-1, 0, 1)}
    words |= {1 << 17 << k | int(x) for k, x in enumerate(rng.integers(0, 1 << 17, 14))}
    words |= {0xFFFFFFFF - u for u in words}
    words |= set(rng.integers(0, 1 << 32, 3000).tolist())
    array = np.array(sorted(words), dtype=np.uint32)
    for table in tables:
        expected = [scalar_table_value(table.nodes, int(u)) for u in array]
        assert table_value(table, array).tolist() == expected
        assert expected == sorted(expected)


# ------------------------------------------------------------------------------------- the streams


def test_jobs_have_the_contract_s_types_order_and_range() -> None:
    generator = Generator(sources=(make_source("a/x"), make_source("b/y"), make_source("c/z")), seed=9)
    horizon = 200_000
    jobs = generate(generator, 0, horizon)
    assert {name: column.dtype for name, column in jobs.items()} == COLUMNS
    assert len(jobs["submit"]) > 5000
    key = list(zip(*(jobs[n].tolist() for n in ("submit", "source", "source_index")), strict=True))
    assert key == sorted(key)
    assert jobs["submit"].min() >= 0
    assert jobs["submit"].max() < horizon
    assert jobs["service"].min() >= 1
    for source in range(3):
        index = of_source(jobs, source)["source_index"]
        np.testing.assert_array_equal(index, np.arange(len(index)))


def test_one_job_worked_by_hand() -> None:
    # Job 1 of replication 3 under seed 2^32 + 5: key words (5, 1), counter words (1, 0, 3, source key).
    source = make_source(limit_mode=LimitMode.FACTOR, limit_a=65536, limit_b=3 * 65536)
    jobs = generate(one(source, seed=(1 << 32) + 5), 3, 10_000)
    counters = np.array([[i, 0, 3, source.key] for i in range(2)], dtype=np.uint32)
    words = philox4x32(counters, np.array([5, 1], dtype=np.uint32))
    clock = sum(scalar_table_value(GAP.nodes, int(words[i, 0])) for i in range(2))
    service = (scalar_table_value(SERVICE.nodes, int(words[1, 1])) + (1 << 19)) >> 20
    x = int(words[1, 2]) * 5
    column = x >> 32
    own = (x & 0xFFFFFFFF) < int(ALIAS.threshold[column])
    gpus = int(ALIAS.gpus[column if own else ALIAS.alias[column]])
    factor = 65536 + ((2 * 65536 * int(words[1, 3])) >> 32)
    at = int(np.flatnonzero(jobs["source_index"] == 1)[0])
    found = tuple(int(jobs[n][at]) for n in ("submit", "service", "gpus", "limit"))
    assert found == (clock >> 20, service, gpus, -(-service * factor // 65536))


@pytest.mark.parametrize("window", [60, 3600])
@pytest.mark.slow
def test_exponential_gaps_make_poisson_counts(window) -> None:
    # For Poisson counts the sum of (n - m)^2 / m over W windows has mean W and variance W (2 + 1/m).
    horizon = 900_000
    jobs = generate(one(seed=11), 0, horizon)
    counts = np.bincount(jobs["submit"] // window, minlength=horizon // window)
    m, windows = window / 60.0, horizon // window
    assert abs(counts.sum() - m * windows) < Z_BOUND * math.sqrt(m * windows)
    dispersion = float(((counts - m) ** 2 / m).sum())
    assert abs(dispersion - windows) < Z_BOUND * math.sqrt(windows * (2.0 + 1.0 / m))


def test_service_times_and_gpu_counts_have_their_distribution_and_no_correlation() -> None:
    jobs = generate(one(seed=12), 0, 900_000)
    n = len(jobs["submit"])
    law = LogNormal(3600.0, 1.0)
    logs = (np.log(jobs["service"]) - math.log(law.median)) / law.sigma
    assert abs(logs.mean()) < Z_BOUND / math.sqrt(n)
    assert abs(logs.var() - 1.0) < Z_BOUND * math.sqrt(2.0 / n)
    for p in (0.01, 0.25, 0.5, 0.9, 0.999):
        below = float((jobs["service"] <= round(float(law.quantile(p, 1.0 - p)))).mean())
        assert abs(below - p) < Z_BOUND * math.sqrt(p * (1.0 - p) / n) + 2e-4  # whole ticks
    for count, probability in zip(ALIAS.gpus, map(float, alias_probabilities(ALIAS)), strict=True):
        share = float((jobs["gpus"] == count).mean())
        assert abs(share - probability) < Z_BOUND * math.sqrt(probability * (1.0 - probability) / n)
    gaps = np.diff(jobs["submit"], prepend=0)
    for left, right in [(gaps, logs), (gaps[1:], gaps[:-1]), (logs[1:], logs[:-1]), (logs, jobs["gpus"])]:
        assert abs(np.corrcoef(left, right)[0, 1]) < Z_BOUND / math.sqrt(n - 1)


def test_adding_a_source_changes_no_other_source_s_jobs() -> None:
    first, second, added = make_source("a/x"), make_source("b/y"), make_source("c/z")
    before = generate(Generator(sources=(first, second), seed=4), 2, 100_000)
    after = generate(Generator(sources=(first, added, second), seed=4), 2, 100_000)
    assert_same_jobs(of_source(before, 0), of_source(after, 0))
    assert_same_jobs(of_source(before, 1), of_source(after, 2))
    assert not np.array_equal(of_source(after, 0)["submit"][:50], of_source(after, 1)["submit"][:50])


def test_a_longer_horizon_keeps_the_earlier_jobs() -> None:
    short, long = (generate(one(), 0, horizon) for horizon in (300_000, 900_000))  # more than one block
    n = len(short["submit"])
    assert n > 4096
    assert_same_jobs(short, {name: column[:n] for name, column in long.items()})
    assert long["submit"][n] >= 300_000


def test_replications_and_seeds_give_different_jobs_and_the_same_jobs_again() -> None:
    runs = [generate(one(seed=s), r, 50_000) for s, r in [(1, 0), (1, 1), (2, 0), (1 + (1 << 32), 0)]]
    starts = {tuple(run["submit"][:20].tolist()) for run in runs}
    assert len(starts) == 4
    assert_same_jobs(runs[1], generate(one(seed=1), 1, 50_000))


def test_the_first_job_arrives_one_gap_after_tick_0_and_the_horizon_is_excluded() -> None:
    source = make_source(gap=compile_table(Deterministic(100.0), 1.0, 20))
    assert generate(one(source), 0, 301)["submit"].tolist() == [100, 200, 300]
    assert generate(one(source), 0, 300)["submit"].tolist() == [100, 200]
    assert len(generate(one(source), 0, 0)["submit"]) == 0


def test_fractions_of_a_tick_add_up_in_the_arrival_clock() -> None:
    source = make_source(gap=compile_table(Deterministic(2.25), 1.0, 2))
    assert generate(one(source), 0, 19)["submit"].tolist() == [2, 4, 6, 9, 11, 13, 15, 18]


def test_service_is_rounded_to_the_nearest_tick_and_at_least_one() -> None:
    for seconds, ticks in [(0.2, 1), (1.49, 1), (1.5, 2), (2.75, 3)]:
        source = make_source(service=compile_table(Deterministic(seconds), 1.0, 20))
        assert set(generate(one(source), 0, 1000)["service"].tolist()) == {ticks}


def test_an_inactive_source_has_no_jobs() -> None:
    generator = Generator(sources=(make_source("a/x", active=False), make_source("b/y")), seed=1)
    assert set(generate(generator, 0, 10_000)["source"].tolist()) == {1}
    nothing = generate(one(make_source(active=False)), 0, 10_000)
    assert {name: column.dtype for name, column in nothing.items()} == COLUMNS
    assert all(len(column) == 0 for column in nothing.values())


def test_limit_modes() -> None:
    horizon = 200_000
    exact = generate(one(), 0, horizon)
    np.testing.assert_array_equal(exact["limit"], exact["service"])
    fixed = generate(one(make_source(limit_mode=LimitMode.FIXED, limit_a=7200)), 0, horizon)
    assert set(fixed["limit"].tolist()) == {7200}
    source = make_source(limit_mode=LimitMode.FACTOR, limit_a=65536, limit_b=5 * 65536)
    factor = generate(one(source), 0, horizon)
    assert np.all(factor["limit"] >= factor["service"])
    assert np.all(factor["limit"] <= 5 * factor["service"])
    ratio = (factor["limit"] / factor["service"])[factor["service"] > 1000]
    # uniform on [1, 5): mean 3, variance 16/12; rounding up adds less than 1/1000
    assert abs(ratio.mean() - 3.0005) < Z_BOUND * math.sqrt(16.0 / 12.0 / len(ratio)) + 5e-4
    for jobs in (fixed, factor):  # the mode touches nothing but the limit
        for name in ("submit", "service", "gpus"):
            np.testing.assert_array_equal(jobs[name], exact[name])


# ------------------------------------------------------------------------------------- demand


@pytest.mark.slow
def test_demand_scale_stretches_every_gap_of_a_replication() -> None:
    half = compile_table(Deterministic(0.5), 1.0 / 65536, 0)
    assert demand_scale(one(demand=half), 0) == 32768
    source = make_source(gap=compile_table(Deterministic(100.0), 1.0, 20))
    assert generate(one(source, demand=half), 0, 201)["submit"].tolist() == [50, 100, 150, 200]
    nominal, dense = generate(one(), 0, 600_000), generate(one(demand=half), 0, 300_000)
    n = min(len(nominal["submit"]), len(dense["submit"]))
    assert np.all(np.abs(nominal["submit"][:n] / 2 - dense["submit"][:n]) <= 1)
    np.testing.assert_array_equal(nominal["service"][:n], dense["service"][:n])


def test_demand_scale_is_one_without_a_table_and_the_same_for_all_sources() -> None:
    assert demand_scale(one(), 17) == 65536
    table = compile_table(LogNormal(1.0, 0.3), 1.0 / 65536, 0)
    pair = Generator(sources=(make_source("a/x"), make_source("b/y")), seed=1, demand=table)
    scales = [demand_scale(pair, r) for r in range(400)]
    assert scales == [demand_scale(one(demand=table), r) for r in range(400)]
    logs = np.log(np.array(scales) / 65536) / 0.3
    assert abs(logs.mean()) < Z_BOUND / 20
    assert abs(logs.var() - 1.0) < Z_BOUND * math.sqrt(2.0 / 400)
    assert float(table_quantile(table, 0.5)) == pytest.approx(65536, rel=1e-4)
