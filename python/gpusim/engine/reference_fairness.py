"""Keys of the fair order: who has used much of late comes later (R10, R11, S30)."""

from collections.abc import Mapping

from gpusim.engine.reference_terms import Sharing


class FairKeys:
    """Decayed usage by tenant, and the keys that follow from it. Both change at multiples of the period only."""

    def __init__(self, sharing: Sharing) -> None:
        self.period, self.decay = sharing.calc_period, sharing.decay_q32
        self.weight = [tenant.weight for tenant in sharing.tenants]
        self.usage = [0 for _ in sharing.tenants]  # [GPU-ticks]
        self.recent = [0 for _ in sharing.tenants]  # [GPU-ticks] since the last multiple
        self.key = [0 for _ in sharing.tenants]  # the smaller goes first

    def next_after(self, now: int) -> int:
        """The next tick at which keys are computed."""
        return (now // self.period + 1) * self.period

    def elapse(self, begin: int, end: int, gpus: Mapping[int, int]) -> None:
        """Tenants use this many GPUs during [begin, end); a multiple at `end` is computed too."""
        while begin < end:
            until = min(end, self.next_after(begin))
            for tenant in range(len(self.recent)):
                self.recent[tenant] += (until - begin) * gpus[tenant]
            if until % self.period == 0:
                self.compute()
            begin = until

    def compute(self) -> None:
        """Decay, add the last period, divide by the weight."""
        for tenant, weight in enumerate(self.weight):
            self.usage[tenant] = self.usage[tenant] * self.decay // 2**32 + self.recent[tenant]
            self.recent[tenant] = 0
            self.key[tenant] = self.usage[tenant] * 2**20 // weight
