"""`gpusim new`: a working scenario to start from."""

from __future__ import annotations

import os
import shlex
from typing import Annotated

import typer

from gpusim.cli.output import check_writable, print_text, write_file
from gpusim.errors import Problem, UsageError

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A built-in scenario, e.g. quickstart (see gpusim info).")
]
File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="Where to write it; - for stdout. [NAME.yaml]")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")]


def new(name: Name, file: File = None, force: Force = False) -> None:
    """Copy a built-in scenario, with its comments, to a file of your own."""
    from gpusim.plan.output import write_text
    from gpusim.scenario import example_text, examples

    text = example_text(name)
    if file == "-":
        print_text(text)
        return
    path = file or f"{name}.yaml"
    check_writable(path, "FILE")
    if os.path.lexists(path) and not force:
        remedy = "choose another name, or overwrite it with --force"
        raise UsageError(Problem(path, "is already there", remedy, "usage/exists"))
    write_file(lambda target: write_text(target, text), path)
    shown = shlex.quote(f"./{path}" if path in examples() or path.startswith("-") else path)
    print_text(f"wrote {path}\nnext: gpusim check {shown}")
