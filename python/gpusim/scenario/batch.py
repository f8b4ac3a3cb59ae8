"""Batches: several jobs of one user, submitted together, alike in size and in run time.

{mean: 4, within: 20s, correlation: 0.5}      sizes geometric from 1
{sizes: {20: 50%, 40: 50%}}                   sizes with their shares of the batches
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from gpusim.scenario.demand_fields import Correlation, OptionalBatchMean
from gpusim.scenario.fields import Duration
from gpusim.scenario.frozen import Frozen, one_of
from gpusim.scenario.mistakes import Mistake
from gpusim.scenario.shares import Shares, read_shares
from gpusim.units import format_share, parse_count, show

TAIL = 2.0**-32  # the sizes of a geometric law end where less than this share is left
LARGEST_BATCH = 100_000  # jobs


def _read_size(value: object) -> float:
    size = parse_count(value)
    if not 1 <= size <= LARGEST_BATCH:
        bound = "at least 1" if size < 1 else f"at most {LARGEST_BATCH:,}"
        raise Mistake(f"a batch must have {bound} jobs", "write for example 20", show(value))
    return float(size)


def _read_sizes(value: object) -> Shares | None:
    return None if value is None else read_shares(value, _read_size, "batch sizes", "{20: 50%, 40: 50%}")


def _write_sizes(sizes: Shares | None) -> Any:
    return None if sizes is None else {str(int(size)): format_share(share) for size, share in sizes.items()}


class Batch(Frozen):
    """Jobs submitted together: all of one gang size, with run times alike."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    mean_size: OptionalBatchMean = Field(
        None,
        alias="mean",
        description="mean number of jobs of a batch; sizes are geometric from 1",
        json_schema_extra={"unit": "jobs"},
        examples=[4],
    )
    given_sizes: Annotated[
        Shares | None,
        BeforeValidator(_read_sizes),
        PlainSerializer(_write_sizes),
        WithJsonSchema(
            {
                "type": ["object", "null"],
                "additionalProperties": {"type": ["string", "number"]},
                "examples": [{"20": "50%", "40": "50%"}],
            }
        ),
    ] = Field(
        None,
        alias="sizes",
        description="numbers of jobs of a batch, with their shares of the batches",
        json_schema_extra={"unit": "jobs"},
        examples=["{20: 50%, 40: 50%}"],
    )
    within: Duration = Field(
        0.0,
        description="the jobs of a batch are submitted evenly within this time",
        json_schema_extra={"unit": "s"},
        examples=["20s"],
    )
    correlation: Correlation = Field(
        0.0,
        description="how alike the run times of a batch are: 0 = as of strangers, near 1 = almost equal",
        json_schema_extra={"unit": "1"},
        examples=[0.5],
    )

    @model_validator(mode="after")
    def _mean_or_sizes(self) -> Batch:
        one_of(self, ("mean_size", "given_sizes"), "way to say how large a batch is", "mean: 4")
        return self

    @property
    def mean(self) -> float:
        """Mean number of jobs of a batch."""
        return self.given_sizes.mean if self.given_sizes is not None else float(self.mean_size or 1.0)

    @property
    def sizes(self) -> dict[int, float]:
        """Numbers of jobs and their shares of the batches, which sum to 1."""
        if self.given_sizes is not None:
            total = math.fsum(self.given_sizes.values())
            return {int(size): share / total for size, share in self.given_sizes.items()}
        longer = 1 - 1 / self.mean  # share of the batches that go on after each job
        if longer <= 0:
            return {1: 1.0}
        last = max(1, math.ceil(math.log(TAIL) / math.log(longer)))
        shares = {size: (1 - longer) * longer ** (size - 1) for size in range(1, last)}
        shares[last] = longer ** (last - 1)
        return shares
