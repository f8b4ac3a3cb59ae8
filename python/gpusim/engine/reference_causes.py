"""Why jobs wait and GPUs idle: one cause for each waiting job and one label for each pool (R34-R36, S28, S29, S36)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpusim.engine.reference_quota import Use
from gpusim.engine.reference_terms import NONE, SKIP
from gpusim.engine.reference_users import user_admits

if TYPE_CHECKING:
    from gpusim.engine.reference_center import Center

CAUSES = ("held", "behind_own", "quota", "reservation", "priority", "capacity", "fragmentation", "down")
LABELS = ("reserved", "quota_idle", "free", "fragmented", "drained", "closed")


class Ledger:
    """Causes and labels as they are, and the GPU-ticks charged to them inside the window."""

    def __init__(self, run: Center, window: tuple[int, int]) -> None:
        self.run, self.window = run, window
        self.cause: dict[int, str] = {}  # by waiting job
        self.label = ["free"] * len(run.gpus)  # of all idle GPUs of a pool
        self.causes = [dict.fromkeys(CAUSES, 0) for _ in run.classes]  # [GPU-ticks] by class
        self.idle = [dict.fromkeys((*LABELS, "allocated"), 0) for _ in run.gpus]  # [GPU-ticks] by pool

    def charge(self, begin: int, end: int) -> None:
        """Nothing changes during [begin, end)."""
        run, ticks = self.run, min(end, self.window[1]) - max(begin, self.window[0])
        if ticks <= 0:
            return
        for i in run.waiting:
            self.causes[run.jobs[i].job_class][self.cause[i]] += ticks * run.jobs[i].gpus
        for i in run.held:
            self.causes[run.jobs[i].job_class]["held"] += ticks * run.jobs[i].gpus
        for pool, gpus in enumerate(run.gpus):
            free, closed = run.free(pool), run.closures.closed(pool, run.end_tick)
            self.idle[pool]["allocated"] += ticks * (gpus - closed - free)
            self.idle[pool]["closed"] += ticks * closed
            self.idle[pool][self.label[pool]] += ticks * free

    def renew(self) -> None:
        """The last pass of a tick is over: everything is judged again."""
        self.cause = {}
        self.admit()
        self.label = [self.label_of(pool) for pool in range(len(self.run.gpus))]

    def admit(self) -> None:
        """Jobs that have joined get a cause at once; the others keep theirs."""
        run = self.run
        first: dict[tuple[int, int], int] = {}  # of each line: (tier, tenant)
        for i in sorted(run.waiting, key=run.rank):
            first.setdefault((run.class_of(i).tier, run.class_of(i).tenant), i)
        fresh = [i for i in run.waiting if i not in self.cause]
        occupied = {(run.class_of(i).tier, run.class_of(i).tenant) for i in run.waiting if i in self.cause}
        self.cause = {i: self.cause[i] for i in run.waiting if i in self.cause}
        for i in fresh:
            line = (run.class_of(i).tier, run.class_of(i).tenant)
            alone = first[line] == i and line not in occupied
            self.cause[i] = self.cause_of(i) if alone else "behind_own"

    def cause_of(self, i: int) -> str:
        """Why the first job of a line waits."""
        run = self.run
        admitting = [pool for pool in run.allowed(i) if self.admits(i, pool)]
        if not admitting:
            return "quota"
        if any(run.jobs[i].gpus <= run.free(pool) for pool in admitting):
            return "priority" if run.policy.backfill in (NONE, SKIP) else "reservation"
        return "capacity"

    def label_of(self, pool: int) -> str:
        """Why the idle GPUs of a pool are idle."""
        run = self.run
        waiting = [i for i in run.waiting if pool in run.allowed(i)]
        admitted = [i for i in waiting if self.admits(i, pool)]
        small = [run.jobs[i] for i in admitted if run.jobs[i].gpus <= run.free(pool)]
        now = run.end_tick
        if any(run.closures.one_begins(pool, now, now + job.limit) for job in small):
            return "drained"
        if small:
            return "reserved"
        return "quota_idle" if waiting and not admitted else "free"

    def admits(self, i: int, pool: int) -> bool:
        """The quota test with nothing reserved and nothing kept for owners."""
        quotas, row = self.run.quotas, self.run.class_of(i)
        if quotas is None or row.urgent:
            return True
        gang = self.run.jobs[i].gpus
        return user_admits(self.run, i) and quotas.admits(row.tenant, pool, gang, self.run.use(), Use())
