"""Free GPUs of a pool over time, as a pass of the oracle sees them."""

from bisect import bisect_left


class Profile:
    """Free GPUs of a pool over time, in steps: free[i] from times[i] until times[i + 1], the last for ever."""

    def __init__(self, now: int, gpus: int) -> None:
        self.times = [now]
        self.free = [gpus]

    def carve(self, begin: int, end: int, gpus: int) -> None:
        """Take `gpus` away during [begin, end)."""
        for time in (begin, end):
            i = bisect_left(self.times, time)
            if i == len(self.times) or self.times[i] != time:  # cut the step that contains `time` in two
                self.times.insert(i, time)
                self.free.insert(i, self.free[i - 1])
        for i in range(bisect_left(self.times, begin), bisect_left(self.times, end)):
            self.free[i] -= gpus

    def fits(self, begin: int, length: int, gpus: int) -> bool:
        """Whether `gpus` are free during all of [begin, begin + length); `begin` is one of `times`."""
        for i in range(bisect_left(self.times, begin), len(self.times)):
            if self.times[i] >= begin + length:
                break
            if self.free[i] < gpus:
                return False
        return True

    def earliest(self, length: int, gpus: int) -> int:
        """First time from which `gpus` are free for `length` ticks; always the start of a step."""
        return next(time for time in self.times if self.fits(time, length, gpus))

    def copy(self) -> "Profile":
        """Another one with the same steps."""
        other = Profile(0, 0)
        other.times, other.free = list(self.times), list(self.free)
        return other
