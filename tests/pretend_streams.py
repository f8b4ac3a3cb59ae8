"""Streams and events of CUDA as `cupy.cuda` has them, where everything is done as late as their rules allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Work = Callable[[], None]


class PretendedStream:
    """Its work is done in order, and none of it before somebody waits for it."""

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr
        self.work: deque[Work] = deque()

    @property
    def done(self) -> bool:
        return not self.work

    def synchronize(self) -> None:
        while self.work:
            self.work.popleft()()

    def wait_event(self, event: PretendedEvent) -> None:
        reached = event.reached  # what was recorded last, now
        self.work.append(lambda: event.run_to(reached))


class PretendedEvent:
    """Reached when all has been done that was in the stream as it was recorded last; at once if it never was."""

    def __init__(self, *, disable_timing: bool) -> None:
        assert disable_timing
        self.reached: Mark | None = None

    def record(self, stream: PretendedStream) -> None:
        self.reached = Mark(stream)
        stream.work.append(self.reached)

    def synchronize(self) -> None:
        self.run_to(self.reached)

    @staticmethod
    def run_to(mark: Mark | None) -> None:
        while mark is not None and not mark.passed:
            mark.stream.work.popleft()()


class Mark:
    def __init__(self, stream: PretendedStream) -> None:
        self.stream, self.passed = stream, False

    def __call__(self) -> None:
        self.passed = True
