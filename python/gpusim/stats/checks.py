"""The stages after the interval is found: is `gpus_high` really enough, and is more always at least as good.

Fill-in, hold-out and audit of Algorithm F; see `gpusim.stats.sizing`.
"""

from __future__ import annotations

import math

import numpy as np

from gpusim.stats.binomial import at_least, minimum_replications
from gpusim.stats.critical import CriticalSearch, OutOfTime
from gpusim.stats.evidence import GUARANTEE_EXACT, GUARANTEE_FILL_IN, GUARANTEE_IMPLIED, Share
from gpusim.stats.sample import Ends, Sample
from gpusim.stats.sweep import Sweep


class Checks(Sweep):
    """Fill-in, hold-out and audit."""

    def check(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """Fill-in or hold-out, then the audit."""
        try:
            if self.options.certify == "strict":
                self.hold_out(search.n_replications)
            elif not self.options.monotone:
                self.fill_in(search, sample, ends)
            if self.high < self.grid.count and self.options.audit_share > 0.0:
                self.audit(search, sample, ends)
        except OutOfTime:
            self.stop()

    def fill_in(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """Run what was only implied at ``gpus_high``; step up until enough really pass."""
        assert ends.high is not None
        self.begin("fill-in")
        self.certified, before, stride = False, search.runs, 1
        self.guarantee, self.p_value = GUARANTEE_IMPLIED, None
        try:
            while True:
                capacity = self.grid.capacity(self.high)
                complete = search.complete(self.high, ends.high)
                passes = sample.passes(search, capacity)
                self.add_evidence(capacity, sample, passes, search.observed(capacity)[0], "fill-in")
                if complete:
                    self.certified = self.filled_in = True
                    return self.claim(GUARANTEE_FILL_IN, passes, sample)
                self.notes.append(
                    f"at {capacity} too few replications pass once those are run that passed with less: "
                    "pass or fail is not monotone in the size"
                )
                stride = self.step_up(stride)
                if self.high == self.grid.count:
                    if ends.low is not None and not sample.holds(ends.low, passes):
                        self.low = self.grid.count
                    return None
        finally:
            self.runs["fill-in"] = search.runs - before

    def hold_out(self, replications: int) -> None:
        """Fresh replications at ``gpus_high``; attempt k may err with probability ``delta / 2^(k+1)``."""
        options, error, stride = self.options, self.options.delta / 2.0, 1
        self.p_value = None
        fewest = minimum_replications(options.attainment, 1.0 - error / 2.0)
        sample = self.next_plain(max(replications, fewest))
        search = self.new_search("hold-out", sample, self.high)
        everyone = np.arange(search.n_replications, dtype=np.int64)
        try:
            while self.high < self.grid.count:
                error /= 2.0
                capacity = self.grid.capacity(self.high)
                search.observe(capacity, everyone)
                passed = search.observed(capacity)[1]
                self.add_evidence(capacity, sample, (passed,), everyone.size, "hold-out")
                if at_least(passed, everyone.size, options.attainment) <= error:
                    self.certified = True
                    return self.claim(GUARANTEE_EXACT, (passed,), sample)
                self.notes.append(
                    f"the hold-out does not certify {capacity} ({passed} of {everyone.size} pass); "
                    "just above the answer this is common and no sign of a fault"
                )
                stride = self.step_up(stride)
        finally:
            self.runs["hold-out"] = search.runs

    def audit(self, search: CriticalSearch, sample: Sample, ends: Ends) -> None:
        """Look above ``gpus_high`` for replications that pass below and fail there."""
        self.begin("audit")
        options = self.options
        size = math.ceil(options.audit_share * search.n_replications)
        if options.certify == "strict" and not options.monotone:  # no fill-in: fewer could not show anything
            size = max(size, minimum_replications(1.0 - options.beta / 4.0, options.confidence))
        head = sample.head(min(size, sample.size))
        looked_at = np.arange(head.size, dtype=np.int64)
        before, looked = search.runs, False
        try:
            indices = [self.high + times * max(1, self.tolerance // self.grid.step) for times in (1, 2)]
            indices = [index for index in indices if index < self.grid.count]
            search.foresight.tell((index, search.unseen(index, looked_at)) for index in indices)
            for index in indices:
                capacity, looked = self.grid.capacity(index), True
                search.observe(capacity, looked_at)
                self.add_evidence(capacity, head, head.passes(search, capacity), head.size, "audit")
        finally:
            self.runs["audit"] = search.runs - before
        if not looked and not self.filled_in and not options.monotone:
            self.notes.append("the grid has no size above gpus_high to audit")
            return
        # a sweep runs most at one size only; those run at two are the hardest, so their share is rather too large
        everyone = np.arange(sample.size if self.filled_in else head.size, dtype=np.int64)
        looked_at = search.compared if self.swept else everyone
        judged, violations = sample.some(looked_at), search.violations
        where = np.flatnonzero(violations[looked_at]).astype(np.int64)
        above, seen, checked = np.flatnonzero(violations[: head.size]), len(where), judged.size
        confidence, allowed = options.confidence, options.beta / 4.0
        upper = judged.upper(where, confidence)
        self.non_monotone = Share(seen, checked, judged.share(where), 0.0, upper)
        if options.monotone and seen:
            self.notes.append(
                f"{seen} of {checked} audited replications pass at a size and fail at a larger one, although "
                "pass or fail was declared monotone: treated as not monotone"
            )
            if options.certify == "normal" and not self.filled_in:
                self.fill_in(search, sample, ends)
        elif options.monotone:
            self.audit_clean = True
        else:
            self.audit_clean = upper <= allowed and head.lower(above, confidence) <= allowed
