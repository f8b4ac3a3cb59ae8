"""`# assumption`: which values of a file are assumed.

A comment with the word *assumption* marks the values that begin on its line: a value behind its key, a whole
`{...}` or `[...]`, a sentence of a list; behind a key whose value follows on the next lines, that whole section.
A comment alone on its line marks nothing. The marks become the scenario's `assumed`: paths as `--set` takes
them, such as `tenants.university.classes.research.gpus`.

Comments are no part of YAML's data, so they are found in the text: a `#` behind a blank, outside every value.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from gpusim.scenario.mistakes import Path

_COMMENT = re.compile(r"(?:^|[ \t])#(.*)$", re.MULTILINE)
_MARK = re.compile(r"(?<![\w-])assumption(?![\w-])", re.IGNORECASE)


def marked_lines(text: str, values: Iterable[tuple[int, int]]) -> set[int]:
    """Return the lines (from 1) whose comment holds the word 'assumption'.

    Parameters
    ----------
    text : str
        The file.
    values : iterable of (start, end)
        Extents of all scalars and keys in the text; a `#` inside one begins no comment.
    """
    extents = sorted(values)
    starts = [start for start, _ in extents]
    lines: set[int] = set()
    for match in _COMMENT.finditer(text):
        at = match.start(1) - 1
        before = bisect_right(starts, at) - 1
        inside = before >= 0 and at < extents[before][1]
        if not inside and _MARK.search(match[1]):
            lines.add(text.count("\n", 0, at) + 1)
    return lines


def assumed_paths(
    lines: set[int],
    values: Mapping[Path, tuple[int, int]],
    keys: Mapping[Path, tuple[int, int]],
    blocks: set[Path],
    data: Any,
) -> tuple[str, ...]:
    """Return the paths that the marked lines assume, in the order of the file, outermost only.

    Parameters
    ----------
    lines : set of int
        Marked lines.
    values, keys : mapping of path to (line, column)
        Where each value and key begins.
    blocks : set of path
        Values that are lists or mappings without brackets: a line does not hold them whole.
    data : mapping
        The content, for the names of list entries.
    """
    if not lines:
        return ()
    chosen = {path for path, (line, _) in values.items() if line in lines and path not in blocks}
    chosen |= {
        path
        for path, (line, _) in keys.items()
        if line in lines and path in blocks and values[path][0] > line
    }
    outermost = [path for path in chosen if not any(path[:n] in chosen for n in range(1, len(path)))]
    ordered = sorted(outermost, key=lambda path: keys.get(path, values[path]))
    return tuple(spoken(path, data) for path in ordered if path)


def spoken(path: Path, data: Any) -> str:
    """Write a path as `--set` takes it: entries of a list by their name where they have one."""
    text = ""
    for part in path:
        entry = _into(data, part)
        name = entry.get("name") if isinstance(entry, Mapping) and isinstance(part, int) else None
        if isinstance(part, str):
            text += f".{part}" if text else part
        elif isinstance(name, str) and not re.search(r"[.\[\]=]", name):
            text += f".{name}"
        else:
            text += f"[{part}]"
        data = entry
    return text


def _into(data: Any, part: str | int) -> Any:
    if isinstance(data, Mapping):
        return data.get(part, data.get(int(part)) if isinstance(part, str) and part.isdigit() else None)
    try:
        return data[int(part)]
    except (TypeError, ValueError, IndexError):
        return None
