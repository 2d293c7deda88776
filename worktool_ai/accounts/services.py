"""Writes to people that no form makes."""

from __future__ import annotations

from django.db import transaction

from worktool_ai.accounts import audit
from worktool_ai.accounts.models import Role, User

__all__ = ["ensure_owner"]


@transaction.atomic
def ensure_owner(username: str, password: str) -> bool:
    """Create the first owner; False when somebody of that name is there. A changed password stays changed."""
    if User.objects.filter(username=username).exists():
        return False
    owner = User.objects.create_user(username=username, password=password, role=Role.OWNER, is_staff=True)
    audit.record("ensure_admin", "user.add", owner, {}, {"username": username, "role": Role.OWNER})
    return True
