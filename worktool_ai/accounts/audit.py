"""The audit log: who changed what, from what to what. Append-only: a trigger refuses UPDATE and DELETE."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.db.models.fields.files import FieldFile
from django.http import HttpRequest

from worktool_ai.accounts.models import ApiKey, AuditEntry, User
from worktool_ai.lib import logs
from worktool_ai.lib.crypto import SEALED, EncryptedTextField

__all__ = ["Subject", "actor_name", "changes", "record", "snapshot"]

MASK = "•••"


@dataclass(frozen=True, slots=True)
class Subject:
    """What an entry is about: a row, or a column of many."""

    kind: str
    id: str
    name: str

    @classmethod
    def of(cls, row: Model) -> Self:
        return cls(row._meta.label_lower, str(row.pk), str(row)[:200])


def record(
    actor: User | ApiKey | str | None,
    action: str,
    target: Model | Subject,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
) -> AuditEntry:
    """Write one entry in the caller's transaction.

    ``actor`` is a person, an API key, or the name of a process. ``action`` is ``<thing>.<verb>``. Secrets in
    ``before`` and ``after`` are masked by name, sealed values and encrypted columns always.
    """
    subject = target if isinstance(target, Subject) else Subject.of(target)
    return AuditEntry.objects.create(
        actor=actor if isinstance(actor, User) else None,
        actor_name=actor_name(actor),
        action=action,
        target_type=subject.kind,
        target_id=subject.id,
        target_name=subject.name,
        before=_stored(before or {}),
        after=_stored(after or {}),
        request_id=_request_id(request),
    )


def snapshot(row: Model) -> dict[str, Any]:
    """Return the raw values of a row by field name; for :func:`changes` only, it is not masked."""
    values = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
    if row.pk is not None and not row._state.adding:
        for relation in row._meta.many_to_many:
            chosen = getattr(row, relation.name).order_by("pk")
            values[relation.name] = [str(pk) for pk in chosen.values_list("pk", flat=True)]
    return values


def changes(
    model: type[Model], before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reduce two snapshots to what differs; secret columns say only *that* they changed."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    secret = {field.name for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField)}
    secret.add("password")

    def shown(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: MASK if name in secret and values.get(name) else values.get(name) for name in names}

    return shown(before), shown(after)


def actor_name(actor: User | ApiKey | str | None) -> str:
    if isinstance(actor, User):
        return actor.get_username()
    if isinstance(actor, ApiKey):
        return f"key:{actor}"[:120]
    return (actor or "system")[:120]


def _request_id(request: HttpRequest | None) -> str:
    return logs.request_id() or (request.headers.get("X-Request-ID", "")[:64] if request else "")


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = json.loads(json.dumps(values, cls=_Encoder, ensure_ascii=False))
    masked: dict[str, Any] = dict(logs.mask_secrets(None, "", _without_sealed(plain)))
    return masked


def _without_sealed(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {SEALED}:
            return MASK
        return {name: _without_sealed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_sealed(inner) for inner in value]
    return value


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        if isinstance(o, FieldFile | bytes | memoryview):
            return MASK
        if isinstance(o, set | frozenset):
            return sorted(o)
        try:
            return super().default(o)
        except TypeError:
            return str(o)
