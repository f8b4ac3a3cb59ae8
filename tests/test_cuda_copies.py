"""`csrc/cuda/device.cpp` keeps its promises of order, before a CUDA runtime that does everything as late as it may.

Only CUDA's headers are needed: `pretend_runtime.cpp` is the runtime, the kernel and the checks.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device_compilers import find_nvcc

HERE = Path(__file__).parent
SOURCES = HERE.parent / "csrc" / "cuda"


def headers() -> str:
    """The folder of CUDA's headers, as nvcc tells it."""
    nvcc = find_nvcc()
    if nvcc is None:
        pytest.skip("nvcc not found: put it on PATH or set CUDACXX")
    command = [nvcc, "--dryrun", "-c", "-x", "cu", "/dev/null", "-o", "/dev/null"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.search(r'^#\$ INCLUDES="-I(.*?)"', said, re.MULTILINE)
    assert found is not None, said
    return found[1].strip()


def program(folder: Path, *options: str) -> Path:
    """The checks with the two sources, compiled."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    made = folder / "copies"
    sources = [HERE / "pretend_runtime.cpp", SOURCES / "device.cpp", SOURCES / "staging.cpp"]
    strict = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", *options]
    command = [compiler, *strict, "-isystem", headers(), f"-I{SOURCES}", *map(str, sources), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if options and "tsan" in done.stderr:
        pytest.skip("no thread sanitizer")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def check(made: Path, pinned: int, times: int) -> None:
    command = [str(made), str(pinned), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.stdout, done.returncode) == ("all hold\n", 0), done.stderr


@pytest.mark.nvcc
@pytest.mark.slow
def test_copies_keep_their_order_beside_launches_with_pinned_memory_or_without(tmp_path: Path) -> None:
    made = program(tmp_path)
    for pinned in (8 << 20, 4 << 20, 0):
        check(made, pinned, 300)


@pytest.mark.nvcc
@pytest.mark.slow
def test_memory_may_be_released_by_any_thread(tmp_path: Path) -> None:
    check(program(tmp_path, "-fsanitize=thread"), 8 << 20, 1000)
