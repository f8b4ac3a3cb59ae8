"""How benchmarks are timed: CPU time of this process, a fixed number of repeats, and the jobs behind every time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
REPEATS = 5
SHORTEST = 0.1
"""A repeat calls its function as often as makes up about this time [s]: clocks are coarse, and so is what disturbs."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--repeats", type=int, default=REPEATS, help=f"timed repeats of a benchmark (default {REPEATS})"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("benchmark") is None:
            item.add_marker(pytest.mark.benchmark(timer=time.process_time))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference traces kept beside the checkout; too large to live in it."""
    folder = HERE.parent.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("shared data absent")
    return folder


def calls_of(function: Callable[[], Any]) -> int:
    """Calls of one repeat, by the second call: the first one finds out how much working memory it needs."""
    function()
    begin = time.perf_counter()
    function()
    return math.ceil(SHORTEST / max(time.perf_counter() - begin, 1e-4))


@pytest.fixture
def timed(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`timed(function, jobs=..., before=...)` times the repeats of a call and returns the last one's result.

    `jobs` is the number of jobs that one repeat simulates (or a function of its result): two events each, an
    arrival and a completion. Untimed calls come first; `before` is called ahead of every repeat, untimed;
    there are `more` times as many repeats as asked for.
    What else is given is kept with the times.
    """

    def measure(
        function: Callable[[], Any],
        *,
        jobs: int | Callable[[Any], int] | None = None,
        before: Callable[[], None] | None = None,
        more: int = 1,
        **facts: Any,
    ) -> Any:
        repeats = more * request.config.getoption("--repeats")
        if before is not None:
            result = benchmark.pedantic(function, setup=before, rounds=repeats, warmup_rounds=1)
        else:
            calls = 1 if benchmark.disabled else calls_of(function)
            result = benchmark.pedantic(function, rounds=repeats, iterations=calls)
        count = jobs(result) if callable(jobs) else jobs
        benchmark.extra_info.update(facts)
        if count is not None:
            benchmark.extra_info["jobs"] = count
        if count is not None and benchmark.stats is not None:
            rate = count / benchmark.stats.stats.median
            benchmark.extra_info |= {"jobs_per_second": round(rate), "events_per_second": round(2 * rate)}
        return result

    return measure
