"""SimPy: processes are Python generators."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import Any

import simpy

JOBS = 100_000
"""Jobs of one repeat: an interpreted engine."""
SERVERS, OFFERED = 100, 95.0


def prepare(jobs: int) -> Callable[[int], float]:
    """Return the run of `jobs` jobs, until the last has left."""

    def run(seed: int) -> float:
        draw = random.Random(seed).expovariate
        center = simpy.Environment()
        servers = simpy.Resource(center, capacity=SERVERS)
        waited = 0.0

        def job() -> Generator[Any, Any, None]:
            nonlocal waited
            arrived = center.now
            with servers.request() as request:
                yield request
                waited += center.now - arrived
                yield center.timeout(draw(1.0))

        def arrivals() -> Generator[Any, Any, None]:
            for _ in range(jobs):
                yield center.timeout(draw(OFFERED))
                center.process(job())

        center.process(arrivals())
        center.run()
        return waited / jobs

    return run
