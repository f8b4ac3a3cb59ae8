"""First guesses of a size: the offered load, and square-root staffing with the lumpiness of gangs. Guesses only.

Where tenants have quotas, a center may be large enough for all together and too small for one: the guess is then the
size at which each tenant may use what it needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from gpusim.scenario import Scenario
from gpusim.scenario.arrivals import Stream
from gpusim.scenario.model import JobClass
from gpusim.scenario.quotas import QuotaTree
from gpusim.workload.ticks import MAX_GPUS

Z = 1.65
"""Standard deviations of square-root staffing above the peak load."""


def load_variance(scenario: Scenario) -> float:
    """Variance of the GPUs in use if nobody waited [GPU^2], of the jobs that arrive at random.

    With Poisson arrivals the gangs of k GPUs present are Poisson, so each contributes k^2 times its mean
    number, which is k times its load. Work that is scheduled is known beforehand: its load is in the peak, its
    variance is 0. Batches make demand lumpier still; a guess leaves them out.
    """
    return math.fsum(gpus * load for gpus, load in random_loads(scenario))


def random_loads(scenario: Scenario, classes: Iterable[JobClass] | None = None) -> list[tuple[int, float]]:
    """(gang size, mean GPUs in use) of jobs that arrive at random, at the rate they have while they do.

    Of all classes, or of these.
    """
    demand = scenario.study.demand
    return [
        (gpus, demand * stream.job_rate * share * gpus * stream.mean_held)
        for stream in random_streams(scenario, classes)
        for gpus, share in stream.gpus.items()
    ]


def random_streams(scenario: Scenario, classes: Iterable[JobClass] | None = None) -> list[Stream]:
    """All streams of arrivals but the scheduled ones, of all classes or of these."""
    chosen = [c for _, _, c in scenario.classes()] if classes is None else classes
    return [stream for job_class in chosen for stream in job_class.streams if not stream.schedule]


def staffing_guess(scenario: Scenario) -> int:
    """Square-root staffing of the peak load with gang sizes, and of each tenant's quota: where the search starts."""
    together = max(1, math.ceil(scenario.peak_load + Z * math.sqrt(load_variance(scenario))))
    return max([together, *quota_guesses(scenario)])


def quota_guesses(scenario: Scenario) -> list[int]:
    """Of each tenant with a quota: the size at which it may use what it needs, if there is one; of one pool only."""
    if len(scenario.pool_names) > 1:
        return []
    (pool,), tree = scenario.pool_names, scenario.quotas
    entries = list(zip(scenario.classes(), scenario.class_loads, strict=True))
    found = []
    for index in filter(tree.limited, range(tree.tenants)):
        mine = [(e.job_class, a) for e, a in entries if e.tenant_index == index and not e.job_class.urgent]
        classes, load = [c for c, _ in mine], math.fsum(load for _, load in mine)
        variance = math.fsum(gpus * part for gpus, part in random_loads(scenario, classes))
        gang = max((job_class.largest_gang for job_class in classes), default=0)
        found.append(_size_for(tree, index, pool, max(gang, math.ceil(load + Z * math.sqrt(variance)))))
    return [size for size in found if size is not None]


def _size_for(tree: QuotaTree, tenant: int, pool: str, needed: int) -> int | None:
    """The smallest pool of which a tenant may use so many GPUs; None if no size is enough."""

    def ceiling(gpus: int) -> int:
        return tree.ceiling(tenant, pool, gpus) or 0

    low, high = 0, MAX_GPUS
    if ceiling(high) < needed:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ceiling(middle) >= needed else (middle, high)
    return high


def carried_guess(scenario: Scenario, gpus: int) -> float:
    """The factor on demand at which `staffing_guess` would give these GPUs.

    With load a and variance v at `study.demand`: f a + z sqrt(f v) = n, a quadratic in sqrt(f).
    """
    load, half = max(scenario.peak_load, 1e-9), Z * math.sqrt(load_variance(scenario)) / 2.0
    root = (math.sqrt(half * half + load * gpus) - half) / load
    return root * root * scenario.study.demand
