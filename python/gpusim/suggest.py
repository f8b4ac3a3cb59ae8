"""The nearest right word for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed word most like `word`, or None if none is near.

    Case, ``-``, ``_`` and blanks do not count as differences.

    Parameters
    ----------
    word : str
        What was written.
    allowed : iterable of str
        What may be written.

    Returns
    -------
    str or None
        One of `allowed`, as spelled there.

    Examples
    --------
    >>> did_you_mean("Back-Fil", ["backfill", "tenants"])
    'backfill'
    >>> did_you_mean("zebra", ["backfill", "tenants"]) is None
    True
    """
    plain: dict[str, str] = {}
    for candidate in allowed:
        plain.setdefault(_plain(candidate), candidate)
    near = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
