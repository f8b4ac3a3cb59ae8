"""Pure statistics: exact binomial inference, quickselect over capacities, sizing, queueing formulas.

Nothing here knows of GPUs, jobs or engines: capacities are integers, and an evaluator says which replications
pass. Start reading at `sizing.find_capacity`.
"""

from gpusim.stats.binomial import Ranks, clopper_pearson, minimum_replications, quantile_ranks
from gpusim.stats.critical import CriticalSearch, OutOfTime
from gpusim.stats.evidence import Evidence, Share, SizingResult
from gpusim.stats.grid import CapacityGrid
from gpusim.stats.question import Evaluator, SizingOptions
from gpusim.stats.sample import Kinds
from gpusim.stats.sizing import find_capacity

__all__ = [
    "CapacityGrid",
    "CriticalSearch",
    "Evaluator",
    "Evidence",
    "Kinds",
    "OutOfTime",
    "Ranks",
    "Share",
    "SizingOptions",
    "SizingResult",
    "clopper_pearson",
    "find_capacity",
    "minimum_replications",
    "quantile_ranks",
]
