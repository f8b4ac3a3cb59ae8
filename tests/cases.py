"""Random small centers for comparing engines: ties on purpose, every policy, tight room."""

from __future__ import annotations

import random
from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np

from gpusim.engine import reference as oracle
from gpusim.engine import spec
from gpusim.engine.result import COUNTS, EXTREMES, INTEGRALS, OUTCOMES, SLO_COUNTS, SUMS, BatchResult
from gpusim.workload.jobs import Jobs


@dataclass(frozen=True)
class Case:
    """One center, in the oracle's own terms."""

    jobs: tuple[oracle.Job, ...]
    classes: tuple[oracle.JobClass, ...]
    policy: oracle.Policy
    gpus: int
    windows: oracle.Windows
    slos: tuple[oracle.Slo, ...]

    def answer(self) -> oracle.Outcome:
        return oracle.simulate(self.jobs, self.classes, self.policy, self.gpus, self.windows, self.slos)

    def spec(self, *, always_profile: bool = False) -> spec.RunSpec:
        column = lambda name: [getattr(job, name) for job in self.jobs]  # noqa: E731
        tenants = 1 + max(c.tenant for c in self.classes)
        bounds = (*self.policy.tenant_max_waiting, *[-1] * tenants)[:tenants]
        member = np.array(
            [[k in slo.classes for k in range(len(self.classes))] for slo in self.slos], dtype=bool
        )
        return spec.RunSpec(
            jobs=Jobs(**{name: column(name) for name in ("submit", "service", "limit", "gpus", "job_class")}),
            classes=spec.ClassTable(
                [c.tier for c in self.classes],
                [c.tenant for c in self.classes],
                [c.patience for c in self.classes],
                tenants,
            ),
            policy=spec.Policy(
                backfill=self.policy.backfill,
                kill_at_limit=self.policy.kill_at_limit,
                max_waiting=self.policy.max_waiting,
                tenant_max_waiting=bounds,
                always_profile=always_profile,
            ),
            windows=spec.Windows(self.windows.warm_up, self.windows.count_end, self.windows.horizon),
            slos=spec.SloTable(
                [s.limit for s in self.slos],
                [s.share_ppm for s in self.slos],
                member.reshape(len(self.slos), len(self.classes)),
            ),
        )


def differences(result: BatchResult, expected: oracle.Outcome) -> dict[str, tuple[object, object]]:
    """Every field in which the engine's only cell differs from the oracle."""
    found: dict[str, object] = {
        "counts": [dict(zip(COUNTS, row, strict=True)) for row in result.counts[0].tolist()],
        "sums": [dict(zip(SUMS, row, strict=True)) for row in result.sums[0].tolist()],
        "slo": [dict(zip(SLO_COUNTS, row, strict=True)) for row in result.slo[0].tolist()],
        "passed": bool(result.passed[0]),
        "integrals": dict(zip(INTEGRALS, result.integrals[0].tolist(), strict=True)),
        "jobs": int(result.jobs[0]),
        **dict(zip(EXTREMES, result.extremes[0].tolist(), strict=True)),
    }
    if result.records is not None:
        found["start"] = result.records.start.tolist()
        found["end"] = result.records.end.tolist()
        found["outcome"] = [OUTCOMES[k] for k in result.records.outcome]
    return {
        name: (value, getattr(expected, name))
        for name, value in found.items()
        if value != getattr(expected, name)
    }


def random_case(seed: int) -> Case:
    """A center of 1-24 GPUs with up to 60 jobs of up to 4 classes, crowded enough that jobs wait and tie."""
    rng = random.Random(seed)
    gpus = rng.choice([1, 2, 3, 5, 8, 12, 24])
    classes = tuple(
        oracle.JobClass(
            tier=rng.choice([0, 0, 0, 1, -1, 2]),
            tenant=rng.randrange(3),
            patience=rng.choice([-1, -1, -1, 0, 1, 3, 10, 40]),
        )
        for _ in range(rng.randint(1, 4))
    )
    span = rng.choice([0, 3, 20, 60, 200])
    longest = rng.choice([2, 5, 12, 40])
    largest = rng.choice([1, 2, max(1, gpus // 2), gpus, gpus, gpus + 1])
    exact = rng.random() < 0.4

    def job() -> oracle.Job:
        service = rng.randint(1, longest)
        limit = service if exact else rng.randint(1, 2 * longest)
        return oracle.Job(
            rng.randint(0, span), service, limit, rng.randint(1, largest), rng.randrange(len(classes))
        )

    jobs = tuple(sorted((job() for _ in range(rng.randint(1, 60))), key=lambda j: j.submit))
    warm_up = rng.choice([0, 0, 5, 30])
    count_end = warm_up + rng.choice([0, span // 2, span + 1, 3 * span])
    slos = tuple(
        oracle.Slo(
            rng.choice([0, 1, 2, 5, 20, 100]),
            rng.choice([0, 500_000, 800_000, 900_000, 1_000_000]),
            frozenset(rng.sample(range(len(classes)), rng.randint(1, len(classes)))),
        )
        for _ in range(rng.randint(0, 3))
    )
    policy = oracle.Policy(
        backfill=rng.choice([oracle.NONE, oracle.SKIP, oracle.ALL, oracle.ALL, 1, 1, 1, 2, 3]),
        kill_at_limit=rng.random() < 0.5,
        max_waiting=rng.choice([-1, -1, -1, 0, 1, 4, 10]),
        tenant_max_waiting=rng.choice([(), (), (), (0, -1, 2), (3, 1, -1), (5, 5, 5)]),
    )
    windows = oracle.Windows(warm_up, count_end, count_end + rng.choice([0, 1, 7, 100, 5000]))
    return Case(jobs, classes, policy, gpus, windows, slos)


def cases() -> st.SearchStrategy[Case]:
    """Random cases; a failing one is named by its seed."""
    return st.integers(0, 2**63).map(random_case)
