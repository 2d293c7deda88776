"""How long Django's own records are kept. The audit log is kept for ever: a trigger refuses to delete from it."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session

from worktool_ai.lib import retention

retention.keep(LogEntry, column="action_time")
retention.keep(Session, timedelta(0), column="expire_date")
