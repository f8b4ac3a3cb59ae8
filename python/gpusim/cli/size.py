"""`gpusim size`: how many GPUs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gpusim.cli.forecast import announce
from gpusim.cli.options import (
    BackendOption,
    Json,
    Output,
    Quiet,
    ScenarioArgument,
    SeedOption,
    SetOption,
    ThreadsOption,
    TimeLimit,
    VariantOption,
    VaryOption,
    read_scenario,
    read_time_limit,
    repeat_command,
)
from gpusim.cli.output import check_writable, print_page, print_text, write_file
from gpusim.cli.progress import progress

Certify = Annotated[
    Literal["normal", "strict"],
    typer.Option("--certify", help="strict: certify on runs that were never used to find the answer."),
]

MET, NOT_MET, WIDER = 0, 1, 6
"""Exit codes of an answer; no answer at all has the exit code of its error."""


def size(
    scenario: ScenarioArgument,
    as_json: Json = False,
    output: Output = None,
    variant: VariantOption = None,
    changes: SetOption = None,
    vary: VaryOption = None,
    seed: SeedOption = None,
    time_limit: TimeLimit = None,
    certify: Certify = "normal",
    threads: ThreadsOption = None,
    backend: BackendOption = "auto",
    quiet: Quiet = False,
) -> None:
    """Find how many GPUs meet every service level, or how much demand those there are carry, with certified bounds."""
    limit = read_time_limit(time_limit)
    check_writable(output, "--output", scenario)
    loaded = read_scenario(scenario, changes, variant)

    from gpusim.plan.size import size as find_size
    from gpusim.report import size_page

    options = {
        "--variant": variant,
        "--vary": vary,
        "--seed": loaded.study.seed if seed is None else seed,
        "--certify": certify if certify != "normal" else None,
        "--time-limit": time_limit,
        "--backend": backend if backend != "auto" else None,
    }
    if limit is None:
        announce(loaded, quiet=quiet, seed=seed, vary=vary, certify=certify, threads=threads, backend=backend)
    with progress(quiet) as show:
        answer = find_size(
            loaded,
            vary=vary,
            seed=seed,
            certify=certify,
            time_limit=limit,
            backend=backend,
            threads=threads,
            on_progress=show,
            command=repeat_command("size", scenario, options, changes),
        )
    if output is not None:
        write_file(answer.to_json, output)
    if as_json:
        print_text(answer.to_json())
    else:
        print_page(size_page(answer))
    code = NOT_MET if answer.feasible is False else MET if answer.resolved else WIDER
    if code:
        raise typer.Exit(code)
