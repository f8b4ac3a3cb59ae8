"""What is made of the words of NVIDIA's tools, which are invented here: silence is no pass, and no figure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

import gpu_profile
import gpu_rows
import gpu_sanitizer


@pytest.mark.parametrize(
    ("code", "text", "clean"),
    [
        (0, "========= ERROR SUMMARY: 0 errors", True),
        (9, "========= ERROR SUMMARY: 3 errors", False),
        (0, "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)", True),
        (9, "========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)", False),
        (0, "5 configurations have run", False),
        (1, "========= Error: no device\n========= ERROR SUMMARY: 0 errors", False),
    ],
)
def test_a_sanitizer_is_clean_only_if_it_says_so(code: int, text: str, clean: bool) -> None:
    found = gpu_sanitizer.verdict(code, text)
    assert found["clean"] is clean
    assert clean or found["reason"]


NCU = """==PROF== Connected
"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","gpusim_easy","dram__bytes_read.sum","byte","300,000,000"
"0","gpusim_easy","dram__bytes_write.sum","byte","100,000,000"
"0","gpusim_easy","gpu__time_duration.sum","ns","1,000,000"
"0","gpusim_easy","smsp__inst_executed.sum","inst","2,000,000,000"
"0","gpusim_easy","smsp__issue_active.avg.pct_of_peak_sustained_active","%","75.5"
"""


def test_what_limits_a_launch_follows_from_what_ncu_counted() -> None:
    found = gpu_profile.counted(NCU)
    assert found["bytes_read"] == 3e8
    text = gpu_profile.sentences("EASY", found, 2e12)
    assert "400 GB/s, 20 % of the 2,000 GB/s of a copy" in text
    assert "2,000 G warp instructions a second, 76 %" in text
    assert "limits it is instructions" in text
    assert "limits it is memory" in gpu_profile.sentences("EASY", found, 5e11)
    assert "latency" in gpu_profile.sentences("EASY", {**found, "issue_percent": 30.0}, 2e12)
    del found["bytes_read"]
    assert "not known" in gpu_profile.sentences("EASY", found, 2e12)


def test_an_ncu_that_counts_nothing_gives_no_figure() -> None:
    with pytest.raises(gpu_rows.Skip, match="ERR_NVGPUCTRPERM"):
        gpu_profile.counted("==ERROR== ERR_NVGPUCTRPERM - no permission")
