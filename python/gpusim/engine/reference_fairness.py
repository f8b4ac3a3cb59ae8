"""What tenants have used, and the keys that follow from it (R10, R11, S30)."""

from collections.abc import Mapping

from gpusim.engine.reference_fair_tree import ranks
from gpusim.engine.reference_terms import Fairness

LAST = 2**62  # level key of who has no weight


def level_key(usage: int, weight: int) -> int:
    """Usage for each unit of weight, in units of 2^-20; the smaller goes first."""
    return min(LAST - 1, usage * 2**20 // weight) if weight > 0 else LAST


class FairKeys:
    """Decayed usage by tenant, and what follows from it. All of it changes at multiples of the period only."""

    def __init__(self, fairness: Fairness, tenants: int) -> None:
        self.fairness = fairness
        self.usage = [0] * tenants  # [GPU-ticks]
        self.recent = [0] * tenants  # [GPU-ticks] since the last multiple
        self.level = [0] * tenants  # level keys of the tenants
        self.rank = [0] * tenants  # in Fair Tree
        self.judge()

    def last_until(self, now: int) -> int:
        """The last tick, at most `now`, at which keys are computed."""
        return now // self.fairness.calc_period * self.fairness.calc_period

    def next_after(self, now: int) -> int:
        """The next one."""
        return self.last_until(now) + self.fairness.calc_period

    def elapse(self, begin: int, end: int, gpus: Mapping[int, int]) -> None:
        """Tenants use this many GPUs during [begin, end); a multiple at `end` is computed too."""
        while begin < end:
            until = min(end, self.next_after(begin))
            for tenant in range(len(self.recent)):
                self.recent[tenant] += (until - begin) * gpus[tenant]
            if until == self.last_until(until):
                self.compute()
            begin = until

    def compute(self) -> None:
        """Decay, add the last period, judge everybody anew."""
        for tenant, used in enumerate(self.usage):
            self.usage[tenant] = used * self.fairness.decay_q32 // 2**32 + self.recent[tenant]
            self.recent[tenant] = 0
        self.judge()

    def judge(self) -> None:
        """Keys and ranks as of the usage now."""
        self.level = [
            level_key(used, weight) for used, weight in zip(self.usage, self.fairness.weight, strict=False)
        ]
        self.rank = ranks(self.paths())

    def paths(self) -> list[tuple[int, ...]]:
        """Level keys from the top of the tree of accounts down to each tenant (S31)."""
        return [self.path(tenant) for tenant in range(len(self.usage))]

    def path(self, node: int) -> tuple[int, ...]:
        """Level keys from the top down to this tenant or account."""
        key = level_key(self.used_below(node), self.fairness.weight[node])
        above = self.above(node)
        return (key,) if above < 0 else (*self.path(above), key)

    def used_below(self, node: int) -> int:
        """Usage of a tenant, or of all tenants below an account [GPU-ticks]."""
        if node < len(self.usage):
            return self.usage[node]
        nodes = range(len(self.fairness.account_parent))
        return sum(self.used_below(child) for child in nodes if self.above(child) == node)

    def above(self, node: int) -> int:
        """The account that a tenant or account belongs to; -1: none."""
        return self.fairness.account_parent[node] if self.fairness.account_parent else -1
