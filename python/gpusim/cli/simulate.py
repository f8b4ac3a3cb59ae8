"""`gpusim simulate`: everything measured at one number of GPUs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

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
    read_pools,
    read_scenario,
    read_time_limit,
    repeat_command,
)
from gpusim.cli.output import check_writable, print_page, print_text, write_file
from gpusim.cli.progress import progress
from gpusim.cli.size import MET, NOT_MET, WIDER

Gpus = Annotated[
    str | None,
    typer.Option(
        "--gpus",
        metavar="N|POOL=N,..",
        help="Size of the center, or of each of its pools. Default: what the center has.",
    ),
]
Replications = Annotated[
    int, typer.Option("--replications", min=1, max=10_000_000, help="Independent periods.")
]


def simulate(
    scenario: ScenarioArgument,
    gpus: Gpus = None,
    replications: Replications = 64,
    as_json: Json = False,
    output: Output = None,
    variant: VariantOption = None,
    changes: SetOption = None,
    seed: SeedOption = None,
    time_limit: TimeLimit = None,
    threads: ThreadsOption = None,
    backend: BackendOption = "auto",
    quiet: Quiet = False,
) -> None:
    """Measure waits, service levels and use with a given number of GPUs."""
    limit = read_time_limit(time_limit)
    wanted = None if gpus is None else read_pools(gpus)
    check_writable(output, "--output", scenario)
    loaded = read_scenario(scenario, changes, variant)

    from gpusim.plan.output import write_text
    from gpusim.plan.simulate import simulate as run
    from gpusim.report import simulation_page

    options = {
        "--variant": variant,
        "--gpus": _as_option(wanted),
        "--replications": replications,
        "--seed": loaded.study.seed if seed is None else seed,
        "--time-limit": time_limit,
        "--backend": backend if backend != "auto" else None,
    }
    with progress(quiet) as show:
        result = run(
            loaded,
            gpus=wanted,
            replications=replications,
            seed=seed,
            time_limit=limit,
            backend=backend,
            threads=threads,
            on_progress=show,
            command=repeat_command("simulate", scenario, options, changes),
        )
    cut_short = result.attainment.replications < replications
    data = result.to_dict() | {"resolved": not cut_short}
    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    if output is not None:
        write_file(lambda path: write_text(path, text), output)
    if as_json:
        print_text(text)
    else:
        print_page(simulation_page(result, asked=replications))
    code = NOT_MET if not result.slos_met else WIDER if cut_short else MET
    if code:
        raise typer.Exit(code)


def _as_option(gpus: int | dict[str, int] | None) -> str | None:
    if isinstance(gpus, dict):
        return ",".join(f"{name}={number}" for name, number in gpus.items())
    return None if gpus is None else str(gpus)
