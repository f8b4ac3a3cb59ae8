"""The kernel entry as the two CUDA compilers see it: files, architectures, and what ptxas says about the result."""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

CSRC = Path(__file__).resolve().parent.parent / "csrc"
KERNEL = CSRC / "cuda" / "kernel.cuh"

ARCHITECTURES = (80, 90, 100, 120)  # A100, H100/H200, B200, RTX PRO 6000
FAMILIES = ("in_order", "easy", "any", "shared")
"""Families of runs: each has a kernel, and the run-time compiler is asked for one of them."""
each_family = pytest.mark.parametrize(
    "family", [*FAMILIES[:-1], pytest.param(FAMILIES[-1], marks=pytest.mark.alone)]
)
"""The largest is compiled while no other test runs: what shares a core with it adds a quarter to its seconds."""
OPTIONS = ("-std=c++17", "--fmad=false")


def only(family: str) -> str:
    """The option that leaves out the other families."""
    return f"-DGPUSIM_ONLY_{family.upper()}"


SECONDS = 30.0
"""A first use of the engine must not wait longer for its compiler. CPU time of the compiler, which works on one core:
what a machine shared with others does to the clock on the wall says nothing."""


class Usage(NamedTuple):
    """What ptxas reports for one function (a kernel, or a device function that stayed a call)."""

    name: str
    stack: int  # bytes
    spill_stores: int  # bytes
    spill_loads: int  # bytes
    registers: int  # of the kernel; 0 for a device function


def read_ptxas_log(log: str) -> list[Usage]:
    """Parse the text of ``ptxas -v``.

    The properties of an entry function are followed by its "Used N registers" line; those of the device functions it
    calls follow after that and have none.
    """
    found: list[Usage] = []
    name = ""
    for line in log.splitlines():
        if match := re.search(r"Function properties for '?([\w$]+)'?", line):
            name = match[1]
        elif match := re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line
        ):
            found.append(Usage(name, int(match[1]), int(match[2]), int(match[3]), 0))
        elif (match := re.search(r"Used (\d+) registers", line)) and found:
            found[-1] = found[-1]._replace(registers=int(match[1]))
    return found


def entries() -> set[str]:
    """Names of the kernels that kernel.cuh defines."""
    return set(re.findall(r"^GPUSIM_ENTRY\((\w+),", KERNEL.read_text(), re.MULTILINE))


def header_strings() -> tuple[list[bytes], list[bytes]]:
    """Contents and names of the core headers, for a compiler that sees no files.

    Each is given under both names it is included by: "../core/x.h" from kernel.cuh, and "x.h" from its neighbours.
    """
    contents, names = [], []
    for path in sorted((CSRC / "core").glob("*.h")):
        for name in (f"../core/{path.name}", path.name):
            contents.append(path.read_bytes())
            names.append(name.encode())
    contents.append((CSRC / "cuda" / "worker.h").read_bytes())
    names.append(b"worker.h")
    return contents, names


def find_nvcc() -> str | None:
    """The first nvcc among $CUDACXX, NVIDIA's packages in this environment, and PATH."""
    if chosen := os.environ.get("CUDACXX"):
        return shutil.which(chosen)
    packaged = Path(sysconfig.get_path("purelib")) / "nvidia" / "cu13" / "bin" / "nvcc"
    return shutil.which(packaged) or shutil.which("nvcc")


def describe(compiler: str, architecture: int, seconds: float, usage: list[Usage]) -> str:
    """One line for the end of the test run."""
    kernels = ", ".join(f"{u.name} {u.registers} registers" for u in usage if u.registers)
    stack = max(u.stack for u in usage)
    return f"{compiler} sm_{architecture}: {seconds:.1f} s of CPU, {kernels}, stack {stack} bytes, 0 spills"
