"""The run-time compiler takes the same sources, for every architecture, with no driver and no file system."""

from __future__ import annotations

import importlib.resources
import time
from collections.abc import Callable
from types import ModuleType

import pytest

from device_compilers import (
    ARCHITECTURES,
    CSRC,
    KERNEL,
    OPTIONS,
    SECONDS,
    describe,
    each_family,
    entries,
    header_strings,
    only,
    read_ptxas_log,
)


def run_time_compiler() -> ModuleType:
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except Exception as error:  # ImportError, or CuPy's own error when the library is not there
        pytest.skip(f"nvrtc not available (pip install 'gpusim[cuda13]'): {type(error).__name__}")
    return nvrtc


def compile_cubin(architecture: int, *options: str) -> tuple[bytes, str, float]:
    nvrtc = run_time_compiler()
    if architecture not in nvrtc.getSupportedArchs():
        pytest.skip(f"this nvrtc does not know sm_{architecture}")
    contents, names = header_strings()
    program = nvrtc.createProgram(KERNEL.read_text(), KERNEL.name, contents, names)
    begin = time.process_time()
    try:
        nvrtc.compileProgram(program, [f"--gpu-architecture=sm_{architecture}", *OPTIONS, *options])
    except nvrtc.NVRTCError as error:
        pytest.fail(f"{error}\n{nvrtc.getProgramLog(program)}")
    seconds = time.process_time() - begin
    return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program), seconds


@pytest.mark.nvrtc
@pytest.mark.slow
@each_family
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvrtc_compiles_each_entry_without_spills(
    architecture: int, family: str, summary_line: Callable[[str], None]
) -> None:
    cubin, log, seconds = compile_cubin(architecture, "--ptxas-options=-v", only(family))
    if seconds >= SECONDS:  # a slow moment of the machine, or the compiler?
        seconds = compile_cubin(architecture, "--ptxas-options=-v", only(family))[2]
    usage = read_ptxas_log(log)
    assert cubin.startswith(b"\x7fELF")
    assert entries() & {u.name for u in usage} == {f"gpusim_{family}"}
    assert [u for u in usage if u.spill_stores or u.spill_loads] == []
    assert seconds < SECONDS
    summary_line(describe("nvrtc", architecture, seconds, usage))


def test_the_installed_package_ships_these_sources() -> None:
    shipped = importlib.resources.files("gpusim") / "_source"
    for path in [*(CSRC / "core").glob("*.h"), *(CSRC / "cuda").glob("*.cuh")]:
        copy = shipped / path.parent.name / path.name
        assert copy.is_file(), f"{path.name} is not installed: reinstall gpusim"
        assert copy.read_bytes() == path.read_bytes(), f"{path.name} has changed since: reinstall gpusim"
