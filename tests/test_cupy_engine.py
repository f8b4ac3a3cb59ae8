"""The CuPy path without a GPU: its reasons in words, its cache of kernels, and what it compiles."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpusim.engine import backend, cupy, cupy_compiler
from gpusim.errors import BackendUnavailable


class Failure(RuntimeError):
    """CuPy's own error, which carries CUDA's number."""

    def __init__(self, status: int) -> None:
        super().__init__(f"cudaError {status}")
        self.status = status


class Runtime:
    """As much of `cupy.cuda.runtime` as the questions about a machine need."""

    CUDARuntimeError = Failure

    def __init__(
        self, driver: int = 13000, built: int = 13000, devices: int = 1, status: int = 0, capability: int = 90
    ) -> None:
        self.driver, self.built, self.devices = driver, built, devices
        self.status, self.capability = status, capability

    def driverGetVersion(self) -> int:
        return self.driver

    def runtimeGetVersion(self) -> int:
        return self.built

    def getDeviceCount(self) -> int:
        if self.status:
            raise Failure(self.status)
        return self.devices

    def deviceGetAttribute(self, attribute: int, device: int) -> int:
        return divmod(self.capability, 10)[attribute - 75]


REFUSALS = {
    "old driver": (
        Runtime(driver=12020, built=13000),
        "the driver is too old for this CuPy (it is for CUDA 12.2, CuPy for CUDA 13.0); install a driver for CUDA 13.0",
    ),
    "CUDA says so": (Runtime(status=35), "the driver is too old for this CuPy (it is for CUDA 13.0"),
    "no device": (Runtime(status=100), "no device is visible; see whether nvidia-smi lists one"),
    "none counted": (Runtime(devices=0), "no device is visible"),
    "broken": (Runtime(status=999), "the driver refuses (cudaError 999); see whether nvidia-smi works"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_the_driver_s_lack_is_told_with_a_remedy(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    runtime, said = REFUSALS[case]
    assert cupy._driver_reason(runtime).startswith(said)
    assert "; " in cupy._driver_reason(runtime)


def test_a_driver_that_fits_is_no_reason() -> None:
    assert cupy._driver_reason(Runtime()) is None
    assert cupy._driver_reason(Runtime(driver=13020, built=13000)) is None
    assert cupy._driver_reason(Runtime(driver=13000, built=13020)) is None  # minor versions are compatible


def test_hidden_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES is ''" in cupy._driver_reason(Runtime(status=100))


def compiler(*known: int, missing: bool = False) -> Any:
    def version() -> tuple[int, int]:
        if missing:
            raise ModuleNotFoundError("libnvrtc.so")
        return 13, 0

    return SimpleNamespace(getVersion=version, getSupportedArchs=lambda: known)


def test_a_missing_compiler_names_the_extra_to_install() -> None:
    said = cupy._compiler_reason(Runtime(), compiler(missing=True))
    assert said.startswith("the run-time compiler NVRTC cannot be loaded (ModuleNotFoundError); pip install ")
    assert "gpusim[cuda13]" in said
    assert cupy._compiler_reason(Runtime(), compiler(80, 90)) is None


def test_a_device_too_old_for_the_compiler_is_refused_by_its_number() -> None:
    said = cupy._compiler_reason(Runtime(capability=61), compiler(75, 80))
    assert said.startswith(
        "the compiler makes no code for compute capability 6.1; use a device of 7.5 or later"
    )


@pytest.mark.parametrize(
    ("device", "expected"),
    [(90, "sm_90"), (89, "sm_86"), (121, "sm_120"), (130, "compute_120"), (110, "compute_100"), (70, None)],
)
def test_code_is_made_for_the_device_its_generation_or_any(device: int, expected: str | None) -> None:
    assert cupy_compiler.target(device, (75, 80, 86, 90, 100, 120)) == expected


def test_without_a_driver_cupy_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cupy, "has_driver", lambda: False)
    monkeypatch.setattr(cupy.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "cupy", None)  # importing it would say that it cannot be imported
    assert cupy.reason.__wrapped__().startswith("no NVIDIA driver on this machine")


def test_without_cupy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cupy.importlib.util, "find_spec", lambda name: None)
    assert cupy.reason.__wrapped__().startswith("CuPy is not installed; pip install 'gpusim[cuda13]'")


def test_a_broken_cupy_says_what_is_wrong_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cupy, "has_driver", lambda: True)
    monkeypatch.setattr(cupy.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert cupy.reason.__wrapped__().startswith("CuPy cannot be imported (ModuleNotFoundError")


def test_an_engine_that_cannot_run_has_no_devices() -> None:
    if backend.reason_unavailable("cupy") is None:
        pytest.skip("a device is visible")
    assert cupy.devices() == []


# ---- the cache --------------------------------------------------------------------------------------------------


class Compiler:
    """As much of `cupy.cuda.nvrtc` as making a kernel needs; counts how often it is asked."""

    NVRTCError = Failure

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.version = (13, 0)
        self.fails = False

    def getSupportedArchs(self) -> tuple[int, ...]:
        return (80, 90)

    def getVersion(self) -> tuple[int, int]:
        return self.version

    def createProgram(self, text: str, name: str, *_: Any) -> str:
        assert "gpusim" in text
        return name

    def compileProgram(self, program: str, options: list[str]) -> None:
        if self.fails:
            raise Failure(6)
        self.asked.append(tuple(options))

    def getProgramLog(self, program: str) -> str:
        return "kernel.cuh(3): error: something"

    def getCUBIN(self, program: str) -> bytes:
        return f"cubin {len(self.asked)}".encode()

    def getPTX(self, program: str) -> bytes:
        return b"ptx"

    def destroyProgram(self, program: str) -> None:
        pass


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    found = Compiler()
    monkeypatch.setenv("GPUSIM_CACHE_DIR", str(tmp_path / "kept"))
    for name in ("cupy", "cupy.cuda"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(nvrtc=found))
    return found


def test_a_kernel_is_compiled_once_for_each_thing_that_it_depends_on(
    pretended: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cupy_compiler.kernel("easy", 90)
    assert cupy_compiler.kernel("easy", 90) == first
    assert len(pretended.asked) == 1
    assert {"-DGPUSIM_ONLY_EASY", "--gpu-architecture=sm_90", "-std=c++17", "--fmad=false"} <= {
        *pretended.asked[0]
    }
    cupy_compiler.kernel("any", 90)
    cupy_compiler.kernel("easy", 80)
    pretended.version = (13, 1)
    cupy_compiler.kernel("easy", 90)
    monkeypatch.setattr(cupy_compiler, "__version__", "99")
    cupy_compiler.kernel("easy", 90)
    monkeypatch.setattr(cupy_compiler, "_source_hash", lambda: "another")
    cupy_compiler.kernel("easy", 90)
    assert len(pretended.asked) == 6


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_file_is_made_anew(pretended: Compiler, tmp_path: Path, damage: bytes | None) -> None:
    first = cupy_compiler.kernel("easy", 90)
    (file,) = (tmp_path / "kept/kernels").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] if damage is None else damage)
    again = cupy_compiler.kernel("easy", 90)
    assert (first, again) == (b"cubin 1", b"cubin 2")
    assert cupy_compiler.kernel("easy", 90) == again
    assert [file] == [*(tmp_path / "kept/kernels").iterdir()]  # nothing half written is left


def test_a_folder_that_cannot_be_written_is_no_failure(
    pretended: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPUSIM_CACHE_DIR", str(tmp_path / "file/below"))
    assert cupy_compiler.kernel("easy", 90) == b"cubin 1"
    assert cupy_compiler.kernel("easy", 90) == b"cubin 2"


def test_portable_code_ends_as_the_driver_wants(pretended: Compiler) -> None:
    assert cupy_compiler.kernel("easy", 120) == b"ptx\0"


def test_sources_that_do_not_compile_are_told_with_the_compiler_s_words(pretended: Compiler) -> None:
    pretended.fails = True
    with pytest.raises(BackendUnavailable, match=r"kernel\.cuh\(3\): error: something"):
        cupy_compiler.kernel("easy", 90)
    with pytest.raises(BackendUnavailable, match=r"compute capability 7\.0; use a device of 8\.0 or later"):
        cupy_compiler.kernel("easy", 70)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUSIM_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cupy_compiler.cache_folder() == Path("/x/gpusim")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/of/me")
    assert cupy_compiler.cache_folder() == Path("/of/me/.cache/gpusim")


# ---- the real compiler ------------------------------------------------------------------------------------------


@pytest.mark.nvrtc
@pytest.mark.slow
@pytest.mark.parametrize("family", cupy_compiler.FAMILIES)
def test_each_family_compiles_by_itself_and_is_then_read_from_the_cache(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except Exception as error:  # ImportError, or CuPy's own error when the library is not there
        pytest.skip(f"nvrtc not available (pip install 'gpusim[cuda13]'): {type(error).__name__}")
    monkeypatch.setenv("GPUSIM_CACHE_DIR", str(tmp_path))
    code = cupy_compiler.kernel(family, 90)
    assert code.startswith(b"\x7fELF")
    entries = [name for name in cupy_compiler.FAMILIES if f"gpusim_{name}\0".encode() in code]
    assert entries == [family]
    monkeypatch.setattr(nvrtc, "compileProgram", None)
    assert cupy_compiler.kernel(family, 90) == code
