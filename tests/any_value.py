"""Any value at any place of a scenario: it is read, or refused by our own errors, never by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpusim.errors import ScenarioError
from gpusim.scenario import Scenario


def check_value(data: Mapping[str, Any], path: Sequence[str | int], value: object) -> None:
    """Put a value into a scenario's data, which is changed, and read it."""
    here: Any = data
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    try:
        scenario = Scenario.from_dict(data)
    except ScenarioError as error:
        assert all(problem.remedy for problem in error.problems)  # noqa: PT017
    else:
        scenario.notices()
        assert Scenario.from_dict(scenario.to_dict()).hash == scenario.hash
