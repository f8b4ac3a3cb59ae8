"""Service levels against the classes that they count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.model import JobClass
from gpusim.scenario.parts import ClassPart, Parts
from gpusim.scenario.slo import level_mistakes
from gpusim.suggest import did_you_mean


def check_levels(parts: Parts, data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield what the class table makes wrong with a level; unknown scopes are told by `check`."""
    names = [(part.tenant or "", part.name or "") for part in parts.classes]
    if not names or not all(tenant and name for tenant, name in names):
        return
    classes = [None if _unread(part, data) else part.model for part in parts.classes]
    for path, slo in parts.slos:
        if slo is None:
            continue
        for mistake in level_mistakes(slo, names, classes):
            if mistake.code not in ("slo-scope", "slo-ambiguous"):
                yield mistake.under(path)


def _unread(part: ClassPart, data: Mapping[str, Any]) -> bool:
    """Whether the file gives the class a deadline that could not be read: none is missing then."""
    if part.model is None or part.model.deadline is not None or not data:
        return False
    raw: Any = data
    for step in part.path:
        try:
            raw = raw[step]
        except (TypeError, LookupError):
            return False
    known = JobClass.model_fields
    keys = [str(key) for key in raw] if isinstance(raw, Mapping) else []
    return any(
        key == "deadline" or (key not in known and did_you_mean(key, known) == "deadline") for key in keys
    )
