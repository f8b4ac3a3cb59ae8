"""Why jobs wait and GPUs idle: one cause for each waiting job and one label for each pool (R34-R36, S28, S29, S36)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpusim.engine.reference_quota import Use
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
        admitting = [pool for pool in self.run.allowed(i) if self.admits(i, pool, Use())]
        if not admitting:
            return "quota"
        roomy = [pool for pool in admitting if self.has_room(i, pool)]
        if not roomy:
            return "capacity"
        unclaimed = [pool for pool in roomy if self.admits(i, pool, self.kept())]
        if not unclaimed:
            return "quota"  # the room is kept for an owner
        return "priority" if any(self.could_start(i, pool) for pool in unclaimed) else "reservation"

    def label_of(self, pool: int) -> str:
        """Why the idle GPUs of a pool are idle."""
        run, now, kept = self.run, self.run.end_tick, self.kept()
        waiting = [i for i in run.waiting if pool in run.allowed(i)]
        held_back = [i for i in waiting if self.has_room(i, pool) and self.admits(i, pool, kept)]
        if any(run.closures.one_begins(pool, now, now + run.jobs[i].limit) for i in held_back):
            return "drained"
        if held_back:
            return "reserved"
        # none of those with room passes with what is kept: it is quotas unless somebody is just too large
        too_large = any(self.admits(i, pool, Use()) and not self.has_room(i, pool) for i in waiting)
        return "quota_idle" if waiting and not too_large else "free"

    def has_room(self, i: int, pool: int) -> bool:
        """Whether so many GPUs are idle."""
        return self.run.jobs[i].gpus <= self.run.free(pool)

    def kept(self) -> Use:
        """What the last pass of this tick has kept for owners (R20)."""
        return self.run.last_pass.owned if self.run.last_pass is not None else Use()

    def could_start(self, i: int, pool: int) -> bool:
        """Whether the profile that the last pass of this tick has left lets the job start now; without one it does."""
        last, job = self.run.last_pass, self.run.jobs[i]
        return last is None or last.profiles[pool].fits(last.now, job.limit, job.gpus)

    def admits(self, i: int, pool: int, kept: Use) -> bool:
        """The quota test with nothing reserved, and so much kept for owners."""
        quotas, row = self.run.quotas, self.run.class_of(i)
        if quotas is None or row.urgent:
            return True
        use = self.run.use()
        use.gpus.update(kept.gpus)  # adds
        return user_admits(self.run, i) and quotas.admits(row.tenant, pool, self.run.jobs[i].gpus, use, Use())
