"""Where answers go: pages and JSON to stdout, files whole or not at all."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gpusim.errors import Problem, RunError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDEST, _NARROWEST = 100, 60
"""Columns of a page: lines longer than this are hard to read, shorter ones break every table."""


def print_page(page: RenderableType) -> None:
    """Print a page to stdout: in color on a terminal, plain elsewhere."""
    from rich.console import Console

    from gpusim.report import to_text

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a sign shows "?" instead of failing
    console = Console(highlight=False, emoji=False, markup=False)
    wanted = console.width if console.is_terminal or os.environ.get("COLUMNS") else _WIDEST
    console.width = max(_NARROWEST, min(_WIDEST, wanted))
    if console.is_terminal:
        console.print(page)
    else:
        sys.stdout.write(to_text(page, console.width))


def print_text(text: str) -> None:
    """Print text to stdout as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def check_writable(path: str | None, option: str, *inputs: str) -> None:
    """Refuse a file that could not be written, before hours are spent on what shall go there.

    Parameters
    ----------
    path : str or None
        File to be written; None: nothing to check.
    option : str
        Name of the option, for the message.
    *inputs : str
        Files that must not be overwritten.

    Raises
    ------
    UsageError
        The path is a folder, its folder is missing or closed, or it is one of the inputs.
    """
    if path is None:
        return
    target = Path(path)
    try:
        if target.is_dir():
            raise _unwritable(option, path, "is a folder", "name a file in it")
        if not target.parent.is_dir():
            raise _unwritable(option, path, "its folder does not exist", "create it, or choose another one")
        if any(
            os.path.exists(name) and os.path.exists(path) and os.path.samefile(name, path) for name in inputs
        ):
            raise _unwritable(option, path, "is the input itself", "choose another name")
        if target.exists() and not target.is_file():
            return  # a device or a pipe
        with tempfile.TemporaryFile(dir=target.resolve().parent):
            pass
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        what = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        raise _unwritable(option, path, what, "choose another place") from None


def write_file(write: Callable[[str], object], path: str) -> None:
    """Call ``write(path)``; a disk that fails now is told as such."""
    try:
        write(path)
    except OSError as error:
        what = f"could not be written: {error.strerror or error}"
        raise RunError(Problem(path, what, "free some room, or choose another place", "run/output")) from None


def _unwritable(option: str, path: str, what: str, remedy: str) -> UsageError:
    return UsageError(Problem(f"{option} {path}", what, remedy, "usage/output"))
