"""Shared centers worked out by hand, through the oracle: tests/sharing_cases.py."""

from __future__ import annotations

import pytest

from sharing_case import SharingCase
from sharing_cases import SHARING_CASES


@pytest.mark.parametrize("case", SHARING_CASES, ids=lambda case: case.name)
def test_the_oracle_does_what_was_worked_out_by_hand(case: SharingCase) -> None:
    out = case.answer()
    assert {name: getattr(out, name) for name in case.expected()} == case.expected()


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in SHARING_CASES]
    assert len(set(names)) == len(names)
