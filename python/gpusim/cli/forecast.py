"""How long `size` will take, said before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import typer

from gpusim.errors import GpusimError

if TYPE_CHECKING:
    from gpusim.plan.estimate import Estimate
    from gpusim.scenario import Scenario

WORTH_SAYING = 10.0
"""Seconds from which on `announce` says something: shorter runs are over before it is read."""


def forecast(
    scenario: Scenario,
    *,
    seed: int | None = None,
    vary: str | None = None,
    certify: Literal["normal", "strict"] = "normal",
    threads: int | None = None,
    backend: str = "auto",
) -> tuple[Estimate | None, str]:
    """The estimate, or None and why there is none: a forecast that fails must not stop what it foretells."""
    from gpusim.plan.estimate import estimate_seconds

    try:
        return estimate_seconds(scenario, seed, threads, vary=vary, certify=certify, backend=backend), ""
    except GpusimError as error:
        return None, str(error.problems[0])


def announce(
    scenario: Scenario,
    *,
    quiet: bool,
    seed: int | None = None,
    vary: str | None = None,
    certify: Literal["normal", "strict"] = "normal",
    threads: int | None = None,
    backend: str = "auto",
) -> None:
    """Tell on stderr how long `size` will take, if that is worth saying."""
    if quiet:
        return
    estimate, _ = forecast(scenario, seed=seed, vary=vary, certify=certify, threads=threads, backend=backend)
    if estimate is not None and estimate.seconds >= WORTH_SAYING:
        from gpusim.report import estimate_in_words

        typer.echo(
            f"this takes {estimate_in_words(estimate)}; Ctrl-C or --time-limit ends it sooner", err=True
        )
