"""Pydantic's list of errors -> our mistakes, in the reader's words.

Our own validators already speak in `Mistake`s; what is left are pydantic's structural errors: an unknown
key, a missing key, something that is no mapping or no list.
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
from gpusim.units import UnitError, show

_WRITTEN_OTHERWISE = ("JobLimit", "Slo", "Quantiles", "Uniform")  # models whose fields are no keys of a file


def findings(error: ValidationError, data: Any, root: type[BaseModel]) -> list[Mistake]:
    """Return the mistakes that a failed validation of `data` as a `root` model holds."""
    mistakes: list[Mistake] = []
    meant: set[Path] = set()  # missing keys that an unknown key beside them was meant to be
    for item in error.errors(include_url=False):
        path, found = _path_in(data, item["loc"]), item["input"]
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ValueError):
            if found is None and path and isinstance(cause, UnitError):
                mistakes.append(_empty(path, root))
            else:
                mistakes += [mistake.under(path) for mistake in mistakes_of(cause)]
        elif item["type"] in ("extra_forbidden", "invalid_key"):
            mistakes.append(_unknown_key(path, data, root))
            near = _nearest(path, root)
            meant |= {(*path[:-1], near)} if near else set()
        elif item["type"] != "too_short" or not found:  # pydantic counts only the entries that are right
            mistakes.append(_structural(item["type"], item["msg"], path, found, root))
    return [mistake for mistake in mistakes if not (mistake.code == "missing-key" and mistake.path in meant)]


def _path_in(data: Any, loc: tuple[int | str, ...]) -> Path:
    """Return a location with the keys of mappings as text, also where they are numbers."""
    path: Path = ()
    for part in loc:
        path = (*path, part if isinstance(_at(data, path), (list, tuple)) else str(part))
    return path


def _empty(path: Path, root: type[BaseModel]) -> Mistake:
    info = fields_at(path[:-1], root).get(str(path[-1]))
    example = (
        f"write for example {path[-1]}: {_example(info)}"
        if info is not None and info.examples
        else "write a value"
    )
    remedy = example if info is None or info.is_required() else f"{example}, or remove the key"
    return Mistake(f"'{path[-1]}' is empty", remedy, "", path, "empty", at_key=True)


def _structural(kind: str, text: str, path: Path, found: Any, root: type[BaseModel]) -> Mistake:
    key = str(path[-1]) if path else ""
    info = fields_at(path[:-1], root).get(key)
    if kind == "missing":
        remedy = f"add '{key}:'; see an example: gpusim new quickstart center.yaml"
        if info is not None and info.examples:
            remedy = f"add '{key}: {_example(info)}'"
        return Mistake(f"'{key}' is missing", remedy, "", path, "missing-key")
    if found is None:
        return _empty(path, root)
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Mistake(
            f"'{key}' must hold keys", _mapping_remedy(path, found, root), show(found), path, "type"
        )
    if kind in ("tuple_type", "list_type"):
        return Mistake(f"'{key}' must be a list", "begin each entry with '- '", show(found), path, "type")
    if kind == "too_short":
        return Mistake(
            f"'{key}' is empty", "write at least one entry, or start from an example", "", path, "empty"
        )
    return Mistake(text[:1].lower() + text[1:], "see the reference of this key", show(found), path, "type")


def _nearest(path: Path, root: type[BaseModel]) -> str | None:
    return did_you_mean(str(path[-1]), fields_at(path[:-1], root))


def _unknown_key(path: Path, data: Any, root: type[BaseModel]) -> Mistake:
    key, allowed, parent = str(path[-1]), list(fields_at(path[:-1], root)), _at(data, path[:-1])
    near, homes = _nearest(path, root), _homes(key, root)
    word, colon, rest = key.partition(":")
    if colon and word in allowed:
        remedy = f"write a blank after the colon: {word}: {rest}"
    elif key.isdigit():
        remedy = (
            f"inside braces a comma begins a new key; write numbers without it. Allowed: {', '.join(allowed)}"
        )
    elif near:
        taken = isinstance(parent, Mapping) and near in parent
        remedy = f"did you mean '{near}'?" + (" It is here already" if taken else "")
    elif homes:
        remedy = f"move it under {homes[0]}"
    else:
        remedy = f"allowed: {', '.join(allowed)}"
    return Mistake(f"unknown key '{key}'", remedy, "", path, "unknown-key", at_key=True)


def _mapping_remedy(path: Path, found: Any, root: type[BaseModel]) -> str:
    fields = fields_at(path, root)
    info = fields_at(path[:-1], root).get(str(path[-1])) if path else None
    if isinstance(found, str) and ":" in found:
        return "write a blank after each colon"
    listed = ", ".join(fields)
    if isinstance(found, list):
        return f"remove the '-'; allowed keys: {listed}"
    example = (
        f"write for example {path[-1]}: {_example(info)}; " if info is not None and info.examples else ""
    )
    return f"{example}allowed keys: {listed}"


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
    """Return the model inside `Model`, `Model | None` or `tuple[Model, ...]` whose keys a file writes."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if annotation.__name__ not in _WRITTEN_OTHERWISE else None
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
