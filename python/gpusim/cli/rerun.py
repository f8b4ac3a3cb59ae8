"""`gpusim rerun`: an answer once more, from its own file."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from gpusim.cli.options import BackendOption, Json, Quiet, ThreadsOption
from gpusim.cli.output import print_page, print_text
from gpusim.cli.progress import progress

AnswerFile = Annotated[
    str,
    typer.Argument(
        metavar="ANSWER.json",
        help="What size, simulate or compare wrote with --output or --json; - for stdin.",
    ),
]

DIFFERENT = 1
"""Exit code if anything that decides the answer is not the same."""


def rerun(
    answer: AnswerFile,
    as_json: Json = False,
    threads: ThreadsOption = None,
    backend: BackendOption = "auto",
    quiet: Quiet = False,
) -> None:
    """Repeat an answer from its own file, and say what is different."""
    from gpusim.plan.rerun import parse_answer, read_answer
    from gpusim.plan.rerun import rerun as repeat
    from gpusim.report import rerun_page

    recorded = parse_answer(sys.stdin.buffer.read(), "<stdin>") if answer == "-" else read_answer(answer)
    with progress(quiet) as show:
        result = repeat(recorded, backend=backend, threads=threads, on_progress=show)
    if as_json:
        print_text(json.dumps(result.to_dict(), indent=2, allow_nan=False))
    else:
        print_page(rerun_page(result))
    if not result.same:
        raise typer.Exit(DIFFERENT)
