"""What a spreadsheet would say: the rules of thumb that planners use, beside the simulated answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gpusim.plan.staffing import Z, load_variance, random_loads, random_streams
from gpusim.scenario import Scenario
from gpusim.stats.queueing import smallest_servers_wait_exceeds

_OCCUPANCY_TARGET = 0.8
_MOST_ERLANG = 2_000_000  # servers; larger centers are not worth the recursion


@dataclass(frozen=True)
class RuleOfThumb:
    """One rule and the number of GPUs it gives, rounded up to the granularity."""

    name: str
    gpus: int


def rules_of_thumb(scenario: Scenario) -> tuple[RuleOfThumb, ...]:
    """Rules that ignore how jobs share the center.

    The load at 80 % occupancy; Erlang-C for single GPUs, pooled over all classes, for the service level on wait
    that asks for least and for most; square-root staffing with and without the size of the gangs. Where demand
    varies over time the first two are there for the mean and for the peak load: the rules do not say which of
    the two they mean.
    """
    step = scenario.study.granularity
    return tuple(
        RuleOfThumb(name, max(step, step * math.ceil(gpus / step - 1e-9))) for name, gpus in _rules(scenario)
    )


def _rules(scenario: Scenario) -> Iterator[tuple[str, float]]:
    mean, peak = scenario.mean_load, scenario.peak_load
    if _same(mean, peak):
        loads = [("load", mean)]
    else:
        loads = [("mean load", mean), ("peak load", peak)]
    for name, load in loads:
        yield f"{name} at 80 % occupancy", load / _OCCUPANCY_TARGET
    for name, load in loads:
        needed = _erlang(scenario, load)
        if len(needed) > 1 and needed[-1] > needed[0] and load is loads[-1][1]:
            yield f"Erlang-C, {name}, single GPUs, loosest level", needed[0]
        if needed:
            tightest = ", tightest level" if len(needed) > 1 else ""
            yield f"Erlang-C, {name}, single GPUs{tightest}", needed[-1]
    name, load = loads[-1]
    yield f"square root of the {name}, single GPUs", load + Z * math.sqrt(load)
    yield f"square root of the {name}, gang sizes", load + Z * math.sqrt(load_variance(scenario))


def _erlang(scenario: Scenario, load: float) -> list[int]:
    """GPUs for each level on wait, ascending, if every job took one GPU and all shared one queue."""
    if not 0 < load < _MOST_ERLANG:
        return []
    used = math.fsum(use for _, use in random_loads(scenario))
    gpu_rate = scenario.study.demand * math.fsum(
        stream.job_rate * stream.gpus.mean for stream in random_streams(scenario)
    )
    mean_service = used / gpu_rate if gpu_rate > 0 else 0.0
    if mean_service <= 0:
        return []
    return sorted(
        smallest_servers_wait_exceeds(load, s.limit, 1.0 - s.share, mean_service)
        for s in scenario.resolved_slos()
        if s.metric == "wait" and s.share < 1  # no finite number serves everybody in time
    )


def _same(mean: float, peak: float) -> bool:
    return abs(peak - mean) <= 0.005 * max(mean, 1e-9)
