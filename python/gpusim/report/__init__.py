"""What plan returned, as pages to read. Draws and words only: nothing here computes a result.

Start with `size_page.py`. `words.py` writes numbers, `layout.py` headings, tables and lists.
"""

from gpusim.report.check_page import check_page
from gpusim.report.compare_page import compare_page
from gpusim.report.estimate import estimate_in_words
from gpusim.report.info_page import info_page
from gpusim.report.layout import to_text
from gpusim.report.replay_page import replay_page
from gpusim.report.rerun_page import rerun_page
from gpusim.report.simulate_page import simulation_page
from gpusim.report.size_page import size_page

__all__ = [
    "check_page",
    "compare_page",
    "estimate_in_words",
    "info_page",
    "replay_page",
    "rerun_page",
    "simulation_page",
    "size_page",
    "to_text",
]
