"""`--set key=value`: change single values of a scenario before it is checked.

    policy.backfill=none
    tenants.university.classes.training.arrivals.rate=60/day      lists are addressed by the name of the entry
    tenants[0].classes[1].gpus=16                                 or by position, from 0
    slos[0]=wait <= 2h for 90% of all jobs
    tenants.university.classes.training.arrivals.load=x1.3        times the value that stands there (factors.py)

The value is a YAML scalar, or a list or mapping in brackets. A key that the format knows may be new to the
file; where exactly one of several keys is allowed (rate, load or schedule; have or pools; the run-time laws), a
new one replaces the other. Changes are applied in order, each to what the ones before it left.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from gpusim.scenario.factors import multiplied, read_factor
from gpusim.scenario.findings import fields_at
from gpusim.scenario.mistakes import Mistake, Path, dotted
from gpusim.scenario.reader import Document, Places, read_value
from gpusim.suggest import did_you_mean
from gpusim.units import format_duration, show

_LAWS = ("lognormal", "exponential", "deterministic", "weibull", "hyperexponential", "quantiles", "uniform")
_ONE_OF = (
    frozenset({"rate", "load", "schedule"}),
    frozenset({*_LAWS, "triangular", "normal"}),  # laws of run times, and of uncertain numbers
    frozenset({"have", "pools"}),
)
_FREE_KEYS = (
    "gpus",
    "limit",
    "phases",
    "quantiles",
    "sizes",
    "pick",
    "set",
    "quota",
    "borrow",
    "lend",
)  # any key may stand under these
_TEXTS = ("name", "description", "about")  # x2 is a text here
_STEP = re.compile(r"\.?([^.\[\]=]+)|\[(\d+)\]")


def apply_overrides(data: Mapping[str, Any], changes: Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of scenario data with some values changed.

    Parameters
    ----------
    data : mapping
        Content of a scenario file.
    changes : iterable of str, or mapping
        ``["study.seed=3"]`` or ``{"study.seed": 3}``; applied in order.

    Raises
    ------
    ScenarioError
        If a path leads nowhere; the remedy names the nearest that does.
    """
    return override_document(Document(dict(data), Places()), changes).data


def override_document(document: Document, changes: Iterable[str] | Mapping[str, Any]) -> Document:
    """Return `document` with `changes` applied, and with their paths known to its places."""
    wanted = _parse(changes)
    if not wanted:
        return document
    data, places = copy.deepcopy(document.data), copy.deepcopy(document.places)
    mistakes: list[Mistake] = []
    for text, steps, value in wanted:
        try:
            places.overrides[set_value(data, steps, value)] = f"--set {text}"
        except Mistake as mistake:
            root: Path = (f"--set {text}",)
            places.overrides[root] = f"--set {text}"
            mistakes.append(mistake.under(root))
    if mistakes:
        raise places.error(mistakes)
    return Document(data, places, document.problems, document.assumed)


def _parse(changes: Iterable[str] | Mapping[str, Any]) -> list[tuple[str, list[str | int], Any]]:
    """Return (text, steps, value) of each change."""
    if isinstance(changes, Mapping):
        return [
            (f"{path}={_short(value)}", steps_of(path, str(path)), value) for path, value in changes.items()
        ]
    if isinstance(changes, str):
        changes = [changes]
    parsed = []
    for text in changes:
        path, equals, value = text.partition("=")
        if not equals:
            raise _bad(text, "no '=' in this override")
        parsed.append((text, steps_of(path.strip(), text), read_value(value)))
    return parsed


def steps_of(path: str, text: str) -> list[str | int]:
    """Return the steps of a path: `tenants.university.classes[0]` is ['tenants', 'university', 'classes', 0].

    Raises
    ------
    ScenarioError
        If it is not a path; `text` is what the message quotes.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or (at == 0 and path[0] == "."):
            raise _bad(text, "not a path")
        steps.append(step[1].strip() if step[1] is not None else int(step[2]))
        at = step.end()
    if not steps:
        raise _bad(text, "no key before '='")
    return steps


def _bad(text: str, what: str) -> Exception:
    remedy = "write key=value, for example policy.backfill=none or slos[0]=wait <= 2h for 90% of all jobs"
    return Places(overrides={(): f"--set {text}"}).error([Mistake(what, remedy, code="override")])


def _short(value: Any) -> str:
    return value if isinstance(value, str) else show(value)


def set_value(data: dict[str, Any], steps: list[str | int], value: Any) -> Path:
    """Set one value in place, or multiply it; return its path.

    Raises
    ------
    Mistake
        If the steps lead nowhere, or what stands there cannot be multiplied.
    """
    here: Any = data
    path: Path = ()
    for position, step in enumerate(steps):
        key = _resolve(here, step, path)
        path = (*path, key)
        if position == len(steps) - 1:
            factor = None if key in _TEXTS or path[0] in ("slos", "assumptions") else read_factor(value)
            if factor is not None:
                value = multiplied(_standing(here, key, path), factor, dotted(path))
            _put(here, key, value, path)
            break
        if isinstance(here, list):
            here = here[int(key)]
        else:
            here = _descend(here, str(key), steps[position + 1], path)
    return path


def _resolve(here: Any, step: str | int, path: Path) -> str | int:
    """Return the key or position that `step` names in `here`."""
    if isinstance(here, list):
        return _entry(here, step, path)
    if not isinstance(here, dict):
        raise Mistake(
            f"'{dotted(path)}' is a single value", f"write {dotted(path)}=...", show(here), code="override"
        )
    allowed = [str(key) for key in (_known(path) or here)]
    if _open(path) or str(step) in allowed or step in here:
        return str(step)
    near = did_you_mean(str(step), allowed)
    remedy = f"did you mean '{dotted((*path, near))}'?" if near else f"allowed: {', '.join(allowed)}"
    raise Mistake(
        f"unknown key '{step}'" + (f" in '{dotted(path)}'" if path else ""), remedy, code="unknown-key"
    )


def _entry(here: list[Any], step: str | int, path: Path) -> int:
    if isinstance(step, int):
        if step < len(here):
            return step
        last = f"[0] to [{len(here) - 1}]" if here else "none yet"
        raise Mistake(f"'{dotted(path)}' has no entry [{step}]", f"entries are {last}", code="override")
    names = [str(entry.get("name")) if isinstance(entry, dict) else "" for entry in here]
    if step in names:
        return names.index(step)
    near = did_you_mean(step, [name for name in names if name])
    if not any(names):
        raise Mistake(
            f"entries of '{dotted(path)}' have no names",
            f"write {dotted(path)}[0]=..., by position from 0",
            code="override",
        )
    remedy = f"did you mean '{near}'?" if near else f"known: {', '.join(names)}"
    raise Mistake(f"no entry of '{dotted(path)}' is named '{step}'", remedy, f"'{step}'", code="override")


def _descend(here: dict[Any, Any], key: str, following: str | int, path: Path) -> Any:
    """Return the value under `key`, made if it is a section that the file leaves out."""
    found = here.get(key)
    if isinstance(found, (dict, list)):
        return found
    if isinstance(following, str) and (_known(path) or _open(path)) and (found is None or _open(path)):
        _drop_rivals(here, key)
        here[key] = {}
        return here[key]
    return found if found is not None else ""


def _put(here: Any, key: str | int, value: Any, path: Path) -> None:
    if isinstance(here, list):
        here[int(key)] = value
        return
    _drop_rivals(here, str(key))
    number = (
        int(key) if isinstance(key, str) and key.isdigit() and (int(key) in here or _open(path[:-1])) else key
    )
    here[number if key not in here else key] = value


def _standing(here: Any, key: str | int, path: Path) -> Any:
    """Return the value at a path, or the default of its key where that is a number."""
    if isinstance(here, list):
        return here[int(key)]
    found = here.get(key, here.get(int(key)) if isinstance(key, str) and key.isdigit() else None)
    if found is not None or key in here:
        return found
    info = _fields(path[:-1]).get(str(key))
    default = None if info is None else info.default
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return None
    extra = info.json_schema_extra if info is not None else None
    unit = extra.get("unit") if isinstance(extra, dict) else None
    return format_duration(default) if unit == "s" else default


def _drop_rivals(here: dict[Any, Any], key: str) -> None:
    for group in _ONE_OF:
        if key in group:
            for rival in group - {key}:
                here.pop(rival, None)


def _known(path: Path) -> list[str]:
    return list(_fields(path))


def _fields(path: Path) -> dict[str, FieldInfo]:
    from gpusim.scenario.scenario import Scenario

    return fields_at(path, Scenario)


def _open(path: Path) -> bool:
    """Whether any key may stand at `path`: GPU counts, the factor of a limit, the phases of a law, and so on."""
    return bool(path) and (path[-1] in _FREE_KEYS or path == ("variants",))
