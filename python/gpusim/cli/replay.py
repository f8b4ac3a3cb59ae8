"""`gpusim replay`: a recorded log through the scheduler, job by job."""

from __future__ import annotations

import json
from typing import Annotated, Literal, cast

import typer

from gpusim._version import __version__
from gpusim.cli.options import BackendOption, Json, read_gpus, read_tick, repeat_command
from gpusim.cli.output import check_writable, print_page, print_text, write_file
from gpusim.errors import Problem, UsageError
from gpusim.suggest import did_you_mean
from gpusim.units import show

Log = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="A log, plain or gzip: Standard Workload Format, or csv of the Philly form."
    ),
]
Gpus = Annotated[str, typer.Option("--gpus", metavar="N|unlimited", help="Size of the center.")]
Tenants = Annotated[
    list[str] | None,
    typer.Option("--tenant", metavar="NAME", help="Only the jobs of this virtual cluster. May be repeated."),
]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="tenant|vc", help="Also show one row for each virtual cluster of the log."),
]
Backfill = Annotated[
    str,
    typer.Option(
        "--backfill",
        metavar="none|skip|K|all",
        help="Who may overtake a blocked job. 1 is EASY, all is conservative, none is first come first served.",
    ),
]
KillAtLimit = Annotated[
    bool,
    typer.Option(
        "--kill-at-limit", help="End jobs at the run time they asked for. Default: as they were recorded."
    ),
]
Records = Annotated[
    str | None,
    typer.Option("--records", metavar="FILE.csv", help="Write id,submit,start,end,gpus of every job [s]."),
]
Tick = Annotated[str, typer.Option("--tick", metavar="1s", help="Resolution of the clock.")]

Policy = Literal["none", "skip", "all"]


def replay(
    file: Log,
    gpus: Gpus,
    backfill: Backfill = "1",
    kill_at_limit: KillAtLimit = False,
    tenants: Tenants = None,
    by: By = None,
    records: Records = None,
    as_json: Json = False,
    tick: Tick = "1s",
    backend: BackendOption = "auto",
) -> None:
    """Schedule the jobs of a log on a given number of GPUs."""
    pool = _read_pool(gpus)
    rows = _read_by(by)
    policy = _read_backfill(backfill)
    seconds = read_tick(tick)
    check_writable(records, "--records", file)

    from gpusim.plan.replay import replay as schedule
    from gpusim.report import replay_page
    from gpusim.workload.trace import read_trace

    table = read_trace(file, tick=seconds)
    if tenants:
        table = table.of_tenants(*tenants)
    if rows and not table.tenants:
        what, remedy = "this log tells no virtual clusters apart", "leave --by out"
        raise UsageError(Problem("--by", what, remedy, "usage/by", file))
    result = schedule(table, gpus=pool, backfill=policy, kill_at_limit=kill_at_limit, backend=backend)
    if records is not None:
        write_file(result.write_records, records)
    options = {
        "--gpus": gpus,
        "--backfill": backfill,
        "--kill-at-limit": kill_at_limit,
        "--tenant": tenants,
        "--by": by,
        "--tick": tick if tick != "1s" else None,
        "--backend": backend if backend != "auto" else None,
        "--records": records,
    }
    command = repeat_command("replay", file, options)
    if as_json:
        data = result.to_dict() | {"provenance": {"version": __version__, "command": command}}
        print_text(json.dumps(data, indent=2, allow_nan=False))
    else:
        print_page(replay_page(result, command=command, by_tenant=rows))


def _read_pool(text: str) -> int | Literal["unlimited"]:
    """`unlimited` (or `infinite`), or a number of GPUs."""
    return "unlimited" if text.strip().lower() in ("unlimited", "infinite", "inf") else read_gpus(text)


def _read_by(text: str | None) -> bool:
    """Whether rows by tenant are wanted; `vc` is the word of the Philly log."""
    if text is None or text.strip().lower() in ("tenant", "vc"):
        return text is not None
    raise UsageError(Problem("--by", "is not known", "write tenant or vc", "usage/by", show(text)))


def _read_backfill(text: str) -> int | Policy:
    """`none`, `skip`, `all`, or a number of reservations from 1."""
    word = text.strip().lower()
    if word in ("none", "skip", "all"):
        return cast(Policy, word)
    if word.isdecimal() and int(word) >= 1:
        return int(word)
    known = {"easy": "1", "conservative": "all", "fcfs": "none", "fifo": "none", "0": "none"}
    near = known.get(word) or did_you_mean(word, ("none", "skip", "all"))
    remedy = f"write {near}" if near else "write none, skip, all, or a number of reservations from 1"
    raise UsageError(Problem("--backfill", "is not a policy", remedy, "usage/backfill", show(text)))
