"""Offered load over time: the GPUs that the jobs of a replication would hold if none ever waited.

The number in service of M_t/G/infinity, for one realisation of everything random. It is known without scheduling, at a
sixth of the cost of a run or less, and tells when a period will be hard before it is run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpusim.engine import cpu
from gpusim.engine.batch import MAX_DEMAND, MAX_REPLICATIONS
from gpusim.engine.checked import column, integer, refuse
from gpusim.engine.limits import FOREVER, MILLION
from gpusim.engine.spec import RunSpec
from gpusim.workload.source import Generator

Int64 = npt.NDArray[np.int64]

_MOST_INSTANTS = 4096


@dataclass(frozen=True)
class OfferedLoad:
    """Offered load of some replications at equidistant instants, the first of which is tick 0.

    Attributes
    ----------
    spacing : int
        Ticks between two instants, a power of two.
    held : (n, k) int64
        GPUs of the jobs that would run at each instant: those submitted (in a chain: eligible) by then, whose
        run time is not over.
    asked : (n, k) int64
        GPUs that counted jobs of the marked classes, submitted after the instant before and not after this one, ask
        for.
    """

    spacing: int
    held: Int64
    asked: Int64


def offered_load(
    spec: RunSpec,
    replications: npt.ArrayLike,
    *,
    classes: tuple[int, ...] = (),
    demand_ppm: int = MILLION,
    threads: int = 1,
) -> OfferedLoad:
    """Offered load of replications over time.

    Parameters
    ----------
    spec : RunSpec
        Capacities, policy (but for killing at limits) and levels do not matter.
    replications : array_like of int
        Replications of generated jobs, or rows of stored workloads.
    classes : tuple of int
        Classes whose submissions are noted in `OfferedLoad.asked`.
    demand_ppm : int
        Demand in millionths of the nominal one.
    threads : int

    Returns
    -------
    OfferedLoad

    Raises
    ------
    RunError
        If an argument is out of range, or the workloads have no horizon.
    """
    generated, horizon = isinstance(spec.jobs, Generator), spec.windows.horizon
    if horizon == FOREVER:
        raise refuse("windows.horizon", "is missing", "give a horizon")
    last = (MAX_REPLICATIONS if generated else len(spec.tables)) - 1
    numbers = column("replication", replications, np.int64, 0, last)
    demand = integer("demand_ppm", demand_ppm, *((1, MAX_DEMAND) if generated else (MILLION, MILLION)))
    if isinstance(spec.jobs, Generator):
        spec.jobs.check_demand(demand, demand)
    marked = np.zeros(len(spec.classes.tier), dtype=np.uint8)
    for k in classes:
        marked[integer("classes", k, 0, len(marked) - 1)] = 1
    shift = max(0, (horizon - 1).bit_length() - _MOST_INSTANTS.bit_length() + 1)
    arrays = cpu.offered(
        spec,
        {"replication": numbers, "marked": marked},
        demand_ppm=demand,
        shift=shift,
        instants=-(-horizon >> shift),
        threads=threads,
    )
    return OfferedLoad(1 << shift, arrays["held"], arrays["asked"])
