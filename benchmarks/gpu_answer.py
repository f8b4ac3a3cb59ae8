"""How long it takes to say how many GPUs `korea-nacc` needs, certified, on a device; and why so long."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gpu_engines import watched
from gpu_rows import Rows, Skip

AS_SHIPPED, YEAR = "korea-nacc as shipped", "korea-nacc over a year"


def step(rows: Rows, engines: Mapping[str, Mapping[str, Any]], *, year: bool = False) -> None:
    """The answer as shipped on each engine, whose numbers must agree; over a year only if asked for.

    Parameters
    ----------
    rows : Rows
    engines : mapping of str to mapping
        Options of `gpusim.size` by engine, the device first.
    year : bool, default False
        Also with a horizon of 365 days: minutes.
    """
    try:
        import gpusim

        scenario = gpusim.example("korea-nacc")
    except ImportError as error:
        raise Skip(f"a scenario cannot be read here: {error}") from None
    answers = {}
    for name, options in engines.items():
        row, answers[name] = answered(scenario, options)
        rows.add(name=AS_SHIPPED, engine=name, **row)
    if len(set(answers.values())) > 1:
        rows.add(name=AS_SHIPPED, engine="all", equal=False, differences=[str(answers)])
    if year:
        name = next(iter(engines))
        longer = gpusim.example("korea-nacc").override({"study.horizon": "365d"})
        rows.add(name=YEAR, engine=name, **answered(longer, engines[name])[0])


def answered(scenario: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], int | None]:
    """One row, and the number of GPUs."""
    import gpusim

    begin = time.perf_counter()
    with watched() as seen:
        answer = gpusim.size(scenario, **options)
    seconds = time.perf_counter() - begin
    row: dict[str, Any] = {
        "seconds": seconds,
        "gpus": answer.gpus,
        "runs": answer.spent.runs,
        "jobs": answer.spent.jobs,
    }
    if seen.rounds:
        row |= {
            "rounds": seen.rounds,
            "launches": seen.launches,
            "runs_a_round": round(answer.spent.runs / seen.rounds, 1),
            "idle_share": round(max(0.0, 1 - seen.busy / seconds), 3),
        }
    return row, answer.gpus
