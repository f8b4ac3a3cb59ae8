"""Queueing formulas against 40-digit arithmetic and published or independently computed values."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpusim.stats import queueing as q

# (metric, offered load, threshold, target, smallest c, value there, value at c - 1): rows of
# ground_truth_mmc.csv, 40-digit arithmetic; frozen here so that the check runs without the shared data
FROZEN = [
    ("p_wait_gt_t", 10, 0, 0.2, 14, 0.174131933595050, 0.285270453036493),
    ("p_wait_gt_t", 10, 0, 0.05, 17, 0.0308761099806722, 0.0573403309033713),
    ("p_wait_gt_t", 10, 0, 0.001, 22, 0.000740478203517857, 0.00169625406268081),
    ("p_wait_gt_t", 10, 0.01, 0.2, 14, 0.167304122817298, 0.276839437002624),
    ("mean_wait", 10_000, 0, 0.01, 10_051, 0.00976907094607707, 0.0101137818221631),
    ("mean_wait", 10_000, 0, 0.001, 10_130, 0.000989366237054329, 0.00101671246799946),
]


def check_row(
    metric: str, load: float, t: float, target: float, servers: int, value: float, below: float
) -> None:
    if metric == "mean_wait":
        assert q.smallest_servers_mean_wait(load, target) == servers
        found = [q.mean_wait(c, load) for c in (servers, servers - 1)]
    else:
        assert q.smallest_servers_wait_exceeds(load, t, target) == servers
        found = [q.wait_exceeds(c, load, t) for c in (servers, servers - 1)]
    assert found[0] == pytest.approx(value, rel=1e-10)
    if math.isfinite(below):
        assert found[1] == pytest.approx(below, rel=1e-10)


@pytest.mark.parametrize("row", FROZEN)
def test_smallest_size_equals_frozen_ground_truth(
    row: tuple[str, float, float, float, int, float, float],
) -> None:
    check_row(*row)


def test_smallest_size_equals_every_row_of_the_ground_truth(shared_data: Path) -> None:
    with (shared_data / "ground_truth_mmc.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(rows) == 240
    for row in rows:
        load, servers = float(row["offered_load_erlang"]), int(row["n_star"])
        values = [float(row[name]) for name in ("value_at_n_star", "value_at_n_star_minus_1")]
        check_row(row["metric"], load, float(row["t"] or 0), float(row["target"]), servers, *values)
        assert q.erlang_c(servers, load) == pytest.approx(float(row["erlang_c_at_n_star"]), rel=1e-10)


# design/domain.md section 9; cross-checked there by an independent simulator
@pytest.mark.parametrize(
    ("servers", "load_per_server", "delay", "wait"),
    [
        (1, 0.8, 0.8, 4.0),
        (2, 0.8, 0.711111111, 1.777777778),
        (8, 0.8, 0.457644925, 0.286028078),
        (8, 0.9, 0.701532990, 0.876916238),
        (64, 0.9, 0.310663317, 0.048541143),
        (100, 0.8, 0.019646427, 0.000982321),
        (100, 0.95, 0.506456854, 0.101291371),
        (1000, 0.99, 0.659080422, 0.065908042),
    ],
)
def test_erlang_c_and_mean_wait(servers: int, load_per_server: float, delay: float, wait: float) -> None:
    load = servers * load_per_server
    assert q.erlang_c(servers, load) == pytest.approx(delay, abs=6e-10)
    assert q.mean_wait(servers, load) == pytest.approx(wait, abs=6e-10)
    assert q.mean_wait(servers, load, mean_service=3.0) == pytest.approx(3 * wait, abs=2e-9)


@pytest.mark.parametrize(
    ("servers", "load", "blocking"),
    [(8, 6.4, 0.1443938899), (10, 8, 0.1216610643), (100, 90, 0.0269573805), (1000, 950, 0.0036492937)],
)
def test_erlang_b(servers: int, load: float, blocking: float) -> None:
    assert q.erlang_b(servers, load) == pytest.approx(blocking, abs=6e-11)


def test_wait_quantiles_invert_the_tail() -> None:
    assert q.wait_quantile(8, 7.2, 0.95) == pytest.approx(3.301556, abs=5e-7)
    assert q.wait_quantile(8, 7.2, 0.99) == pytest.approx(5.313354, abs=5e-7)
    assert q.wait_exceeds(8, 7.2, q.wait_quantile(8, 7.2, 0.95)) == pytest.approx(0.05, rel=1e-12)
    assert q.wait_quantile(8, 7.2, 0.25) == 0.0  # 0.30 of all jobs do not wait


@pytest.mark.parametrize(
    ("servers", "places", "load", "blocking", "waiting", "wait"),
    [
        (1, 5, 0.8, 0.088819499, 1.139387631, 1.563065207),
        (4, 10, 3.2, 0.035740722, 1.154208937, 0.374059448),
        (8, 16, 12, 0.336104840, 6.128572846, 0.769269660),
    ],
)
def test_queue_with_limited_places(
    servers: int, places: int, load: float, blocking: float, waiting: float, wait: float
) -> None:
    assert q.loss_queue(servers, places, load) == pytest.approx((blocking, waiting, wait), abs=6e-10)


@pytest.mark.parametrize(
    ("scv", "wait"),
    [(0, 2), (0.5, 3), (1, 4), (4, 10), (math.e - 1, 5.436564), (math.exp(4) - 1, 109.196300)],
    ids=["deterministic", "Erlang-2", "exponential", "H2", "lognormal 1", "lognormal 2"],
)
def test_pollaczek_khintchine(scv: float, wait: float) -> None:
    assert q.mean_wait_mg1(0.8, 1.0, scv) == pytest.approx(wait, abs=5e-7)


@pytest.mark.parametrize(
    ("servers", "loads", "waits"),
    [
        (1, (0.4, 0.4), (1.333333333, 6.666666667)),
        (8, (2.4, 4.8), (0.125273748, 1.252737482)),
        (64, (16, 41.6), (0.006472152, 0.064721524)),
        (8, (1.6, 2.4, 3.2), (0.109614530, 0.219229059, 1.753832475)),
    ],
)
def test_priority_without_preemption(
    servers: int, loads: tuple[float, ...], waits: tuple[float, ...]
) -> None:
    assert q.priority_mean_waits(servers, loads) == pytest.approx(waits, abs=6e-10)


@pytest.mark.parametrize(
    ("servers", "sizes", "loads", "blocking", "occupancy"),
    [
        (64, (1, 8, 32), (16, 2, 0.5), (0.014376639, 0.123281647, 0.560662082), 0.575420),
        (
            1024,
            (1, 8, 64, 256),
            (100, 40, 5, 0.5),
            (0.001441340, 0.011668616, 0.102137073, 0.506110390),
            0.748687,
        ),
        (8, (1, 8), (2, 0.25), (0.033565416, 0.869063702), None),
    ],
)
def test_gang_loss(
    servers: int,
    sizes: tuple[int, ...],
    loads: tuple[float, ...],
    blocking: tuple[float, ...],
    occupancy: float | None,
) -> None:
    found = q.gang_loss(servers, sizes, loads)
    assert found.blocking == pytest.approx(blocking, abs=6e-10)
    if occupancy is not None:
        assert found.occupancy == pytest.approx(occupancy, abs=6e-7)


def test_gang_loss_of_single_servers_is_erlang_b_even_where_the_weights_overflow() -> None:
    found = q.gang_loss(3000, [1], [2900.0])  # the largest weight is about e^2900
    assert found.blocking[0] == pytest.approx(q.erlang_b(3000, 2900.0), rel=1e-10)
    assert found.occupancy == pytest.approx(2900 / 3000 * (1 - found.blocking[0]), rel=1e-10)


@given(servers=st.integers(1, 60), share=st.floats(0.05, 0.99))
def test_limits_of_the_formulas_agree(servers: int, share: float) -> None:
    load = servers * share
    # no waiting room: Erlang B; one class: the plain queue; one server: Pollaczek-Khintchine with scv 1
    assert q.loss_queue(servers, servers, load).blocking == pytest.approx(q.erlang_b(servers, load), rel=1e-9)
    assert q.priority_mean_waits(servers, [load])[0] == pytest.approx(q.mean_wait(servers, load), rel=1e-9)
    assert q.mean_wait(1, share) == pytest.approx(q.mean_wait_mg1(share, 1.0, 1.0), rel=1e-9)


def test_unstable_queues_wait_for_ever() -> None:
    assert q.erlang_c(8, 8.0) == 1.0
    assert q.wait_exceeds(8, 9.0, 100.0) == 1.0
    assert q.mean_wait(8, 8.0) == q.wait_quantile(8, 8.0, 0.5) == q.mean_wait_mg1(1.0, 1.0, 1.0) == math.inf
    assert q.priority_mean_waits(1, (0.5, 0.6)) == pytest.approx((2.0, math.inf))


def test_square_root_staffing_grows_with_the_gang_size() -> None:
    assert q.gang_inflation([1], [50.0]) == 1.0
    assert q.gang_inflation([1, 8], [8.0, 1.0]) == pytest.approx((8 + 64) / 16)
    assert q.square_root_staffing(100.0) == pytest.approx(116.5)
    # gangs of g: g times the answer for single servers (design/statistics.md section 12)
    assert q.square_root_staffing(800.0, q.gang_inflation([8], [100.0])) == pytest.approx(8 * 116.5)


def test_arguments_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="offered > 0"):
        q.erlang_b(1, 0.0)
    with pytest.raises(ValueError, match="places=3, servers=4"):
        q.loss_queue(4, 3, 1.0)
    with pytest.raises(ValueError, match="target > 0"):
        q.smallest_servers_mean_wait(1.0, 0.0)
