"""What a spreadsheet would say: the rules of thumb that planners use, beside the simulated answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gpusim.scenario import Scenario
from gpusim.stats.queueing import gang_inflation, smallest_servers_wait_exceeds, square_root_staffing

_OCCUPANCY_TARGET = 0.8
_MOST_ERLANG = 2_000_000  # servers; larger centers are not worth the recursion


@dataclass(frozen=True)
class RuleOfThumb:
    """One rule and the number of GPUs it gives, rounded up to the granularity."""

    name: str
    gpus: int


def offered_inflation(scenario: Scenario) -> float:
    """E[G^2 S] / E[G S] over all jobs: how much lumpier gangs make the load than single GPUs."""
    sizes: list[int] = []
    loads: list[float] = []
    for _, _, c in scenario.classes():
        for gpus, share in c.gpus.items():
            sizes.append(gpus)
            loads.append(c.rate * share * c.mean_service)
    return gang_inflation(sizes, loads) if math.fsum(loads) > 0 else 1.0


def staffing_guess(scenario: Scenario) -> int:
    """Square-root staffing with gang inflation (z = 1.65): where the search starts. A guess only."""
    return max(1, math.ceil(square_root_staffing(scenario.offered_load, offered_inflation(scenario))))


def rules_of_thumb(scenario: Scenario) -> tuple[RuleOfThumb, ...]:
    """Rules that ignore how jobs share the center.

    Offered load itself; the load at 80 % occupancy; Erlang-C for single GPUs, pooled over all classes, for
    the service level that asks for most; square-root staffing with and without the size of the gangs.
    """
    load, step = scenario.offered_load, scenario.study.granularity

    def rule(name: str, gpus: float) -> RuleOfThumb:
        return RuleOfThumb(name, max(step, step * math.ceil(gpus / step - 1e-9)))

    rules = [rule("offered load", load), rule("offered load at 80 % occupancy", load / _OCCUPANCY_TARGET)]
    if 0 < load < _MOST_ERLANG:
        gpu_rate = math.fsum(c.rate * c.mean_gang for _, _, c in scenario.classes())
        mean_service = load / gpu_rate
        needed = [
            smallest_servers_wait_exceeds(load, s.limit, 1.0 - s.share, mean_service)
            for s in scenario.resolved_slos()
            if s.share < 1  # no finite number serves everybody in time
        ]
        if needed:
            rules.append(rule("Erlang-C, single GPUs, all classes pooled", max(needed)))
    rules.append(rule("square-root staffing, single GPUs", square_root_staffing(load)))
    rules.append(rule("square-root staffing, gang sizes", staffing_guess(scenario)))
    return tuple(rules)
