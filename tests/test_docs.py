"""The documentation is true: its code runs, its tables are made from the code, its links lead somewhere.

After a change of what a page describes: `python docs/generate.py --run`, and look at the difference.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from gpusim import errors
from gpusim.cli import app

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
OUTSIDE = [*sorted(ROOT.glob("*.md")), ROOT / "csrc/README.md", ROOT / "examples/README.md"]
PAGES = [*OUTSIDE, *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SMALL = "examples/small-center.yaml"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.stdout


# ---- code on pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GENERATOR.pages(), ids=name_of)
@pytest.mark.slow
def test_python_blocks_print_what_the_page_says_and_tables_are_up_to_date(path: Path) -> None:
    page = text_of(path)
    assert GENERATOR.executed(GENERATOR.filled(page)) == page, "run: python docs/generate.py --run"


@pytest.mark.slow
@pytest.mark.parametrize("path", GENERATOR.EXAMPLES, ids=name_of)
def test_example_prints_what_stands_beside_it(path: Path) -> None:
    assert GENERATOR.printed_by(path) == text_of(path.with_suffix(".out"))


def test_every_example_is_listed() -> None:
    listed = text_of(ROOT / "examples/README.md")
    files = [path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".yaml")]
    assert [name for name in files if f"({name})" not in listed] == []


def test_readme_python_block_is_there() -> None:
    assert "```python" in text_of(ROOT / "README.md")


@pytest.mark.slow
def test_quickstart_prints_what_the_readme_shows() -> None:
    blocks = dict(FENCE.findall(text_of(ROOT / "README.md")))
    shown = blocks["text gpusim size quickstart"]
    printed = iter(run("size", "quickstart", "--quiet").splitlines())
    for line in shown.splitlines():
        assert line == "..." or line in printed, line  # `in` consumes: the lines stand in this order


@pytest.mark.slow
def test_tutorial_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    codes = {}
    for mark, body in FENCE.findall(text_of(DOCS / "tutorial.md")):
        for line in body.splitlines() if mark == "console" else []:
            if line.startswith("$ gpusim "):
                result = CliRunner().invoke(app, shlex.split(line)[2:])
                codes[line] = result.exit_code
                last = result.stdout
            else:
                assert line in last.splitlines()
    assert len(codes) >= 5
    assert set(codes.values()) <= {0, 1, 6}, codes
    base, grown = (json.loads(text_of(tmp_path / name))["gpus"] for name in ("base.json", "grown.json"))
    assert grown > base


# ---- links -----------------------------------------------------------------------------------------------------------


def prose_of(path: Path) -> str:
    return FENCE.sub("", text_of(path))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Anchors of a page, as GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def links(path: Path) -> Iterator[tuple[Path, str]]:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(path)):
        if not re.match(r"https?:", target):
            file, _, anchor = target.partition("#")
            yield (path.parent / file).resolve() if file else path, anchor


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    missing = [str(target) for target, _ in links(path) if not target.exists()]
    assert missing == []
    lost = [f"{name_of(to)}#{anchor}" for to, anchor in links(path) if anchor and anchor not in anchors(to)]
    assert lost == []


def test_every_page_is_in_the_index() -> None:
    listed = {target for target, _ in links(DOCS / "README.md")}
    pages = {path for path in DOCS.rglob("*.md") if path.name != "README.md"}
    assert sorted(map(name_of, pages - listed)) == []


# ---- command line ----------------------------------------------------------------------------------------------------


def test_every_verb_and_every_option_is_documented() -> None:
    page = text_of(DOCS / "reference/cli.md")
    for verb, function in GENERATOR.verbs().items():
        assert f"\n## {verb}\n" in page
        assert f"<!-- generated: options {verb} -->" in page
        assert function.__doc__


def test_every_exit_code_is_documented() -> None:
    page = text_of(DOCS / "reference/cli.md")
    raised = {each.exit_code for each in vars(errors).values() if hasattr(each, "exit_code")}
    assert {0, *raised, 130, 141} == {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}


def commands() -> Iterator[tuple[str, list[str]]]:
    for path in PAGES:
        for _, body in FENCE.findall(text_of(path)):
            for line in re.findall(r"^(?:\$ )?(?:pip .* && )?gpusim .+$", body, re.MULTILINE):
                yield name_of(path), shlex.split(line[line.index("gpusim ") :])[1:]


def test_commands_on_pages_use_verbs_and_options_that_exist() -> None:
    verbs = GENERATOR.verbs()
    wrong = []
    for page, words in commands():
        if words[0] in ("VERB", "--version"):
            continue
        known = GENERATOR.options(words[0]) if words[0] in verbs else ""
        wrong += [f"{page}: no verb {words[0]}"] if not known else []
        wrong += [
            f"{page}: no option {word}" for word in words if word.startswith("-") and f"`{word}`" not in known
        ]
    assert wrong == []


# ---- results ---------------------------------------------------------------------------------------------------------


def sections(path: Path) -> dict[str, str]:
    """Text below each second-level heading."""
    parts = re.split(r"^## (.+)$", text_of(path), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(section: str) -> set[str]:
    """Keys in the first column of the tables of a section."""
    cells = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def keys(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{here}[]", value
            for each in value:
                yield from keys(each, f"{here}[]")
        elif isinstance(value, dict):
            yield here, value
            yield from keys(value, here)
        else:
            yield here, value


def documented(key: str, known: set[str]) -> bool:
    """A key has a row, its own keys have, or a row of its parent stands for all of them."""
    if key in known or f"{key}[]" in known or any(row.startswith(f"{key}.") for row in known):
        return True
    parent = key.rpartition(".")[0]
    return (
        bool(parent) and not any(row.startswith(f"{parent}.") for row in known) and documented(parent, known)
    )


def found_in(row: str, found: dict[str, Any]) -> bool:
    """A row is a key of the output, or lies below one that is empty this time."""
    if row in found:
        return True
    parent = row.rpartition(".")[0] if "." in row else row.removesuffix("[]")
    name = parent.removesuffix("[]")
    if parent == row:
        return False
    return found.get(name, "absent") in (None, [], {}) or (name != parent and found_in(parent, found))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of every verb that has one."""
    log = tmp_path_factory.mktemp("log") / "tiny.swf"
    log.write_text(
        "1 0 -1 100 4 -1 -1 -1 200 -1 1 1 1 -1 -1 -1 -1 -1\n2 5 -1 0 4 -1 -1 -1 9 -1 1 1 1 -1 -1 -1 -1 -1\n"
    )
    center, quick = str(ROOT / SMALL), ["--set", "study.horizon=2d", "--set", "study.warm_up=0h", "--json"]
    calls = {
        "size": (["size", center, *quick, "--set", "study.tolerance=20%"], 0),
        "simulate": (["simulate", center, *quick, "--replications", "5", "--gpus", "300"], 0),
        "replay": (["replay", str(log), "--gpus", "8", "--json"], 0),
        "check": (["check", center, *quick], 0),
        "info": (["info", "--json"], 0),
        "rerun": (["rerun", str(log.with_name("simulate.json")), "--json"], 0),
        "error": (["size", str(log.with_name("absent.yaml")), "--json"], 2),
    }
    outputs = {}
    for verb, (words, code) in calls.items():
        text = run(*words, code=code)
        log.with_name(f"{verb}.json").write_text(text)
        outputs[verb] = json.loads(text)
    return outputs


@pytest.mark.parametrize("verb", ["size", "simulate", "replay", "check", "info", "rerun", "error"])
def test_every_key_of_the_output_is_documented_and_every_documented_key_exists(
    verb: str, outputs: dict[str, Any]
) -> None:
    known, found = rows(sections(DOCS / "reference/results.md")[verb]), dict(keys(outputs[verb]))
    assert [key for key in found if not documented(key, known)] == []
    assert [row for row in sorted(known) if not found_in(row, found)] == []


# ---- errors ----------------------------------------------------------------------------------------------------------

AREAS = "usage|scenario|workload|plan|engine|run|backend|gpusim"
CODE = re.compile(rf"({AREAS})/[a-z0-9-]*[a-z0-9]")
CODE_AT = {"Mistake": 4, "_stop": 4, "_problem": 4, "_notice": 0}  # position of the code in these calls


def codes_in_source() -> Iterator[str]:
    for path in (ROOT / "python/gpusim").rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                yield node.value
            if isinstance(node, ast.Call) and path.parent.name == "scenario":
                position = CODE_AT.get(getattr(node.func, "id", getattr(node.func, "attr", "")), 1 << 30)
                given = [
                    *node.args[position : position + 1],
                    *(k.value for k in node.keywords if k.arg == "code"),
                ]
                yield from (f"scenario/{code.value!s}" for code in given if isinstance(code, ast.Constant))


def test_every_error_code_is_documented() -> None:
    page = set(re.findall(rf"`((?:{AREAS})/[a-z0-9-]+)`", text_of(DOCS / "reference/errors.md")))
    assert sorted(set(codes_in_source()) - page) == []


def test_every_exception_is_documented() -> None:
    page = text_of(DOCS / "reference/errors.md")
    assert "<!-- generated: exit-codes -->" in page


# ---- rules -----------------------------------------------------------------------------------------------------------


def test_rules_cited_by_the_code_are_on_the_model_page() -> None:
    page = text_of(DOCS / "background/model.md")
    sources = [
        *(ROOT / "csrc").rglob("*.h"),
        *(ROOT / "csrc").rglob("*.cpp"),
        *(ROOT / "python").rglob("*.py"),
    ]
    cited = {
        rule for path in sources for rule in re.findall(r"\b([RS][1-9]\d?)\b(?=[\s,).:;-])", text_of(path))
    }
    assert [rule for rule in sorted(cited) if not re.search(rf"\b{rule}\b", page)] == []
