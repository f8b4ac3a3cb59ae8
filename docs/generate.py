"""Fills what is generated in the documentation; `tests/test_docs.py` fails if a page is not up to date.

    python docs/generate.py          tables made from the code
    python docs/generate.py --run    also what the Python blocks and the examples print

A table stands between `<!-- generated: NAME -->` and `<!-- end -->`. A block marked ``text output``
holds what the Python blocks before it print; they are run from the root of the checkout. Look at the difference
before you commit it.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import runpy
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
BLOCK = re.compile(r"^```(python|text output)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
REGION = re.compile(r"(<!-- generated: ([\w -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The text of a page with every generated table made anew."""
    return REGION.sub(lambda match: f"{match[1]}{_table_named(match[2])}\n{match[3]}", page)


def executed(page: str) -> str:
    """The text of a page with its Python blocks run, in one namespace, and every output block written anew."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()

    def run(match: re.Match[str]) -> str:
        if match[1] == "python":
            with contextlib.redirect_stdout(printed):
                exec(compile(match[2], "python block", "exec"), names)
            return match[0]
        text = printed.getvalue()
        printed.seek(0)
        printed.truncate()
        return f"```{match[1]}\n{text}```"

    return BLOCK.sub(run, page)


def printed_by(example: Path) -> str:
    """What an example prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(example), run_name="__main__")
    return printed.getvalue()


def pages() -> list[Path]:
    """Pages that hold a generated table or a Python block."""
    every = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [path for path in every if re.search(r"<!-- generated: |^```python$", _text(path), re.MULTILINE)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _table_named(name: str) -> str:
    kind, _, argument = name.partition(" ")
    makers: dict[str, Any] = {
        "scenario-fields": scenario_fields,
        "exit-codes": exit_codes,
        "options": options,
    }
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

    found = [
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, errors.GpusimError)
    ]
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
    """Write the files that changed, and name them."""
    run = "--run" in sys.argv[1:]
    os.chdir(ROOT)
    new = {path: filled(_text(path)) for path in pages()}
    if run:
        new = {path: executed(text) for path, text in new.items()}
        new |= {path.with_suffix(".out"): printed_by(path) for path in EXAMPLES}
    for path, text in new.items():
        if not path.exists() or _text(path) != text:
            path.write_text(text, encoding="utf-8")
            print(f"updated {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
