"""An engine that makes numbers up: the critical size of every replication is known, so plans have a right answer.

`PretendCenter` takes the place of `run_batch`. In replication r the level whose first class is k is met exactly if
``gpus >= need[k] x L_r x demand`` and its limit is at least ``least[k]`` ticks, where L_r is lognormal around 1. The
GPU-time in use is ``use x L_r x demand``, as far as there are GPUs. Nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import gpusim
from gpusim.engine.result import CAUSES, COUNTS, IDLE, BatchResult
from gpusim.engine.spec import RunSpec

Int64 = npt.NDArray[np.int64]
JOBS = 1000
"""Jobs of every level in every replication."""

TEXT = """
schema: 1
name: pretended
center: {have: 1100}
tenants:
  - name: lab
    classes:
      - {name: runs, arrivals: {load: 800}, gpus: 1, run_time: {exponential: {mean: 1h}}, priority: 1}
      - {name: gangs, arrivals: {load: 100}, gpus: 8, run_time: {exponential: {mean: 1h}}}
policy: {backfill: 1}
slos:
  - wait <= 30min for 90% of runs jobs
  - turnaround <= 6h for 80% of gangs jobs
study: {horizon: 6d, warm_up: 1d, attainment: 90%, tolerance: 2%, granularity: 4}
"""


@cache
def _draw(seed: int, replication: int, k: int) -> float:
    return float(np.random.default_rng([seed, replication, k]).standard_normal())


@dataclass
class PretendCenter:
    """Stands in for `gpusim.engine.batch.run_batch`."""

    need: tuple[float, ...] = (1000.0, 980.0)
    spread: tuple[float, ...] = (0.02, 0.05)
    least: tuple[int, ...] = (0, 0)
    use: float = 900.0
    rare: float = 1.0  # share of replications in which the last class has jobs
    cells: int = 0
    batches: list[tuple[int, bool]] = field(default_factory=list)  # (cells, early) of every call

    def load(self, seed: int, replications: Int64, k: int) -> npt.NDArray[np.float64]:
        draws = [_draw(seed, int(r), k) for r in replications]
        return np.exp(self.spread[k] * np.array(draws, dtype=np.float64))

    def critical(self, seed: int, replications: Int64) -> npt.NDArray[np.float64]:
        """The size from which on all levels are met (where no limit is too short)."""
        loads = [need * self.load(seed, replications, k) for k, need in enumerate(self.need)]
        return np.max(loads, axis=0)

    def __call__(
        self,
        spec: RunSpec,
        replication: Int64,
        gpus: Int64,
        *,
        demand_ppm: Any = 1_000_000,
        draw: Any = 0,
        early: bool = False,
        histogram: bool = False,
        causes: bool = False,
        backend: str = "auto",
        threads: int = 1,
        progress: Callable[[int, int], bool] | None = None,
    ) -> BatchResult:
        n, classes, levels = len(replication), len(spec.classes), len(spec.levels)
        self.cells += n
        self.batches.append((n, early))
        rows = np.asarray(gpus, dtype=np.float64).reshape(n, spec.classes.n_pools)
        demand = np.broadcast_to(np.asarray(demand_ppm), (n,)) / 1e6
        slo = np.zeros((n, levels, 3), dtype=np.int64)
        for s in range(levels):
            k = int(np.flatnonzero(spec.levels.member[s])[0])
            share = int(spec.levels.share_ppm[s])
            enough = rows.sum(axis=1) >= self.need[k] * self.load(spec.seed, replication, k) * demand
            long = bool(spec.levels.limit[s, k] >= self.least[k])
            allowed = JOBS * (1_000_000 - share) // 1_000_000
            slo[:, s, 1] = np.where(enough & long, allowed, allowed + 1)
            slo[:, s, 0] = JOBS - slo[:, s, 1]
        met = slo[:, :, 0] * 1_000_000 >= spec.levels.share_ppm * slo[:, :, :2].sum(axis=2)
        window = spec.windows.count_end - spec.windows.warm_up
        used = np.minimum(self.use * self.load(spec.seed, replication, 0) * demand, rows.sum(axis=1))
        allocated = np.round(used * window).astype(np.int64)
        integrals = np.zeros((n, 4), dtype=np.int64)
        integrals[:, 0] = allocated
        counts = np.zeros((n, classes, len(COUNTS)), dtype=np.int64)
        counts[:, :, 0] = JOBS
        normal = np.array([_draw(9, int(r), 9) for r in replication])
        counts[:, -1, 0] *= normal < NormalDist().inv_cdf(min(self.rare, 1 - 1e-12))
        pools = np.zeros((n, rows.shape[1]), dtype=np.int64)
        pools[:, 0] = allocated
        idle = np.zeros((n, rows.shape[1], len(IDLE)), dtype=np.int64)
        idle[:, :, IDLE.index("free")] = rows * window - pools
        return BatchResult(
            status=np.zeros(n, dtype=np.int32),
            counts=counts,
            sums=np.zeros((n, classes, 3), dtype=np.int64),
            slo=slo,
            passed=met.all(axis=1),
            first_violated=np.where(met.all(axis=1), -1, np.argmin(met, axis=1)).astype(np.int32),
            pool_gpu_ticks=pools,
            integrals=integrals,
            extremes=np.zeros((n, 3), dtype=np.int64),
            jobs=np.full(n, classes * JOBS, dtype=np.int64),
            histogram=None,
            evictions=None,
            longest_cascade=None,
            causes=np.zeros((n, classes, len(CAUSES)), dtype=np.int64) if causes else None,
            idle=idle if causes else None,
            records=None,
            reruns=0,
            backend="cpu",
        )


def pretend(monkeypatch: pytest.MonkeyPatch, **center: Any) -> PretendCenter:
    """Put a pretended center where the plan calls the engine."""
    made = PretendCenter(**center)
    for module in ("runs", "infeasible"):
        monkeypatch.setattr(f"gpusim.plan.{module}.run_batch", made)
    return made


def scenario(*changes: str) -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TEXT, overrides=changes)
