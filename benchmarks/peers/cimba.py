"""cimba: models in Python, compiled by Numba onto the C engine Cimba; needs Python 3.11."""

from __future__ import annotations

from collections.abc import Callable

import cimba as cb
from cimba import inputs

JOBS = 1_000_000
"""Jobs of one repeat: a compiled engine."""
SERVERS, OFFERED = 100, 95.0


class Queue(cb.Model):
    """Jobs without identity in one queue that a hundred servers take from, the form its own README gives."""

    gap: cb.Input[float] = inputs.dist.exponential(mean=1.0 / OFFERED)
    service: cb.Input[float] = inputs.dist.exponential(mean=1.0)
    waiting: cb.Container
    mean_waiting: cb.Output[float]

    @cb.process
    def arrivals(self):
        while True:
            cb.hold(self.gap.next())
            self.waiting.put(1)

    @cb.process(copies=SERVERS)
    def server(self):
        while True:
            self.waiting.get(1)
            cb.hold(self.service.next())

    @cb.on_end
    def measure(self):
        self.mean_waiting = self.waiting.mean_level()


def prepare(jobs: int) -> Callable[[int], float]:
    """Return the run of about `jobs` jobs: as long as they take to arrive on average."""
    model = Queue()

    def run(seed: int, duration: float = jobs / OFFERED) -> float:
        window = cb.Window(duration=duration)
        results = cb.Experiment(model, replications=1, window=window, seed=seed).run(workers=1)
        assert not results.failed.any()
        return float(results[model].mean_waiting.values[0, 0]) / OFFERED  # Little's law

    run(0, 1.0)  # compiles
    return run
