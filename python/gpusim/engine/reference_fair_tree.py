"""Fair Tree: ranks of tenants in a tree of accounts (S31; Slurm's plugin, with tenants for its users)."""

from collections.abc import Sequence


def ranks(paths: Sequence[tuple[int, ...]]) -> list[int]:
    """Rank of each tenant: how many come before the first one that is tied with it.

    Paths are level keys from the top down; they are compared key by key, the beginning of another one comes first.
    So the children of sibling accounts with equal keys are sorted together.
    """
    order = sorted(range(len(paths)), key=lambda tenant: paths[tenant])
    rank = [0] * len(paths)
    for place, tenant in enumerate(order):
        before = order[place - 1]
        if place > 0 and paths[tenant][: len(paths[before])] == paths[before]:  # tied: equal, or it begins so
            rank[tenant] = rank[before]
        else:
            rank[tenant] = place
    return rank
