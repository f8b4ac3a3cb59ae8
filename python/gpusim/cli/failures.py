"""The one place where a failure becomes words on stderr and an exit code.

Exit codes of `gpusim.errors`, and besides: 130 after Ctrl-C, 141 when the reader of stdout has gone (as `cat` ends
under `| head`). With ``--json`` an error is also one JSON object on stdout, so that a pipe always gets JSON. Wrong
flags never get here: typer reports them itself and exits with 2.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from gpusim.errors import SHOWN_PROBLEMS, GpusimError, Problem, RunError

ERROR_SCHEMA = 1
"""Version of the JSON form of an error."""
TRACEBACK = "GPUSIM_TRACEBACK"
"""Environment variable; if set, an unexpected exception shows where it came from."""

_INTERRUPTED = 130
_NO_READER = 141
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) != "\n"}


def guarded(verb: Callable[..., None]) -> Callable[..., None]:
    """Wrap a verb so that every failure ends as documented above, and none as a traceback."""

    @functools.wraps(verb)
    def run(**arguments: Any) -> None:
        as_json = bool(arguments.get("as_json"))
        try:
            verb(**arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_stdout()
            raise typer.Exit(_NO_READER) from None
        except KeyboardInterrupt:
            typer.echo("interrupted: no answer was written", err=True)
            raise typer.Exit(_INTERRUPTED) from None
        except GpusimError as error:
            every = verb.__name__ == "check"
            _report(error, as_json, shown=len(error.problems) if every else SHOWN_PROBLEMS)
            raise typer.Exit(error.exit_code) from None
        except MemoryError:
            remedy = "use fewer --threads or --replications, or a shorter horizon"
            _report(RunError(Problem("", "out of memory", remedy, "run/memory")), as_json)
            raise typer.Exit(RunError.exit_code) from None
        except OSError as error:
            place = str(error.filename or "")
            what = error.strerror or str(error)
            _report(
                RunError(Problem(place, what, "check the disk and what reads the output", "run/system")),
                as_json,
            )
            raise typer.Exit(RunError.exit_code) from None
        except typer.Exit:
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            remedy = f"this is a bug; please report it with the output of {TRACEBACK}=1"
            _report(RunError(Problem("", what, remedy, "run/bug")), as_json)
            raise typer.Exit(RunError.exit_code) from None

    return run


def describe(error: GpusimError, shown: int = SHOWN_PROBLEMS) -> str:
    """The text of an error for people: one line, or one bullet for each problem."""
    total = len(error.problems) + error.more
    if total == 1:
        return f"error: {printable(str(error.problems[0]))}"
    lines = [f"error: {total:,} problems", *(f"  - {printable(str(p))}" for p in error.problems[:shown])]
    if total > len(lines) - 1:
        lines.append(f"  and {total - len(lines) + 1:,} more")
    return "\n".join(lines)


def printable(text: str) -> str:
    """`text` without anything that could steer a terminal: found values come from other people's files."""
    return text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8")


def error_json(error: GpusimError) -> str:
    """The stable JSON form of an error."""
    data = {
        "schema": ERROR_SCHEMA,
        "kind": "error",
        "code": error.code,
        "exit_code": error.exit_code,
        "problems": [
            {"where": p.where, "what": p.what, "found": p.found, "remedy": p.remedy, "code": p.code}
            for p in error.problems
        ],
        "more": error.more,
    }
    return json.dumps(data, indent=2)


def _report(error: GpusimError, as_json: bool, shown: int = SHOWN_PROBLEMS) -> None:
    typer.echo(describe(error, shown), err=True)
    if as_json:
        try:
            typer.echo(error_json(error))
            sys.stdout.flush()
        except OSError:
            _forget_stdout()


def _forget_stdout() -> None:
    """Point stdout at nothing, so that the interpreter does not complain when it flushes on its way out."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
