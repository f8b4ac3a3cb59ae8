"""A `CupyDevice` calls CuPy as CUDA wants to be called; here CuPy is a pretence over host memory and emulated lanes."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emulated_device import EmulatedDevice, emulated
from gpusim import _native
from gpusim.engine import cupy, cupy_compiler, cupy_staging
from gpusim.engine.batch import run_batch
from gpusim.engine.cupy import CupyDevice
from gpusim.errors import DeviceMemoryError, RunError
from pretend_streams import PretendedEvent, PretendedStream
from test_device_contract import sliced, unequal
from test_device_driver import spec_of
from test_device_turns import question, turns

ARGUMENTS = 4096
"""Most bytes of a kernel's arguments."""


class Failure(RuntimeError):
    def __init__(self, status: int) -> None:
        super().__init__(f"cudaError {status}")
        self.status = status


class Pretence:
    """The parts of `cupy.cuda` that a device uses, each call checked against what CUDA would say."""

    def __init__(self) -> None:
        self.below = EmulatedDevice()
        self.current: list[int] = []
        self.dynamic: dict[int, int] = {}
        self.status = 0
        self.pinned: list[npt.NDArray[np.uint8]] | None = []
        self.streams: list[PretendedStream] = []
        self.Event = PretendedEvent
        self.loaded: list[bytes] = []
        self.function = SimpleNamespace(Module=self.module)
        self.runtime = SimpleNamespace(
            CUDARuntimeError=Failure,
            memcpyHostToDevice=1,
            memcpyDeviceToHost=2,
            getDeviceProperties=lambda i: {
                "name": b"Pretended GPU",
                "multiProcessorCount": 3,
                "sharedMemPerMultiprocessor": 64 << 10,
            },
            deviceGetAttribute=lambda attribute, i: {75: 9, 76: 0}[attribute],
            memGetInfo=lambda: (self.below.free_bytes(), self.below.total_bytes),
            malloc=self.malloc,
            free=self.on_device(self.below.release),
            memcpyAsync=self.copy,
            memsetAsync=self.clear,
        )
        self.driver = SimpleNamespace(
            CUDADriverError=type("CUDADriverError", (RuntimeError,), {}),
            occupancyMaxActiveBlocksPerMultiprocessor=lambda f, threads, shared: 1 if threads == 128 else 0,
            funcSetAttribute=self.set_attribute,
            launchKernel=self.launch,
        )

    def on_device(self, call: Any) -> Any:
        def checked(*args: Any) -> Any:
            assert self.current == [1], "another device is current"
            return call(*args)

        return checked

    def Device(self, index: int) -> Any:
        pretence = self

        class Current:
            def __enter__(self) -> None:
                pretence.current.append(index)

            def __exit__(self, *_: object) -> None:
                pretence.current.pop()

        return Current()

    def Stream(self, *, non_blocking: bool) -> PretendedStream:
        assert non_blocking
        assert self.current == [1]
        self.streams.append(PretendedStream(77 + len(self.streams)))
        return self.streams[-1]

    def into(self, stream: int, work: Any) -> None:
        """Have it done in its turn, which is when somebody waits for it."""
        assert self.current == [1]
        self.streams[stream - 77].work.append(work)

    def alloc_pinned_memory(self, n: int) -> Any:
        assert self.current == [1]
        if self.pinned is None:
            raise Failure(2)
        self.pinned.append(np.zeros(n, np.uint8))
        return SimpleNamespace(ptr=self.pinned[-1].ctypes.data)

    def malloc(self, n: int) -> int:
        assert self.current == [1]
        if n > self.below.free_bytes():
            raise Failure(2)
        return self.below.allocate(n)

    def copy(self, to: int, source: int, n: int, kind: int, stream: int) -> None:
        inside, outside = (to, source) if kind == 1 else (source, to)
        self.below._inside(inside, n)
        if any(half.ctypes.data <= outside < half.ctypes.data + len(half) for half in self.pinned or ()):
            self.into(stream, lambda: ctypes.memmove(to, source, n))
        else:  # memory that is not pinned: the host waits
            self.streams[stream - 77].synchronize()
            ctypes.memmove(to, source, n)

    def clear(self, address: int, value: int, n: int, stream: int) -> None:
        assert value == 0
        self.into(stream, lambda: self.below.zero(address, n))

    def module(self) -> Any:
        def get(name: str) -> Any:
            return SimpleNamespace(
                ptr=1 + ["gpusim_in_order", "gpusim_easy", "gpusim_any", "gpusim_shared"].index(name)
            )

        return SimpleNamespace(load=self.loaded.append, get_function=get)

    def set_attribute(self, function: int, attribute: int, value: int) -> None:
        assert attribute == 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        self.dynamic[function] = value

    def launch(
        self, function: int, gx: int, gy: int, gz: int, bx: int, by: int, bz: int, shared: int, stream: int,
        parameters: int, extra: int,
    ) -> None:  # fmt: skip
        assert (gy, gz, bx, by, bz, extra) == (1, 1, 128, 1, 1, 0)
        assert shared <= self.dynamic[function]
        first = ctypes.c_void_p.from_address(parameters).value
        assert first is not None
        # The kernel's signature says how many bytes, on a GPU.
        arguments = ctypes.string_at(first, _native.ARGUMENT_BYTES)

        def run() -> None:
            if self.status:
                raise Failure(self.status)
            self.below.launch(cupy_compiler.FAMILIES[function - 1], gx, shared, arguments)
            self.below.wait()

        self.into(stream, run)


@pytest.fixture
def pretence(monkeypatch: pytest.MonkeyPatch) -> Pretence:
    found = Pretence()
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=found))
    monkeypatch.setattr(
        cupy_compiler, "kernel", lambda family, architecture: f"{family} {architecture}".encode()
    )
    return found


def test_a_batch_runs_as_on_any_device_and_each_kernel_is_loaded_once(pretence: Pretence) -> None:
    device = CupyDevice(1)
    assert _native.ARGUMENT_BYTES <= ARGUMENTS
    spec = spec_of(60, 30)
    cells = (np.arange(9) % 2, 2 + np.arange(9))
    expected = run_batch(spec, *cells, backend="cpu")
    with emulated(device), sliced(20):  # type: ignore[arg-type]
        for _ in range(2):
            assert unequal(run_batch(spec, *cells, backend="emulated"), expected) == []
    assert len(pretence.below.launches) > 4
    assert len(pretence.loaded) == 1
    assert pretence.loaded[0].endswith(b" 90")
    assert pretence.current == []


def test_a_device_says_what_it_is(pretence: Pretence) -> None:
    device = CupyDevice(1)
    assert (device.name, device.processors, device.shared_bytes) == ("Pretended GPU", 3, 64 << 10)
    assert device.architecture == 90
    assert device.workers_per_processor("easy") == 4
    assert device.free_bytes() == pretence.below.total_bytes


def test_errors_of_cuda_say_what_failed_and_where(pretence: Pretence) -> None:
    device = CupyDevice(1)
    with pytest.raises(DeviceMemoryError, match=r"Pretended GPU \(CuPy\): is out of memory allocating"):
        device.allocate(1 << 40)
    pretence.status = 700
    device.launch("easy", 1, 0, bytes(_native.ARGUMENT_BYTES))
    assert not device.ready()
    with pytest.raises(
        RunError, match=r"Pretended GPU \(CuPy\): failed while running: cudaError 700; run again"
    ):
        device.wait()


# ---- copies ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_halves(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(cupy_staging, "HALF_BYTES", 1000)
    return 1000


@pytest.mark.parametrize("n", [0, 1, 999, 1000, 1001, 2000, 2001, 7777])
@pytest.mark.parametrize("pinned", [True, False])
def test_bytes_come_back_as_they_went(pretence: Pretence, small_halves: int, n: int, pinned: bool) -> None:
    pretence.pinned = [] if pinned else None
    device = CupyDevice(1)
    sent = np.random.default_rng(n).integers(0, 256, n, dtype=np.uint8)
    address, changed, found = device.allocate(n), sent.copy(), np.empty_like(sent)
    device.upload(address, changed)
    changed[:] = 0
    device.download(address, found)
    assert np.array_equal(found, sent)
    device.zero(address, n // 2)
    device.download(address, found)
    assert not found[: n // 2].any()
    assert np.array_equal(found[n // 2 :], sent[n // 2 :])
    device.upload(address, sent)
    device.release(address)  # the upload has ended before
    assert pretence.below.memory == {}
    assert pretence.pinned is None or [len(half) for half in pretence.pinned] == [small_halves] * 2 * (n > 0)


def test_copies_do_not_wait_for_a_launch_and_a_launch_waits_for_copies(
    pretence: Pretence, small_halves: int
) -> None:
    device = CupyDevice(1)
    data, found = np.arange(5000, dtype=np.uint8), np.zeros(5000, np.uint8)
    address = device.allocate(5000)
    device.launch("easy", 1, 0, bytes(_native.ARGUMENT_BYTES))
    device.upload(address, data)
    device.zero(address, 10)
    device.download(address, found)
    assert found[8:12].tolist() == [0, 0, 10, 11]
    assert not device.ready()
    assert pretence.below.launches == []
    device.upload(address, data[::-1].copy())
    device.launch("easy", 1, 0, bytes(_native.ARGUMENT_BYTES))
    device.wait()
    assert device.ready()
    assert len(pretence.below.launches) == 2
    assert [len(stream.work) for stream in pretence.streams] == [0, 0]  # all bytes have arrived


def test_two_shares_take_turns(pretence: Pretence) -> None:
    spec, expected, total = question()
    pretence.below.total_bytes = total // 3
    with emulated(CupyDevice(1)), sliced(40):  # type: ignore[arg-type]
        assert unequal(turns(spec), expected) == []
    assert pretence.below.said.count("allocate") > 5


def test_no_device_is_made_where_the_backend_is_refused() -> None:
    assert cupy.reason() is None or cupy.devices() == []
