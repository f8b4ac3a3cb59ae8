"""Pydantic's list of errors -> our mistakes, in the reader's words.

Our own validators already speak in `Mistake`s; what is left are pydantic's structural errors: an unknown key, a
missing key, something that is no mapping or no list.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gpusim.scenario.mistakes import Mistake, Path, mistakes_of
from gpusim.suggest import did_you_mean
from gpusim.units import show


def findings(error: ValidationError, data: Any, root: type[BaseModel]) -> list[Mistake]:
    """Return the mistakes that a failed validation of `data` as a `root` model holds."""
    mistakes: list[Mistake] = []
    for item in error.errors(include_url=False):
        path = tuple(item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ValueError):
            mistakes += [mistake.under(path) for mistake in mistakes_of(cause)]
        else:
            mistakes.append(_structural(item["type"], item["msg"], path, item["input"], data, root))
    return mistakes


def _structural(kind: str, text: str, path: Path, found: Any, data: Any, root: type[BaseModel]) -> Mistake:
    key = str(path[-1]) if path else ""
    if kind in ("extra_forbidden", "invalid_key"):
        return _unknown_key(key, path, data, root)
    if kind == "missing":
        info = fields_at(path[:-1], root).get(key)
        missing = f"add '{key}: {_example(info)}'" if info is not None else f"add '{key}'"
        return Mistake(f"'{key}' is missing", missing, "", path, "missing-key")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Mistake("keys are missing here", _mapping_remedy(path, found, root), show(found), path, "type")
    if kind in ("tuple_type", "list_type"):
        return Mistake(f"'{key}' must be a list", "begin each entry with '- '", show(found), path, "type")
    if kind == "too_short":
        return Mistake(f"'{key}' is empty", "write at least one entry, or start from an example", "", path, "empty")
    return Mistake(text[:1].lower() + text[1:], "see the reference of this key", show(found), path, "type")


def _unknown_key(key: str, path: Path, data: Any, root: type[BaseModel]) -> Mistake:
    allowed = list(fields_at(path[:-1], root))
    parent = _at(data, path[:-1])
    near = did_you_mean(key, allowed)
    homes = _homes(key, root)
    if near:
        taken = isinstance(parent, Mapping) and near in parent
        remedy = f"did you mean '{near}'?" + (" it is here already" if taken else "")
    elif homes:
        remedy = f"move it under {homes[0]}"
    else:
        remedy = f"allowed: {', '.join(allowed)}"
    return Mistake(f"unknown key '{key}'", remedy, "", path, "unknown-key", at_key=True)


def _mapping_remedy(path: Path, found: Any, root: type[BaseModel]) -> str:
    fields = fields_at(path, root)
    if isinstance(found, str) and ":" in found:
        return "write a blank after each colon"
    listed = ", ".join(fields)
    return f"remove the '-'; allowed keys: {listed}" if isinstance(found, list) else f"allowed keys: {listed}"


def _example(info: FieldInfo) -> Any:
    return info.examples[0] if info.examples else "..."


def _at(data: Any, path: Path) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def fields_at(path: Path, root: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the keys allowed at a path, with their fields; empty where there is no mapping of fixed keys."""
    model: type[BaseModel] | None = root
    for part in path:
        if isinstance(part, int):
            continue
        info = _fields(model).get(str(part)) if model is not None else None
        model = _model_in(info.annotation) if info is not None else None
    return _fields(model) if model is not None else {}


@cache
def _fields(model: type[BaseModel] | None) -> dict[str, FieldInfo]:
    if model is None:
        return {}
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside `Model`, `Model | None` or `tuple[Model, ...]`, if its keys are those of the file."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if annotation.__name__ not in ("JobLimit", "Slo") else None
    for inner in typing.get_args(annotation):
        if (model := _model_in(inner)) is not None:
            return model
    return None


@cache
def _homes(key: str, root: type[BaseModel]) -> list[str]:
    """Return the sections that know `key`, outermost first."""
    homes: list[str] = []
    waiting: list[tuple[str, type[BaseModel]]] = [("the top level", root)]
    while waiting:
        name, model = waiting.pop(0)
        for field, info in _fields(model).items():
            if field == key:
                homes.append(f"'{name}:'" if name != "the top level" else name)
            inner = _model_in(info.annotation)
            if inner is not None:
                waiting.append((field, inner))
    return homes
