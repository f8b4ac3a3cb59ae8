"""Copies between the host's arrays and a device through pinned memory, on a stream of their own, by CuPy.

The host fills or empties one half of the staging area while the device copies the other. As `csrc/cuda/staging.h`.
"""

from __future__ import annotations

import ctypes
from typing import Any

HALF_BYTES = 4 << 20
"""Of the staging area [byte]: a copy of so many takes far longer than what it costs to start it."""


class Staging:
    """One device's. Every call expects that the device is current.

    Parameters
    ----------
    cuda : module
        `cupy.cuda`.

    Attributes
    ----------
    stream : cupy.cuda.Stream
        The copies are in it, in the order of the calls.
    """

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self.stream = cuda.Stream(non_blocking=True)
        self._reached = cuda.Event(disable_timing=True)
        self._halves: list[_Half] | None = None
        self._turn = 0

    def upload(self, to: int, source: int, n: int) -> None:
        """Copy n bytes to the device; they may be changed when this returns, and may not have arrived yet."""
        kind = self._cuda.runtime.memcpyHostToDevice
        for begin in range(0, n, HALF_BYTES):
            size, half = min(HALF_BYTES, n - begin), self._free_half()
            if half is None:
                self._plain(to, source, n, kind)
                return
            ctypes.memmove(half.address, source + begin, size)
            self._start(half, to + begin, half.address, size, kind)

    def download(self, to: int, source: int, n: int) -> None:
        """Copy n bytes from the device; they are there when this returns."""
        kind = self._cuda.runtime.memcpyDeviceToHost
        flying: list[tuple[_Half, int, int]] = []
        for begin in range(0, n, HALF_BYTES):
            size, half = min(HALF_BYTES, n - begin), self._free_half()
            if half is None:
                self._plain(to, source, n, kind)
                return
            self._start(half, half.address, source + begin, size, kind)
            flying.append((half, to + begin, size))
            if len(flying) == 2:
                _land(*flying.pop(0))
        for last in flying:
            _land(*last)

    def before(self, stream: Any) -> None:
        """Have what comes next in another stream wait for all copies started so far."""
        self._reached.record(self.stream)
        stream.wait_event(self._reached)

    def _free_half(self) -> _Half | None:
        """The half whose turn it is, when its last copy has ended; None if there is no pinned memory."""
        if self._halves is None:
            try:
                self._halves = [_Half(self._cuda) for _ in range(2)]
            except self._cuda.runtime.CUDARuntimeError:
                self._halves = []
        if not self._halves:
            return None
        self._turn = 1 - self._turn
        half = self._halves[self._turn]
        half.copied.synchronize()
        return half

    def _start(self, half: _Half, to: int, source: int, n: int, kind: int) -> None:
        self._cuda.runtime.memcpyAsync(to, source, n, kind, self.stream.ptr)
        half.copied.record(self.stream)

    def _plain(self, to: int, source: int, n: int, kind: int) -> None:
        self._cuda.runtime.memcpyAsync(to, source, n, kind, self.stream.ptr)
        self.stream.synchronize()


class _Half:
    def __init__(self, cuda: Any) -> None:
        self._memory = cuda.alloc_pinned_memory(HALF_BYTES)
        self.address = int(self._memory.ptr)
        self.copied = cuda.Event(disable_timing=True)


def _land(half: _Half, to: int, n: int) -> None:
    half.copied.synchronize()
    ctypes.memmove(to, half.address, n)
