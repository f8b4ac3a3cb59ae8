"""Fair Tree as Slurm's plugin walks it: siblings sorted level by level, merged and tied on the way down.

Written from the plugin's tie rules (SchedMD/slurm, src/plugins/priority/multifactor/fair_tree.c; Cox and Morrison,
Brigham Young University): siblings of equal level fair share have one rank; accounts of equal level fair share are
taken together; a user that is level with an account beside it has the rank of the account's first user; whoever
comes next has the rank it would have had without ties.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import groupby

from gpusim.engine.reference_fairness import FairKeys
from gpusim.engine.reference_terms import Fairness

Level = Callable[[int], tuple[int, Fraction]]  # (0, use for a share), or (1, 0) for a node without shares


class FairTree:
    """A tree of accounts; nodes are the users, 0 .. users - 1, then the accounts."""

    def __init__(self, parent: Sequence[int], shares: Sequence[int], usage: Sequence[int]) -> None:
        self.parent, self.shares, self.users = parent, shares, len(usage)
        self.usage = [*usage, *[0] * (len(parent) - len(usage))]
        for user, used in enumerate(usage):
            above = parent[user]
            while above >= 0:
                self.usage[above] += used
                above = parent[above]

    def children(self, account: int) -> list[int]:
        return [n for n, above in enumerate(self.parent) if above == account]

    def plain(self, node: int) -> tuple[int, Fraction]:
        """Usage for each share."""
        return (
            (1, Fraction(0)) if self.shares[node] == 0 else (0, Fraction(self.usage[node], self.shares[node]))
        )

    def normalised(self, node: int) -> tuple[int, Fraction]:
        """1 / level fair share as Slurm has it: both normalised inside the account, U / S."""
        if self.shares[node] == 0:
            return 1, Fraction(0)
        beside = self.children(self.parent[node])
        used, shares = (sum(column[n] for n in beside) for column in (self.usage, self.shares))
        share = Fraction(self.shares[node], shares)
        return 0, Fraction(self.usage[node], used) / share if used else Fraction(0)

    def ranks(self, level: Level) -> list[int]:
        """Rank of each user, 0 for the first."""
        rank, placed = [-1] * self.users, 0

        def walk(siblings: list[int], tied_with: int | None) -> None:
            nonlocal placed
            ordered = sorted(siblings, key=level)
            for _, group in groupby(ordered, key=level):
                level_with = list(group)
                users = [n for n in level_with if n < self.users]
                accounts = [n for n in level_with if n >= self.users]
                here = tied_with
                for user in users:
                    here = placed if here is None else here
                    rank[user] = here
                    placed += 1
                before = placed
                walk([child for account in accounts for child in self.children(account)], here)
                # only the first to be placed is tied with who came before this level
                tied_with = None if users or placed > before else tied_with

        walk(self.children(-1), None)
        return rank


def oracle_keys(shares: Sequence[int], parent: Sequence[int], usage: Sequence[int]) -> FairKeys:
    """The oracle's keys of tenants that have used this much [GPU-ticks]."""
    keys = FairKeys(Fairness(tuple(shares), tuple(parent)), len(usage))
    keys.usage = list(usage)
    keys.judge()
    return keys
