"""What every test may rely on: no network, no GPU, no file outside the checkout, and honest counts at the end.

``GPUSIM_REQUIRE=nvcc,nvrtc,shared`` names what must not be skipped. A test that skips although its mark or its reason
carries a required word is a failure, and so is a run in which no test with a required mark was executed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

hypothesis.settings.register_profile("gpusim", derandomize=True, deadline=None)
hypothesis.settings.load_profile("gpusim")

REQUIRED = tuple(word for word in re.split(r"[,\s]+", os.environ.get("GPUSIM_REQUIRE", "")) if word)
LINES = pytest.StashKey[list[str]]()
EXECUTED = pytest.StashKey[set[str]]()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference traces and schedules kept beside the checkout; too large to live in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("shared data absent")
    return folder


@pytest.fixture
def summary_line(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Call it with one line to be printed at the end of the run: a measurement worth seeing every time."""
    return request.config.stash[LINES].append


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []
    config.stash[EXECUTED] = set()
    known = {line.split(":")[0].strip() for line in config.getini("markers")}
    if unknown := [word for word in REQUIRED if word not in known]:
        raise pytest.UsageError(f"GPUSIM_REQUIRE names no mark of this suite ({', '.join(unknown)})")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")


# ---- a required skip is a failure -------------------------------------------------------------------------------


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


def refuse_required_skip(report: pytest.TestReport | pytest.CollectReport, marks: set[str]) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = reason_of(report)
    for word in REQUIRED:
        if word in marks or re.search(rf"\b{re.escape(word)}\b", reason):
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid}: skipped, but GPUSIM_REQUIRE asks for {word}: {reason}"
            return


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marks = {mark.name for mark in item.iter_markers()}
    refuse_required_skip(report, marks)
    if report.when == "call" and not report.skipped:
        item.config.stash[EXECUTED] |= marks
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_required_skip(report, set())
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    missing = [word for word in REQUIRED if word not in session.config.stash[EXECUTED]]
    if missing and session.exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly:
        session.config.stash[LINES].append(
            f"GPUSIM_REQUIRE: no test marked {', '.join(missing)} was executed"
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# ---- counts -------------------------------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    stats = terminalreporter.stats
    executed = sum(len(stats.get(key, ())) for key in ("passed", "failed", "xfailed", "xpassed"))
    skipped = stats.get("skipped", [])
    reasons = Counter(reason_of(report).removeprefix("Skipped: ") for report in skipped)
    terminalreporter.section("counts")
    for line in config.stash[LINES]:
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"executed {executed}, skipped {len(skipped)}")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"  skipped {count}: {reason}")
