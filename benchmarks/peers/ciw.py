"""Ciw: queueing networks in pure Python; it keeps a record of every job, and its answer is read from them."""

from __future__ import annotations

from collections.abc import Callable

import ciw

JOBS = 100_000
"""Jobs of one repeat: an interpreted engine."""
SERVERS, OFFERED = 100, 95.0


def prepare(jobs: int) -> Callable[[int], float]:
    """Return the run of `jobs` jobs, until the last has left."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=OFFERED)],
        service_distributions=[ciw.dists.Exponential(rate=1.0)],
        number_of_servers=[SERVERS],
    )

    def run(seed: int) -> float:
        ciw.seed(seed)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_customers(jobs, method="Finish")
        records = simulation.get_all_records()
        return sum(record.waiting_time for record in records) / len(records)

    return run
