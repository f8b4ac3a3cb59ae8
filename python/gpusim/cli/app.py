"""The command `gpusim` and its verbs."""

from __future__ import annotations

from typing import Annotated

import typer

from gpusim._version import __version__
from gpusim.cli.check import check
from gpusim.cli.compare import compare
from gpusim.cli.failures import guarded
from gpusim.cli.info import info
from gpusim.cli.new import new
from gpusim.cli.replay import replay
from gpusim.cli.rerun import rerun
from gpusim.cli.schema import schema
from gpusim.cli.simulate import simulate
from gpusim.cli.size import size

app = typer.Typer(
    name="gpusim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 answered; 1 the service levels are not met, or cannot be; 2 wrong use or missing file; "
    "3 wrong scenario or log; 4 no such backend here; 5 a run failed; 6 less certain than asked.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gpusim {__version__}")
        raise typer.Exit


@app.callback()
def gpusim(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Say how many GPUs a computing center needs to meet its service levels.

    Try: gpusim size quickstart
    """


for verb in (size, simulate, compare, replay, rerun, check, new, schema, info):
    app.command(verb.__name__)(guarded(verb))


def main() -> None:
    """Run the command line on `sys.argv`; ends the process with the exit code."""
    app(prog_name="gpusim")
