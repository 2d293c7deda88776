from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

import pytest
from django.db import connection
from django.utils.translation import gettext_lazy

from robots.models import CommandState
from worktool_ai.lib.json_rows import encode

ID = UUID("0190d2f4-0000-7000-8000-000000000001")
AT = datetime(2026, 11, 22, 8, 0, 0, 123456, UTC)


@dataclass(frozen=True, slots=True)
class Row:
    id: UUID
    at: datetime
    text: str


def test_what_rows_hold_is_written_as_postgresql_reads_it() -> None:
    row = {"id": ID, "at": AT, "state": CommandState.DONE, "cost": Decimal("0.1"), "why": gettext_lazy("untranslated")}
    assert json.loads(encode([row])) == [
        {"id": str(ID), "at": "2026-11-22T08:00:00.123456+00:00", "state": "done", "cost": "0.1", "why": "untranslated"}
    ]


@pytest.mark.parametrize("text", ["退款", "a\\u0000b", 'quote " and \\', "\U0001f600"])
def test_text_comes_back_as_it_was(text: str) -> None:
    assert json.loads(encode([Row(ID, AT, text)]))[0]["text"] == text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "stored"), [("a\0b", "ab"), ("\\\0", "\\"), ("x\ud800y", "x?y"), ("\0\ud800\\u0000", "?\\u0000")]
)
def test_what_postgresql_refuses_is_taken_out(text: str, stored: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row.text, row.id FROM jsonb_to_recordset(%s::jsonb) AS row (id uuid, text text)",
                       [encode([Row(ID, AT, text), Row(ID, AT, "ok")])])  # fmt: skip
        assert cursor.fetchall() == [(stored, ID), ("ok", ID)]


def test_numbers_beyond_64_bits_are_kept() -> None:
    assert json.loads(encode([{"n": 2**70, "row": Row(ID, AT, "t")}])) == [
        {"n": 2**70, "row": {"id": str(ID), "at": AT.isoformat(), "text": "t"}}
    ]


def test_what_only_looks_like_a_dict_or_a_list_is_one() -> None:
    row = {"data": MappingProxyType({"b": frozenset({"y", "x"})}), "list": ("a", "b")}
    assert json.loads(encode([row])) == [{"data": {"b": ["x", "y"]}, "list": ["a", "b"]}]
