"""`gpusim.simulate` on M/M/c scenarios: its own 99.9 % intervals hold the exact values.

Rows of the exact table at n* and n* - 1, as in test_theory.py, but from a scenario file on: rates and run times as a
planner writes them, the share and the mean wait as the result shows them. One unit of time is one hour of 36,000 ticks.
With fresh seeds the file would raise a false alarm in at most 0.12 of its runs (114 intervals); seeds are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import gpusim
from test_theory import FROZEN, Row, ground_truth, manageable

TEXT = """
schema: 1
name: mmc
tick: 100ms
tenants:
  - name: all-users
    classes:
      - {{name: batch, arrivals: {{load: {load}}}, gpus: 1, run_time: {{exponential: {{mean: 1h}}}}}}
policy: {{backfill: none}}
slos: [wait <= {limit}s for 50% of batch jobs]
study: {{horizon: {horizon}h, warm_up: 60h, attainment: 50%, confidence: 99.9%, granularity: 1}}
"""


def check(row: Row, hours: float) -> float:
    """Largest share of an interval's half-width by which a point estimate misses, at n* and below."""
    limit = row.t * 3600
    scenario = gpusim.Scenario.from_yaml(
        TEXT.format(load=row.offered, limit=limit, horizon=math.ceil(60 + hours + row.t))
    )
    worst = 0.0
    for gpus, exact in ((row.smallest, row.value), (row.smallest - 1, row.value_below)):
        if not math.isfinite(exact):
            continue
        result = gpusim.simulate(scenario, gpus=gpus, replications=32, seed=round(1e6 * row.value))
        assert result.slos[0].censored == 0
        if row.metric == "mean_wait":
            wait = result.classes[-1].mean_wait
            value, low, high = (x / 3600 for x in (wait.value, wait.low, wait.high))
        else:
            share = result.slos[0].share
            assert share is not None
            value, low, high = 1 - share.value, 1 - share.high, 1 - share.low
        assert low <= exact <= high, (row, gpus, value, low, high)
        worst = max(worst, abs(value - exact) / (high - low) * 2)
    return worst


@pytest.mark.parametrize("row", FROZEN[:3], ids=lambda row: f"{row.metric} {row.offered:g} t={row.t:g}")
def test_simulate_gives_the_exact_values_of_a_few_rows(row: Row) -> None:
    check(row, hours=1500)


@pytest.mark.slow
def test_simulate_gives_the_exact_values_of_forty_rows_and_more(
    shared_data: Path, summary_line: Callable[[str], None]
) -> None:
    rows = [row for row in ground_truth(shared_data) if manageable(row)]
    assert len(rows) >= 40
    hours = {10: 2000, 20: 1500, 50: 1000, 100: 600, 200: 400}
    worst = [check(row, hours[int(row.offered)]) for row in rows]
    summary_line(
        f"simulate on {len(rows)} exact rows at n* and n* - 1: worst miss {max(worst):.2f} half-widths"
    )
