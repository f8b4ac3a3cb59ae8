"""Where an answer comes from: enough to repeat it."""

from __future__ import annotations

from dataclasses import dataclass

from gpusim._version import __version__
from gpusim.engine.backend import choose, reasons_unavailable
from gpusim.scenario import Scenario


@dataclass(frozen=True)
class Provenance:
    """What produced a result, and the command that repeats it."""

    version: str
    seed: int
    backend: str
    backends_refused: dict[str, str]
    scenario: str
    scenario_hash: str
    command: str


def provenance(*, seed: int, backend: str, scenario: str, scenario_hash: str, command: str) -> Provenance:
    """Provenance of a run of this process."""
    return Provenance(
        version=__version__,
        seed=seed,
        backend=choose(backend),
        backends_refused=reasons_unavailable(),
        scenario=scenario,
        scenario_hash=scenario_hash,
        command=command,
    )


def load_call(scenario: Scenario) -> str:
    """The Python call that loads a scenario again; its hash where there is no file to load."""
    if scenario.source and not scenario.source.startswith("<"):
        return f"gpusim.load_scenario({scenario.source!r})"
    return f"<scenario {scenario.hash[:12]}>"
