"""The published JSON schema of scenario files, and the table of fields for the reference page.

Both are made from the models' fields, so description, unit and default stand once: where the field is
declared. The schema serves editors (completion, hover text); what it cannot say, such as ranges of
durations or SLO scopes, `load_scenario` checks.
"""

from __future__ import annotations

import typing
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from gpusim.scenario.findings import _model_in
from gpusim.scenario.scenario import SCHEMA_VERSION, Scenario
from gpusim.units import format_duration, format_share, show


class FieldRow(NamedTuple):
    """One key of a scenario file."""

    path: str  # 'tenants[].classes[].gpus'
    unit: str  # unit of the value in Python; '' for text and sections
    default: str  # 'required' if there is none
    description: str


class _FileSchema(GenerateJsonSchema):
    """Sections may be empty (null), and defaults are shown as the file writes them."""

    def default_schema(self, schema: Any) -> dict[str, Any]:
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default", PydanticUndefined)
        if default is None or isinstance(default, (str, bool, int)):
            return {**inner, "default": default} if "$ref" not in inner else inner
        return inner


def scenario_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a scenario file.

    Examples
    --------
    >>> scenario_schema()["title"]
    'gpusim scenario, version 1'
    """
    schema = Scenario.model_json_schema(by_alias=True, mode="validation", schema_generator=_FileSchema)
    schema["properties"]["schema"] = {**schema["properties"]["schema"], "const": SCHEMA_VERSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"gpusim scenario, version {SCHEMA_VERSION}",
    }


def scenario_fields() -> list[FieldRow]:
    """Return every key of a scenario file with unit, default and description, sections before their keys."""
    return _rows(Scenario, "")


def _rows(model: type[BaseModel], prefix: str, outer: frozenset[str] = frozenset()) -> list[FieldRow]:
    """Rows of a model; a section that also stands further out (`outer`) is not opened again."""
    rows: list[FieldRow] = []
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra
        unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
        path = prefix + (info.alias or name)
        inner = _model_in(info.annotation)
        path += "[]" if _is_list(info.annotation, inner) else ""
        section = inner is not None and issubclass(inner, BaseModel)
        default = "required" if info.is_required() else _default(info.default, name, unit, section)
        rows.append(FieldRow(path, unit, default, info.description or ""))
        told_elsewhere = isinstance(extra, dict) and "like" in extra
        if inner is not None and name not in outer and not told_elsewhere:
            rows += _rows(inner, f"{path}.", outer | model.model_fields.keys())
    return rows


def _is_list(annotation: Any, inner: type[BaseModel] | None) -> bool:
    """Whether a file must write a list; not where it may also write the one entry itself."""
    may_stand_alone = typing.get_origin(annotation) is not tuple and inner in typing.get_args(annotation)
    return "tuple[" in str(annotation) and not may_stand_alone


def _default(value: Any, name: str, unit: str, section: bool) -> str:
    if section or value is None or value == () or value == "" or value == {}:
        return "none"
    if unit == "s" and isinstance(value, float):
        return format_duration(value)
    if unit == "1" and isinstance(value, float):
        return format_share(value)
    if name == "limit":
        return "exact"
    return show(value).strip("'")
