"""Data flows one way: a package imports what stands to its left, and the small modules that everybody may use.

Imports are read from the source, those inside functions and under TYPE_CHECKING included.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "python" / "gpusim"

ORDER = ["scenario", "workload", "engine", "stats", "plan", "report", "cli"]
FOUNDATION = {"errors", "units", "suggest", "_version"}
DOORS = {"__init__", "__main__"}  # the public face sees everything; nobody inside imports it

# What a package may import beside its left neighbours and the foundation.
EXTRA = {"engine": {"_native"}}

# report draws what plan returned: it holds no arithmetic of its own.
NOT_IN_REPORT = {"numpy", "scipy", "statistics", "random"}


def unit_of(path: Path) -> str:
    """``engine`` for python/gpusim/engine/spec.py, ``errors`` for python/gpusim/errors.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py").removesuffix(".pyi")


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """Line and absolute dotted name of every import in a file; ``from a import b`` gives ``a.b``."""
    package = ["gpusim", *path.relative_to(PACKAGE).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            start += node.module.split(".") if node.module else []
            found += [(node.lineno, ".".join([*start, alias.name])) for alias in node.names]
    return tuple(found)


@cache
def arrows() -> tuple[tuple[str, str, str], ...]:
    """(from unit, to unit, place) for every import of one part of gpusim by another."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        unit = unit_of(path)
        for line, name in imports(path):
            parts = name.split(".")
            if parts[0] == "gpusim" and len(parts) > 1 and parts[1] != unit:
                found.append((unit, parts[1], f"{path.relative_to(PACKAGE)}:{line}"))
    return tuple(found)


def allowed(unit: str) -> set[str]:
    if unit in FOUNDATION:
        return FOUNDATION
    return {*ORDER[: ORDER.index(unit)], *FOUNDATION, *EXTRA.get(unit, ())}


def test_every_part_has_its_place_in_the_order() -> None:
    units = {unit_of(path) for path in PACKAGE.rglob("*.py")}
    assert units - {*ORDER, *FOUNDATION, *DOORS} == set(), (
        "new part: say in ARCHITECTURE.md and here where it stands"
    )


@pytest.mark.parametrize("unit", [*ORDER, *sorted(FOUNDATION)])
def test_imports_point_to_the_left(unit: str) -> None:
    back = [
        f"{place}: {start} imports {end}"
        for start, end, place in arrows()
        if start == unit and end not in allowed(unit)
    ]
    assert back == []


def test_report_computes_nothing() -> None:
    found = [
        f"{path.name}:{line}: {name}"
        for path in sorted((PACKAGE / "report").rglob("*.py"))
        for line, name in imports(path)
        if name.split(".")[0] in NOT_IN_REPORT
    ]
    assert found == []


def test_the_oracle_imports_nothing_native() -> None:
    names = [name for path in sorted((PACKAGE / "engine").glob("reference*.py")) for _, name in imports(path)]
    assert names
    assert [name for name in names if "_native" in name] == []
