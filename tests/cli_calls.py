"""Calls of the command line, inside this process and in one of its own, and a scenario that takes no time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

import gpusim
from gpusim.cli import app

PYTHON = Path(gpusim.__file__).parent.parent
"""Where gpusim was imported from: the checkout, or the installed package."""

# One look for every machine: no colors, and lines as long as a page may have.
SCREEN = {"COLUMNS": "100", "NO_COLOR": "1", "FORCE_COLOR": None, "PY_COLORS": None, "TTY_COMPATIBLE": None}
COLOR = re.compile(r"\x1b\[[0-9;]*m")

# About 26 GPUs are needed: one class of single GPUs, strict order, 130 counted jobs a period.
TINY = """\
schema: 1
name: tiny
center: {have: 24}
tenants:
  - name: lab
    classes:
      - name: runs
        arrivals: {load: 20}
        gpus: 1
        run_time: {exponential: {mean: 1h}}
policy: {backfill: none}
slos:
  - wait <= 30min for 90% of all jobs
study: {horizon: 12h, warm_up: 5h, attainment: 80%, tolerance: 20%, granularity: 1, max_gpus: 60}
assumptions: [Everything is made up.]
"""


class Call(NamedTuple):
    """What a call left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """Stdout read as one JSON object."""
        value = json.loads(self.out, parse_constant=refuse)
        assert isinstance(value, dict)
        return value


def refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def call(*arguments: object, stdin: str | bytes | None = None) -> Call:
    """Run a verb in this process."""
    result = CliRunner().invoke(
        app, [str(word) for word in arguments], input=stdin, env=SCREEN, prog_name="gpusim"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Call(result.exit_code, result.stdout, COLOR.sub("", result.stderr))


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start ``python -m gpusim`` with pipes for stdout and stderr."""
    # A shell's background job ignores the interrupt, and so would its children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    path = os.pathsep.join([str(PYTHON), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "gpusim", *(str(word) for word in arguments)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    screen = {name: value for name, value in SCREEN.items() if value is not None}
    others = {name: value for name, value in os.environ.items() if name not in SCREEN}
    return subprocess.Popen(command, **(pipes | options), env=others | screen | {"PYTHONPATH": path})


def call_apart(*arguments: object) -> Call:
    """Run a verb in a process of its own."""
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    return Call(process.returncode, out, err)
