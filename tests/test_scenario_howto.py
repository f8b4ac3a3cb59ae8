"""The pieces of YAML on the page 'Write a scenario for your center' go into a working file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gpusim.scenario import Scenario, example_text
from gpusim.scenario.reader import read_document
from gpusim.scenario.slo import parse_slo

PAGE = Path(__file__).resolve().parent.parent / "docs/howto/write-a-scenario.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def block(start: str) -> str:
    (found,) = [text for text in BLOCKS if text.startswith(start)]
    return found


def quickstart_with(section: str, text: str) -> Scenario:
    """The quickstart center with one section replaced, or added at the end."""
    base = example_text("quickstart")
    changed, count = re.subn(
        rf"^{section}:.*?(?=^\S)", lambda _: text + "\n", base, flags=re.DOTALL | re.MULTILINE
    )
    return Scenario.from_yaml(changed if count else base + "\n" + text, "center.yaml")


def test_sentences_of_the_page_are_levels() -> None:
    plain, shared = ([*yaml.safe_load(text)["slos"]] for text in BLOCKS if text.startswith("slos:"))
    assert len(plain) == 8
    metrics = {parse_slo(sentence).metric for sentence in plain}
    assert metrics == {"wait", "turnaround", "slowdown", "turned_away", "deadline", "occupancy"}
    metrics = {parse_slo(sentence).metric for sentence in shared}
    assert metrics == {"preemptions", "delivered", "fair_share_error", "longest_cascade"}


def test_the_center_of_the_page_can_be_one_pool_or_two() -> None:
    one, two = [text for text in BLOCKS if text.startswith("center:")]
    assert quickstart_with("center", one).center.have == 10_456
    assert quickstart_with("center", two).pool_names == ("b200", "h200")


def test_variants_of_the_page_apply_to_the_quickstart_center() -> None:
    base, scenario = example_text("quickstart"), quickstart_with("variants", block("variants:"))
    assert scenario.hash == Scenario.from_yaml(base).hash
    more = scenario.variant("demand-30-fifo")
    assert more.policy.backfill == "none"
    assert more.tenants[1].classes[1].arrivals.load == 170 * 1.3


def test_the_study_of_the_page_is_one() -> None:
    study = quickstart_with("study", block("study:")).study
    assert (study.horizon, study.cool_down, study.attainment) == (35.5 * 86_400, "auto", 0.9)


def test_marks_of_the_page_mark_what_it_says() -> None:
    text = "a:\n  b:\n    c:\n" + block("        arrivals:")
    assert read_document(text, "page").assumed == ("a.b.c.arrivals",)


ENTRIES = ("profile: {peak", "batch: {mean", "schedule: [{daily")


@pytest.mark.parametrize("start", ENTRIES)
def test_entries_of_arrivals_on_the_page_are_read(start: str) -> None:
    (entry,) = re.findall(rf"`({re.escape(start)}[^`]*)`", PAGE.read_text(encoding="utf-8"))
    rate = "" if entry.startswith("schedule") else "rate: 40/day, "
    text = example_text("quickstart").replace("{rate: 60/day}", f"{{{rate}{entry}}}", 1)
    assert Scenario.from_yaml(text).tenants[0].classes[0].streams
