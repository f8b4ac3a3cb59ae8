"""Where an answer comes from: all that is needed to repeat it, inside the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpusim._version import __version__
from gpusim.engine.backend import choose, reasons_unavailable
from gpusim.scenario import Scenario


@dataclass(frozen=True)
class Provenance:
    """What produced a result, and what repeats it.

    Attributes
    ----------
    version : str
        Of gpusim.
    seed : int
    backend : str
    backends_refused : dict of str to str
        Backends that could not run here, and why.
    scenario, scenario_hash : str
        Name, and SHA-256 of the content.
    command : str
        The line that repeats the answer, for people: it names a file that may have changed since.
    document : dict
        The scenario itself with all changes applied, as `Scenario.from_dict` reads it.
    call : dict
        ``{"verb": "size" | "simulate", ...}`` and the options of the call that can change its answer.
    """

    version: str
    seed: int
    backend: str
    backends_refused: dict[str, str]
    scenario: str
    scenario_hash: str
    command: str
    document: dict[str, Any]
    call: dict[str, Any]


def provenance(
    scenario: Scenario, verb: str, options: Mapping[str, object], *, seed: int, backend: str, command: str
) -> Provenance:
    """Provenance of a run of this process.

    Parameters
    ----------
    scenario : Scenario
    verb : {"size", "simulate"}
    options : mapping
        Keyword arguments of the verb that can change its answer, but the seed: `certify`, `gpus`, ...; plain data.
    seed : int
        The seed used, whether it was given or the scenario's.
    backend : str
        As asked for.
    command : str
    """
    return Provenance(
        version=__version__,
        seed=seed,
        backend=choose(backend),
        backends_refused=reasons_unavailable(),
        scenario=scenario.name,
        scenario_hash=scenario.hash,
        command=command,
        document=scenario.to_dict(),
        call={"verb": verb, "seed": seed, **options},
    )


def load_call(scenario: Scenario) -> str:
    """The Python call that loads a scenario again; its hash where there is no file to load."""
    if scenario.source and not scenario.source.startswith("<"):
        return f"gpusim.load_scenario({scenario.source!r})"
    return f"<scenario {scenario.hash[:12]}>"
