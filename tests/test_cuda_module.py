"""gpusim._cuda where there is no GPU: it loads, says what is missing, and refuses in words. With one, it moves bytes.

A build without nvcc has no such module; then the reason must say so, and how to get it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gpusim import _native
from gpusim.engine import cuda
from gpusim.errors import BackendUnavailable, GpusimError

BUILT = importlib.util.find_spec(cuda.MODULE) is not None

built = pytest.mark.skipif(not BUILT, reason="this build has no gpusim._cuda")


@pytest.fixture
def module() -> Any:
    return importlib.import_module(cuda.MODULE)


def answer(driver: int, devices: int = 0, error: str = "", text: str = "") -> dict[str, Any]:
    return {"built_for": 13000, "driver": driver, "devices": devices, "error": error, "text": text}


# ---- words ----------------------------------------------------------------------------------------------------------


def test_no_driver_is_not_called_an_old_driver() -> None:
    told = answer(0, error="cudaErrorInsufficientDriver", text="CUDA driver version is insufficient")
    assert cuda.refusal(told, {}) == "no NVIDIA driver found (libcuda.so.1 does not load)"


def test_an_old_driver_is_named_with_both_versions_and_both_ways_out() -> None:
    text = cuda.refusal(answer(12080, error="cudaErrorInsufficientDriver"), {})
    assert text is not None
    for part in ("supports CUDA 12.8", "needs 13.0", "update the driver", "gpusim[cuda12]", "CuPy"):
        assert part in text


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"CUDA_VISIBLE_DEVICES": ""}, "is ''"), ({"CUDA_VISIBLE_DEVICES": "7"}, "is '7'"), ({}, "is not set")],
)
@pytest.mark.parametrize("error", ["cudaErrorNoDevice", ""])
def test_hidden_devices_are_told_with_the_variable_that_hides_them(
    error: str, environment: dict[str, str], words: str
) -> None:
    text = cuda.refusal(answer(13000, error=error), environment)
    assert text == f"driver present, no device visible (CUDA_VISIBLE_DEVICES {words})"


def test_other_errors_keep_the_name_and_words_of_cuda() -> None:
    text = cuda.refusal(answer(13000, error="cudaErrorSystemNotReady", text="system not yet initialized"), {})
    assert text == "CUDA cannot start: cudaErrorSystemNotReady: system not yet initialized"


def test_a_driver_that_shows_a_device_is_no_reason() -> None:
    assert cuda.refusal(answer(13000, devices=1), {}) is None


@pytest.mark.parametrize(
    ("capability", "runs"),
    [
        ((7, 5), False),  # no machine code, and PTX only of something later
        ((8, 0), True),
        ((8, 9), True),  # machine code of 8.0 runs on every 8.x
        ((9, 0), True),
        ((10, 3), True),
        ((11, 0), False),
        ((12, 0), True),
        ((12, 1), True),
        ((13, 0), True),  # PTX of 12.0
    ],
)
def test_machine_code_runs_within_a_major_version_and_ptx_later(
    capability: tuple[int, int], runs: bool
) -> None:
    assert cuda.fits(capability, (80, 90, 100, 120)) is runs


def test_machine_code_does_not_run_on_an_earlier_minor_version() -> None:
    assert not cuda.fits((8, 0), (86, 90))


def test_an_unfit_device_is_named_with_what_the_build_has() -> None:
    old = SimpleNamespace(name="Tesla T4", capability=(7, 5))
    text = cuda.unfit_text([old], (80, 90))
    for part in ("not in this build", "Tesla T4 is sm_75", "sm_80, 90", "GPUSIM_CUDA_ARCHITECTURES"):
        assert part in text


# ---- a pretended module: what Python makes of errors ----------------------------------------------------------------


class PretendedError(RuntimeError):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: words (call)")
        self.name = name


class PretendedDevice:
    """A GPU of 100 bytes whose kernels read where they must not."""

    index, name, processors, capability, shared_bytes, shared_per_block = 0, "pretended", 2, (9, 0), 9, 8

    def __init__(self, index: int) -> None:
        if index:
            raise PretendedError("cudaErrorInvalidDevice")

    def free_bytes(self) -> int:
        return 100

    def allocate(self, n: int) -> int:
        if n > 100:
            raise PretendedError("cudaErrorMemoryAllocation")
        return 512

    def wait(self) -> None:
        raise PretendedError("cudaErrorIllegalAddress")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    module = SimpleNamespace(
        status=lambda: answer(13000, devices=1),
        ARCHITECTURES=(80, 90),
        ARGUMENT_BYTES=8,
        BLOCK_THREADS=128,
        Device=PretendedDevice,
        CudaError=PretendedError,
    )
    monkeypatch.setitem(sys.modules, cuda.MODULE, module)
    return module


def test_a_device_that_fits_is_listed(pretended: SimpleNamespace) -> None:
    assert cuda.reason() is None
    assert [device.name for device in cuda.devices()] == ["pretended"]


def test_a_device_without_code_is_not_listed(pretended: SimpleNamespace) -> None:
    pretended.ARCHITECTURES = (100,)
    assert "pretended is sm_90" in str(cuda.reason())
    assert cuda.devices() == []


def test_too_little_memory_says_what_was_needed_and_what_is_free(pretended: SimpleNamespace) -> None:
    device = cuda.CudaDevice()
    assert device.allocate(100) == 512
    with pytest.raises(MemoryError, match=r"pretended: 1,000 bytes cannot be allocated, 100 are free"):
        device.allocate(1000)


def test_a_failed_kernel_is_a_failed_run(pretended: SimpleNamespace) -> None:
    with pytest.raises(GpusimError, match="cudaErrorIllegalAddress") as caught:
        cuda.CudaDevice().wait()
    assert caught.value.exit_code == 5


def test_a_device_that_is_not_there_is_unavailable(pretended: SimpleNamespace) -> None:
    with pytest.raises(BackendUnavailable, match="CUDA device 1: cudaErrorInvalidDevice"):
        cuda.CudaDevice(1)


# ---- this build -----------------------------------------------------------------------------------------------------


def test_the_build_says_truthfully_whether_it_has_the_engine() -> None:
    assert _native.CUDA.startswith("CUDA engine built with nvcc") is BUILT


@pytest.mark.skipif(BUILT, reason="this build has gpusim._cuda")
def test_a_build_without_the_module_says_how_to_get_it() -> None:
    text = cuda.reason()
    assert text is not None
    assert _native.CUDA in text
    assert "nvcc on PATH" in text
    assert "GPUSIM_CUDA_FROM_PYPI=1" in text
    assert cuda.devices() == []


def test_a_module_that_cannot_be_loaded_is_not_called_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, cuda.MODULE, None
    )  # import_module raises ModuleNotFoundError of this name
    assert "GPUSIM_CUDA_FROM_PYPI=1" in str(cuda.reason())

    def broken(name: str) -> Any:
        raise ImportError("libstdc++.so.6: version `GLIBCXX_3.4.40' not found", name=name)

    monkeypatch.setattr(cuda.importlib, "import_module", broken)
    assert (
        cuda.reason() == "gpusim._cuda cannot be loaded: libstdc++.so.6: version `GLIBCXX_3.4.40' not found"
    )


@built
def test_the_module_says_what_it_was_built_for(module: Any) -> None:
    numbers = [int(number) for number in re.findall(r"\d+", _native.CUDA.split("sm_")[1].split("(")[0])]
    assert list(module.ARCHITECTURES) == numbers == sorted(numbers)
    assert f"nvcc {module.RUNTIME_VERSION // 1000}." in _native.CUDA
    assert module.status()["built_for"] == module.RUNTIME_VERSION
    assert 0 < module.ARGUMENT_BYTES <= 4096
    assert module.BLOCK_THREADS % 32 == 0
    assert module.FAMILIES


@built
def test_status_never_raises_and_agrees_with_itself(module: Any) -> None:
    told = module.status()
    assert set(told) == {"built_for", "driver", "devices", "error", "text"}
    assert bool(told["error"]) == (told["devices"] == 0)
    assert bool(told["error"]) == bool(told["text"])
    assert (cuda.refusal(told, {}) is None) == (told["devices"] > 0)


@built
@pytest.mark.parametrize("libraries", ["libcuda.", "libcudart"])
def test_import_loads_no_library_of_cuda(libraries: str) -> None:
    code = "import gpusim._cuda; print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "_cuda." in maps
    assert libraries not in maps


@built
def test_no_symbol_of_cuda_leaves_the_module(module: Any) -> None:
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", module.__file__], capture_output=True, text=True, check=True
    ).stdout.split()[2::3]
    assert "PyInit__cuda" in symbols
    assert [name for name in symbols if re.match(r"_*(cuda|cu[A-Z]|gpusim|nv)", name)] == []


@built
def test_an_error_has_the_name_and_words_of_cuda(module: Any) -> None:
    with pytest.raises(module.CudaError) as caught:
        module.Device(999)
    error = caught.value
    assert isinstance(error, RuntimeError)
    assert error.name.startswith("cudaError")
    assert str(error) == f"{error.name}: {error.text} ({error.call})"


@built
def test_a_device_that_cannot_be_used_exits_with_the_reason(module: Any) -> None:
    refused = cuda.reason()
    if refused is None:
        pytest.skip("a GPU can be used here")
    with pytest.raises(BackendUnavailable) as caught:
        cuda.CudaDevice()
    assert refused in str(caught.value)
    assert caught.value.exit_code == 4
    assert cuda.devices() == []


# ---- the real runtime before a pretended driver ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a libcuda.so.1 that has the version and the error that the environment asks for."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    folder = tmp_path_factory.mktemp("driver")
    source = Path(__file__).with_name("pretend_driver.cpp")
    command = [compiler, "-shared", "-fPIC", str(source), "-o", str(folder / "libcuda.so.1")]
    subprocess.run(command, check=True)
    return folder


@built
@pytest.mark.parametrize(
    ("version", "error", "words"),
    [
        ("12080", "100", "driver supports CUDA 12.8, this build needs 1"),
        ("99000", "100", "driver present, no device visible (CUDA_VISIBLE_DEVICES is 'none')"),
        ("99000", "803", "CUDA cannot start: cudaErrorSystemDriverMismatch: "),
    ],
)
def test_what_a_driver_refuses_is_said_in_words(driver: Path, version: str, error: str, words: str) -> None:
    pretended = {"PRETENDED_VERSION": version, "PRETENDED_ERROR": error, "CUDA_VISIBLE_DEVICES": "none"}
    told = subprocess.run(
        [sys.executable, "-c", "from gpusim.engine import cuda; print(cuda.reason())"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **pretended, "LD_LIBRARY_PATH": str(driver)},
    ).stdout
    assert told.startswith(words)


# ---- on a GPU -------------------------------------------------------------------------------------------------------


@pytest.fixture
def gpu() -> cuda.CudaDevice:
    refused = cuda.reason()
    if refused is not None:
        pytest.skip(f"gpu: {refused}")
    return cuda.CudaDevice()


@pytest.mark.gpu
def test_bytes_come_back_as_they_went(gpu: cuda.CudaDevice) -> None:
    sent = np.arange(3_000_001, dtype=np.int64)  # several times what is copied at once
    address = gpu.allocate(sent.nbytes)
    gpu.upload(address, sent)
    found = np.empty_like(sent)
    gpu.download(address, found)
    assert np.array_equal(found, sent)
    gpu.zero(address + 8, 16)
    gpu.download(address, found)
    assert found[:4].tolist() == [0, 0, 0, 3]
    gpu.release(address)


@pytest.mark.gpu
def test_arrays_that_are_not_contiguous_are_refused(gpu: cuda.CudaDevice) -> None:
    address = gpu.allocate(64)
    with pytest.raises(ValueError, match="C-contiguous"):
        gpu.upload(address, np.zeros((8, 8), np.uint8)[:, ::2])


@pytest.mark.gpu
def test_every_family_has_workers_and_checks_its_argument(gpu: cuda.CudaDevice, module: Any) -> None:
    for family in module.FAMILIES:
        most = gpu.workers_per_processor(family)
        assert most >= gpu.block_threads // 32  # a block at least
        assert 0 < gpu.workers_per_processor(family, gpu.shared_bytes // 2 - 4096) <= most
        with pytest.raises(ValueError, match="arguments have 3 bytes"):
            gpu.launch(family, 1, 0, b"abc")
    with pytest.raises(ValueError, match="family 'none' has no kernel"):
        gpu.launch("none", 1, 0, bytes(gpu.argument_bytes))


@pytest.mark.gpu
def test_more_memory_than_there_is_is_refused(gpu: cuda.CudaDevice) -> None:
    with pytest.raises(MemoryError, match="are free"):
        gpu.allocate(1 << 50)
    assert gpu.ready()
