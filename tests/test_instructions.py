"""The guard on instructions a job: what it compares, and when it refuses to."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("instructions", ROOT / "benchmarks/instructions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GUARD = load()


def counted(*figures: float, compiler: str = "g++ 12", flags: str = "-O3") -> dict[str, Any]:
    return {"compiler": compiler, "flags": flags, "figures": dict(zip(GUARD.CASES, figures, strict=False))}


@pytest.mark.parametrize(("after", "fails"), [(1029.0, False), (1031.0, True), (500.0, False)])
def test_a_rise_above_three_percent_fails(after: float, fails: bool) -> None:
    assert GUARD.verdict(counted(after, 2000.0), counted(1000.0, 2000.0))[1] is fails
    assert GUARD.verdict(counted(2000.0, after), counted(2000.0, 1000.0))[1] is fails


@pytest.mark.parametrize("other", [{"compiler": "g++ 13"}, {"flags": "-O2"}])
def test_other_compilers_and_flags_are_printed_and_not_compared(other: dict[str, str]) -> None:
    lines, failed = GUARD.verdict(counted(9000.0), counted(1000.0, **other))
    assert not failed
    assert "9,000.0 instructions a job" in lines[0]
    assert lines[-1].startswith("NOT COMPARED")
    assert next(iter(other.values())) in lines[-1]


def test_a_case_without_a_baseline_is_said_to_have_none() -> None:
    lines, failed = GUARD.verdict(counted(1000.0, 2000.0), counted(1000.0))
    assert not failed
    assert "NOT COMPARED" in lines[1]


def test_the_baseline_has_every_case_and_the_build_is_the_one_that_is_shipped() -> None:
    baseline = json.loads(GUARD.BASELINE.read_text(encoding="utf-8"))
    assert list(baseline["figures"]) == list(GUARD.CASES)
    assert min(baseline["figures"].values()) > 0
    assert tuple(baseline["jobs"]) == GUARD.JOBS
    assert baseline["flags"] == GUARD.FLAGS
    target = re.search(
        r"add_executable\(gpusim_instructions ([^)]+)\)", (ROOT / "CMakeLists.txt").read_text()
    )
    assert target is not None
    assert (
        "${GPUSIM_ENGINE_SOURCES}" in target[1]
    )  # whose flags are set by file, so they are the same in every target
    options = re.search(
        r"target_compile_options\(gpusim_instructions PRIVATE (.+)\)", (ROOT / "CMakeLists.txt").read_text()
    )
    assert options is not None
    assert options[1] == "${GPUSIM_WARNINGS}"


def test_without_valgrind_the_guard_says_that_it_did_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["instructions.py"])
    monkeypatch.setattr(GUARD.shutil, "which", lambda name: None)
    assert GUARD.main() == 3
    assert capsys.readouterr().out.startswith("NOT RUN")
