"""Uncertain numbers of the demand: one draw of each for every replication, and the sources that follow from it.

The number at path P has in replication r the share u = (w + 1/2) / 2^32 of its law's probability, where w is word
0 of the random stream `STREAM_ELICITED` at index 0, replication r, key CRC-32 of P. So a draw depends on the seed,
the replication and the path alone: adding a number, or a class, changes no other's draws.

Only classes with an uncertain number are compiled anew for each draw; the others keep their one row of sources.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gpusim.scenario import Scenario
from gpusim.scenario.elicited import Elicited
from gpusim.workload.compile import SharedTables, class_sources
from gpusim.workload.philox import STREAM_ELICITED, random_words
from gpusim.workload.source import Generator, Source

_WORDS = 1 << 32


def elicited_values(numbers: Iterable[Elicited], seed: int, replication: int) -> dict[str, float]:
    """Values that uncertain numbers take in one replication.

    Parameters
    ----------
    numbers : iterable of Elicited
        Of one scenario.
    seed : int
        In [0, 2^64).
    replication : int
        In [0, 2^32).

    Returns
    -------
    dict
        Path to value, in the number's own unit.
    """
    return {number.path: number.law.quantile(_share(seed, replication, number.path)) for number in numbers}


def compile_draws(
    scenario: Scenario, seed: int, replications: Iterable[int] | NDArray[np.int64]
) -> Generator:
    """Sources for some replications: draw d has the numbers of the d-th of these replications.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        Seed of the random streams, [0, 2^64).
    replications : iterable of int
        In [0, 2^32); one or more.

    Returns
    -------
    Generator
        `rows` (D, K), D the number of replications. Pass d as the draw of a run of the d-th.

    Raises
    ------
    WorkloadError
        If, for some draw, a distribution does not fit the engine's integers, or no table is accurate enough.
    """
    numbers = scenario.elicited()
    shared = SharedTables(scenario)
    names = [(f"{tenant}/{job_class.name}", job_class) for _, tenant, job_class in scenario.classes()]
    owners = {path: k for k, (name, _) in enumerate(names) for path in _paths(numbers, name)}
    fixed = {
        k: class_sources(shared, k, name, job_class)
        for k, (name, job_class) in enumerate(names)
        if k not in owners.values()
    }
    sources: list[Source] = [source for k in fixed for source in fixed[k]]
    row_of = {id(source): row for row, source in enumerate(sources)}
    rows: list[list[int]] = []
    for replication in replications:
        values = elicited_values(numbers, seed, int(replication))
        drawn = list(scenario.drawn(values).classes()) if values else []
        row: list[int] = []
        for k, (name, _) in enumerate(names):
            if k in fixed:
                row += [row_of[id(source)] for source in fixed[k]]
                continue
            made = class_sources(shared, k, name, drawn[k].job_class)
            row += range(len(sources), len(sources) + len(made))
            sources += made
        rows.append(row)
    return shared.generator(tuple(sources), seed, np.array(rows, dtype=np.int32))


def _paths(numbers: Iterable[Elicited], name: str) -> list[str]:
    return [number.path for number in numbers if number.path.startswith(f"{name}.")]


def _share(seed: int, replication: int, path: str) -> float:
    """Share of a law's probability at which a number is drawn, strictly between 0 and 1."""
    key = zlib.crc32(path.encode())
    word = random_words(seed, STREAM_ELICITED, replication, key, np.zeros(1, np.int64))[0, 0]
    return (int(word) + 0.5) / _WORDS
