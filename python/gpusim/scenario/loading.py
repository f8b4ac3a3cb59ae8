"""Finding scenarios: built-in centers by name, files by path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from gpusim.errors import Problem, UsageError
from gpusim.scenario.reader import LARGEST_FILE
from gpusim.scenario.scenario import Scenario
from gpusim.suggest import did_you_mean


def examples() -> tuple[str, ...]:
    """Return the names of the built-in scenarios, in alphabetical order."""
    folder = resources.files(__package__) / "builtin"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def example_text(name: str = "quickstart") -> str:
    """Return the YAML text of a built-in scenario, comments included; `gpusim new` writes it to a file.

    Raises
    ------
    UsageError
        If there is none of this name.
    """
    if name not in examples():
        raise UsageError(_not_found(name, "no built-in scenario has this name"))
    return (resources.files(__package__) / "builtin" / f"{name}.yaml").read_text(encoding="utf-8")


def example(name: str = "quickstart", *, overrides: Iterable[str] = ()) -> Scenario:
    """Return a built-in scenario.

    Examples
    --------
    >>> example("quickstart").name
    'quickstart'
    """
    return Scenario.from_yaml(example_text(name), f"{name}.yaml", overrides)


def load_scenario(source: str | os.PathLike[str], *, overrides: Iterable[str] = ()) -> Scenario:
    """Read and check a scenario.

    Parameters
    ----------
    source : str or path
        Path of a YAML file, or the name of a built-in scenario (write ``./quickstart`` for a file of that
        name).
    overrides : iterable of str
        Changes such as ``policy.backfill=none``, applied before the checks.

    Raises
    ------
    UsageError
        If there is no such file and no such built-in scenario.
    ScenarioError
        If the file is not a valid scenario; it lists every mistake with line and remedy.

    Examples
    --------
    >>> load_scenario("quickstart").center.have
    480
    """
    if isinstance(source, str) and source in examples():
        return example(source, overrides=overrides)
    path = Path(source)
    if path.is_dir():
        raise UsageError(Problem(str(path), "this is a folder", "give a YAML file in it", "usage/folder"))
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise UsageError(
            _not_found(str(source), "no such file, and no built-in scenario of this name")
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = f"this file cannot be read: {reason}"
        raise UsageError(Problem(str(path), what, "check its permissions", "usage/unreadable")) from None
    return Scenario.from_yaml(content, str(path), overrides)


def _not_found(name: str, what: str) -> Problem:
    path, known = Path(name), examples()
    nearby: list[str] = []
    if path.parent.is_dir():
        nearby = [str(path.parent / each.name) for each in path.parent.glob("*.y*ml")][:200]
    near = did_you_mean(path.stem, known) or did_you_mean(name, nearby)
    remedy = (f"did you mean '{near}'? " if near else "") + f"built-in: {', '.join(known)}"
    return Problem(name, what, remedy, "usage/no-scenario")
