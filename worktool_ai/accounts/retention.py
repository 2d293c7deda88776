"""How long Django's own records are kept. The audit log is kept for ever: a trigger refuses to delete from it."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session

from worktool_ai.accounts.models import ApiKey, AuditEntry, SeedMark, User
from worktool_ai.lib import retention

retention.keep(LogEntry, column="action_time")
retention.keep(Session, timedelta(0), column="expire_date")
retention.never("who did what is kept for ever: a trigger refuses to delete", AuditEntry)
retention.never(retention.SETTING, User, ApiKey)
retention.never("one row per row that was seeded, so that what people removed does not come back", SeedMark)
retention.never("one row per model, written by migrations; nothing of ours reads them", ContentType, Permission, Group)
