"""Times in which a pool has fewer GPUs (S36)."""

from collections.abc import Sequence
from itertools import pairwise

from gpusim.engine.reference_profile import Profile
from gpusim.engine.reference_terms import Closure


class Closures:
    """The closures of a run, all of them known from the beginning."""

    def __init__(self, closures: Sequence[Closure], gpus: Sequence[int]) -> None:
        self.closures, self.gpus = closures, gpus
        self.ticks = sorted({tick for one in closures for tick in (one.start, one.end)})  # events

    def next_after(self, now: int) -> list[int]:
        """The next tick at which a closure begins or ends, if there is one."""
        return [tick for tick in self.ticks if tick > now][:1]

    def closed(self, pool: int, now: int) -> int:
        """GPUs that a pool lacks; it never lacks more than it has."""
        open_now = [one.gpus for one in self.closures if one.pool == pool and one.start <= now < one.end]
        return min(self.gpus[pool], sum(open_now))

    def carve(self, profile: Profile, pool: int, now: int) -> None:
        """Take all closures out of the profile of a pool."""
        ticks = [now, *(tick for tick in self.ticks if tick > now)]
        for begin, end in pairwise(ticks):
            profile.carve(begin, end, self.closed(pool, begin))

    def one_begins(self, pool: int, after: int, before: int) -> bool:
        """Whether a closure of the pool begins later than `after` and earlier than `before`."""
        return any(one.pool == pool and after < one.start < before for one in self.closures)
