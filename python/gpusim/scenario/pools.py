"""Pools: GPUs of one kind each, where a center has several kinds."""

from __future__ import annotations

from pydantic import Field

from gpusim.scenario.fields import Name, OptionalGpus
from gpusim.scenario.frozen import Frozen

WHOLE_CENTER = "gpus"
"""Name of the one pool of a center that names none."""


class Pool(Frozen):
    """GPUs of one kind; a gang starts in one pool."""

    name: Name = Field(description="name of the pool, unique in the center", examples=["h200"])
    have: OptionalGpus = Field(
        None,
        description="GPUs of this pool; may be left out of the pool that the study varies",
        json_schema_extra={"unit": "GPUs"},
        examples=[2296],
    )
