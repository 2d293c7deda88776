"""Every stored secret of every app: which columns hold them, which key encrypted each, and how a token is replaced.

Columns are found through the model registry: encrypted text columns, and configurations of plugins, in whose JSON
secrets stand sealed at any depth. Nothing here opens a secret to hand it on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import F, Field, Model, TextField
from django.db.models.functions import Cast
from psycopg import sql

from worktool_ai.lib.config_fields import ConfigJSONField
from worktool_ai.lib.crypto import (
    SEALED,
    EncryptedTextField,
    UndecryptableError,
    decrypt,
    is_sealed,
)
from worktool_ai.lib.keyring import known_key_ids

__all__ = ["Column", "Row", "Unreadable", "columns", "columns_of", "replace", "rows", "unreadable", "unreadable_of"]

PAGE = 100

_REPLACE = sql.SQL("UPDATE {table} SET {column} = %s{kind} WHERE {pk} = %s AND {column} = %s{kind}")


@dataclass(frozen=True, slots=True)
class Column:
    """One column that holds secrets."""

    model: type[Model]
    field: Field[Any, Any]

    @property
    def name(self) -> str:
        """``personas.AIModel.api_key``"""
        return f"{self.model._meta.label}.{self.field.name}"

    @property
    def is_document(self) -> bool:
        return isinstance(self.field, ConfigJSONField)


@dataclass(frozen=True, slots=True)
class Row:
    """What one row holds in a column: ``stored`` is the token itself, or the JSON document as PostgreSQL writes it."""

    pk: Any
    stored: str
    is_document: bool = False

    def tokens(self) -> list[tuple[str, str]]:
        """Return ``(place, token)`` of each secret; the place is empty, or its path in the document."""
        return list(_sealed_in(json.loads(self.stored), "")) if self.is_document else [("", self.stored)]

    def with_tokens(self, new: Mapping[str, str]) -> str:
        """Return what to store once these tokens are exchanged; all else stays to the letter."""
        if not self.is_document:
            return new.get(self.stored, self.stored)
        text = self.stored
        for old, token in new.items():  # tokens are plain ASCII, so JSON writes them as they are
            text = text.replace(json.dumps(old), json.dumps(token))
        return text


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A secret that no key at hand opens. ``place`` is its path where it stands in a configuration."""

    column: Column
    row: Model
    place: str
    problem: UndecryptableError

    @property
    def field_name(self) -> str:
        return f"{self.column.field.name}.{self.place}" if self.place else self.column.field.name

    @property
    def is_damaged(self) -> bool:
        """Whether its key is at hand, or never was one: only entering it again helps."""
        return self.problem.key_id in ("?", *known_key_ids())

    def __str__(self) -> str:
        label = self.column.model._meta.label
        return f"{label} “{self.row}” ({self.row.pk}), {self.field_name}: {self.problem}"


def columns() -> list[Column]:
    """Return every column of every app that holds secrets, by name."""
    models = (model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy)
    found = [column for model in models if model._meta.managed for column in columns_of(model)]
    return sorted(found, key=lambda column: column.name)


def columns_of(model: type[Model]) -> list[Column]:
    """Return the columns of one model that hold secrets."""
    fields = model._meta.local_concrete_fields
    return [Column(model, field) for field in fields if isinstance(field, EncryptedTextField | ConfigJSONField)]


def rows(column: Column, page: int = PAGE) -> Iterator[list[Row]]:
    """Yield the rows that hold at least one secret, in pages by primary key; each page is read when it is asked for."""
    holding = column.model._base_manager.annotate(stored_text=Cast(F(column.field.name), TextField())).order_by("pk")
    if column.is_document:
        holding = holding.filter(stored_text__contains=f'"{SEALED}"')
    else:
        holding = holding.exclude(stored_text="")
    after = None
    while True:
        rest = holding if after is None else holding.filter(pk__gt=after)
        found = list(rest.values_list("pk", "stored_text")[:page])
        if found:
            yield [Row(pk, stored, column.is_document) for pk, stored in found]
        if len(found) < page:
            return
        after = found[-1][0]


def replace(column: Column, row: Row, new: str) -> bool:
    """Store ``new`` unless somebody has changed the value since it was read; tells whether it was stored."""
    meta = column.model._meta
    assert meta.pk is not None
    assert meta.pk.column is not None
    assert column.field.column is not None
    statement = _REPLACE.format(
        table=sql.Identifier(meta.db_table),
        column=sql.Identifier(column.field.column),
        pk=sql.Identifier(meta.pk.column),
        kind=sql.SQL("::jsonb" if column.is_document else ""),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), [new, row.pk, row.stored])
        return bool(cursor.rowcount == 1)


def unreadable(model: type[Model] | None = None) -> Iterator[Unreadable]:
    """Yield every stored secret (of one model) that cannot be opened: its key is missing, or it is damaged."""
    for column in columns_of(model) if model else columns():
        for page in rows(column):
            for row in page:
                yield from _unreadable_in(column, row)


def unreadable_of(row: Model) -> list[Unreadable]:
    """Return the secrets of one row that cannot be opened, as they are stored now."""
    found: list[Unreadable] = []
    for column in columns_of(type(row)):
        stored = column.model._base_manager.filter(pk=row.pk).annotate(
            stored_text=Cast(F(column.field.name), TextField())
        )
        for text in stored.values_list("stored_text", flat=True):
            found += _unreadable_in(column, Row(row.pk, text, column.is_document))
    return found


def _unreadable_in(column: Column, row: Row) -> Iterator[Unreadable]:
    for place, token in row.tokens():
        problem = _problem(token)
        owner = column.model._base_manager.filter(pk=row.pk).first() if problem else None
        if problem and owner is not None:  # else deleted meanwhile
            yield Unreadable(column, owner, place, problem)


def _problem(token: str) -> UndecryptableError | None:
    try:
        decrypt(token)
    except UndecryptableError as error:
        return error
    return None


def _sealed_in(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if is_sealed(value):
        if isinstance(value[SEALED], str) and value[SEALED]:
            yield place, value[SEALED]
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _sealed_in(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _sealed_in(item, f"{place}[{number}]")
