"""The field types of the scenario models: how each kind of value is read, bounded, written and described.

A type here is `Annotated[python type, BeforeValidator(read), ...]`. In Python the value is plain (float
seconds, fraction, int); in JSON mode (`to_dict`) it is the text a scenario file holds. A reader raises
`Mistake` or `UnitError` with a remedy; bounds are checked by the reader too, so that every message is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from gpusim.scenario.mistakes import Mistake
from gpusim.suggest import did_you_mean
from gpusim.units import (
    format_duration,
    format_share,
    parse_count,
    parse_duration,
    parse_share,
    show,
)

LARGEST_GPUS = 10_000_000  # GPUs; far above any center, far below int32
LONGEST_DURATION = 1e10  # s; three centuries
RESERVED_NAMES = ("all", "job", "jobs")  # words of an SLO sentence


def _read_duration(value: object) -> float:
    seconds = parse_duration(value)
    if seconds > LONGEST_DURATION:
        raise Mistake("this duration is longer than three centuries", "write a shorter one", show(value))
    return seconds


def read_positive_duration(value: object) -> float:
    """Read a duration above 0, in s."""
    seconds = _read_duration(value)
    if seconds <= 0:
        raise Mistake("this duration must be longer than 0", "write a duration above 0s", show(value))
    return seconds


def _read_share(value: object) -> float:
    share = parse_share(value)
    if not 0 < share <= 1:
        raise Mistake("a share must be above 0 and at most 100%", "write for example 90%", show(value))
    return share


def _read_probability(value: object) -> float:
    share = parse_share(value)
    if not 0 < share < 1:
        remedy = "write for example 95%" if share <= 0 else "certainty needs endless runs; write 95% or 99%"
        raise Mistake("a probability must lie strictly between 0 and 1", remedy, show(value))
    return share


def _read_tolerance(value: object) -> float:
    share = parse_share(value)
    if not 0 < share <= 0.5:
        raise Mistake("the tolerance must be above 0 and at most 50%", "write for example 1%", show(value))
    return share


def _read_uncertainty(value: object) -> float:
    share = (
        parse_share(value) if not isinstance(value, (int, float)) or isinstance(value, bool) else float(value)
    )
    if not 0 <= share <= 2:
        raise Mistake(
            "the demand uncertainty must lie between 0% and 200%", "write for example 20%", show(value)
        )
    return share


def _whole(low: int, high: int, thing: str, remedy: str) -> Callable[[object], int]:
    def read(value: object) -> int:
        number = parse_count(value)
        if not low <= number <= high:
            bound = f"at least {low:,}" if number < low else f"at most {high:,}"
            raise Mistake(f"{thing} must be {bound}", remedy, show(value))
        return number

    return read


def read_optional(read: Callable[[object], Any]) -> Callable[[object], Any]:
    """Return a reader that lets None pass."""
    return lambda value: None if value is None else read(value)


def read_name(value: object) -> str:
    """Read the name of a scenario, tenant or class: letters, digits, `-` and `_`, at least one letter."""
    if isinstance(value, bool) or not isinstance(value, str):
        quoted = f'"{show(value)}"'
        remedy = (
            f"put quotes around it: {quoted}" if isinstance(value, bool) else "write a name such as training"
        )
        raise Mistake("a name must be text", remedy, show(value))
    if not value.strip():
        raise Mistake("a name is empty", "write a name such as training", show(value))
    plain = re.sub(r"[^\w-]+", "-", value.strip()).strip("-")
    if not re.fullmatch(r"[\w-]+", value) or value.startswith("-"):
        raise Mistake(
            "a name may hold letters, digits, '-' and '_' only", f"write {plain or 'training'}", show(value)
        )
    if not re.search(r"[^\W\d_]", value):
        raise Mistake("a name needs at least one letter", f"write for example class-{plain}", show(value))
    if value.lower() in RESERVED_NAMES:
        raise Mistake(
            f"the name '{value}' has a meaning of its own in an SLO", f"write {value}-1", show(value)
        )
    if len(value) > 100:
        raise Mistake("a name has more than 100 characters", f"write {value[:20]}", show(value))
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        remedy = "put it in quotes" if value is not None else 'write a text, or "" for none'
        raise Mistake("not a text", remedy, show(value))
    return value


def _read_switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    meant = {
        "yes": "true",
        "on": "true",
        "y": "true",
        "no": "false",
        "off": "false",
        "n": "false",
        "1": "true",
    }
    known = meant.get(str(value).lower())
    raise Mistake("not a switch", f"write {known}" if known else "write true or false", show(value))


def choice(*words: str) -> Callable[[object], str]:
    """Return a reader that takes one of `words` and offers the nearest to anything else."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        allowed = ", ".join(words)
        near = did_you_mean(value, words) if isinstance(value, str) else None
        raise Mistake(
            "unknown word",
            f"did you mean '{near}'? allowed: {allowed}" if near else f"write {allowed}",
            show(value),
            code="unknown-word",
        )

    return read


def _read_backfill(value: object) -> int | str:
    if value is None or value is False or value == "no":
        raise Mistake("this backfill depth is not a depth", "write 'none' for no backfill", show(value))
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[\d.][\d_.]*(e\d+)?", value):
        if value.lower() == "easy":
            raise Mistake("backfill is named by its depth", "write 1 (EASY: one reservation)", show(value))
        if value.lower() == "conservative":
            raise Mistake(
                "backfill is named by its depth", "write all (a reservation for every job)", show(value)
            )
        return choice("none", "skip", "all")(value)
    depth = parse_count(value)
    if depth < 1:
        remedy = "write none, skip, all, or a number of reservations from 1"
        raise Mistake("a backfill depth must be at least 1", remedy, show(value))
    if depth > 2**31 - 1:
        raise Mistake("a backfill depth this large", "write all (a reservation for every job)", show(value))
    return depth


def _read_cool_down(value: object) -> float | str:
    if value == "auto":
        return "auto"
    if isinstance(value, str) and re.fullmatch(r"[^\W\d_]+", value):
        near = did_you_mean(value, ("auto",))
        remedy = "did you mean 'auto'?" if near else "write auto or a duration such as 12h"
        raise Mistake("not a duration", remedy, show(value))
    return parse_duration(value)


_DURATION: dict[str, Any] = {"type": "string", "pattern": r"^(\s*[0-9._]+\s*[A-Za-z]+\s*)+$"}
DURATION_SCHEMA_DATA: dict[str, Any] = {"anyOf": [_DURATION, {"const": 0}]}
_DURATION_SCHEMA = WithJsonSchema(DURATION_SCHEMA_DATA)
_OPTIONAL_DURATION_SCHEMA = WithJsonSchema({"anyOf": [_DURATION, {"const": 0}, {"type": "null"}]})
SHARE_SCHEMA_DATA: dict[str, Any] = {"type": ["string", "number"], "examples": ["95%", 0.95]}
_SHARE_SCHEMA = WithJsonSchema(SHARE_SCHEMA_DATA)
_AS_DURATION = PlainSerializer(format_duration, return_type=str, when_used="json-unless-none")
_AS_SHARE = PlainSerializer(format_share, return_type=str, when_used="json-unless-none")


def _whole_schema(low: int, nullable: bool = False) -> WithJsonSchema:
    kinds: list[str] = ["integer", "string"] + (["null"] if nullable else [])
    return WithJsonSchema({"type": kinds, "minimum": low, "pattern": r"^[0-9_]+$"})


def _auto_or_duration(value: float | str) -> str:
    return value if isinstance(value, str) else format_duration(value)


_gpus = _whole(1, LARGEST_GPUS, "a number of GPUs", "write for example 8")
_tests = _whole(1, 2**31 - 1, "max_tests", "write for example 500, or null for all")
_running = _whole(1, 2**30, "the number of running jobs", "write 1 or more, or null for no limit")
_users = _whole(1, 1_000_000, "the number of users", "write for example 200")
_waiting = _whole(0, 2**62, "the number of waiting jobs", "write 0 or more, or null for no limit")

Duration = Annotated[float, BeforeValidator(_read_duration), _AS_DURATION, _DURATION_SCHEMA]
PositiveDuration = Annotated[float, BeforeValidator(read_positive_duration), _AS_DURATION, _DURATION_SCHEMA]
OptionalDuration = Annotated[
    float | None, BeforeValidator(read_optional(_read_duration)), _AS_DURATION, _OPTIONAL_DURATION_SCHEMA
]
OptionalPositiveDuration = Annotated[
    float | None,
    BeforeValidator(read_optional(read_positive_duration)),
    _AS_DURATION,
    _OPTIONAL_DURATION_SCHEMA,
]
Share = Annotated[float, BeforeValidator(_read_share), _AS_SHARE, _SHARE_SCHEMA]
Probability = Annotated[float, BeforeValidator(_read_probability), _AS_SHARE, _SHARE_SCHEMA]
Tolerance = Annotated[float, BeforeValidator(_read_tolerance), _AS_SHARE, _SHARE_SCHEMA]
Uncertainty = Annotated[float, BeforeValidator(_read_uncertainty), _AS_SHARE, _SHARE_SCHEMA]
Gpus = Annotated[int, BeforeValidator(_gpus), _whole_schema(1)]
OptionalGpus = Annotated[int | None, BeforeValidator(read_optional(_gpus)), _whole_schema(1, nullable=True)]
OptionalWaiting = Annotated[
    int | None, BeforeValidator(read_optional(_waiting)), _whole_schema(0, nullable=True)
]
OptionalRunning = Annotated[
    int | None, BeforeValidator(read_optional(_running)), _whole_schema(1, nullable=True)
]
OptionalUsers = Annotated[int | None, BeforeValidator(read_optional(_users)), _whole_schema(1, nullable=True)]
OptionalTests = Annotated[int | None, BeforeValidator(read_optional(_tests)), _whole_schema(1, nullable=True)]
Priority = Annotated[
    int,
    BeforeValidator(_whole(-(2**31), 2**31 - 1, "a priority", "write a small whole number such as 0 or 10")),
    WithJsonSchema({"type": ["integer", "string"]}),
]
Seed = Annotated[
    int,
    BeforeValidator(_whole(0, 2**64 - 1, "the seed", "write a whole number from 0 to 18446744073709551615")),
    _whole_schema(0),
]
Name = Annotated[str, BeforeValidator(read_name), WithJsonSchema({"type": "string", "pattern": r"^[\w-]+$"})]
Text = Annotated[str, BeforeValidator(_read_text)]
Switch = Annotated[bool, BeforeValidator(_read_switch)]
Backfill = Annotated[
    int | Literal["none", "skip", "all"],
    BeforeValidator(_read_backfill),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["none", "skip", "all"]}]}),
]
CoolDown = Annotated[
    float | Literal["auto"],
    BeforeValidator(_read_cool_down),
    PlainSerializer(_auto_or_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["auto", "12h"]}),
]
