"""What part of time is simulated and counted, and what the clock says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpusim.engine.checked import integer, refuse
from gpusim.engine.limits import FOREVER


@dataclass(frozen=True)
class Windows:
    """Ticks [0, horizon) are simulated; jobs submitted in [warm_up, count_end) are counted.

    Parameters
    ----------
    warm_up, count_end, horizon : int
        [ticks], 0 <= warm_up <= count_end <= horizon < 2^43.
    day : int, default 86,400
        Ticks a day, for levels that count some hours of the day only.
    week_phase : int, default 0
        Ticks since Monday 00:00 at tick 0.
    """

    warm_up: int
    count_end: int
    horizon: int
    day: int = 86_400
    week_phase: int = 0

    def __post_init__(self) -> None:
        for name in ("warm_up", "count_end", "horizon", "week_phase"):
            object.__setattr__(self, name, integer(f"windows.{name}", getattr(self, name), 0, FOREVER))
        object.__setattr__(self, "day", integer("windows.day", self.day, 1, FOREVER))
        if not self.warm_up <= self.count_end <= self.horizon:
            found = f"{self.warm_up}, {self.count_end}, {self.horizon}"
            remedy = "0 <= warm_up <= count_end <= horizon < 2^43 ticks"
            raise refuse("windows", "are out of order", remedy, found)

    @classmethod
    def whole(cls) -> Windows:
        """Everything is simulated and counted."""
        return cls(0, FOREVER, FOREVER)

    @property
    def arrays(self) -> dict[str, Any]:
        """Scalars of the native call."""
        names = ("warm_up", "count_end", "horizon", "day", "week_phase")
        return {name: getattr(self, name) for name in names}
