"""The device, asked through the driver library alone: whether there is one, what it is, and how fast it copies.

Nothing of gpusim is imported here: this must work before anything has been built.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIBRARY = "libcuda.so.1"
PROCESSORS, CLOCK_KHZ, MAJOR, MINOR = 16, 13, 75, 76
"""Of `CUdevice_attribute`, in cuda.h."""
COPY_BYTES, COPIES = 1 << 30, 20


class NoDevice(Exception):
    """There is no device that can be used; the text says why and what to do."""


@dataclass(frozen=True)
class Device:
    """What the driver says of the first device."""

    name: str
    processors: int
    capability: tuple[int, int]
    memory_gib: float
    clock_mhz: int
    cuda_of_driver: str

    @property
    def architecture(self) -> str:
        """Of `GPUSIM_CUDA_ARCHITECTURES`: "90"."""
        return "".join(map(str, self.capability))


def driver() -> ctypes.CDLL:
    """The driver library, initialized. Raises `NoDevice`."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise NoDevice(
            f"{LIBRARY} cannot be loaded: no NVIDIA driver is installed here; run this on a machine with one"
        ) from None
    if code := library.cuInit(0):
        raise NoDevice(
            f"the NVIDIA driver is installed but does not start (cuInit: error {code}); "
            "see whether nvidia-smi works, and whether the device is visible in this container"
        )
    return library


def find() -> Device:
    """The first device. Raises `NoDevice`."""
    library, count, handle = driver(), ctypes.c_int(), ctypes.c_int()
    checked(library.cuDeviceGetCount(ctypes.byref(count)), "cuDeviceGetCount")
    if count.value == 0:
        raise NoDevice("the driver sees no device; see CUDA_VISIBLE_DEVICES")
    checked(library.cuDeviceGet(ctypes.byref(handle), 0), "cuDeviceGet")
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    checked(library.cuDeviceGetName(name, len(name), handle), "cuDeviceGetName")
    checked(library.cuDeviceTotalMem_v2(ctypes.byref(memory), handle), "cuDeviceTotalMem")
    version = ctypes.c_int()
    checked(library.cuDriverGetVersion(ctypes.byref(version)), "cuDriverGetVersion")

    def attribute(which: int) -> int:
        value = ctypes.c_int()
        checked(library.cuDeviceGetAttribute(ctypes.byref(value), which, handle), "cuDeviceGetAttribute")
        return value.value

    return Device(
        name=name.value.decode(),
        processors=attribute(PROCESSORS),
        capability=(attribute(MAJOR), attribute(MINOR)),
        memory_gib=round(memory.value / 2**30, 1),
        clock_mhz=attribute(CLOCK_KHZ) // 1000,
        cuda_of_driver=f"{version.value // 1000}.{version.value % 1000 // 10}",
    )


def checked(code: int, call: str) -> None:
    """Raise if a call of the driver has failed."""
    if code:
        raise NoDevice(f"{call} failed with error {code}")


def driver_version() -> str:
    """Of the kernel module: "570.86.15", or "unknown"."""
    path = Path("/proc/driver/nvidia/version")
    match = re.search(r"\s(\d{3}\.\d+(?:\.\d+)?)\s", path.read_text() if path.exists() else "")
    return (
        match[1] if match else said_by(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    )


def toolkit() -> dict[str, str]:
    """Versions of the tools that take part, "not found" where there is none."""
    found = {
        "nvcc": said_by([tool("nvcc") or "nvcc", "--version"], r"V([\d.]+)"),
        "ncu": said_by([tool("ncu") or "ncu", "--version"], r"Version ([\d.]+)"),
        "compute-sanitizer": said_by(
            [tool("compute-sanitizer") or "compute-sanitizer", "--version"], r"[Vv]ersion ([\d.]+)"
        ),
    }
    try:
        import cupy
    except Exception as error:  # whatever a broken installation raises
        found["cupy"] = f"not found ({type(error).__name__}: {error})"[:200]
    else:
        found["cupy"] = str(cupy.__version__)
    return found


def tool(name: str) -> str | None:
    """Path of one of the toolkit's programs: on PATH, in `CUDA_HOME`, or in the usual folder."""
    homes = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    folders = [f"{home}/{part}" for home in homes if home for part in ("bin", "compute-sanitizer")]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def said_by(command: list[str], pattern: str = r"(\S+)") -> str:
    """What the pattern finds in what a program prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "not found"
    match = re.search(pattern, done.stdout)
    return match[1] if match else "unknown"


def copy_bandwidth() -> dict[str, Any]:
    """Bytes a second that a copy inside the device's memory moves, read and written together."""
    library, context = driver(), ctypes.c_void_p()
    checked(library.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), "cuDevicePrimaryCtxRetain")
    checked(library.cuCtxSetCurrent(context), "cuCtxSetCurrent")
    pointers = [ctypes.c_uint64(), ctypes.c_uint64()]
    size = ctypes.c_size_t(COPY_BYTES)
    for pointer in pointers:
        checked(library.cuMemAlloc_v2(ctypes.byref(pointer), size), "cuMemAlloc")

    def copies(n: int) -> float:
        begin = time.perf_counter()
        for _ in range(n):
            checked(library.cuMemcpyDtoD_v2(pointers[0], pointers[1], size), "cuMemcpyDtoD")
        checked(library.cuCtxSynchronize(), "cuCtxSynchronize")
        return time.perf_counter() - begin

    copies(2)
    rates = [2 * COPY_BYTES * COPIES / copies(COPIES) for _ in range(5)]
    for pointer in pointers:
        checked(library.cuMemFree_v2(pointer), "cuMemFree")
    checked(library.cuDevicePrimaryCtxRelease_v2(0), "cuDevicePrimaryCtxRelease")
    return {
        "name": "copy inside the device",
        "bytes_per_second": {
            "median": sorted(rates)[2],
            "min": min(rates),
            "max": max(rates),
            "repeats": len(rates),
        },
    }
