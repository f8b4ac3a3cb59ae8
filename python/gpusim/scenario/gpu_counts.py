"""How many GPUs the jobs of a class ask for: one count, or several with their shares of the jobs.

`GpuCounts` is a read-only mapping from GPU count to share, sorted by count; a file writes `8` or
`{8: 60%, 16: 40%}`. It has a file of its own because its keys are data: each wrong one is reported by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, SerializationInfo, WithJsonSchema

from gpusim.scenario.fields import LARGEST_GPUS
from gpusim.scenario.mistakes import Mistake, mistakes_of, raise_all
from gpusim.scenario.shares import check_sum, read_one_share
from gpusim.units import format_share, parse_count, show


class GpuCounts(Mapping[int, float]):
    """Read-only mapping from GPUs of a job to the share of the jobs that ask for them.

    Examples
    --------
    >>> counts = GpuCounts({8: 0.75, 16: 0.25})
    >>> counts.mean, counts.largest
    (10.0, 16)
    """

    __slots__ = ("_pairs",)

    def __init__(self, shares: Mapping[int, float]) -> None:
        self._pairs = tuple(sorted(shares.items()))

    def __getitem__(self, gpus: int) -> float:
        return dict(self._pairs)[gpus]

    def __iter__(self) -> Iterator[int]:
        return (gpus for gpus, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"GpuCounts({dict(self._pairs)!r})"

    @property
    def mean(self) -> float:
        """Mean number of GPUs of a job."""
        return math.fsum(gpus * share for gpus, share in self._pairs) / math.fsum(
            share for _, share in self._pairs
        )

    @property
    def largest(self) -> int:
        """Largest gang of the class [GPUs]."""
        return self._pairs[-1][0]


def read_gpu_counts(value: object) -> GpuCounts:
    """Read `8` or `{8: 60%, 16: 40%}`.

    Raises
    ------
    Mistake, Mistakes
        If a count is not a whole number from 1, a share is outside (0, 1], or the shares do not sum to 1.
    """
    if isinstance(value, GpuCounts):
        return value
    if not isinstance(value, Mapping):
        if isinstance(value, (list, tuple)):
            raise Mistake("not a number of GPUs", "write 8, or {8: 60%, 16: 40%} for a mixture", show(value))
        return GpuCounts({_gpus(value): 1.0})
    if not value:
        raise Mistake("no GPU counts", "write 8, or {8: 60%, 16: 40%} for a mixture", show({}))
    shares: dict[int, float] = {}
    mistakes: list[Mistake] = []
    for key, given in value.items():
        path = (str(key),)
        try:
            gpus = _gpus(key)
        except ValueError as error:
            mistakes += [_at_key(mistake, path) for mistake in mistakes_of(error)]
            continue
        try:
            share = read_one_share(given)
        except ValueError as error:
            mistakes += [mistake.under(path) for mistake in mistakes_of(error)]
            continue
        if gpus in shares:
            mistakes.append(
                Mistake(f"{gpus} GPUs stand here twice", "add the two shares up", path=path, at_key=True)
            )
        shares[gpus] = share
    raise_all(mistakes)
    check_sum(list(shares.values()), "GPU counts")
    return GpuCounts(shares)


def _gpus(value: object) -> int:
    gpus = parse_count(value)
    if not 1 <= gpus <= LARGEST_GPUS:
        bound = "at least 1" if gpus < 1 else f"at most {LARGEST_GPUS:,}"
        raise Mistake(f"a number of GPUs must be {bound}", "write for example 8", show(value))
    return gpus


def _at_key(mistake: Mistake, path: tuple[str]) -> Mistake:
    return Mistake(mistake.what, mistake.remedy, mistake.found, path, mistake.code, at_key=True)


def _write(counts: GpuCounts, info: SerializationInfo) -> Any:
    if info.mode != "json":
        return dict(counts)
    if len(counts) == 1:
        return counts.largest
    return {str(gpus): format_share(share) for gpus, share in counts.items()}


_SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 1},
    {
        "type": "object",
        "additionalProperties": {"type": ["string", "number"]},
        "minProperties": 1,
    },
]
_EXAMPLES: list[Any] = [8, {"8": "60%", "16": "40%"}]

GpuCountsField = Annotated[
    GpuCounts,
    PlainValidator(read_gpu_counts),
    PlainSerializer(_write),
    WithJsonSchema({"anyOf": _SCHEMAS, "examples": _EXAMPLES}),
]
OptionalGpuCountsField = Annotated[
    GpuCounts | None,
    PlainValidator(lambda value: None if value is None else read_gpu_counts(value)),
    PlainSerializer(lambda counts, info: None if counts is None else _write(counts, info)),
    WithJsonSchema({"anyOf": [*_SCHEMAS, {"type": "null"}], "examples": _EXAMPLES}),
]
