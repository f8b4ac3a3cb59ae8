"""`gpusim compare`: what changes of a scenario are worth, in GPUs."""

from __future__ import annotations

from typing import Annotated

import typer

from gpusim.cli.options import (
    BackendOption,
    Json,
    Output,
    Quiet,
    ScenarioArgument,
    SeedOption,
    ThreadsOption,
    TimeLimit,
    VaryOption,
    read_scenario,
    read_time_limit,
    repeat_command,
)
from gpusim.cli.output import check_writable, print_page, print_text, write_file
from gpusim.cli.progress import progress
from gpusim.cli.size import WIDER

Variants = Annotated[
    str | None,
    typer.Option(
        "--variants", metavar="A,B|all", help="Variants of the scenario file, groups of them, or all."
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Compare with this change, e.g. policy.backfill=none. Repeated: all made together.",
    ),
]
Replications = Annotated[
    int, typer.Option("--replications", min=10, max=1_000_000, help="Independent periods of each variant.")
]
Step = Annotated[
    int | None,
    typer.Option("--step", min=1, metavar="N", help="GPUs between sizes tried. Default: 0.3% of the size."),
]


def compare(
    scenario: ScenarioArgument,
    variants: Variants = None,
    changes: Changes = None,
    replications: Replications = 50,
    step: Step = None,
    as_json: Json = False,
    output: Output = None,
    vary: VaryOption = None,
    seed: SeedOption = None,
    time_limit: TimeLimit = None,
    threads: ThreadsOption = None,
    backend: BackendOption = "auto",
    quiet: Quiet = False,
) -> None:
    """Price changes of a scenario in GPUs, on the same periods."""
    limit = read_time_limit(time_limit)
    check_writable(output, "--output", scenario)
    loaded = read_scenario(scenario, None)

    from gpusim.plan.compare import compare as price
    from gpusim.report import compare_page

    options = {
        "--variants": variants,
        "--replications": replications,
        "--step": step,
        "--vary": vary,
        "--seed": loaded.study.seed if seed is None else seed,
        "--time-limit": time_limit,
        "--backend": backend if backend != "auto" else None,
    }
    names = [name.strip() for name in (variants or "").split(",") if name.strip()]
    with progress(quiet) as show:
        comparison = price(
            loaded,
            "all" if names == ["all"] else names,
            changes=changes or (),
            replications=replications,
            step=step,
            vary=vary,
            seed=seed,
            time_limit=limit,
            backend=backend,
            threads=threads,
            on_progress=show,
            command=repeat_command("compare", scenario, options, changes),
        )
    if output is not None:
        write_file(comparison.to_json, output)
    if as_json:
        print_text(comparison.to_json())
    else:
        print_page(compare_page(comparison))
    if not comparison.complete:
        raise typer.Exit(WIDER)
