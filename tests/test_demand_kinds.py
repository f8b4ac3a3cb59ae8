"""The kinds of sources: batches, schedules, chains, profiles, limits and draws, as the reference generates them.

Statistical tests have fixed seeds and the bound |z| < 4.5: had the seed been drawn at random, each comparison
would fail with probability 7e-6 on a right generator.
"""

import math
from itertools import pairwise

import numpy as np
import pytest

from gpusim.engine.reference_generator import generate, mix
from gpusim.workload.alias import compile_choices
from gpusim.workload.compile import common_weight
from gpusim.workload.distributions import Deterministic, Exponential, LogNormal, Uniform
from gpusim.workload.philox import STREAM_ARRIVAL, STREAM_JOB, random_words
from gpusim.workload.quantile_table import compile_table, table_mean, table_quantile
from gpusim.workload.source import Generator, LimitMode
from gpusim.workload.week_profile import compile_profile
from sources import (
    DAY,
    WEEK,
    Z_BOUND,
    assert_same_jobs,
    batches,
    events,
    jobs_of,
    make_source,
    one,
    profiled,
)

GEOMETRIC = {size: 0.25 * 0.75 ** (size - 1) for size in range(1, 80)} | {80: 0.75**79}  # mean 4
TICKS = Deterministic(100.0)


def without_place(jobs, rows):
    return {name: jobs[name][rows] for name in jobs if name not in ("after", "source", "job_class")}


# ------------------------------------------------------------------------------------------- windows


def test_a_source_begins_at_from_tick_and_ends_before_until_tick() -> None:
    source = make_source(gap=TICKS, from_tick=1000, until_tick=1300)
    assert jobs_of(source, 5000)["submit"].tolist() == [1100, 1200]
    assert jobs_of(source, 1150)["submit"].tolist() == [1100]
    late = make_source(gap=TICKS, from_tick=1000)
    moved, plain = jobs_of(late, 200_000), jobs_of(make_source(gap=TICKS), 199_000)
    assert_same_jobs(plain | {"submit": plain["submit"] + 1000}, moved)


# ------------------------------------------------------------------------------------------- demand


def test_more_demand_is_the_same_jobs_sooner() -> None:
    source = make_source()
    nominal, dense = jobs_of(source, 400_000), jobs_of(source, 200_000, demand_ppm=2_000_000)
    n = min(len(nominal["submit"]), len(dense["submit"]))
    assert n > 3000
    assert np.all(np.abs(nominal["submit"][:n] / 2 - dense["submit"][:n]) <= 1)
    for name in ("service", "gpus", "limit"):
        np.testing.assert_array_equal(nominal[name][:n], dense[name][:n])


@pytest.mark.slow
def test_each_step_of_demand_keeps_the_words_of_all_earlier_jobs() -> None:
    kinds = [
        make_source(),
        make_source(**batches(GEOMETRIC, spread=30, common=20_000)),
        make_source(segment=1800, delay=60),
    ]
    for source in kinds:
        runs = [jobs_of(source, 30_000, demand_ppm=ppm) for ppm in (500_000, 1_000_000, 1_010_000, 2_000_000)]
        for fewer, more in pairwise(runs):
            n = len(fewer["submit"])
            assert 0 < n < len(more["submit"])
            for name in ("service", "gpus", "limit", "source_index"):
                np.testing.assert_array_equal(fewer[name], more[name][:n])


def test_scheduled_counts_follow_demand_within_one_job_and_never_fall() -> None:
    counts = [3, 1, 0, 7, 15, 2]
    before = np.zeros(len(counts), np.int64)
    source = make_source(**events(*((1000 * e, 500, n) for e, n in enumerate(counts))))
    for ppm in (10_000, 333_333, 1_000_000, 1_500_000, 4_000_000):
        jobs = jobs_of(source, 10_000, demand_ppm=ppm)
        found = np.bincount(jobs["submit"] // 1000, minlength=len(counts))
        assert (np.abs(found - np.array(counts) * ppm / 1e6) < 1).all()
        assert (found >= before).all()
        if ppm == 1_000_000:
            assert found.tolist() == counts
        before = found


def test_scheduled_jobs_keep_their_words_when_demand_changes() -> None:
    source = make_source(**events((0, 90_000, 10), (100_000, 0, 4), (200_000, 50_000, 16)))
    nominal, dense = jobs_of(source, 300_000), jobs_of(source, 300_000, demand_ppm=2_500_000)
    rows = {
        (s, v, g) for s, v, g in zip(*(dense[n].tolist() for n in ("submit", "service", "gpus")), strict=True)
    }
    assert len(dense["submit"]) == 75
    kept = {
        (s, v, g)
        for s, v, g in zip(*(nominal[n].tolist() for n in ("submit", "service", "gpus")), strict=True)
    }
    assert kept <= rows


# ------------------------------------------------------------------------------------------- schedules


def test_a_scheduled_job_worked_by_hand() -> None:
    source = make_source(**events((50, 7, 2), (1000, 600, 3)))
    jobs = jobs_of(source, 5000, replication=6, seed=3)
    words = random_words(3, STREAM_JOB, 6, source.key, np.array([1024, 1025, 1026])).tolist()
    offsets = sorted(((word[0] * 600) >> 32, j) for j, word in enumerate(words))
    assert jobs["submit"][2:].tolist() == [1000 + offset for offset, _ in offsets]
    services = table_quantile(source.service, [(words[j][1] + 0.5) / 2**32 for _, j in offsets])
    np.testing.assert_allclose(jobs["service"][2:], services, rtol=1e-4, atol=0.6)
    assert np.all((jobs["submit"][:2] >= 50) & (jobs["submit"][:2] < 57))


def test_scheduled_submits_are_uniform_inside_their_event() -> None:
    # Kolmogorov-Smirnov: sqrt(n) D exceeds 2.6 with probability 2 exp(-2 x 2.6^2) = 3e-6.
    source = make_source(**events(*((e * DAY, 3600, 16) for e in range(125))))
    submit = jobs_of(source, 126 * DAY)["submit"]
    inside = np.sort(submit % DAY)
    n = len(inside)
    assert n == 2000
    distance = np.max(np.abs((inside + 0.5) / 3600 - (np.arange(n) + 0.5) / n))
    assert math.sqrt(n) * distance < 2.6
    assert np.all(np.diff(submit) >= 0)


# ------------------------------------------------------------------------------------------- batches


def test_jobs_of_a_batch_share_gang_and_spread_evenly() -> None:
    source = make_source(gap=Deterministic(10_000.0), **batches({5: 1.0}, spread=100))
    jobs = jobs_of(source, 100_000)
    submit = jobs["submit"].reshape(-1, 5)
    np.testing.assert_array_equal(submit - submit[:, :1], [[0, 20, 40, 60, 80]] * 9)
    assert submit[:, 0].tolist() == list(range(10_000, 100_000, 10_000))
    gangs = jobs["gpus"].reshape(-1, 5)
    assert np.all(gangs == gangs[:, :1])
    assert len(set(gangs[:, 0].tolist())) > 1
    assert all(len(set(row)) == 5 for row in jobs["service"].reshape(-1, 5).tolist())


def test_a_batch_never_overtakes_and_members_may_follow_until_tick() -> None:
    source = make_source(gap=TICKS, until_tick=450, **batches({2: 1.0}, spread=300))
    jobs = jobs_of(source, 10_000)
    assert jobs["submit"].tolist() == [100, 250, 250, 350, 350, 450, 450, 550]
    assert jobs_of(source, 440)["submit"].tolist() == [100, 250, 250, 350, 350]


def test_batch_sizes_have_their_shares_and_inter_arrival_times_their_cv() -> None:
    # Gap between jobs: 0 inside a batch, exponential before one; with mean size b the SCV is 2 b - 1 = 7. By the
    # delta method the estimate of the CV has variance (m4 - ...) / n; replications give it without theory.
    source = make_source(gap=Exponential(6000.0), **batches(GEOMETRIC))
    cvs, sizes = [], []
    for replication in range(12):
        submit = jobs_of(source, 1_500_000, replication)["submit"]
        gaps = np.diff(submit, prepend=0)
        cvs.append(gaps.std() / gaps.mean())
        sizes.append(len(submit) / len(set(submit.tolist())))
    for found, exact in ((np.array(cvs), math.sqrt(7.0)), (np.array(sizes), 4.0)):
        assert abs(found.mean() - exact) < Z_BOUND * found.std(ddof=1) / math.sqrt(12)
        assert found.std(ddof=1) / math.sqrt(12) < 0.1 * exact  # the bound is no empty one


def test_a_batch_job_worked_by_hand() -> None:
    source = make_source(**batches({1: 0.25, 2: 0.25, 3: 0.5}, spread=10, common=30_000))
    jobs = jobs_of(source, 20_000, replication=2, seed=8)
    arrival = random_words(8, STREAM_ARRIVAL, 2, source.key, np.arange(3)).tolist()
    own = random_words(8, STREAM_JOB, 2, source.key, np.arange(9)).tolist()
    job = 0
    for words in arrival:
        x = words[1] * 3
        i, f = x >> 32, x & 0xFFFFFFFF
        n = int(source.batch_sizes[i if f < int(source.batch_threshold[i]) else source.batch_alias[i]])
        for _ in range(n):
            u = mix(words[3], own[job][1], 30_000)
            expected = float(table_quantile(source.service, (u + 0.5) / 2**32))
            assert abs(jobs["service"][job] - expected) <= 1 + 1e-3 * expected
            job += 1
    assert job >= 3


@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.slow
def test_mixed_words_are_uniform_and_correlated_as_asked(correlation) -> None:
    # sqrt(n) D of Kolmogorov-Smirnov exceeds 2.6 with probability 3e-6. The correlation is that of the mixed
    # words before they are made uniform; that of the uniform ones is within 0.025 of it (0.276 for 0.3).
    n = 40_000
    rng = np.random.default_rng(17)
    common, left, right = rng.integers(0, 1 << 32, (3, n)).tolist()
    p = common_weight(correlation)
    first = np.array([mix(c, w, p) for c, w in zip(common, left, strict=True)]) / 2**32
    second = np.array([mix(c, w, p) for c, w in zip(common, right, strict=True)]) / 2**32
    for u in (first, second):
        distance = np.max(np.abs(np.sort(u) - (np.arange(n) + 0.5) / n))
        assert math.sqrt(n) * distance < 2.6
    sums = [p * np.array(common) + (65536 - p) * np.array(own) for own in (left, right)]
    error = Z_BOUND * (1 - correlation**2 + 0.05) / math.sqrt(n)
    assert abs(np.corrcoef(*sums)[0, 1] - correlation) < error
    assert abs(np.corrcoef(first, second)[0, 1] - correlation) < error + 0.025


@pytest.mark.parametrize("weight", [0, 1, 20_000, 32_767, 32_768, 32_769, 50_000, 65_535])
def test_mixing_stays_in_32_bits_rises_and_keeps_the_ends(weight) -> None:
    top = 2**32 - 1
    assert mix(0, 0, weight) == 0
    assert top - mix(top, top, weight) <= 2
    line = [mix(w, w, weight) for w in range(0, 2**32, 2**32 // 997)]
    assert line == sorted(line)
    assert all(0 <= u <= top for u in line)
    # at the joints of the three pieces the two formulas meet
    lo = min(weight, 65536 - weight)
    for joint in (lo << 16, (65536 - lo) << 16):
        near = [
            mix(min(top, max(0, joint + d)), min(top, max(0, joint + d)), weight) for d in (-2, -1, 0, 1, 2)
        ]
        assert near == sorted(near)
        assert near[-1] - near[0] <= 12


# ------------------------------------------------------------------------------------------- chains


def test_chains_sum_to_the_drawn_total_in_full_segments_and_a_rest() -> None:
    segment = 1000
    law = LogNormal(2500.0, 1.0)
    source = make_source(service=law, segment=segment, delay=30)
    jobs = jobs_of(source, 120_000, seed=5)
    starts = np.flatnonzero(jobs["after"] < 0)
    assert len(starts) > 1500
    totals = np.add.reduceat(jobs["service"], starts)
    words = random_words(5, STREAM_ARRIVAL, 0, source.key, np.arange(len(starts)))[:, 3].astype(float)
    drawn = table_quantile(source.service, (words + 0.5) / 2**32)
    np.testing.assert_allclose(totals, drawn, rtol=2e-4, atol=0.6)
    lengths = np.diff(np.append(starts, len(jobs["submit"])))
    np.testing.assert_array_equal(lengths, -(-totals // segment))
    last = np.append(starts[1:], len(jobs["submit"])) - 1
    full = np.ones(len(jobs["submit"]), dtype=bool)
    full[last] = False
    assert np.all(jobs["service"][full] == segment)
    assert np.all((jobs["service"][last] >= 1) & (jobs["service"][last] <= segment))
    assert np.all(np.diff(jobs["submit"])[full[:-1]] == 0)
    follows = jobs["after"] >= 0
    np.testing.assert_array_equal(jobs["after"][follows], np.flatnonzero(follows) - 1)
    np.testing.assert_array_equal(jobs["delay"], np.where(follows, 30, 0))
    assert np.all(np.diff(jobs["gpus"])[full[:-1]] == 0)


def test_after_names_rows_of_the_merged_table() -> None:
    chain = make_source("a/chain", gap=TICKS, service=Deterministic(250.0), segment=100)
    other = make_source("a/other", gap=TICKS, job_class=1)
    for order in ((chain, other), (other, chain)):
        jobs = generate(Generator(sources=order, seed=1), 0, 350)
        mine = np.flatnonzero(jobs["job_class"] == 0)
        assert jobs["service"][mine].tolist() == [100, 100, 50] * 3
        expected = [-1 if i % 3 == 0 else mine[i - 1] for i in range(9)]
        assert jobs["after"][mine].tolist() == expected
        assert np.all(jobs["after"][jobs["job_class"] == 1] == -1)


def test_scheduled_chains_take_the_words_of_their_index() -> None:
    source = make_source(**events((100, 50, 2), (1000, 0, 1)), service=Uniform(50.0, 450.0), segment=100)
    jobs = jobs_of(source, 2000, seed=4)
    starts = np.flatnonzero(jobs["after"] < 0)
    assert len(starts) == 3
    word = random_words(4, STREAM_ARRIVAL, 0, source.key, np.array([1024]))[0, 3]
    total = jobs["service"][starts[2] :].sum()
    assert abs(total - float(table_quantile(source.service, (word + 0.5) / 2**32))) <= 1


# ------------------------------------------------------------------------------------------- what


def test_limits_are_picked_with_their_shares_whatever_the_service_time() -> None:
    choices, threshold, alias = compile_choices([3600, 86_400, 7200], [0.3, 0.2, 0.5])
    pick = {"choices": choices, "choice_threshold": threshold, "choice_alias": alias}
    jobs = jobs_of(make_source(limit_mode=LimitMode.PICK, **pick), 300_000)
    n = len(jobs["limit"])
    for value, share in ((3600, 0.3), (86_400, 0.2), (7200, 0.5)):
        assert abs((jobs["limit"] == value).mean() - share) < Z_BOUND * math.sqrt(share * (1 - share) / n)
    assert abs(np.corrcoef(np.log(jobs["service"]), jobs["limit"])[0, 1]) < Z_BOUND / math.sqrt(n)
    assert_same_jobs(
        *(({k: v for k, v in j.items() if k != "limit"}) for j in (jobs, jobs_of(make_source(), 300_000)))
    )


def test_rounded_limits_are_the_next_choice_or_beyond_the_last_at_least_the_service() -> None:
    factor = {"limit_mode": LimitMode.FACTOR, "limit_a": 65536, "limit_b": 4 * 65536}
    choices = np.array([1800, 3600, 7200], np.int64)
    plain = jobs_of(make_source(**factor), 300_000)
    rounded = jobs_of(make_source(**factor, choices=choices), 300_000)
    for service, wanted, limit in zip(plain["service"], plain["limit"], rounded["limit"], strict=True):
        above = [c for c in choices.tolist() if c >= wanted]
        assert limit == (above[0] if above else max(7200, service))
    assert np.all(rounded["limit"] >= rounded["service"])


def test_a_cap_owns_exactly_its_words() -> None:
    law = LogNormal(3600.0, 1.5, cap=7200.0)
    table = compile_table(law, 1.0, 16)
    jobs = jobs_of(make_source(service=table), 300_000)
    share = law.above(7200.0)
    n = len(jobs["service"])
    assert jobs["service"].max() == 7200
    at_cap = (jobs["service"] == 7200).mean()  # with what rounds up to it: half a tick below the cap
    assert abs(at_cap - share - (law.above(7199.5) - share)) < Z_BOUND * math.sqrt(share * (1 - share) / n)
    assert abs(jobs["service"].mean() - table_mean(table)) < Z_BOUND * jobs["service"].std() / math.sqrt(n)


def test_a_draw_uses_its_rows_and_leaves_the_other_sources_alone() -> None:
    fast = make_source("a/x", gap=Exponential(30.0))
    slow, other = make_source("a/x"), make_source("b/y", job_class=1)
    generator = Generator(sources=(slow, other, fast), seed=2, rows=np.array([[0, 1], [2, 1]], np.int32))
    first, second = (generate(generator, 5, 100_000, draw=d) for d in (0, 1))
    for jobs, source in ((first, slow), (second, fast)):
        alone = jobs_of(source, 100_000, replication=5, seed=2)
        mine = jobs["job_class"] == 0
        assert_same_jobs(without_place(alone, slice(None)), without_place(jobs, mine))
    rest = [without_place(jobs, jobs["job_class"] == 1) for jobs in (first, second)]
    assert_same_jobs(*rest)


# ------------------------------------------------------------------------------------------- profiles


@pytest.mark.slow
def test_arrivals_of_a_profile_are_those_of_its_mean_rate_moved_in_time() -> None:
    profile = compile_profile([1.0, 3.0, 0.0, 2.0] * 42, WEEK)
    source = make_source(**profiled(profile, 5 * DAY, 3600))
    jobs = generate(one(source, profiles=(profile,), week_phase=5 * DAY), 0, WEEK)
    plain = jobs_of(make_source(), WEEK)
    n = min(len(plain["submit"]), len(jobs["submit"]))
    moved = [profile.operational(5 * DAY + int(s)) - source.profile_start for s in jobs["submit"][:n]]
    assert np.max(np.abs(np.array(moved) / 256 - plain["submit"][:n])) < 4  # a tick, at up to twice the rate
    assert np.all(jobs["submit"] >= 3600)
    assert np.all(np.diff(jobs["submit"]) >= 0)
    in_week = (jobs["submit"] + 5 * DAY) % WEEK
    assert not np.any((in_week // 3600) % 4 == 2)  # no arrival in hours of rate 0


@pytest.mark.slow
def test_hours_and_weekdays_get_their_rates() -> None:
    # Poisson counts in 168 hours of the week: sum of (n - m)^2 / m is chi-square with 168 degrees of freedom,
    # whose normal score (Wilson-Hilferty) stays below 4.5 with probability 1 - 3e-6.
    hour = np.arange(168)
    rates = (1.0 + 0.6 * np.cos(2 * np.pi * (hour % 24 - 14) / 24)) * np.where(hour >= 120, 0.4, 1.0)
    profile = compile_profile(rates.tolist(), WEEK)
    phase = 2 * DAY + 7 * 3600
    source = make_source(gap=Exponential(300.0), **profiled(profile, phase))
    jobs = generate(one(source, seed=3, profiles=(profile,), week_phase=phase), 0, 10 * WEEK)
    counts = np.bincount((jobs["submit"] + phase) % WEEK // 3600, minlength=168)
    mean = 10 * 12 * rates / rates.mean()
    chi_square = float(((counts - mean) ** 2 / mean).sum())
    score = ((chi_square / 168) ** (1 / 3) - (1 - 2 / (9 * 168))) / math.sqrt(2 / (9 * 168))
    assert abs(score) < Z_BOUND
    total = mean.sum()
    assert abs(counts.sum() - total) < Z_BOUND * math.sqrt(total)


@pytest.mark.slow
def test_jobs_in_progress_follow_the_infinite_server_queue_under_a_daily_cycle() -> None:
    # M_t/G/infinity (design notes; Eick, Massey, Whitt 1993): arrivals 100 + 50 sin(2 pi t / 24) an hour,
    # exponential service of mean 4 h: mean 400, amplitude 138.124225, lag of the peak 3.088047 h. Fourier
    # coefficients of the number in service are sums over jobs of exact integrals; weeks give their errors.
    weeks, minutes = 14, np.arange(1008) * 10
    wave = 2 * math.pi / 1440
    rates = 100 - 50 * (np.cos(wave * (minutes + 10)) - np.cos(wave * minutes)) / (wave * 10)
    profile = compile_profile(rates.tolist(), WEEK)
    source = make_source(gap=Exponential(36.0), service=Exponential(14_400.0), **profiled(profile))
    jobs = generate(one(source, seed=6, profiles=(profile,)), 0, weeks * WEEK)
    start, end = jobs["submit"] / 3600.0, (jobs["submit"] + jobs["service"]) / 3600.0
    omega = 2 * math.pi / 24
    mean, wave_at = [], []
    for week in range(1, weeks):
        a, b = np.clip(start, week * 168, (week + 1) * 168), np.clip(end, week * 168, (week + 1) * 168)
        mean.append((b - a).sum() / 168)
        wave_at.append(((np.exp(-1j * omega * b) - np.exp(-1j * omega * a)) / (-1j * omega)).sum() / 84)
    peak_lag = 3.088047
    found = np.array(wave_at) * np.exp(1j * omega * peak_lag) * 1j  # the exact wave becomes a real number
    n = math.sqrt(weeks - 1)
    for values, exact in ((np.array(mean), 400.0), (found.real, 138.124225), (found.imag, 0.0)):
        error = values.std(ddof=1) / n
        assert abs(values.mean() - exact) < 6.5 * error  # Student, 12 degrees of freedom: 3e-5
        assert error < 2.5
