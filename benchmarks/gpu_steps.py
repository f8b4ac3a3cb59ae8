"""What each step of `gpu_check.py` does. Importing this imports gpusim, so it happens in the steps' own processes."""

from __future__ import annotations

import os

import gpu_answer
import gpu_parity
import gpu_throughput
import report
from gpu_engines import ENGINES, HOST
from gpu_rows import Rows, Skip
from gpusim import _native
from gpusim._version import __version__
from gpusim.engine.backend import reasons_unavailable
from gpusim.engine.cpu import usable_cores

NO_DEVICE = "a rehearsal has no device"
REHEARSED_CELLS = 2
REHEARSAL = {"pilot_runs": 2, "target": 0.0, "latency_jobs": 500}


def perform(name: str, rows: Rows, *, rehearse: bool = False, year: bool = False) -> None:
    """Measure the step of this name. Raises `Skip` if it cannot be measured here."""
    device = "emulated" if rehearse else "cuda"
    if not rehearse and name in ("parity cuda", "throughput", "answer", "sanitizer"):
        needed("cuda")
    if name == "about":
        about(rows)
    elif name == "throughput":
        gpu_throughput.step(rows, device, ENGINES[device], **(REHEARSAL if rehearse else {}))
    elif name == "parity cuda":
        gpu_parity.step(rows, ENGINES[device], REHEARSED_CELLS if rehearse else None)
    elif rehearse:
        raise Skip(NO_DEVICE)
    elif name == "parity cupy":
        require("cupy")
        gpu_parity.step(rows, ENGINES["cupy"])
    elif name == "answer":
        gpu_answer.step(rows, {device: ENGINES[device], "host": HOST}, year=year)
    elif name == "cupy":
        import gpu_cupy

        require("cupy")
        gpu_cupy.step(rows)
    elif name == "sanitizer":
        import gpu_sanitizer

        gpu_sanitizer.step(rows)
    elif name == "profile":
        import gpu_profile

        gpu_profile.step(rows)
    else:
        raise ValueError(f"no step is called {name!r}")


def needed(engine: str) -> None:
    """Fail a step whose engine had to be there."""
    if reason := reasons_unavailable().get(engine):
        raise RuntimeError(f"the {engine} engine cannot be used: {reason}")


def require(engine: str) -> None:
    """Skip a step whose engine cannot be used, with the engine's own reason."""
    if reason := reasons_unavailable().get(engine):
        raise Skip(reason)


def about(rows: Rows) -> None:
    """The host, and the build that is measured."""
    rows.add(
        name="host",
        cpu=report.cpu(),
        cores=usable_cores(),
        memory_gib=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
    )
    rows.add(
        name="build",
        gpusim=__version__,
        compiler=_native.COMPILER,
        flags=_native.FLAGS,
        unavailable=reasons_unavailable(),
    )
