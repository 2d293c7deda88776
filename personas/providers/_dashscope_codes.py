"""Error codes of Alibaba's Model Studio, which its native and its OpenAI-compatible endpoint share.

https://help.aliyun.com/zh/dashscope/developer-reference/return-status-code-description (as read 2026-11-22)
"""

from __future__ import annotations

from personas.providers import ErrorKind

__all__ = ["DASHSCOPE_KINDS"]

DASHSCOPE_KINDS: dict[str, ErrorKind] = {
    "InvalidApiKey": "auth",
    "invalid_api_key": "auth",
    "AccessDenied": "auth",
    "Arrearage": "quota",
    "AllocationQuota": "quota",
    "insufficient_quota": "quota",
    "DataInspectionFailed": "content_policy",
    "data_inspection_failed": "content_policy",
    # a short-term limit on tokens, in spite of its name
    "Throttling": "rate_limit",
    "RequestTimeOut": "timeout",
}
