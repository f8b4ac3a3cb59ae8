"""nvcc compiles the kernel entry for every architecture, in time and without register spills. No GPU is needed."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from device_compilers import (
    ARCHITECTURES,
    FAMILIES,
    KERNEL,
    OPTIONS,
    SECONDS,
    Usage,
    describe,
    each_family,
    entries,
    find_nvcc,
    only,
    read_ptxas_log,
)


def compile_cubin(architecture: int, family: str, folder: Path) -> tuple[Path, str, float]:
    nvcc = find_nvcc()
    if nvcc is None:
        pytest.skip("nvcc not found: put it on PATH or set CUDACXX")
    source = folder / "entry.cu"  # a header compiled by itself would warn about its own #pragma once
    source.write_text(f'#include "{KERNEL}"\n')
    cubin = folder / f"kernel.sm_{architecture}.cubin"
    command = [
        nvcc,
        "-cubin",
        f"-arch=sm_{architecture}",
        *OPTIONS,
        only(family),
        "-Xptxas",
        "-v",
        "-Werror",
        "all-warnings",
    ]
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, str(source), "-o", str(cubin)], capture_output=True, text=True, check=False
    )
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
    assert done.returncode == 0, done.stdout + done.stderr
    return cubin, done.stdout + done.stderr, seconds


@pytest.mark.nvcc
@pytest.mark.slow
@each_family
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvcc_compiles_each_entry_without_spills(
    architecture: int, family: str, tmp_path: Path, summary_line: Callable[[str], None]
) -> None:
    cubin, log, seconds = compile_cubin(architecture, family, tmp_path)
    if seconds >= SECONDS:  # a slow moment of the machine, or the compiler?
        seconds = compile_cubin(architecture, family, tmp_path)[2]
    usage = read_ptxas_log(log)
    assert cubin.stat().st_size > 0
    assert entries() & {u.name for u in usage} == {f"gpusim_{family}"}
    assert [u for u in usage if u.spill_stores or u.spill_loads] == []
    assert seconds < SECONDS
    summary_line(describe("nvcc", architecture, seconds, usage))


def test_every_family_has_an_entry() -> None:
    assert entries() == {f"gpusim_{family}" for family in FAMILIES}


def test_the_reader_of_ptxas_logs_sees_a_spill() -> None:
    log = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'run' for 'sm_80'
ptxas info    : Function properties for run
    104 bytes stack frame, 12 bytes spill stores, 24 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers, 104 bytes cumulative stack size, 364 bytes cmem[0]
ptxas info    : Function properties for _Z4passi
ptxas         .     8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
"""
    assert read_ptxas_log(log) == [Usage("run", 104, 12, 24, 32), Usage("_Z4passi", 8, 0, 0, 0)]
