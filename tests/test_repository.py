"""What must hold for the files themselves, whatever they compute."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def git_files(*options: str) -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", *options]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def ours() -> list[Path]:
    """Every file that is or would be committed."""
    return git_files("--cached", "--others", "--exclude-standard")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def code_of(path: Path) -> str:
    """C++ without comments and string literals; line breaks stay."""
    pattern = r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\""
    return re.sub(pattern, lambda m: "\n" * m[0].count("\n"), text_of(path), flags=re.DOTALL)


def setting(name: str) -> str:
    """The value of a double-quoted assignment in .ci/run."""
    match = re.search(rf'^{name}="([^"]+)"$', text_of(ROOT / ".ci" / "run"), re.MULTILINE)
    assert match, f".ci/run sets no {name}"
    return match[1]


# ---- one home for each fact -----------------------------------------------------------------------------------------


def test_the_version_is_written_in_one_place() -> None:
    version = re.search(r'__version__ = "(.+)"', text_of(ROOT / "python/gpusim/_version.py"))
    assert version
    pattern = re.compile(rf"(?<![\d.]){re.escape(version[1])}(?![\d.])")
    homes = {
        path.relative_to(ROOT).as_posix()
        for path in ours()
        if path.suffix in {".py", ".pyi", ".toml", ".txt", ".cmake", ".json", ".cff", ".h", ".cpp", ".in"}
        and re.search(rf"(?i)version.*{pattern.pattern}", text_of(path))
    }
    assert homes == {"python/gpusim/_version.py"}


@pytest.mark.parametrize("name", ["README_INSTALL", "README_TEST"])
def test_readme_commands_are_the_ones_that_are_run(name: str) -> None:
    lines = [line.strip().removeprefix("$ ") for line in text_of(ROOT / "README.md").splitlines()]
    assert setting(name) in lines


def test_architecture_names_the_main_loop() -> None:
    match = re.search(r"main loop is `([^`]+)`, function `(\w+)`", text_of(ROOT / "ARCHITECTURE.md"))
    assert match, "ARCHITECTURE.md must say: main loop is `file`, function `name`"
    assert re.search(rf"\b{match[2]}\s*\(", code_of(ROOT / match[1]))
    assert "core/simulate.h" in text_of(ROOT / "csrc" / "README.md")


# ---- the core stays portable ----------------------------------------------------------------------------------------

CORE = sorted((ROOT / "csrc" / "core").glob("*.h"))


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_core_includes_nothing_from_outside(path: Path) -> None:
    # Only types.h may know which compiler reads it.
    included = re.findall(r"^\s*#\s*include\s*(\S+)", re.sub(r"//[^\n]*", "", text_of(path)), re.MULTILINE)
    neighbours = {f'"{neighbour.name}"' for neighbour in CORE}
    assert path.name == "types.h" or set(included) <= neighbours


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_core_holds_no_floating_point(path: Path) -> None:
    literal = r"(?<![\w.])(?:\d[\d']*\.\d*|\.\d+)(?:[eE][-+]?\d+)?[fFlL]?(?![\w.])|(?<![\w.])\d+[eE][-+]?\d+"
    found = re.findall(rf"\b(?:float|double|__half)\b|{literal}", code_of(path))
    assert found == []


# ---- what does not belong in a checkout -----------------------------------------------------------------------------


def test_no_build_output_is_tracked() -> None:
    outputs = {".so", ".o", ".a", ".pyc", ".pyd", ".cubin", ".ptx", ".whl", ".egg"}
    folders = {
        "build",
        "dist",
        "__pycache__",
        "node_modules",
        ".venv",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
    }
    tracked = [path.relative_to(ROOT) for path in git_files("--cached")]
    assert [path for path in tracked if path.suffix in outputs or folders & set(path.parts)] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    # Written in halves, so that this file does not name them.
    forbidden = [
        "/wo" + "rk/",
        "/ro" + "ot/",
        "/ho" + "me/",
        "/Us" + "ers/",
        "/tmp" + "/venv",
        ".lib" + "rary",
    ]
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "registry" + ".npmjs"]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in ours()
        for word in forbidden + hosts
        if word in text_of(path)
    ]
    assert found == []


def test_no_file_is_larger_than_one_mebibyte() -> None:
    assert [path.relative_to(ROOT) for path in ours() if path.stat().st_size >= 2**20] == []
