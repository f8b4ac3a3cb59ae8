"""First guesses of a size: the offered load, and square-root staffing with the lumpiness of gangs. Guesses only."""

from __future__ import annotations

import math

from gpusim.scenario import Scenario
from gpusim.scenario.arrivals import Stream

Z = 1.65
"""Standard deviations of square-root staffing above the peak load."""


def load_variance(scenario: Scenario) -> float:
    """Variance of the GPUs in use if nobody waited [GPU^2], of the jobs that arrive at random.

    With Poisson arrivals the gangs of k GPUs present are Poisson, so each contributes k^2 times its mean
    number, which is k times its load. Work that is scheduled is known beforehand: its load is in the peak, its
    variance is 0. Batches make demand lumpier still; a guess leaves them out.
    """
    return math.fsum(gpus * load for gpus, load in random_loads(scenario))


def random_loads(scenario: Scenario) -> list[tuple[int, float]]:
    """(gang size, mean GPUs in use) of all jobs that arrive at random, at the rate they have while they do."""
    demand = scenario.study.demand
    return [
        (gpus, demand * stream.job_rate * share * gpus * stream.mean_held)
        for stream in random_streams(scenario)
        for gpus, share in stream.gpus.items()
    ]


def random_streams(scenario: Scenario) -> list[Stream]:
    """All streams of arrivals but the scheduled ones."""
    return [
        stream
        for _, _, job_class in scenario.classes()
        for stream in job_class.streams
        if not stream.schedule
    ]


def staffing_guess(scenario: Scenario) -> int:
    """Square-root staffing of the peak load with gang sizes: where the search starts."""
    return max(1, math.ceil(scenario.peak_load + Z * math.sqrt(load_variance(scenario))))


def carried_guess(scenario: Scenario, gpus: int) -> float:
    """The factor on demand at which `staffing_guess` would give these GPUs.

    With load a and variance v at `study.demand`: f a + z sqrt(f v) = n, a quadratic in sqrt(f).
    """
    load, half = max(scenario.peak_load, 1e-9), Z * math.sqrt(load_variance(scenario)) / 2.0
    root = (math.sqrt(half * half + load * gpus) - half) / load
    return root * root * scenario.study.demand
