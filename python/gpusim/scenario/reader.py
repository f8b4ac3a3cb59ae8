"""YAML text -> plain data, and the line of every value.

Built on PyYAML's events (a safe parser: no tag ever makes an object), not on its constructor, because the
scenario format keeps text as text where YAML 1.1 plays tricks: `no`, `on` and `yes` stay words, `1:30` and
`2026-01-01` stay text, `010` is no octal number. Bare `true`/`false`, `null`/`~`, decimal integers and
decimals keep their YAML meaning.

Not part of the format, and refused with a remedy: anchors, aliases and merge keys, tags, several documents,
nesting deeper than `DEEPEST`, files above `LARGEST_FILE` bytes, anything but UTF-8. A syntax error stops
the reading; all other problems are collected. Cost: linear in the text, no recursion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from gpusim.errors import Problem, ScenarioError
from gpusim.scenario.assumed import assumed_paths, marked_lines
from gpusim.scenario.mistakes import Mistake, Path, dotted

LARGEST_FILE = 1_000_000  # bytes
DEEPEST = 50  # levels of nesting

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[+-]?((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?[eE][+-]?[0-9]+)")


@dataclass
class Places:
    """Where each path of a scenario stands: file, line and column; or the override that set it."""

    source: str = ""  # file name; empty for data made in Python
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)  # line, column of a value, from 1
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)  # line, column of a key, from 1
    overrides: dict[Path, str] = field(default_factory=dict)  # place of the change that set it, by path

    def where(self, path: Path, at_key: bool = False) -> str:
        """Return the place of `path`, or of the nearest thing around it, as a `Problem` shows it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.overrides:
                return self.overrides[path[:length]]
        name = dotted(path)
        if not self.source:
            return name
        line, column = self.position(path, at_key)
        return f"{self.source}:{line}:{column} {name}".rstrip()

    def position(self, path: Path, at_key: bool = False) -> tuple[int, int]:
        """Return line and column (from 1) of `path`, or of the nearest thing around it."""
        if at_key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), 0, -1):
            at = path[:length]
            if at in self.values:
                return self.values[at] if length == len(path) else self.keys.get(at, self.values[at])
        return (1, 1)

    def problem(self, mistake: Mistake) -> Problem:
        """Return `mistake` with its place."""
        where = self.where(mistake.path, mistake.at_key)
        return Problem(where, mistake.what, mistake.remedy, f"scenario/{mistake.code}", mistake.found)

    def error(self, mistakes: list[Mistake]) -> ScenarioError:
        """Return the exception that reports all `mistakes`, in the order of the file."""
        ordered = sorted(mistakes, key=lambda mistake: self.position(mistake.path, mistake.at_key))
        unique = {(m.path, m.what, m.found): m for m in reversed(ordered)}
        return ScenarioError([self.problem(mistake) for mistake in reversed(unique.values())])


@dataclass
class Document:
    """What a file says, before anybody asked whether it is a scenario."""

    data: dict[str, Any]
    places: Places
    problems: list[Problem] = field(default_factory=list)  # duplicate keys: the first was kept
    assumed: tuple[str, ...] = ()  # paths of the values whose line bears the comment 'assumption'


def read_document(text: str | bytes, source: str) -> Document:
    """Read YAML text that holds one mapping.

    Parameters
    ----------
    text : str or bytes
        The file's content; bytes must be UTF-8.
    source : str
        Name for messages, usually the path.

    Raises
    ------
    ScenarioError
        With every problem that is not a matter of meaning: encoding, syntax, aliases, tags. Duplicate keys
        alone do not raise; they are handed on, so that they are reported with the rest.
    """
    decoded = _decode(text, source)
    _refuse_tabs(decoded, source)
    builder = _Builder(source)
    try:
        for event in yaml.parse(decoded, Loader=yaml.SafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise ScenarioError(_syntax_problem(error, source)) from None
    except yaml.reader.ReaderError as error:
        line = decoded.count("\n", 0, error.position) + 1
        code = ord(error.character) if isinstance(error.character, str) else int(error.character)
        what = f"a control character (#x{code:04x}) in the text"
        raise _stop(source, line, what, "remove it; is this really a text file?", "not-text") from None
    problems = builder.problems
    if not problems and not isinstance(builder.root, dict):
        problems = [_top_level(builder.root, source)]
    if any(problem.code != "scenario/duplicate-key" for problem in problems):
        raise ScenarioError(problems)
    lines = marked_lines(decoded, builder.extents)
    places = builder.places
    assumed = assumed_paths(lines, places.values, places.keys, builder.blocks, builder.root)
    return Document(builder.root, places, problems, assumed)


def read_value(text: str) -> Any:
    """Read the value of an override: a YAML scalar, or a list or mapping in brackets.

    Raises
    ------
    ScenarioError
        If brackets or quotes do not close.
    """
    if text.strip()[:1] in ("[", "{", '"', "'"):
        return read_document(f"value: {text}", "--set").data["value"]
    return plain_scalar(text.strip())


def plain_scalar(text: str) -> Any:
    """Return the value of an unquoted YAML scalar: None, bool, int, float or the text itself."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text) and len(text) < 40:
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


@dataclass
class _Frame:
    """A list or mapping that is still open."""

    content: dict[Any, Any] | list[Any]
    path: Path
    key: Any = None  # of a mapping: the key whose value comes next
    has_key: bool = False
    void: bool = False  # its content is dropped (it stands where a key should)


class _Builder:
    """Builds data from parser events; one method for each kind of thing it meets."""

    def __init__(self, source: str) -> None:
        self.places = Places(source)
        self.problems: list[Problem] = []
        self.root: Any = None
        self.documents = 0
        self.stack: list[_Frame] = []
        self.extents: list[tuple[int, int]] = []  # of every scalar and key: index of its first, past its last
        self.blocks: set[Path] = set()  # lists and mappings written without brackets

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents == 2:
                remedy = "keep one scenario a file; remove the '---' and what follows"
                self._problem(event, (), "a second document", remedy, "documents")
        if self.documents > 1 or not isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            return
        if isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._refuse_reuse(event)
            self._put(event, None)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        else:
            self._open(event)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        top = self.stack[-1] if self.stack else None
        self._refuse_marks(event)
        if event.start_mark is not None and event.end_mark is not None:
            self.extents.append((event.start_mark.index, event.end_mark.index))
        value = plain_scalar(event.value) if event.style is None else event.value
        if top is None or isinstance(top.content, list) or top.has_key:
            self._put(event, value)
            return
        key = value if isinstance(value, int) and not isinstance(value, bool) else event.value
        path = (*top.path, str(key))
        line, column = _at(event)
        if event.style is None and key == "<<":
            remedy = "write the keys out in each place"
            self._problem(event, top.path, "merge keys are not part of scenario files", remedy, "alias")
        elif key in top.content and not top.void:
            first = self.places.keys[path][0]
            remedy = f"keep one; the first stands in line {first}"
            self._problem(event, path, f"the key '{key}' stands here twice", remedy, "duplicate-key")
        self.places.keys.setdefault(path, (line, column))
        top.key, top.has_key = key, True

    def _open(self, event: yaml.NodeEvent) -> None:
        self._refuse_marks(event)
        if len(self.stack) >= DEEPEST:
            line, _ = _at(event)
            what = f"nested deeper than {DEEPEST} levels"
            raise _stop(
                self.places.source, line, what, "a scenario needs about 8; close the brackets", "too-deep"
            )
        content: dict[Any, Any] | list[Any] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.content, dict) and not top.has_key:
            remedy = "write a word before the colon; text with brackets needs quotes"
            self._problem(event, top.path, "a list or mapping stands where a key should", remedy, "key")
            top.key, top.has_key = "", True
            self.stack.append(_Frame(content, (*top.path, ""), void=True))
            return
        path = self._put(event, content)
        if not getattr(event, "flow_style", True):
            self.blocks.add(path)
        self.stack.append(_Frame(content, path))

    def _put(self, event: yaml.NodeEvent, value: Any) -> Path:
        """Store a value in what is open; return its path."""
        path: Path
        if not self.stack:
            path, self.root = (), value
        else:
            top = self.stack[-1]
            if isinstance(top.content, list):
                path = (*top.path, len(top.content))
                top.content.append(value)
            elif not top.has_key:  # an alias as a key
                top.key, top.has_key, path = "", True, (*top.path, "")
                return path
            else:
                path = (*top.path, str(top.key))
                top.content.setdefault(top.key, value)
                top.has_key = False
        self.places.values.setdefault(path, _at(event))
        return path

    def _refuse_reuse(self, event: yaml.AliasEvent) -> None:
        what = f"the alias '*{event.anchor}' (aliases are not part of scenario files)"
        self._problem(event, (), what, "write the value out; a text that begins with * needs quotes", "alias")

    def _refuse_marks(self, event: yaml.ScalarEvent | yaml.NodeEvent) -> None:
        anchor, tag = event.anchor, getattr(event, "tag", None)
        if anchor:
            what = f"the anchor '&{anchor}' (anchors are not part of scenario files)"
            self._problem(event, (), what, "remove it; a text that begins with & needs quotes", "alias")
        if tag and tag != "!":
            what = (
                f"the tag '{tag.replace('tag:yaml.org,2002:', '!!')}' (tags are not part of scenario files)"
            )
            self._problem(event, (), what, "remove it; a text that begins with ! needs quotes", "tag")

    def _problem(self, event: yaml.Event, path: Path, what: str, remedy: str, code: str) -> None:
        place = _place(self.places.source, *_at(event))
        self.problems.append(Problem(f"{place} {dotted(path)}".rstrip(), what, remedy, f"scenario/{code}"))


def _at(event: yaml.Event) -> tuple[int, int]:
    """Line and column of an event, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _place(source: str, line: int, column: int) -> str:
    return f"{source}:{line}:{column}"


def _stop(source: str, line: int, what: str, remedy: str, code: str) -> ScenarioError:
    return ScenarioError(Problem(_place(source, line, 1), what, remedy, f"scenario/{code}"))


def _decode(text: str | bytes, source: str) -> str:
    if len(text) > LARGEST_FILE:
        what = f"the file has {len(text):,} bytes; a scenario has at most {LARGEST_FILE:,}"
        raise _stop(source, 1, what, "is this a trace? give it to 'gpusim replay'", "too-large")
    if isinstance(text, bytes):
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise _stop(source, 1, "the file is UTF-16", "save it as UTF-8", "not-utf8")
        if b"\0" in text:
            raise _stop(
                source, 1, "the file is not text (it holds zero bytes)", "give a YAML file", "not-text"
            )
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            what = f"not UTF-8 text (byte 0x{error.object[error.start]:02x})"
            raise _stop(source, line, what, "save the file as UTF-8", "not-utf8") from None
    text = text.removeprefix("\ufeff")
    if not re.search(r"^\s*[^\s#]", text, re.MULTILINE):
        remedy = "start from an example: gpusim new quickstart center.yaml"
        raise _stop(source, 1, "the file is empty", remedy, "empty")
    return text


def _refuse_tabs(text: str, source: str) -> None:
    if match := re.search(r"^ *(\t)[ \t]*[^\s#]", text, re.MULTILINE):
        line = text.count("\n", 0, match.start(1)) + 1
        column = match.start(1) - (text.rfind("\n", 0, match.start(1)) + 1) + 1
        place = _place(source, line, column)
        raise ScenarioError(Problem(place, "a tab indents this line", "indent with spaces", "scenario/tab"))


_SYNTAX_REMEDIES = (
    (
        "mapping values are not allowed",
        "put text with a colon in quotes, or check the indentation of this line",
    ),
    ("could not find expected ':'", "write 'key: value', with a blank after the colon"),
    ("expected ',' or", "close the bracket, or put a comma between the entries"),
    ("expected <block end>", "align this line with its neighbours (same number of blanks)"),
    ("cannot start any token", "put text that begins with this character in quotes"),
    ("found unexpected end of stream", "close the quotes or brackets opened before"),
    ("found undefined alias", "a text that begins with * needs quotes"),
)


def _syntax_problem(error: yaml.MarkedYAMLError, source: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    text = error.problem or "not YAML"
    remedy = next(
        (remedy for start, remedy in _SYNTAX_REMEDIES if start in text),
        "check this line and the one before it",
    )
    what = f"not YAML: {text}"
    if error.context and error.context_mark is not None and error.context_mark.line + 1 != line:
        what += f" ({error.context} that begins in line {error.context_mark.line + 1})"
    return Problem(_place(source, line, column), what, remedy, "scenario/syntax")


def _top_level(root: Any, source: str) -> Problem:
    kind = "a list" if isinstance(root, list) else "nothing" if root is None else "one text"
    remedy = "write 'key: value' lines; start from an example: gpusim new quickstart center.yaml"
    return Problem(
        _place(source, 1, 1), f"the file holds {kind}, not a scenario", remedy, "scenario/top-level"
    )
