"""Every exception gpusim raises on purpose, and the one shape of its message.

An error holds a list of `Problem`, so that one run reports everything that is wrong with an input. The text
of an exception is one line a problem::

    log.swf:17: negative submit time (-5); write seconds from the start of the log, 0 or more

Each exception class carries the exit code that the command line returns for it:

====  =========================================================================
code  classes
====  =========================================================================
1     `Infeasible`
2     `UsageError` (wrong call, missing file)
3     `ScenarioError`, `WorkloadError` (unreadable or wrong scenario, trace, job table)
4     `BackendUnavailable`
5     `RunError`, `DeviceMemoryError` and any other `GpusimError`
6     `NotConverged`
====  =========================================================================

Exceptions pickle, so they survive the way back from a worker process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

SHOWN_PROBLEMS = 20
"""How many problems the text of an error lists before it says "and N more"."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it.

    Parameters
    ----------
    where : str
        The place: ``log.swf:17``, ``jobs[3].gpus``, ``center.yaml:12 demand.tenants[0]``. May be empty.
    what : str
        What is wrong. Lower-case start, no full stop.
    remedy : str
        What to change, and to what. Lower-case start, no full stop. May be empty.
    code : str
        Stable identifier such as ``workload/negative-time``; the documentation has an anchor of this name.
    found : str, default ""
        The value found there; printed in brackets after `what`.
    """

    where: str
    what: str
    remedy: str = ""
    code: str = ""
    found: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.found:
            text += f" ({self.found})"
        return f"{text}; {self.remedy}" if self.remedy else text


class GpusimError(Exception):
    """Base of every exception gpusim raises on purpose.

    Parameters
    ----------
    problems : str, Problem or iterable of Problem
        What is wrong. A plain string becomes one problem without a place.
    code : str, optional
        Stable identifier of the error; default: the code of the first problem, else the class's own.
    more : int, default 0
        Further problems that were counted but not written out (a log may have a million bad lines).

    Attributes
    ----------
    problems : list of Problem
        At least one.
    more : int
        Problems counted beyond `problems`.
    code : str
        Stable identifier, for example ``workload/negative-time``.
    exit_code : int
        What the command line exits with (class attribute).
    """

    exit_code: ClassVar[int] = 5
    default_code: ClassVar[str] = "gpusim/error"

    def __init__(
        self, problems: str | Problem | Iterable[Problem], *, code: str | None = None, more: int = 0
    ) -> None:
        if isinstance(problems, str):
            listed = [Problem("", problems, code=code or self.default_code)]
        elif isinstance(problems, Problem):
            listed = [problems]
        else:
            listed = list(problems) or [Problem("", "unspecified problem", code=self.default_code)]
        super().__init__(listed)
        self.problems: list[Problem] = listed
        self.more = more
        self.code: str = code or listed[0].code or self.default_code

    def __str__(self) -> str:
        shown = [str(problem) for problem in self.problems[:SHOWN_PROBLEMS]]
        total = len(self.problems) + self.more
        if total == 1:
            return shown[0]
        if total > len(shown):
            shown.append(f"and {total - len(shown):,} more")
        return f"{total:,} problems\n" + "\n".join(f"  - {line}" for line in shown)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.problems, self.code, self.more))


def _rebuild(kind: type[GpusimError], problems: list[Problem], code: str, more: int) -> GpusimError:
    return kind(problems, code=code, more=more)


class UsageError(GpusimError, ValueError):
    """A call that cannot be meant, or a file that is not there (exit code 2)."""

    exit_code = 2
    default_code = "usage"


class ScenarioError(GpusimError, ValueError):
    """A scenario that cannot be read or contradicts itself (exit code 3)."""

    exit_code = 3
    default_code = "scenario"


class WorkloadError(GpusimError, ValueError):
    """A trace or job table that cannot be read or holds impossible jobs (exit code 3)."""

    exit_code = 3
    default_code = "workload"


class BackendUnavailable(GpusimError, RuntimeError):
    """The backend asked for cannot run here; the problems say what was tried and why not (exit code 4)."""

    exit_code = 4
    default_code = "backend/unavailable"


class RunError(GpusimError, RuntimeError):
    """A simulation stopped before its answer was complete; its results must not be used (exit code 5)."""

    exit_code = 5
    default_code = "run/failed"


class DeviceMemoryError(GpusimError, MemoryError):
    """The device has too little memory for the batch asked for (exit code 5)."""

    exit_code = 5
    default_code = "run/device-memory"


class Infeasible(GpusimError):
    """No number of GPUs can meet the SLOs; the problems hold the proof (exit code 1)."""

    exit_code = 1
    default_code = "plan/infeasible"


class NotConverged(GpusimError):
    """The answer is valid, but its interval is wider than asked for (exit code 6)."""

    exit_code = 6
    default_code = "plan/not-converged"
