"""A device of the driver whose memory is the host's and whose workers are 32 emulated lanes: the mapping without a GPU.

As an engine it is a module with `reason` and `devices`, like those of `gpusim.engine.backend.MODULES`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from gpusim import _native
from gpusim.engine import backend
from gpusim.engine.device_arrays import DeviceArray
from gpusim.errors import DeviceMemoryError, Problem

ALIGNED = 256


class EmulatedDevice:
    """Device over host memory.

    Attributes
    ----------
    memory : dict
        What is allocated, by its address. Whatever is written beyond its end is found when it is released.
    said : list of str
        Calls in their order, to be looked at.
    beside : list of str
        Calls that touched memory while a launch was under way that did not use it. One that does is an error.
    polls : int
        So often `ready` says that a launch is still under way; without end if negative.
    """

    def __init__(
        self,
        name: str = "emulated",
        *,
        index: int = 0,
        processors: int = 2,
        workers: int = 4,
        shared_bytes: int = 64 << 10,
        total_bytes: int = 1 << 30,
        polls: int = -1,
    ) -> None:
        self.name, self.index, self.processors, self.shared_bytes = name, index, processors, shared_bytes
        self.workers, self.total_bytes = workers, total_bytes
        self.memory: dict[int, npt.NDArray[np.uint8]] = {}
        self.said: list[str] = []
        self.beside: list[str] = []
        self.polls, self._asked = polls, 0
        self.launches: list[tuple[str, int, int]] = []
        self.most_bytes = 0
        self._waiting: tuple[str, int, int, bytes] | None = None

    def workers_per_processor(self, family: str) -> int:
        assert family in ("in_order", "easy", "any", "shared")
        return self.workers

    @property
    def used_bytes(self) -> int:
        return sum(len(block) - 2 * ALIGNED for block in self.memory.values())

    def free_bytes(self) -> int:
        return self.total_bytes - self.used_bytes

    def allocate(self, n: int) -> int:
        self.said.append("allocate")
        if n > self.free_bytes():
            raise DeviceMemoryError([Problem(self.name, "is out of memory", "", "run/device-memory", str(n))])
        block = np.full(n + 2 * ALIGNED, 0xA5, np.uint8)  # what a run does not write first must not matter
        address = -(-block.ctypes.data // ALIGNED) * ALIGNED
        self.memory[address] = block
        self.most_bytes = max(self.most_bytes, self.used_bytes)
        return address

    def release(self, address: int) -> None:
        self._beside("release", address, 1)
        block = self.memory.pop(address)
        begin = address - block.ctypes.data
        assert (block[:begin] == 0xA5).all()
        assert (block[begin + len(block) - 2 * ALIGNED :] == 0xA5).all(), "written beyond the end"

    def upload(self, address: int, array: npt.NDArray[Any]) -> None:
        self.said.append("upload")
        assert array.flags.c_contiguous
        self._beside("upload", address, array.nbytes)
        ctypes.memmove(self._inside(address, array.nbytes), array.ctypes.data, array.nbytes)

    def download(self, address: int, array: npt.NDArray[Any]) -> None:
        self._beside("download", address, array.nbytes)
        assert array.flags.c_contiguous
        ctypes.memmove(array.ctypes.data, self._inside(address, array.nbytes), array.nbytes)

    def zero(self, address: int, n: int) -> None:
        self._beside("zero", address, n)
        ctypes.memset(self._inside(address, n), 0, n)

    def array(self, address: int, shape: tuple[int, ...], dtype: Any, owner: object) -> DeviceArray:
        return DeviceArray(self, address, shape, dtype, owner)

    def launch(self, family: str, blocks: int, shared_bytes: int, arguments: bytes) -> None:
        assert self._waiting is None, "two launches at once"
        self.said.append("launch")
        self.launches.append((family, blocks, shared_bytes))
        self._waiting = family, blocks, shared_bytes, arguments
        self._asked = 0

    def ready(self) -> bool:
        self._asked += 1
        return self._waiting is None or 0 <= self.polls < self._asked

    def wait(self) -> None:
        self.said.append("wait")
        assert self._waiting is not None
        waiting, self._waiting = self._waiting, None
        _native.emulate(*waiting)

    def _beside(self, call: str, address: int, n: int) -> None:
        """Note a call that touches n bytes from an address; the launch under way must not use their block."""
        if self._waiting is None:
            return
        block = next(start for start in self.memory if start <= address < start + self._size(start))
        words = np.frombuffer(self._waiting[3], np.uint64)  # whatever of it is an address of the block
        assert not np.any((words >= block) & (words < block + self._size(block))), f"{call} under a kernel"
        self.beside.append(call)

    def _size(self, start: int) -> int:
        return len(self.memory[start]) - 2 * ALIGNED

    def _inside(self, address: int, n: int) -> int:
        """The address, if n bytes from it on lie in one block."""
        assert any(start <= address and address + n <= start + self._size(start) for start in self.memory)
        return address


present: list[EmulatedDevice] = []
"""Devices of the engine."""


def reason() -> str | None:
    return None if present else "nothing is emulated; use `emulated`"


def devices() -> list[EmulatedDevice]:
    return present


@contextmanager
def emulated(*own: EmulatedDevice) -> Iterator[list[EmulatedDevice]]:
    """Have `backend="emulated"` run on these devices, one by default."""
    before = list(present)
    present[:] = own or [EmulatedDevice()]
    try:
        with patch.dict(backend.MODULES, {"emulated": __name__}):
            backend.ask_again()
            yield present
    finally:
        present[:] = before
        backend.ask_again()
