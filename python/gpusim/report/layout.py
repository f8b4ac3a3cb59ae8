"""The few shapes a page is made of: a headline, sections, tables of numbers, bullets, small print."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

INDENT = 2
YES, NO = Text("✓", style="green"), Text("✗", style="bold red")


@dataclass(frozen=True)
class Column:
    """One column of a table; numbers stand to the right and are never broken."""

    title: str
    number: bool = True


def headline(text: str) -> RenderableType:
    """The sentence that answers the question."""
    return Text(text, style="bold")


def plain(text: str) -> RenderableType:
    """A sentence."""
    return Text(text)


def section(title: str, *content: RenderableType | None) -> RenderableType:
    """A titled part of the page, an empty line before it."""
    body = [Padding(part, (0, 0, 0, INDENT)) for part in content if part is not None]
    return Group(Text(), Text(title, style="bold cyan"), *body)


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], *, last_apart: bool = False
) -> Table:
    """A table without lines; `last_apart` sets the last row (a total) off."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for column in columns:
        least = len(column.title) if column.number or not column.title else 12
        justify: JustifyMethod = "right" if column.number else "left"
        grid.add_column(
            column.title, justify=justify, no_wrap=column.number, min_width=least, overflow="fold"
        )
    listed = list(rows)
    for number, row in enumerate(listed):
        is_total = last_apart and number == len(listed) - 1
        grid.add_row(*(_cell(value) for value in row), style="bold" if is_total else "")
    return grid


def facts(rows: Iterable[tuple[str, str]]) -> RenderableType:
    """Names and values, one pair a line; the value may wrap."""
    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, value in rows:
        grid.add_row(_cell(name), _cell(value))
    return grid


def bullets(items: Iterable[str], sign: str = "-", style: str = "") -> RenderableType | None:
    """A list; None if there is nothing in it."""
    grid = Table(box=None, padding=(0, 1, 0, 0), show_header=False, pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for item in items:
        grid.add_row(Text(sign, style=style), Text(item))
    return grid if grid.row_count else None


def page(*parts: RenderableType | None) -> Group:
    """The whole, top to bottom."""
    return Group(*(part for part in parts if part is not None))


def to_text(renderable: RenderableType, width: int = 100) -> str:
    """The page as plain text, `width` columns wide."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False, color_system=None)
    console.print(renderable)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _cell(value: str | Text) -> Text:
    return value if isinstance(value, Text) else Text(value)
