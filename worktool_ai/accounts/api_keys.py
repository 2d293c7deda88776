"""API keys: shown once when made, stored as a digest, limited in time, revocable."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.lib import clock

__all__ = ["find", "issue", "revoke"]

PREFIX = "wta_"
#: Enough to tell keys apart, too little to be a good part of one.
_SHOWN = 10
#: The time of the last use is written at most this often, so that reading does not become writing.
_USE_RESOLUTION = timedelta(minutes=5)


def _digest(key: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess
    return hashlib.sha256(key.encode()).hexdigest()


@transaction.atomic
def issue(row: ApiKey, created_by: User) -> str:
    """Save a new row (name, role, scope, expiry filled in) and return its key, which nobody can read again."""
    key = PREFIX + secrets.token_urlsafe(32)
    row.prefix, row.digest, row.created_by = key[:_SHOWN], _digest(key), created_by
    row.save(force_insert=True)
    after = {
        "role": row.role,
        "scope_kind": row.scope_kind,
        "scope_values": row.scope_values,
        "expires_at": row.expires_at,
    }
    audit.record(created_by, "api_key.create", row, {}, after)
    return key


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
