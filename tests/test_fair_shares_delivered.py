"""With one resource, dominant resource fairness is weighted max-min fair sharing, and `fairshare` delivers it.

Of G GPUs tenant i is due min(demand_i, weight_i x level), with the level at which all of them sum to G (Ghodsi et al.,
NSDI 2011: with one resource the dominant share is the share of that resource).
"""

from __future__ import annotations

import itertools

import pytest

import gpusim

GPUS = 68
TERMS = """\
schema: 1
name: saturated
center: {{have: {gpus}}}
tenants: [{tenants}]
policy: {{order: {order}, backfill: 1, fairness: {{half_life: 6h, calc_period: 5min}}}}
slos: [wait <= 1h for 1% of all jobs]
study: {{horizon: 10d, warm_up: 2d, seed: 11}}
"""
TENANT = (
    "{{name: t{k}, weight: {weight}, classes: [{{name: runs, arrivals: {{load: {load}}}, gpus: {{1: 70%, 2: 30%}}, "
    "run_time: {{exponential: {{mean: 1h}}}}}}]}}"
)


def due(demands: list[float], weights: list[float]) -> list[float]:
    """The division, by raising the level until the GPUs are given out."""
    kinks = sorted(demand / weight for demand, weight in zip(demands, weights, strict=True))
    for low, high in itertools.pairwise([0.0, *kinks]):
        poured = sum(min(d, w * high) for d, w in zip(demands, weights, strict=True))
        if poured >= GPUS:
            given = sum(min(d, w * low) for d, w in zip(demands, weights, strict=True))
            rising = sum(w for d, w in zip(demands, weights, strict=True) if d > w * low)
            level = low + (GPUS - given) / rising
            return [min(d, w * level) for d, w in zip(demands, weights, strict=True)]
    return list(demands)


def delivered(order: str, demands: list[float], weights: list[float]) -> list[float]:
    """GPUs that each tenant has on average."""
    tenants = [
        TENANT.format(k=k, weight=weight, load=load)
        for k, (load, weight) in enumerate(zip(demands, weights, strict=True))
    ]
    text = TERMS.format(gpus=GPUS, order=order, tenants=", ".join(tenants))
    result = gpusim.simulate(gpusim.Scenario.from_yaml(text), replications=3)
    return [each.gpus_in_use.value for each in result.classes[: len(demands)]]


def test_the_division_by_hand() -> None:
    assert due([8, 30, 40, 50], [2, 1, 2, 3]) == pytest.approx([8, 10, 20, 30])  # level 10
    assert due([8, 30, 40, 24], [2, 1, 2, 3]) == pytest.approx([8, 12, 24, 24])  # level 12
    assert due([8, 10, 20, 20], [2, 1, 2, 3]) == pytest.approx([8, 10, 20, 20])  # nobody lacks anything


@pytest.mark.parametrize(
    ("demands", "weights"),
    [
        pytest.param([8, 20, 24, 34], [2, 1, 2, 3], marks=pytest.mark.slow),  # due 8, 10, 20, 30
        ([8, 20, 30, 24], [2, 1, 2, 3]),  # due 8, 12, 24, 24
        pytest.param([20, 20, 52], [1, 1, 4], marks=pytest.mark.slow),  # due 11 1/3, 11 1/3, 45 1/3
    ],
)
@pytest.mark.slow
def test_fairshare_delivers_the_max_min_division(demands: list[float], weights: list[float]) -> None:
    got, fair = delivered("fairshare", demands, weights), due(demands, weights)
    assert got == pytest.approx(fair, rel=0.04)


@pytest.mark.slow
def test_first_come_first_served_does_not() -> None:
    got, fair = delivered("fifo", [8, 20, 24, 34], [2, 1, 2, 3]), due([8, 20, 24, 34], [2, 1, 2, 3])
    assert max(abs(one - other) / other for one, other in zip(got, fair, strict=True)) > 0.2
