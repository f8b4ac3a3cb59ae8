"""What every scenario model has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from gpusim.scenario.mistakes import Mistake

if TYPE_CHECKING:
    from typing_extensions import Self


class Frozen(BaseModel):
    """What every scenario model has in common: no unknown keys, no change after it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed; what was worked out from the old ones is forgotten."""
        made = super().model_copy(update=update, deep=deep)
        for name in made.__dict__.keys() - type(self).model_fields.keys():
            del made.__dict__[name]
        return made


def one_of(model: BaseModel, names: tuple[str, ...], thing: str, example: str) -> None:
    """Raise `Mistake` unless exactly one of the fields `names` of `model` has a value."""
    fields = type(model).model_fields
    given = [fields[name].alias or name for name in names if getattr(model, name) is not None]
    if len(given) == 1:
        return
    if given:
        raise Mistake(
            f"more than one {thing}",
            f"keep one of {' and '.join(given)}",
            " and ".join(given),
            (given[1],),
            at_key=True,
        )
    allowed = ", ".join(fields[name].alias or name for name in names)
    raise Mistake(f"no {thing}", f"write for example {{{example}}}; allowed: {allowed}")
