"""Every hand-worked case of a shared center, for any engine."""

from __future__ import annotations

from sharing_case import SharingCase
from sharing_matrix_cases import MATRIX_CASES
from sharing_preemption_cases import PREEMPTION_CASES
from sharing_quota_cases import QUOTA_CASES
from sharing_time_cases import TIME_CASES

SHARING_CASES: tuple[SharingCase, ...] = (*QUOTA_CASES, *MATRIX_CASES, *PREEMPTION_CASES, *TIME_CASES)
