"""API keys: shown once when made, stored as a digest, limited in time, revocable."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, Role, ScopeKind, User
from worktool_ai.lib import clock

__all__ = ["create", "find", "revoke"]

PREFIX = "wta_"
_SHOWN = 12
#: The time of the last use is written at most this often, so that reading does not become writing.
_USE_RESOLUTION = timedelta(minutes=5)


def _digest(key: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess
    return hashlib.sha256(key.encode()).hexdigest()


@transaction.atomic
def create(
    name: str,
    created_by: User,
    *,
    role: str = Role.VIEWER,
    scope_kind: str = ScopeKind.ALL,
    scope_values: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the key itself, which nobody can read again afterwards."""
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        name=name,
        prefix=key[:_SHOWN],
        digest=_digest(key),
        created_by=created_by,
        role=role,
        scope_kind=scope_kind,
        scope_values=list(scope_values),
        expires_at=expires_at,
    )
    audit.record(created_by, "api_key.create", row, {}, {"role": role, "scope": scope_kind, "expires": expires_at})
    return row, key


def find(key: str) -> ApiKey | None:
    """Return the valid row of a presented key; None when unknown, expired, revoked or its maker was
    switched off."""
    now = clock.now()
    row = (
        ApiKey.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
        .filter(digest=_digest(key), revoked_at__isnull=True, created_by__is_active=True)
        .first()
    )
    if row and (row.last_used_at is None or now - row.last_used_at > _USE_RESOLUTION):
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    return row


@transaction.atomic
def revoke(key: ApiKey, actor: User) -> bool:
    """End a key at once; False when somebody already did."""
    now = clock.now()
    changed = ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now) == 1
    if changed:
        audit.record(actor, "api_key.revoke", key, {"revoked_at": None}, {"revoked_at": now})
    return changed
