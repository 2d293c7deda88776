"""What colleagues are told of an alert. Chinese, like everything that people in WeCom read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from worktool_ai.lib.text import shorten

__all__ = ["alert_link", "notification_text"]

#: Characters of a customer's line that leave the system in a notification.
QUOTE_CHARS = 80
NAME_CHARS = 40

LEVEL_NAMES = {"critical": "严重", "warning": "警告", "info": "提示"}


def notification_text(
    *, alert_id: UUID, level: str, names: str, count: int, data: Mapping[str, Any], note: str = ""
) -> str:
    """Compose level, matter, place, person, the line quoted short, and a link; ``note`` replaces the first line."""
    first = note or f"【{LEVEL_NAMES.get(level, level)}】{names}"
    lines = [first, _place(data), _quote(data), f"已是第 {count} 次" if count > 1 else "", alert_link(alert_id)]
    return "\n".join(line for line in lines if line)


def alert_link(alert_id: UUID) -> str:
    """Return the alert's page; empty in a process that serves no pages."""
    try:
        return f"{settings.PUBLIC_URL}{reverse('admin:alerts_alert_change', args=[alert_id])}"
    except NoReverseMatch:
        return ""


def _place(data: Mapping[str, Any]) -> str:
    person = shorten(str(data.get("userName") or ""), NAME_CHARS)
    group = shorten(str(data.get("groupName") or ""), NAME_CHARS)
    where = group or ("私聊" if person else "")
    return " · ".join(part for part in (where, person) if part)


def _quote(data: Mapping[str, Any]) -> str:
    text = shorten(str(data.get("text") or ""), QUOTE_CHARS)
    return f"“{text}”" if text else ""
