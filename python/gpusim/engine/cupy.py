"""Devices through CuPy: the same kernels, compiled at first use (`cupy_compiler`), on CuPy's own context.

Chosen where gpusim was built without its CUDA engine, or that does not fit the driver or the device. Nothing of CuPy is
imported before somebody asks, and not even then where the machine has no driver.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gpusim import _native
from gpusim.engine import cupy_compiler
from gpusim.engine.cupy_staging import Staging
from gpusim.errors import DeviceMemoryError, Problem, RunError

BLOCK_THREADS = 128
"""`kBlockThreads` of `csrc/cuda/kernel.cuh`."""
_WARP = 32
_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_OUT_OF_MEMORY = 2  # cudaErrorMemoryAllocation
_CAPABILITY = (75, 76)  # cudaDevAttrComputeCapabilityMajor and Minor, which CuPy does not name
_NO_DEVICE = 100  # cudaErrorNoDevice
_TOO_OLD = 35  # cudaErrorInsufficientDriver
INSTALL = "pip install 'gpusim[cuda13]', or 'gpusim[cuda12]' where the driver is one for CUDA 12"


@cache
def reason() -> str | None:
    """Why this backend cannot run here, and what to do, as "what; remedy"; None if it can. Asked once a process."""
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed; {INSTALL}"
    if not has_driver():
        return "no NVIDIA driver on this machine (libcuda.so.1 is not found); install the driver of your GPU"
    try:
        import cupy
        from cupy.cuda import nvrtc
    except Exception as error:  # whatever an installation that is broken raises
        return f"CuPy cannot be imported ({type(error).__name__}: {error}); {INSTALL}"
    return _driver_reason(cupy.cuda.runtime) or _compiler_reason(cupy.cuda.runtime, nvrtc)


@cache
def devices() -> list[CupyDevice]:
    """All devices that this process may see and that the compiler makes code for; empty where `reason()` says why."""
    if reason() is not None:
        return []
    from cupy.cuda import nvrtc, runtime

    known = nvrtc.getSupportedArchs()
    return [CupyDevice(i) for i in range(runtime.getDeviceCount()) if _fits(runtime, i, known)]


@cache
def has_driver() -> bool:
    """Whether the driver's library can be loaded."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _driver_reason(runtime: Any) -> str | None:
    """What the driver lacks."""
    try:
        driver, built = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        if driver // 1000 < built // 1000:
            return _too_old(driver, built)
        if runtime.getDeviceCount() > 0:
            return None
    except runtime.CUDARuntimeError as error:
        if error.status == _TOO_OLD:
            return _too_old(driver, built)
        if error.status != _NO_DEVICE:
            return f"the driver refuses ({error}); see whether nvidia-smi works"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return f"no device is visible (CUDA_VISIBLE_DEVICES is {hidden!r}); set it to the devices to use, or unset it"
    return "no device is visible; see whether nvidia-smi lists one, and whether this container may use it"


def _too_old(driver: int, built: int) -> str:
    have, need = _version(driver), _version(built)
    return (
        f"the driver is too old for this CuPy (it is for CUDA {have}, CuPy for CUDA {need}); install a driver for "
        f"CUDA {need}, or the CuPy of your driver: {INSTALL}"
    )


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _compiler_reason(runtime: Any, nvrtc: Any) -> str | None:
    """What the compiler lacks."""
    try:
        nvrtc.getVersion()
        known = nvrtc.getSupportedArchs()
    except Exception as error:  # DynamicLibNotFoundError, which is of no public module
        return f"the run-time compiler NVRTC cannot be loaded ({type(error).__name__}); {INSTALL}"
    count = runtime.getDeviceCount()
    if any(_fits(runtime, i, known) for i in range(count)):
        return None
    found = ", ".join(".".join(cupy_compiler.divmod_text(_architecture(runtime, i))) for i in range(count))
    least = ".".join(cupy_compiler.divmod_text(min(known)))
    return (
        f"the compiler makes no code for compute capability {found}; use a device of {least} or later, "
        "or an older NVRTC"
    )


def _architecture(runtime: Any, device: int) -> int:
    major, minor = (runtime.deviceGetAttribute(number, device) for number in _CAPABILITY)
    return int(10 * major + minor)


def _fits(runtime: Any, device: int, known: Any) -> bool:
    return cupy_compiler.target(_architecture(runtime, device), known) is not None


class CupyDevice:
    """One device; see `gpusim.engine.device.Device`.

    Parameters
    ----------
    index : int
        As CUDA counts the visible devices.
    """

    def __init__(self, index: int) -> None:
        import cupy

        self.index = index
        self._runtime, self._driver, self._cuda = cupy.cuda.runtime, cupy.cuda.driver, cupy.cuda
        self._device = cupy.cuda.Device(index)
        properties = self._runtime.getDeviceProperties(index)
        self.name: str = properties["name"].decode()
        self.processors = int(properties["multiProcessorCount"])
        self.shared_bytes = int(properties["sharedMemPerMultiprocessor"])
        self.architecture = _architecture(self._runtime, index)
        self._functions: dict[str, Any] = {}
        with self._device:
            self._stream = cupy.cuda.Stream(non_blocking=True)
            self._staging = Staging(cupy.cuda)

    @property
    def is_current(self) -> bool:
        """Whether CuPy puts new arrays of this thread here."""
        return int(self._runtime.getDevice()) == self.index

    def workers_per_processor(self, family: str) -> int:
        """Warps of this family's kernel that fit a multiprocessor at once, shared memory aside."""
        new = family not in self._functions
        with self._device, self._told("asking for a kernel"):
            self._runtime.memGetInfo()  # a thread's first call of the driver needs a context, which the runtime makes
            pointer = self._function(family).ptr
            blocks = self._driver.occupancyMaxActiveBlocksPerMultiprocessor(pointer, BLOCK_THREADS, 0)
        if (
            new
        ):  # the first launch reserves local memory for all threads: now, before anybody asks what is free
            self.launch(family, 1, 0, bytes(_native.ARGUMENT_BYTES))  # zeros ask for no worker
            self.wait()
        return int(blocks) * (BLOCK_THREADS // _WARP)

    def free_bytes(self) -> int:
        """Memory that could be allocated now [byte]."""
        with self._device:
            return int(self._runtime.memGetInfo()[0])

    def allocate(self, n: int) -> int:
        """Address of n new bytes."""
        with self._device, self._told(f"allocating {n:,} bytes"):
            return int(self._runtime.malloc(max(n, 1)))

    def release(self, address: int) -> None:
        """Give back what `allocate` has returned; after a failure that a device does not survive, there is nothing."""
        with self._device, suppress(self._runtime.CUDARuntimeError):
            self._staging.stream.synchronize()  # an upload may be under way
            self._runtime.free(address)

    def upload(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy a C-contiguous array to the device."""
        with self._device, self._told("copying"):
            self._staging.upload(address, _address(array), array.nbytes)

    def download(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy from the device into a C-contiguous array."""
        with self._device, self._told("copying"):
            self._staging.download(_address(array), address, array.nbytes)

    def zero(self, address: int, n: int) -> None:
        """Set n bytes to zero."""
        with self._device, self._told("clearing memory"):
            self._runtime.memsetAsync(address, 0, n, self._staging.stream.ptr)

    def array(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, owner: object) -> Any:
        """A `cupy.ndarray` over memory of this device, which keeps `owner`."""
        import cupy

        n = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))
        memory = cupy.cuda.UnownedMemory(address, n, owner, self.index)
        return cupy.ndarray(shape, dtype, cupy.cuda.MemoryPointer(memory, 0))

    def launch(self, family: str, blocks: int, shared_bytes: int, arguments: bytes) -> None:
        """Start a kernel; does not wait."""
        held = np.frombuffer(arguments, np.uint8)  # read before the launch returns
        parameters = np.array([held.ctypes.data], np.uintp)
        with self._device, self._told("launching"):
            pointer = self._function(family).ptr
            self._driver.funcSetAttribute(pointer, _MAX_DYNAMIC_SHARED, shared_bytes)
            grid, block = (blocks, 1, 1), (BLOCK_THREADS, 1, 1)
            address = int(parameters.ctypes.data)
            self._staging.before(self._stream)
            self._driver.launchKernel(pointer, *grid, *block, shared_bytes, self._stream.ptr, address, 0)

    def ready(self) -> bool:
        """Whether the launch has ended; one that failed never says so, `wait` does."""
        with self._device:
            return bool(self._stream.done)

    def wait(self) -> None:
        """Until the launch has ended; RunError if it failed."""
        with self._device, self._told("running"):
            self._stream.synchronize()

    def _function(self, family: str) -> Any:
        """The kernel of a family, loaded into this device."""
        if family not in self._functions:
            module = self._cuda.function.Module()
            module.load(cupy_compiler.kernel(family, self.architecture))
            self._functions[family] = module.get_function(f"gpusim_{family}")
        return self._functions[family]

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Turn an error of CUDA into one that says what failed, and where."""
        try:
            yield
        except (self._runtime.CUDARuntimeError, self._driver.CUDADriverError) as error:
            where = f"{self.name} (CuPy)"
            if getattr(error, "status", None) == _OUT_OF_MEMORY:
                remedy = "close what else uses the device, or use --backend cpu"
                problem = Problem(where, f"is out of memory {doing}", remedy, "run/device-memory")
                raise DeviceMemoryError([problem]) from error
            remedy = "run again with --backend cpu; if it persists, please report this"
            raise RunError(
                [Problem(where, f"failed while {doing}: {error}", remedy, "run/device")]
            ) from error


def _address(array: npt.NDArray[Any]) -> int:
    assert array.flags.c_contiguous
    return int(array.ctypes.data)
