"""What is wrong at a path inside a scenario, before anybody knows which line that is.

Validators raise `Mistake` (one) or `Mistakes` (several); both are `ValueError`, so that pydantic collects
them. `Places` (reader.py) turns a mistake into a `gpusim.errors.Problem` with file, line and column.

A path is a tuple of keys (str, also for GPU counts: '8') and list positions (int):
`('tenants', 0, 'classes', 1, 'gpus', '8')`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpusim.units import UnitError, show

Path = tuple["str | int", ...]


@dataclass(eq=False)
class Mistake(ValueError):
    """One mistake.

    Parameters
    ----------
    what : str
        What is wrong. Lower-case start, no full stop.
    remedy : str
        What to change, and to what.
    found : str
        The value found, as `gpusim.units.show` quotes it; may be empty.
    path : tuple
        Where: inside the value being validated, or from the root once it has travelled up.
    code : str
        Stable identifier, without the leading ``scenario/``.
    at_key : bool
        Point at the key instead of its value (unknown and duplicate keys).
    """

    what: str
    remedy: str
    found: str = ""
    path: Path = ()
    code: str = "value"
    at_key: bool = False

    def __str__(self) -> str:
        found = f" ({self.found})" if self.found else ""
        return f"{dotted(self.path)}{': ' if self.path else ''}{self.what}{found}; {self.remedy}"

    def under(self, path: Path) -> Mistake:
        """The same mistake, seen from further out."""
        return Mistake(self.what, self.remedy, self.found, path + self.path, self.code, self.at_key)


class Mistakes(ValueError):
    """Several mistakes of one value."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def raise_all(mistakes: list[Mistake]) -> None:
    """Raise `Mistakes` if there is any."""
    if mistakes:
        raise Mistakes(mistakes)


def mistakes_of(error: Exception) -> list[Mistake]:
    """The mistakes that one exception of a validator stands for."""
    if isinstance(error, Mistakes):
        return error.mistakes
    if isinstance(error, Mistake):
        return [error]
    if isinstance(error, UnitError):
        return [Mistake(error.what, error.remedy, error.found)]
    return [Mistake(str(error), "see the documentation of this key")]


def dotted(path: Path) -> str:
    """Write a path as people read it: `tenants[0].classes[1].gpus`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


__all__ = ["Mistake", "Mistakes", "Path", "dotted", "mistakes_of", "raise_all", "show"]
