"""The kernels, compiled at first use by NVIDIA's run-time compiler (NVRTC) through CuPy, and kept on disk.

The sources are the package's own: the core headers and the kernel entry, the same text that nvcc compiles. One family
of runs is compiled at a time. A compiled kernel is kept in a cache folder under a name made of everything that it
depends on; a file that is damaged is made anew, and a folder that cannot be written costs the next process a
compilation.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gpusim._version import __version__
from gpusim.errors import BackendUnavailable, Problem

OPTIONS = ("-std=c++17", "--fmad=false")
"""As for nvcc."""
FAMILIES = ("in_order", "easy", "any", "shared")
_ENTRY = Path("cuda/kernel.cuh")
_MAGIC = b"gpusim kernel 1\n"
_DIGEST = 32  # bytes of SHA-256
_SHOWN_LOG = 1500  # characters of the compiler's log in an error


def kernel(family: str, architecture: int) -> bytes:
    """Machine code of a family's kernel: from the cache, else compiled and put there.

    Parameters
    ----------
    family : {"in_order", "easy", "any", "shared"}
    architecture : int
        Compute capability of the device without its point: 90 for 9.0.

    Raises
    ------
    BackendUnavailable
        If the compiler knows no such architecture, or refuses the sources.
    """
    from cupy.cuda import nvrtc

    wanted = target(architecture, nvrtc.getSupportedArchs())
    if wanted is None:
        raise BackendUnavailable([architecture_problem(architecture, nvrtc.getSupportedArchs())])
    options = (f"--gpu-architecture={wanted}", f"-DGPUSIM_ONLY_{family.upper()}", *OPTIONS)
    file = cache_folder() / "kernels" / f"{_key(options, nvrtc.getVersion())}.cubin"
    code = _read(file)
    if code is None:
        code = _compile(nvrtc, options)
        _write(file, code)
    return code


def target(architecture: int, known: Sequence[int]) -> str | None:
    """What to compile for: the device's own machine code, that of an elder of its generation, or portable code.

    Machine code runs on every later device of its generation (the tens); portable code (PTX) is compiled once more by
    the driver. None where the device is older than all that the compiler knows.
    """
    older = [one for one in known if one <= architecture]
    if not older:
        return None
    newest = max(older)
    return f"{'sm' if newest // 10 == architecture // 10 else 'compute'}_{newest}"


def architecture_problem(architecture: int, known: Sequence[int]) -> Problem:
    """Say that no code can be made for this device."""
    found = ".".join(divmod_text(architecture))
    what = f"its compiler makes no code for this device, of compute capability {found}"
    least = ".".join(divmod_text(min(known)))
    return Problem("cupy", what, f"use a device of {least} or later, or --backend cpu", "backend/unavailable")


def divmod_text(architecture: int) -> tuple[str, str]:
    """Both parts of a compute capability."""
    return str(architecture // 10), str(architecture % 10)


@cache
def source_folder() -> Path:
    """Where the headers are: in the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_source", package.parents[1] / "csrc"):
        if (folder / _ENTRY).is_file():
            return folder
    remedy = "install gpusim again, or use --backend cpu"
    raise BackendUnavailable(
        [Problem("cupy", "the sources of the kernels are not installed", remedy, "backend/unavailable")]
    )


def cache_folder() -> Path:
    """`GPUSIM_CACHE_DIR`, else gpusim's folder in the user's cache folder (`XDG_CACHE_HOME`, ~/.cache)."""
    if own := os.environ.get("GPUSIM_CACHE_DIR"):
        return Path(own)
    if users := os.environ.get("XDG_CACHE_HOME"):
        return Path(users) / "gpusim"
    return Path(os.path.expanduser("~/.cache")) / "gpusim"


@cache
def _source_hash() -> str:
    """SHA-256 of all headers and their names."""
    root, digest = source_folder(), hashlib.sha256()
    for path in sorted(p for folder in ("core", "cuda") for p in (root / folder).iterdir() if p.is_file()):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def _key(options: Sequence[str], compiler: tuple[int, int]) -> str:
    """Name of everything that machine code depends on."""
    parts = (_source_hash(), __version__, *map(str, compiler), *options)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _compile(nvrtc: Any, options: Sequence[str]) -> bytes:
    entry = source_folder() / _ENTRY
    program = nvrtc.createProgram(entry.read_text(), entry.name, [], [])
    try:
        nvrtc.compileProgram(program, [*options, f"-I{entry.parent}"])
        portable = "compute_" in options[0]
        code: bytes = nvrtc.getPTX(program) if portable else nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError as error:
        log = nvrtc.getProgramLog(program).strip()[:_SHOWN_LOG]
        what = f"NVRTC could not compile the kernels: {error}\n{log}"
        remedy = "please report this, and use --backend cpu"
        raise BackendUnavailable([Problem("cupy", what, remedy, "backend/unavailable")]) from error
    finally:
        nvrtc.destroyProgram(program)
    return code if not portable or code.endswith(b"\0") else code + b"\0"


def _read(file: Path) -> bytes | None:
    """What `_write` has written; None where it is missing or damaged."""
    try:
        held = file.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST
    code = held[start:]
    return code if held[:start] == _MAGIC + hashlib.sha256(code).digest() else None


def _write(file: Path, code: bytes) -> None:
    """Put a file in its place whole or not at all; another process may be writing it too."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=file.name)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(_MAGIC + hashlib.sha256(code).digest() + code)
            os.replace(temporary, file)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
