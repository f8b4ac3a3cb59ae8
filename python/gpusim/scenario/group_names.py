"""Names of cohorts and accounts. Levels do not name them, so that `all` is as good a name as any."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from gpusim.scenario.fields import read_name, read_optional


def _read_group(value: object) -> str:
    return "all" if value == "all" else read_name(value)


_NAME: dict[str, Any] = {"type": "string", "pattern": r"^[\w-]+$"}
GroupName = Annotated[str, BeforeValidator(_read_group), WithJsonSchema(_NAME)]
OptionalGroupName = Annotated[
    str | None,
    BeforeValidator(read_optional(_read_group)),
    WithJsonSchema({"anyOf": [_NAME, {"type": "null"}]}),
]
