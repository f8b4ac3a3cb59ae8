"""Variants: named changes of a scenario, kept in its file.

    variants:
      fifo:
        about: Nobody overtakes
        group: contracts                     # `gpusim compare --variants contracts` takes all of a group
        set: {policy.backfill: none}
      eight-weeks:
        set: {study.horizon: 63d}
      staggered:
        of: eight-weeks                      # its changes come after those of eight-weeks
        set: {"tenants.lab.classes.campaign.arrivals.schedule": [{at: 7d, count: 1}, {at: 15d, count: 1}]}

`set` holds overrides as `--set` takes them, `x1.3` included, applied in order. Every variant is checked when the
file is: a mistake names the variant and the line of the change that makes it. Variants change no answer of the
scenario that holds them, so they are not part of its hash.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from gpusim.scenario.fields import read_name
from gpusim.scenario.mistakes import Mistake, Path, dotted, mistakes_of, raise_all
from gpusim.scenario.overrides import set_value, steps_of
from gpusim.scenario.reader import Places
from gpusim.suggest import did_you_mean
from gpusim.units import show

FORM = "write for example {about: Nobody overtakes, set: {policy.backfill: none}}"
_KEYS = ("about", "of", "group", "set")

Attempt = Callable[[dict[str, Any]], list[Mistake]]


@dataclass(frozen=True)
class Variant:
    """One variant.

    Attributes
    ----------
    about : str
        What is different, in a line; may be empty.
    of : str or None
        The variant that this one changes further, and is to be compared with; None: the scenario itself.
    group : str or None
        A name for several variants that answer one question.
    set : dict
        Overrides: path to value, in order.
    """

    about: str = ""
    of: str | None = None
    group: str | None = None
    set: dict[str, Any] = field(default_factory=dict)


def read_variants(value: object) -> dict[str, Variant]:
    """Read the section `variants:`.

    Raises
    ------
    Mistakes
        Every wrong key, name and reference.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Mistake("'variants' must hold names", f"{FORM} under a name", show(value), code="type")
    found: dict[str, Variant] = {}
    mistakes: list[Mistake] = []
    for key, given in value.items():
        path = (str(key),)
        try:
            found[_name(key)] = _read(given)
        except ValueError as error:
            for mistake in mistakes_of(error):
                at_key = mistake.at_key or not mistake.path
                mistakes.append(
                    Mistake(
                        mistake.what,
                        mistake.remedy,
                        mistake.found,
                        (*path, *mistake.path),
                        mistake.code,
                        at_key,
                    )
                )
    mistakes += _wrong_bases(found, [str(key) for key in value])
    mistakes += _wrong_groups(found, [str(key) for key in value])
    raise_all(mistakes)
    return found


def _name(key: object) -> str:
    """A name as others, but points may stand in it: sigma-1.2."""
    if isinstance(key, str):
        read_name(key.replace(".", "-"))
        return key
    return read_name(key)


def _read(given: object) -> Variant:
    if isinstance(given, Variant):
        return given
    if not isinstance(given, Mapping):
        raise Mistake("a variant must hold keys", FORM, show(given), code="type")
    mistakes = []
    for key in given:
        if key not in _KEYS:
            near = did_you_mean(str(key), _KEYS)
            remedy = f"did you mean '{near}'?" if near else "changes stand under 'set:'; " + FORM
            mistakes.append(
                Mistake(f"unknown key '{key}'", remedy, "", (str(key),), "unknown-key", at_key=True)
            )
    changes = given.get("set")
    if "set" not in given:
        if not mistakes:
            mistakes.append(Mistake("'set' is missing", FORM, "", (), "missing-key"))
    elif not isinstance(changes, Mapping) or not changes:
        remedy = "write paths with their values, for example {policy.backfill: none}"
        mistakes.append(
            Mistake("'set' must hold at least one change", remedy, show(changes), ("set",), "type")
        )
    for name in ("about", "of", "group"):
        text = given.get(name)
        if text is not None and not isinstance(text, str):
            mistakes.append(Mistake("not a text", "put it in quotes", show(text), (name,)))
    raise_all(mistakes)
    return Variant(
        given.get("about") or "",
        given.get("of"),
        given.get("group"),
        {str(k): v for k, v in dict(changes or {}).items()},
    )


def _wrong_bases(found: Mapping[str, Variant], names: list[str]) -> Iterator[Mistake]:
    for name, variant in found.items():
        if variant.of is None:
            continue
        if variant.of not in names:
            near = did_you_mean(variant.of, [each for each in names if each != name])
            remedy = (
                f"did you mean '{near}'?" if near else f"known: {', '.join(n for n in names if n != name)}"
            )
            yield Mistake("no variant has this name", remedy, f"'{variant.of}'", (name, "of"), "variant")
        elif name in _line_up(found, variant.of):
            what = "a variant of itself"
            yield Mistake(what, "remove one 'of'", f"'{variant.of}'", (name, "of"), "variant")


def _wrong_groups(found: Mapping[str, Variant], names: list[str]) -> Iterator[Mistake]:
    for name, variant in found.items():
        if variant.group is None:
            continue
        if variant.group in (*names, "all"):
            what = "a group needs a name of its own"
            remedy = "choose another; " + (
                "all is every variant" if variant.group == "all" else "a variant has this one"
            )
            yield Mistake(what, remedy, f"'{variant.group}'", (name, "group"), "variant")
            continue
        try:
            _name(variant.group)
        except ValueError as error:
            for mistake in mistakes_of(error):
                yield Mistake(mistake.what, mistake.remedy, mistake.found, (name, "group"), mistake.code)


def _line_up(found: Mapping[str, Variant], name: str | None) -> list[str]:
    """Return `name` and what it builds on, the innermost last; ends at what is unknown or was there already."""
    names: list[str] = []
    while name is not None and name in found and name not in names:
        names.append(name)
        name = found[name].of
    return names


def changes_of(variants: Mapping[str, Variant], name: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (variant, path, value) of every change that makes a variant, in the order of their application."""
    for each in reversed(_line_up(variants, name)):
        for path, value in variants[each].set.items():
            yield each, path, value


def applied(
    data: Mapping[str, Any], variants: Mapping[str, Variant], name: str
) -> tuple[dict[str, Any], dict[Path, tuple[str, str]], list[Mistake]]:
    """Apply a variant to scenario data.

    Returns
    -------
    data : dict
        A changed copy, without variants.
    owners : dict
        Of each changed path: the variant and the override that set it.
    mistakes : list of Mistake
        Changes that lead nowhere, at ``('variants', VARIANT, 'set', PATH)``.
    """
    changed = copy.deepcopy({key: value for key, value in data.items() if key != "variants"})
    owners: dict[Path, tuple[str, str]] = {}
    mistakes: list[Mistake] = []
    for owner, path, value in changes_of(variants, name):
        try:
            owners[set_value(changed, _steps(path), copy.deepcopy(value))] = (owner, path)
        except Mistake as mistake:
            what = f"variant '{owner}': {mistake.what}"
            where = ("variants", owner, "set", path)
            mistakes.append(Mistake(what, mistake.remedy, mistake.found, where, mistake.code, at_key=True))
    return changed, owners, mistakes


def _steps(path: str) -> list[str | int]:
    from gpusim.errors import ScenarioError

    try:
        steps = steps_of(path.strip(), path)
    except ScenarioError:
        raise Mistake(
            f"'{path}' is not a path", "write for example policy.backfill or slos[0]", code="override"
        ) from None
    if steps[0] == "variants":
        raise Mistake("a variant cannot change variants", "write 'of:' to build on another", code="override")
    return steps


def variant_mistakes(data: Mapping[str, Any], attempt: Attempt, known: list[Mistake]) -> list[Mistake]:
    """Return what is wrong with the variants of scenario data.

    Parameters
    ----------
    data : mapping
        Content of a scenario file.
    attempt : callable
        Gives the mistakes of scenario data without variants.
    known : list of Mistake
        Those of the scenario itself; they are not told again for each variant.
    """
    variants = _readable(data.get("variants"))
    told: dict[str | None, set[tuple[Path, str, str]]] = {None: {_content(mistake) for mistake in known}}
    found: list[Mistake] = []
    for name in sorted(variants, key=lambda each: len(_line_up(variants, each))):  # bases first
        changed, owners, mistakes = applied(data, variants, name)
        found += mistakes
        told[name] = set(told.get(variants[name].of, told[None]))
        for mistake in attempt(changed):
            if _content(mistake) not in told[name]:
                told[name].add(_content(mistake))
                found.append(_in_variant(mistake, name, owners))
    return found


def _content(mistake: Mistake) -> tuple[Path, str, str]:
    return mistake.path, mistake.what, mistake.found


def _in_variant(mistake: Mistake, name: str, owners: Mapping[Path, tuple[str, str]]) -> Mistake:
    """A mistake of the changed scenario, at the change that makes it, or at the variant's name."""
    for length in range(len(mistake.path), -1, -1):
        if (owner := owners.get(mistake.path[:length])) is not None:
            deeper = dotted(mistake.path[length:]).lstrip(".")
            what = f"variant '{owner[0]}': {f'{deeper}: ' if deeper else ''}{mistake.what}"
            where: Path = ("variants", owner[0], "set", owner[1])
            return Mistake(what, mistake.remedy, mistake.found, where, mistake.code, at_key=True)
    what = f"variant '{name}': {dotted(mistake.path)}: {mistake.what}"
    return Mistake(what, mistake.remedy, mistake.found, ("variants", name), mistake.code, at_key=True)


def _readable(value: Any) -> dict[str, Variant]:
    """The variants that can be read at all; what is wrong with the others has been told."""
    found: dict[str, Variant] = {}
    for key, given in value.items() if isinstance(value, Mapping) else ():
        try:
            found[_name(key)] = _read(given)
        except ValueError:
            continue
    return {name: each for name, each in found.items() if each.of is None or each.of in found}


def variant_places(owners: Mapping[Path, tuple[str, str]]) -> Places:
    """Return places that name the variant and the change for what a variant sets."""
    places = Places()
    places.overrides = {path: f"variant {owner}: {change}" for path, (owner, change) in owners.items()}
    return places


def _write(variants: Mapping[str, Variant]) -> dict[str, Any]:
    return {
        name: {
            **({"about": each.about} if each.about else {}),
            **({"of": each.of} if each.of else {}),
            **({"group": each.group} if each.group else {}),
            "set": copy.deepcopy(each.set),
        }
        for name, each in variants.items()
    }


VariantsField = Annotated[
    dict[str, Variant],
    PlainValidator(read_variants),
    PlainSerializer(_write),
    WithJsonSchema(
        {
            "type": ["object", "null"],
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "about": {"type": "string"},
                    "of": {"type": "string"},
                    "group": {"type": "string"},
                    "set": {"type": "object", "minProperties": 1},
                },
                "required": ["set"],
                "additionalProperties": False,
            },
        }
    ),
]
