"""Fills the generated tables of the documentation: run `python docs/generate.py` after a change of what they describe.

A generated table stands in a page between `<!-- generated: NAME -->` and `<!-- end -->`; the text around it is written
by hand. `tests/test_docs.py` fails if a page is not up to date.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
REGION = re.compile(r"(<!-- generated: ([\w -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The text of a page with every generated table made anew."""
    return REGION.sub(lambda match: f"{match[1]}{_table_named(match[2])}\n{match[3]}", page)


def pages() -> list[Path]:
    """Pages that hold a generated table."""
    return [path for path in sorted(DOCS.rglob("*.md")) if REGION.search(path.read_text(encoding="utf-8"))]


def _table_named(name: str) -> str:
    kind, _, argument = name.partition(" ")
    makers: dict[str, Any] = {"scenario-fields": scenario_fields, "exit-codes": exit_codes, "options": options}
    return makers[kind](argument) if argument else makers[kind]()  # type: ignore[no-any-return]


def scenario_fields() -> str:
    """Every key of a scenario file."""
    from gpusim.scenario import scenario_fields as rows

    return _table(
        ("key", "unit", "default", "meaning"),
        ((f"`{row.path}`", row.unit, row.default, row.description) for row in rows()),
    )


def exit_codes() -> str:
    """Exceptions with the exit code they carry."""
    from gpusim import errors

    found = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.GpusimError)]
    rows = sorted((each.exit_code, each.__name__, inspect.getdoc(each) or "") for each in found)
    return _table(
        ("exception", "exit code", "meaning"),
        (
            (f"`{name}`", str(code), re.sub(r" \(exit code \d\)", "", text.split("\n")[0]).rstrip("."))
            for code, name, text in rows
        ),
    )


def verbs() -> dict[str, Any]:
    """The function of every verb of the command line, by name."""
    from gpusim.cli.app import app

    return {command.name: inspect.unwrap(command.callback) for command in app.registered_commands}  # type: ignore


def options(verb: str) -> str:
    """Arguments and options of one verb, from the annotations of its function."""
    function = verbs()[verb]
    hints = typing.get_type_hints(function, include_extras=True)
    rows = []
    for name, parameter in inspect.signature(function).parameters.items():
        info = hints[name].__metadata__[0]
        flags = [word for word in (info.default, *(info.param_decls or ())) if str(word).startswith("-")]
        shown = ", ".join(f"`{flag}`" for flag in flags) or f"`{info.metavar}`"
        if flags and info.metavar:
            shown += f" {info.metavar}"
        elif flags and hints[name].__origin__ is not bool:
            shown += f" {_choices(hints[name].__origin__)}"
        default = "required" if parameter.default is inspect.Parameter.empty else _default(parameter.default)
        rows.append((shown, default, info.help))
    return _table(("argument", "default", "meaning"), rows)


def _choices(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(map(str, typing.get_args(kind)))
    return "N"


def _default(value: object) -> str:
    return "" if value is None or value is False else f"`{value}`"


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main() -> int:
    """Write the pages that changed, and name them."""
    for path in pages():
        old = path.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            print(f"updated {path.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
