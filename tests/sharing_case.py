"""One center shared by tenants, worked out by hand: what is asked, and every start and eviction that must follow.

The cases are in files of their own, such as sharing_quota_cases.py and cause_cases.py; sharing_cases.py lists them
all, for any engine.

Notation of the drawings: A(submit, GPUs, run time, tenant); "A 0-5" holds its GPUs
during ticks 0..4; a row of the picture is a job, a column a tick (or a few), "x" an eviction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gpusim.engine import reference as oracle
from gpusim.engine.reference import (
    Closure,
    Fairness,
    Job,
    JobClass,
    Outcome,
    Policy,
    Sharing,
    Tenant,
    Windows,
)

H = 1000
CAUSES = ("held", "behind_own", "quota", "reservation", "priority", "capacity", "fragmentation", "down")
NO_CAUSE = dict.fromkeys(CAUSES, 0)
LABELS = ("reserved", "quota_idle", "free", "fragmented", "drained", "closed", "allocated")
NO_IDLE = dict.fromkeys(LABELS, 0)


@dataclass(frozen=True)
class SharingCase:
    """A center in the oracle's terms, and what must come of it."""

    name: str
    jobs: tuple[Job, ...]
    classes: tuple[JobClass, ...]
    sharing: Sharing | None
    gpus: tuple[int, ...]  # by pool
    starts: tuple[tuple[int, ...], ...]  # (tick, job), or (tick, job, pool) outside pool 0, in order
    evictions: tuple[tuple[int, int], ...] = ()  # (tick, job), in order
    ends: tuple[int, ...] = ()  # by job, -1 never
    policy: Policy = field(default_factory=Policy)
    windows: Windows = field(default_factory=lambda: Windows(0, H, H))
    outcome: dict[int, str] = field(default_factory=dict)  # of jobs that do not finish
    also: dict[str, object] = field(default_factory=dict)  # further fields of the outcome
    fairness: Fairness | None = None
    closures: tuple[Closure, ...] = ()

    def answer(self) -> Outcome:
        return oracle.simulate(
            self.jobs,
            self.classes,
            self.policy,
            self.gpus,
            self.windows,
            [],
            self.sharing,
            self.fairness,
            self.closures,
        )

    def expected(self) -> dict[str, object]:
        """The fields of the outcome that were worked out."""
        return {
            "starts": [(*start, 0)[:3] for start in self.starts],
            "evictions": list(self.evictions),
            "end": list(self.ends),
            "outcome": [self.outcome.get(i, "finished") for i in range(len(self.jobs))],
            **self.also,
        }


def job(submit: int, gpus: int, run: int, c: int = 0, limit: int | None = None, after: int = -1) -> Job:
    """A job in the order of the drawings; the limit is exact unless given."""
    return Job(submit, run, run if limit is None else limit, gpus, c, after)


def flat(*nominal: int, alone: bool = False, **tenant: object) -> Sharing:
    """Tenants of these nominals in one pool, in one cohort or each alone, alike in everything else."""
    parent = -1 if alone else len(nominal)
    rows = tuple(Tenant(parent=parent, nominal=(n,), **tenant) for n in nominal)  # type: ignore[arg-type]
    return Sharing(rows, () if alone else (oracle.Cohort(),))
