"""The time a sizing run will take: measured quickly, stated with its spread, and near the truth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import gpusim
from cli_calls import TINY, call
from gpusim.cli.forecast import announce
from gpusim.errors import BackendUnavailable
from gpusim.plan import estimate as module
from gpusim.plan.estimate import BUDGET, Estimate, estimate_seconds
from gpusim.report import estimate_in_words

SOME = Estimate(
    seconds=52.3, low=24.1, high=113.0, threads=2, runs=12_345, jobs_per_run=3210.4, at_least=False, spent=0.3
)


@pytest.fixture(scope="module")
def tiny() -> gpusim.Scenario:
    return gpusim.Scenario.from_yaml(TINY)


def test_the_guess_lies_inside_its_spread(tiny: gpusim.Scenario) -> None:
    found = estimate_seconds(tiny, threads=1)
    assert 0 < found.low < found.seconds < found.high < math.inf
    assert found.threads == 1
    assert not found.at_least
    assert found.runs > 500
    # 20 GPUs of load in runs of an hour on one GPU each, for 12 h
    assert found.jobs_per_run == pytest.approx(20 * 12, rel=0.2)


def test_an_estimate_changes_no_answer(tiny: gpusim.Scenario) -> None:
    before = gpusim.simulate(tiny, replications=5).to_dict()
    estimate_seconds(tiny)
    after = gpusim.simulate(tiny, replications=5).to_dict()
    for data in (before, after):
        data.pop("spent")
    assert before == after


def test_a_tighter_tolerance_takes_longer(tiny: gpusim.Scenario) -> None:
    loose = estimate_seconds(tiny.override(["study.tolerance=50%"]), threads=1)
    tight = estimate_seconds(tiny.override(["study.tolerance=4%", "study.horizon=8h"]), threads=1)
    assert tight.runs > loose.runs


@pytest.mark.alone
@pytest.mark.slow
def test_an_estimate_ends_in_time_however_long_a_run_is(tiny: gpusim.Scenario) -> None:
    endless = tiny.override([
        "tenants[0].classes[0].arrivals.load=200000", "study.max_gpus=400000", "study.horizon=60d",
        "study.warm_up=30d", "center.have=200000",
    ])  # fmt: skip
    began = time.monotonic()
    found = estimate_seconds(endless, threads=1)
    assert time.monotonic() - began < BUDGET + 1.5  # preparing the runs, and ending the one under way
    assert found.at_least
    assert found.high == math.inf
    assert found.seconds > 100
    assert found.jobs_per_run is None


@pytest.mark.slow
@pytest.mark.alone
def test_the_truth_is_within_a_factor_of_three_on_the_quickstart() -> None:
    scenario = gpusim.example("quickstart")
    found = estimate_seconds(scenario)
    began = time.monotonic()
    gpusim.size(scenario)
    took = time.monotonic() - began
    assert took / 3 < found.seconds < 3 * took
    assert found.spent < BUDGET + 0.5


# ---- in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "about 52s on 2 threads (24s to 1.83min)"),
        (
            {"threads": 1, "seconds": 0.01, "low": 0.001, "high": 0.26},
            "about 100ms on 1 thread (100ms to 260ms)",
        ),
        ({"at_least": True, "seconds": 7260.0}, "more than 2.03h on 2 threads"),
    ],
)
def test_an_estimate_says_how_sure_it_is(changes: dict[str, Any], words: str) -> None:
    assert estimate_in_words(replace(SOME, **changes)) == words


@pytest.fixture
def foretell(monkeypatch: pytest.MonkeyPatch) -> Callable[[Estimate | Exception], None]:
    """Let every estimate be this one, or fail like this."""

    def use(result: Estimate | Exception) -> None:
        def instead(*_: object, **__: object) -> Estimate:
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(module, "estimate_seconds", instead)

    return use


def test_check_says_how_long_size_will_take(foretell: Callable[[Estimate | Exception], None]) -> None:
    foretell(SOME)
    page = call("check", "-", stdin=TINY)
    assert page.code == 0
    assert "about 52s on 2 threads (24s to 1.83min): some 12 thousand runs of about 3,210 jobs" in page.out
    data = call("check", "-", "--json", stdin=TINY).data
    assert data["estimate"]["seconds"] == 52.3
    foretell(replace(SOME, at_least=True, high=math.inf, jobs_per_run=None))
    assert call("check", "-", "--json", stdin=TINY).data["estimate"]["high"] is None


def test_check_works_where_nothing_can_run(foretell: Callable[[Estimate | Exception], None]) -> None:
    foretell(BackendUnavailable("the compiled engine is missing"))
    page = call("check", "-", stdin=TINY)
    assert page.code == 0
    assert "not known: the compiled engine is missing" in page.out
    assert call("check", "-", "--json", stdin=TINY).data["estimate"] is None


@pytest.mark.slow
def test_size_says_before_it_starts_that_it_will_take_long(
    foretell: Callable[[Estimate | Exception], None],
) -> None:
    foretell(SOME)
    said = call("size", "-", "--json", stdin=TINY)
    assert said.err.startswith("this takes about 52s on 2 threads")
    assert said.data["kind"] == "size"
    assert call("size", "-", "--quiet", stdin=TINY).err == ""
    assert call("size", "-", "--time-limit", "60s", stdin=TINY).err == ""


@pytest.mark.parametrize(
    ("estimate", "quiet", "said"),
    [
        (
            SOME,
            False,
            "this takes about 52s on 2 threads (24s to 1.83min); Ctrl-C or --time-limit ends it sooner\n",
        ),
        (SOME, True, ""),
        (replace(SOME, seconds=9.9), False, ""),
        (BackendUnavailable("x"), False, ""),
    ],
    ids=["long", "quiet", "short", "impossible"],
)
def test_only_long_runs_are_announced_and_only_on_stderr(
    tiny: gpusim.Scenario,
    foretell: Callable[[Estimate | Exception], None],
    capsys: pytest.CaptureFixture[str],
    estimate: Estimate | Exception,
    quiet: bool,
    said: str,
) -> None:
    foretell(estimate)
    announce(tiny, quiet=quiet)
    assert capsys.readouterr() == ("", said)
