"""Durations, counts, shares and rates: what is read, what is refused and how, and that writing reads back."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpusim.units import (
    UNITS,
    UnitError,
    format_count,
    format_duration,
    format_rate,
    format_share,
    parse_count,
    parse_duration,
    parse_number,
    parse_rate,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15min", 900),
        ("36h", 129_600),
        ("7d", 604_800),
        ("4w", 2_419_200),
        ("21.63d", 1_868_832),
        ("250ms", 0.25),
        ("1h30min", 5400),
        ("1d 12h", 129_600),
        ("2.5 hours", 9000),
        ("1_000s", 1000),
        ("36H", 129_600),
        ("0", 0),
        (0, 0),
        (timedelta(hours=2), 7200),
    ],
)
def test_durations_are_read_in_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("36", "without a unit", "36h"),
        (36, "without a unit", "36h"),
        ("3m", "unknown unit", "min"),
        ("3 months", "unknown unit", "30d"),
        ("1 year", "unknown unit", "365d"),
        ("5 dayz", "unknown unit", "did you mean d"),
        ("-3h", "negative", "write 3h"),
        (timedelta(-1), "negative", "0s"),
        ("1:30", "two ways", "1h30min"),
        ("soon", "not a duration", "36h"),
        ("", "not a duration", "36h"),
        (".inf", "not a duration", "36h"),
        (True, "not a duration", "36h"),
        (None, "not a duration", "36h"),
    ],
)
def test_a_wrong_duration_says_what_to_write(text: object, what: str, remedy: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_duration(text)
    assert what in caught.value.what
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "number"), [("10_456", 10456), ("1e3", 1000), (512, 512), (8.0, 8), ("9" * 20, int("9" * 20))]
)
def test_counts_are_whole_numbers(text: object, number: int) -> None:
    assert parse_count(text) == number
    assert isinstance(parse_count(text), int)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("6.5", "write 6 or 7"),
        ("010", "write 10"),
        ("0x10", "write 16"),
        ("10,456", "write 10_456"),
        ("10k", "write 10_000"),
        ("many", "whole number"),
        (True, "whole number"),
        (math.nan, "whole number"),
        ("9" * 5000, "whole number"),
    ],
)
def test_a_wrong_count_says_what_to_write(text: object, remedy: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_count(text)
    assert remedy in caught.value.remedy


def test_a_number_may_not_be_endless() -> None:
    for value in (math.inf, 10**400, "1e999"):
        with pytest.raises(UnitError, match="not a finite number"):
            parse_number(value)


def test_shares_are_percentages_or_fractions() -> None:
    assert parse_share("95%") == parse_share(0.95) == parse_share("0.95") == parse_share(" 95 %") == 0.95
    with pytest.raises(UnitError, match="write 95%"):
        parse_share(95)
    with pytest.raises(UnitError, match="write a percentage"):
        parse_share("most")


def test_rates_are_read_per_second() -> None:
    assert parse_rate("40/day") == 40 / 86_400
    assert parse_rate("2.5/h") == 2.5 / 3600
    assert parse_rate("3 per min") == 3 / 60
    assert parse_rate("0/day") == 0
    for wrong, remedy in [
        ("40", "40/day"),
        (40, "40/day"),
        ("40/m", "write 40/min or 40/month"),
        ("40/fortnight", "units are"),
        ("-1/h", "0/day"),
        ("x/h", "40/day"),
    ]:
        with pytest.raises(UnitError) as caught:
            parse_rate(wrong)
        assert remedy in caught.value.remedy


def test_a_month_of_a_rate_is_30_days_and_a_year_365() -> None:
    assert parse_rate("2/month") == 2 / (30 * 86_400)
    assert parse_rate("3/year") == parse_rate("3 per yr") == 3 / (365 * 86_400)
    assert parse_rate("7/week") == 1 / 86_400
    assert [format_rate(parse_rate(text)) for text in ("3/year", "2/month", "1/week")] == [
        "3/year",
        "2/month",
        "1/week",
    ]
    assert format_rate(3 / (365 * 86_400), digits=2) == "3/year"


def test_texts_are_the_ones_people_write() -> None:
    texts = [format_duration(seconds) for seconds in (129_600, 5400, 90, 604_800, 0, 0.25, 1234.5)]
    assert texts == ["36h", "90min", "90s", "7d", "0s", "250ms", "1234.5s"]
    assert format_duration(4961.3, digits=3) == "1.38h"
    assert [format_duration(parse_duration(text)) for text in ("21.63d", "100.25h", "1234567s")] == [
        "21.63d",
        "6015min",
        "1234567s",
    ]
    assert format_rate(40 / 86_400) == "40/day"
    assert format_rate(1 / 7, digits=3) == "514/h"
    assert format_share(0.95) == "95%"
    assert format_count(10_456) == "10_456"


@given(st.floats(0, 1e9))
def test_a_written_duration_reads_back_exactly(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(1, 10_000), st.sampled_from(UNITS))
def test_whole_durations_read_back_exactly(count: int, unit: object) -> None:
    seconds = parse_duration(f"{count}{unit.symbol}")  # type: ignore[attr-defined]
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(0, 1e6))
def test_a_written_rate_reads_back_exactly(rate: float) -> None:
    assert parse_rate(format_rate(rate)) == rate


@given(st.floats(0, 1))
def test_a_written_share_reads_back_exactly(share: float) -> None:
    assert parse_share(format_share(share)) == share
