"""Rows as one JSON parameter for PostgreSQL (``jsonb_to_recordset``): fast, and without what jsonb refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

import orjson

__all__ = ["decode", "encode"]

#: An escaped NUL, but not a backslash followed by the text "u0000".
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def encode(rows: Any) -> str:
    """Return rows as JSON: UUIDs and enums as text, datetimes with their microseconds, dataclasses by field, what
    else is unknown by ``str``.

    Customers and models write NUL and halves of surrogate pairs, which PostgreSQL takes nowhere: the first is left
    out, the second becomes "?".
    """
    try:
        text = orjson.dumps(rows, default=_plain).decode()
    except TypeError:  # half a surrogate pair, or a number beyond 64 bits: rare, so by the slow way
        text = json.dumps(rows, ensure_ascii=False, default=_plain).encode("utf-8", "replace").decode()
    # the pattern walks character by character; a group's prompts are megabytes
    return _NUL.sub(r"\1", text) if "\\u0000" in text else text


def decode(value: Any) -> Any:
    """Read a jsonb column of a raw statement, which Django's cursor hands over as text."""
    return orjson.loads(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """Write what an encoder does not know. The slow one asks for what the fast one knows, too."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return sorted(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value.isoformat() if isinstance(value, date) else str(value)
