"""How much memory a batch needs and how much there is, so that it is refused before anything is allocated."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from gpusim.errors import Problem, RunError

SMALL = 1 << 24
"""Needs below this are not looked at [byte]: asking the system costs more than they do."""


def require(needed: int, remedy: str) -> None:
    """Raise RunError if `needed` bytes are more than there are."""
    if needed < SMALL:
        return
    left = available()
    if left is not None and needed > left:
        what = f"needs {needed / 2**30:,.2f} GiB, {left / 2**30:,.2f} GiB available"
        raise RunError([Problem("memory", what, remedy, "run/memory")])


def available(root: Path = Path("/")) -> int | None:
    """Bytes this process may still use: the machine's, and what its control groups (1 and 2) leave it.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are mounted; tests put their own there.

    Returns
    -------
    int or None
        None if nothing is known.
    """
    found = [*_machine(root), *(left for folder in _groups(root) for left in _left_in_group(folder))]
    return max(0, min(found)) if found else None


def _machine(root: Path) -> Iterator[int]:
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE)
    if match:
        yield int(match[1]) * 1024
        return
    try:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return


def _groups(root: Path) -> Iterator[Path]:
    """Folders of this process's memory groups and of all groups they are in."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts), -1, -1):
            yield base.joinpath(*parts[:depth])


def _left_in_group(folder: Path) -> Iterator[int]:
    """The limit less what is used, not counting file caches that the kernel gives up on demand."""
    for limit_file, used_file, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _read(folder / limit_file).strip(), _read(folder / used_file).strip()
        if limit.isdecimal() and used.isdecimal():  # no limit is "max", or a number beyond any machine
            match = re.search(rf"^{cache} (\d+)", _read(folder / "memory.stat"), re.MULTILINE)
            yield int(limit) - int(used) + (int(match[1]) if match else 0)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
