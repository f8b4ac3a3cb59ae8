"""Options that several verbs share, and how their text is read.

Typer reads words, flags and whole numbers. Whatever has a form of its own (durations, GPU counts) is taken as text
and read here, so that a mistake is told like one in a scenario file, with a remedy.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gpusim.errors import Problem, UsageError
from gpusim.units import UnitError, parse_count, parse_duration, show

if TYPE_CHECKING:
    from gpusim.scenario import Scenario

Value = TypeVar("Value")

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario file, the name of a built-in one (see gpusim info), or - for stdin.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the complete answer as JSON.")]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed", min=0, max=(1 << 64) - 1, help="Seed of all random numbers. Default: the scenario's."
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        max=256,
        help="Threads to use; the answer is the same for any number. Default: all cores.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one value, e.g. policy.backfill=none. May be repeated."
    ),
]
VaryOption = Annotated[
    str | None,
    typer.Option(
        "--vary",
        metavar="WHAT",
        help="What to search over: gpus, demand (how much of it fits), or a pool. Default: study.vary.",
    ),
]
VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant", metavar="NAME", help="Take one of the scenario's variants; --set comes after it."
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit", metavar="60s", help="Stop after so long; the answer is then less certain (exit 6)."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
BackendOption = Annotated[
    str, typer.Option("--backend", metavar="NAME", help="Engine: auto, cpu, cuda or cupy (see gpusim info).")
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE.json", help="Also write the complete answer as JSON to a file."
    ),
]


def read_scenario(source: str, changes: list[str] | None, variant: str | None = None) -> Scenario:
    """The scenario of a verb's argument, with ``--variant`` and then ``--set`` applied."""
    from gpusim.scenario import Scenario, load_scenario
    from gpusim.scenario.reader import LARGEST_FILE

    with_it = changes or () if variant is None else ()
    if source == "-":
        loaded = Scenario.from_yaml(sys.stdin.buffer.read(LARGEST_FILE + 1), "<stdin>", with_it)
    else:
        loaded = load_scenario(source, overrides=with_it)
    return loaded if variant is None else loaded.variant(variant).override(changes or ())


def read_time_limit(text: str | None) -> float | None:
    """Seconds of ``--time-limit``."""
    if text is None:
        return None
    seconds = _read("--time-limit", text, parse_duration)
    if seconds <= 0:
        raise _mistake("--time-limit", "must be longer than 0", "write for example 60s", text)
    return seconds


def read_gpus(text: str) -> int:
    """A number of GPUs; ranges are the business of the plan."""
    return _read("--gpus", text, parse_count)


def read_pools(text: str) -> int | dict[str, int]:
    """A number of GPUs, or one for each of several pools: ``b200=8160,h200=2296``."""
    if "=" not in text:
        return read_gpus(text)
    pools: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if not name.strip() or not number.strip():
            raise _mistake("--gpus", "is no list of pools", "write for example b200=8160,h200=2296", text)
        pools[name.strip()] = read_gpus(number.strip())
    return pools


def read_tick(text: str) -> float:
    """Seconds of ``--tick``."""
    seconds = _read("--tick", text, parse_duration)
    if seconds <= 0:
        raise _mistake("--tick", "must be longer than 0", "write for example 1s", text)
    return seconds


def repeat_command(
    verb: str, argument: str, options: Mapping[str, object], changes: list[str] | None = None
) -> str:
    """The shell line that gives the same answer again; options that are None or False are left out."""
    words = ["gpusim", verb, argument]
    for name, value in options.items():
        if value is True:
            words.append(name)
        elif isinstance(value, (list, tuple)):
            words += [word for each in value for word in (name, str(each))]
        elif value is not None and value is not False:
            words += [name, str(value)]
    for change in changes or ():
        words += ["--set", change]
    return shlex.join(words)


def _read(option: str, text: str, parse: Callable[[object], Value]) -> Value:
    try:
        return parse(text)
    except UnitError as error:
        raise _mistake(option, error.what, error.remedy, text) from None


def _mistake(option: str, what: str, remedy: str, found: str) -> UsageError:
    return UsageError(Problem(option, what, remedy, f"usage/{option.lstrip('-')}", show(found)))
