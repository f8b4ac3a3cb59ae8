"""GPUs through `gpusim._cuda`: kernels that nvcc compiled when gpusim was built.

`reason` says in words why CUDA cannot be used here; `devices` lists the GPUs that can. Both start the driver,
where there is one, and neither makes a context. The module is absent from a build without nvcc, so it is loaded by
name and only when it is asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy.typing as npt

from gpusim import _native
from gpusim.engine.device_arrays import DeviceArray
from gpusim.errors import BackendUnavailable, DeviceMemoryError, Problem, RunError

MODULE = "gpusim._cuda"

_BUILD = "install with nvcc on PATH, or with GPUSIM_CUDA_FROM_PYPI=1 in the environment of pip install"
_UPDATE = "update the driver, or pip install 'gpusim[cuda12]' and use the CuPy engine"


def reason() -> str | None:
    """Why CUDA cannot be used here.

    Returns
    -------
    str or None
        What is wrong and what to do, in words; None if at least one GPU can be used.
    """
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        return _not_loaded(error)
    refused = refusal(module.status(), os.environ)
    if refused:
        return refused
    unfit = [device for device in _visible(module) if not fits(device.capability, module.ARCHITECTURES)]
    return unfit_text(unfit, module.ARCHITECTURES) if len(unfit) == module.status()["devices"] else None


def devices() -> list[CudaDevice]:
    """GPUs that this build has kernels for, in the order of the driver; none where `reason` gives one."""
    if reason() is not None:
        return []
    module = importlib.import_module(MODULE)
    return [
        CudaDevice(device.index)
        for device in _visible(module)
        if fits(device.capability, module.ARCHITECTURES)
    ]


def refusal(status: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """What the driver's answer means.

    CUDA's own text for a machine without a driver is "driver version is insufficient", so versions are looked at first.

    Parameters
    ----------
    status : mapping
        What `_cuda.status()` returns. Versions are 1000 major + 10 minor.
    environment : mapping
        Environment variables; ``CUDA_VISIBLE_DEVICES`` may hide devices.

    Returns
    -------
    str or None
        The reason; None if the driver works and shows a device.
    """
    error, driver = status["error"], status["driver"]
    if driver == 0:
        return "no NVIDIA driver found (libcuda.so.1 does not load)"
    if error == "cudaErrorInsufficientDriver":
        return f"driver supports CUDA {_version(driver)}, this build needs {_version(status['built_for'])}; {_UPDATE}"
    if error == "cudaErrorNoDevice" or (not error and status["devices"] == 0):
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        hidden = "is not set" if visible is None else f"is '{visible}'"
        return f"driver present, no device visible (CUDA_VISIBLE_DEVICES {hidden})"
    if error:
        return f"CUDA cannot start: {error}: {status['text']}"
    return None


def fits(capability: tuple[int, int], architectures: Sequence[int]) -> bool:
    """Whether this build has code for a GPU.

    Machine code of sm_XY runs on X.Z with Z >= Y; the last architecture is also there as PTX, which the
    driver compiles for any later GPU.

    Parameters
    ----------
    capability : (int, int)
        Compute capability of the GPU, major and minor.
    architectures : sequence of int
        Architectures of the build, 10 major + minor, ascending.
    """
    major, minor = capability
    machine_code = any(built // 10 == major and built % 10 <= minor for built in architectures)
    return machine_code or 10 * major + minor >= architectures[-1]


def unfit_text(unfit: Sequence[Any], architectures: Sequence[int]) -> str:
    """The reason where every visible device is one that this build has no code for."""
    named = ", ".join(f"{device.name} is sm_{device.capability[0]}{device.capability[1]}" for device in unfit)
    built = ", ".join(str(architecture) for architecture in architectures)
    return (
        f"architecture not in this build ({named}; built for sm_{built} and later than {architectures[-1]}); "
        "use the CuPy engine, or build with GPUSIM_CUDA_ARCHITECTURES"
    )


class CudaDevice:
    """One GPU, as the driver of batches uses it (`engine/device.py`, Protocol `Device`).

    Parameters
    ----------
    index : int, default 0
        Which of the visible devices.

    Raises
    ------
    BackendUnavailable
        If CUDA cannot be used here, or there is no such device.

    Attributes
    ----------
    index : int
    name : str
        The product, such as "NVIDIA H100 80GB HBM3".
    processors : int
        Multiprocessors.
    capability : (int, int)
        Compute capability, major and minor.
    shared_bytes : int
        Shared memory of a multiprocessor [bytes].
    shared_per_block : int
        Most shared memory that a block may ask for [bytes].
    block_threads : int
        Threads of a block, of every kernel; a worker is a warp of 32.
    argument_bytes : int
        Size of the kernels' argument [bytes].
    """

    def __init__(self, index: int = 0) -> None:
        refused = reason()
        if refused is not None:
            raise BackendUnavailable(Problem("backend 'cuda'", refused, code="backend/unavailable"))
        self._module: ModuleType = importlib.import_module(MODULE)
        try:
            self._device = self._module.Device(index)
        except self._module.CudaError as error:
            raise BackendUnavailable(Problem(f"CUDA device {index}", str(error))) from error
        self.index = index
        self.name: str = self._device.name
        self.processors: int = self._device.processors
        self.capability: tuple[int, int] = self._device.capability
        self.shared_bytes: int = self._device.shared_bytes
        self.shared_per_block: int = self._device.shared_per_block
        self.block_threads: int = self._module.BLOCK_THREADS
        self.argument_bytes: int = self._module.ARGUMENT_BYTES

    def __repr__(self) -> str:
        return f"<CudaDevice {self._device.index}: {self.name}>"

    def free_bytes(self) -> int:
        """Memory that can be allocated now [bytes]."""
        return int(self._call(self._device.free_bytes))

    def allocate(self, n: int) -> int:
        """Address of `n` new bytes. Raises `DeviceMemoryError` where there is no room for them."""
        try:
            return int(self._device.allocate(n))
        except self._module.CudaError as error:
            if error.name != "cudaErrorMemoryAllocation":
                raise self._failed(error) from error
            what = f"{n:,} bytes cannot be allocated, {self.free_bytes():,} are free"
            raise DeviceMemoryError(Problem(self.name, what, code="run/device-memory")) from error

    def release(self, address: int) -> None:
        """Give back what `allocate` gave."""
        with contextlib.suppress(self._module.CudaError):  # after a fault there is nothing to give back
            self._device.release(address)

    def upload(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy a C-contiguous array to `address`: there before anything launched later starts."""
        self._call(self._device.upload, address, array)

    def download(self, address: int, array: npt.NDArray[Any]) -> None:
        """Fill a C-contiguous array from `address`; does not wait for a launch under way."""
        self._call(self._device.download, address, array)

    def zero(self, address: int, n: int) -> None:
        """Set `n` bytes from `address` to zero, before anything launched later starts; does not wait."""
        self._call(self._device.zero, address, n)

    def array(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, owner: object) -> DeviceArray:
        """An array over memory of this GPU, which keeps `owner`."""
        return DeviceArray(self, address, shape, dtype, owner)

    def workers_per_processor(self, family: str, shared_bytes: int = 0) -> int:
        """Warps that live on a multiprocessor at once, with `shared_bytes` of shared memory a block."""
        return int(self._call(self._device.workers_per_processor, family, shared_bytes))

    def launch(self, family: str, blocks: int, shared_bytes: int, arguments: bytes) -> None:
        """Start a kernel; does not wait. An error inside it shows at `ready` or `wait`."""
        self._call(self._device.launch, family, blocks, shared_bytes, arguments)

    def ready(self) -> bool:
        """Whether everything launched so far has ended."""
        return bool(self._call(self._device.ready))

    def wait(self) -> None:
        """Until everything launched so far has ended. Raises `RunError` if it failed."""
        self._call(self._device.wait)

    def _call(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except self._module.CudaError as error:
            raise self._failed(error) from error

    def _failed(self, error: Any) -> RunError:
        return RunError(Problem(self.name, f"CUDA call failed: {error}", code="run/failed"))


def _visible(module: ModuleType) -> list[Any]:
    return [module.Device(index) for index in range(module.status()["devices"])]


def _not_loaded(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == MODULE:
        return f"gpusim._cuda is not there ({_native.CUDA}); {_BUILD}"
    return f"gpusim._cuda cannot be loaded: {error}"


def _version(number: int) -> str:
    """13000 is CUDA 13.0."""
    return f"{number // 1000}.{number % 1000 // 10}"
