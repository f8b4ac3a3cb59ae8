"""Every hand-worked case of a shared center, for any engine."""

from __future__ import annotations

from approval_cases import APPROVAL_CASES
from cause_cases import CAUSE_CASES
from closure_cases import CLOSURE_CASES
from fair_tree_cases import FAIR_TREE_CASES
from multifactor_cases import MULTIFACTOR_CASES
from over_quota_cases import OVER_QUOTA_CASES
from sharing_case import SharingCase
from sharing_matrix_cases import MATRIX_CASES
from sharing_preemption_cases import PREEMPTION_CASES
from sharing_quota_cases import QUOTA_CASES
from sharing_reclaim_cases import RECLAIM_CASES
from sharing_time_cases import TIME_CASES
from user_cases import USER_CASES
from weighted_share_cases import WEIGHTED_SHARE_CASES

SHARING_CASES: tuple[SharingCase, ...] = (
    *QUOTA_CASES,
    *MATRIX_CASES,
    *PREEMPTION_CASES,
    *RECLAIM_CASES,
    *TIME_CASES,
    *FAIR_TREE_CASES,
    *MULTIFACTOR_CASES,
    *WEIGHTED_SHARE_CASES,
    *USER_CASES,
    *APPROVAL_CASES,
    *CLOSURE_CASES,
    *CAUSE_CASES,
    *OVER_QUOTA_CASES,
)
