"""Approval, users and claw-back in the reference generator (S35): what each decision draws, and from which word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpusim.engine.reference_generator import generate, philox4x32
from gpusim.workload.distributions import Deterministic, Exponential
from gpusim.workload.quantile_table import QuantileTable, compile_table
from gpusim.workload.source import LimitMode, Source
from sources import Z_BOUND, batches, events, jobs_of, make_source, one

HOLD = 4  # the stream
SHIFT = 20
WEEKLY = compile_table(Exponential(50.0), 1.0, SHIFT)
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "scheduled": events((1000, 500, 40), (3000, 0, 64)),
    "batch": batches({1: 0.5, 3: 0.5}, spread=90),
    "chain": {"service": Deterministic(5000.0), "segment": 2000, "delay": 70},
}


def table_value(table: QuantileTable, u: int) -> int:
    """ARCHITECTURE.md section 3, in whole ticks, at most the cap."""
    side, v = u >> 31, u if u < 1 << 31 else ~u & 0xFFFFFFFF
    k, frac = v, 0
    if v >= 32:
        octave = v.bit_length() - 6
        k, low = 32 + 32 * octave + (v >> octave & 31), v & (1 << octave) - 1
        frac = low << 16 - octave if octave <= 16 else low >> octave - 16
    a, b = (int(table.nodes[side, k + j]) for j in (0, 1))
    value = a + ((b - a) * frac >> 16) if side == 0 else a - ((a - b) * frac >> 16)
    value = table.cap if u >= table.cap_from else min(value, table.cap)
    return (value + (1 << table.shift >> 1)) >> table.shift


def words(source: Source, stream: int, index: int, replication: int = 0, seed: int = 1) -> list[int]:
    counter = np.array([[index, stream, replication, source.key]], dtype=np.uint32)
    drawn: list[int] = philox4x32(counter, np.array([seed, 0], dtype=np.uint32))[0].tolist()
    return drawn


@pytest.mark.parametrize("kind", KINDS)
def test_without_holds_calls_users_and_reviews_nothing_is_new(kind: str) -> None:
    jobs = jobs_of(make_source(**KINDS[kind]), 10_000)
    assert not jobs["user"].any()
    assert not jobs["delay"][jobs["after"] < 0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_they_change_no_other_column(kind: str) -> None:
    before = jobs_of(make_source(**KINDS[kind]), 10_000)
    changes: dict[str, Any] = {"hold": WEEKLY, "call_period": 700, "call_phase": 33, "users": 5}
    after = jobs_of(make_source(**KINDS[kind], **changes), 10_000)
    for name in before:
        if name not in ("delay", "user"):
            np.testing.assert_array_equal(before[name], after[name], err_msg=name)
    followers = before["after"] >= 0
    np.testing.assert_array_equal(before["delay"][followers], after["delay"][followers])


def test_a_job_waits_for_the_call_and_then_for_its_decision() -> None:
    # Calls close at 33, 733, 1433, ..; submit 33 is in time for the first. Decision: word 0 of HOLD index a.
    source = make_source(hold=WEEKLY, call_period=700, call_phase=33 - 2 * 700)
    jobs = jobs_of(source, 20_000)
    calls = np.arange(33 - 700, 30_000, 700)
    for submit, index, delay in zip(jobs["submit"], jobs["source_index"], jobs["delay"], strict=True):
        call = int(calls[np.searchsorted(calls, submit)])  # the first that is not before the submit
        decision = table_value(WEEKLY, words(source, HOLD, int(index))[0])
        assert delay == call - submit + decision


def test_a_call_at_the_very_tick_of_the_submit_is_in_time() -> None:
    source = make_source(**events((100, 0, 1), (201, 0, 1), (299, 0, 1)), call_period=100)
    assert jobs_of(source, 1000)["delay"].tolist() == [0, 99, 1]


def test_a_capped_decision_and_one_of_no_time() -> None:
    capped = QuantileTable(WEEKLY.nodes, SHIFT, 30 << SHIFT, 1 << 31)
    delays = jobs_of(make_source(hold=capped), 200_000)["delay"]
    assert delays.max() == 30
    assert 0.4 < float((delays == 30).mean()) < 0.7
    assert delays.min() == 0  # a decision may take no time, a service may not


def test_a_scheduled_job_uses_its_word_index() -> None:
    source = make_source(**events((1000, 0, 2), (3000, 0, 3)), hold=WEEKLY, users=4)
    jobs = jobs_of(source, 10_000)
    index = [0, 1, 1024, 1025, 1026]
    assert jobs["delay"].tolist() == [table_value(WEEKLY, words(source, HOLD, i)[0]) for i in index]
    assert jobs["user"].tolist() == [words(source, HOLD, i)[1] >> 30 for i in index]


def test_a_batch_has_one_decision_and_one_user_but_each_member_its_own_call() -> None:
    source = make_source(**batches({4: 1.0}, spread=90), hold=WEEKLY, call_period=50, users=3)
    jobs = jobs_of(source, 20_000)
    assert len(jobs["submit"]) > 800
    order = np.argsort(jobs["source_index"])
    for row in order:
        arrival = int(jobs["source_index"][row]) // 4
        word = words(source, HOLD, arrival)
        call = -int(jobs["submit"][row]) % 50
        assert jobs["delay"][row] == call + table_value(WEEKLY, word[0])
        assert jobs["user"][row] == word[1] * 3 >> 32
    assert len({int(jobs["submit"][row]) % 50 for row in order[:4]}) > 1


def test_a_chain_is_held_once_and_has_one_user() -> None:
    source = make_source(**KINDS["chain"], hold=WEEKLY, users=7)  # 3 jobs to a chain
    jobs = jobs_of(source, 20_000)
    assert len(jobs["submit"]) > 600
    for index, after, delay, user in zip(
        jobs["source_index"], jobs["after"], jobs["delay"], jobs["user"], strict=True
    ):
        word = words(source, HOLD, int(index) // 3)
        assert delay == (table_value(WEEKLY, word[0]) if after < 0 else 70)
        assert user == word[1] * 7 >> 32


def test_all_users_have_as_many_jobs() -> None:
    jobs = generate(one(make_source(users=10), seed=7), 0, 200_000)
    n = len(jobs["user"])
    shares = np.bincount(jobs["user"], minlength=10) / n
    assert np.abs(shares - 0.1).max() < Z_BOUND * (0.1 * 0.9 / n) ** 0.5


@pytest.mark.parametrize("mode", [LimitMode.EXACT, LimitMode.FACTOR])
def test_a_lease_that_is_clawed_back_ends_at_the_review_and_keeps_its_limit(mode: LimitMode) -> None:
    change = {"limit_a": 65536, "limit_b": 2 * 65536} if mode == LimitMode.FACTOR else {}
    before = make_source(limit_mode=mode, **change)
    after = make_source(limit_mode=mode, claw_threshold=1 << 30, claw_after=1800, **change)
    whole, jobs = jobs_of(before, 100_000), jobs_of(after, 100_000)
    clawed = np.array([words(after, 0, int(index))[3] < 1 << 30 for index in jobs["source_index"]])
    assert 0.2 < float(clawed.mean()) < 0.3
    service = np.where(clawed, np.minimum(whole["service"], 1800), whole["service"])
    np.testing.assert_array_equal(jobs["service"], service)
    np.testing.assert_array_equal(jobs["limit"], whole["limit"])


def test_each_segment_of_a_chain_is_judged_for_itself() -> None:
    source = make_source(**KINDS["chain"], claw_threshold=1 << 31, claw_after=1500)
    jobs = jobs_of(source, 20_000)
    for index, service, limit in zip(jobs["source_index"], jobs["service"], jobs["limit"], strict=True):
        whole = (2000, 2000, 1000)[int(index) % 3]
        clawed = words(source, 0, int(index))[3] < 1 << 31
        assert (limit, service) == (whole, min(whole, 1500) if clawed else whole)
