"""What every test may rely on: no network, no GPU, no file outside the checkout, and honest counts at the end.

``GPUSIM_REQUIRE=nvcc,nvrtc,shared`` names what must not be skipped. A test that skips although its mark or its reason
carries a required word is a failure, and so is a run in which no test with a required mark was executed.

With pytest-xdist (``pytest -n 2 --dist loadfile``) tests run in several processes. What each of them learns comes
together at the end, and a test marked ``alone`` still has the machine to itself.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from turns import Turns

ROOT = Path(__file__).resolve().parent.parent

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and pages that are printed would be as narrow

hypothesis.settings.register_profile("gpusim", derandomize=True, deadline=None)
hypothesis.settings.load_profile("gpusim")

REQUIRED = tuple(word for word in re.split(r"[,\s]+", os.environ.get("GPUSIM_REQUIRE", "")) if word)
LINES = pytest.StashKey[list[str]]()
EXECUTED = pytest.StashKey[set[str]]()
TURNS = pytest.StashKey[Turns]()
FOLDER = pytest.StashKey[str]()


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
    if is_worker(config):
        config.stash[TURNS] = Turns(Path(config.workerinput["turns"]))
        config.add_cleanup(config.stash[TURNS].close)
    if unknown := [word for word in REQUIRED if word not in known]:
        raise pytest.UsageError(f"GPUSIM_REQUIRE names no mark of this suite ({', '.join(unknown)})")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")
    if is_worker(config):
        longest_first(items)


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
    if is_worker(session.config):  # a part of the run: what is missing here may be elsewhere
        session.config.workeroutput["lines"] = session.config.stash[LINES]
        session.config.workeroutput["executed"] = sorted(session.config.stash[EXECUTED])
        return
    missing = [word for word in REQUIRED if word not in session.config.stash[EXECUTED]]
    if missing and session.exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly:
        session.config.stash[LINES].append(
            f"GPUSIM_REQUIRE: no test marked {', '.join(missing)} was executed"
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# ---- several processes ------------------------------------------------------------------------------------------


def is_worker(config: pytest.Config) -> bool:
    """One of the processes that pytest-xdist has started, which share the tests among them."""
    return hasattr(config, "workerinput")


def longest_first(items: list[pytest.Item]) -> None:
    """Whole files: those with a test that must be alone, when only short ones can hold it up; then by time allowed."""
    rank: dict[Path, tuple[bool, float]] = {}
    for item in items:
        alone, allowed = rank.get(item.path, (False, 0.0))
        limit = item.get_closest_marker("timeout")
        rank[item.path] = (
            alone or item.get_closest_marker("alone") is not None,
            max(allowed, limit.args[0] if limit else 0.0),
        )
    items.sort(key=lambda item: rank[item.path], reverse=True)  # stable: the order within a file is kept


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside of what counts seconds
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    turns = item.config.stash.get(TURNS, None)
    with turns.taken(item.get_closest_marker("alone") is not None) if turns else nullcontext():
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process that is about to start where turns are taken."""
    if FOLDER not in node.config.stash:
        folder = tempfile.TemporaryDirectory(prefix="gpusim-tests-")
        node.config.add_cleanup(folder.cleanup)
        node.config.stash[FOLDER] = folder.name
    node.workerinput["turns"] = node.config.stash[FOLDER]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a process has learned; one that has died has told nothing, and its test has failed."""
    told = getattr(node, "workeroutput", {})
    node.config.stash[LINES] += told.get("lines", [])
    node.config.stash[EXECUTED] |= set(told.get("executed", []))


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
