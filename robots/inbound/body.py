"""A callback's body: JSON object or form, whatever its Content-Type claims."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from robots.models.inbound import CallbackKind

__all__ = ["BadBody", "Payload", "decode", "is_configuration_test", "is_probe"]

Payload = dict[str, Any]

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_MAX_FIELDS = 1000
_MAX_DEPTH = 32
#: What the platform calls the person and the group of its sample line (worktool-api.md §2.3).
_SAMPLE_NAME = "WorkTool"
#: Without any of these a body says nothing: the call that tries an address out before it is bound.
_TELLING = {
    CallbackKind.MESSAGE: (
        *("spoken", "rawSpoken", "receivedName", "groupName", "groupRemark"),
        *("friendName", "fileBase64", "messageId", "textType"),
    ),
    CallbackKind.RESULT: ("messageId", "errorCode", "rawMsg"),
    CallbackKind.QRCODE: ("groupName", "qrCode"),
}


class BadBody(ValueError):
    """Neither a JSON object nor a form; the text says why, for our log only."""


def decode(body: bytes, content_type: str) -> Payload:
    """Return the fields of a callback; empty for an empty body. Raises :class:`BadBody`.

    Texts come without NUL characters and lone surrogates, numbers without NaN: all of it can be stored.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return {}
    if kind == _MULTIPART:
        return _clean_object(_multipart(body, content_type))
    if kind == _FORM and not body.lstrip().startswith(b"{"):
        return _clean_object(_form(body))
    return _clean_object(_json(body))


def is_probe(kind: str, payload: Mapping[str, Any]) -> bool:
    """Tell whether this may be the call that tries an address out: it carries nothing of its kind."""
    telling = _TELLING.get(CallbackKind(kind))
    if telling is None:  # the bodies of online and offline are undocumented: any content tells, none may be theirs
        return not payload
    return not any(payload.get(name) not in (None, "") for name in telling)


def is_configuration_test(kind: str, payload: Mapping[str, Any]) -> bool:
    """Tell whether this is the sample line with which the platform tests a message callback."""
    return (
        kind == CallbackKind.MESSAGE
        and payload.get("receivedName") == _SAMPLE_NAME
        and payload.get("groupName") == _SAMPLE_NAME
        and str(payload.get("roomType")) == "1"
        and str(payload.get("textType")) == "1"
        and not payload.get("fileBase64")
        and not payload.get("messageId")
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=lambda name: None)
    except RecursionError:
        raise BadBody("nested too deeply") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadBody(f"not JSON: {type(error).__name__}") from None


def _form(body: bytes) -> Payload:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=True, errors="replace", max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise BadBody(f"not a form: {error}") from None
    return dict(pairs)


def _multipart(body: bytes, content_type: str) -> Payload:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise BadBody("not multipart")
    fields: Payload = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = _part_value(part.get_filename(), content)
    if not fields:
        raise BadBody("no fields in the multipart body")
    return fields


def _part_value(file_name: str | None, content: bytes) -> str:
    """A picture may come as a file; inside it is base64 text as in every other body."""
    return base64.b64encode(content).decode() if file_name else content.decode("utf-8", "replace")


def _clean_object(value: Any) -> Payload:
    if not isinstance(value, dict):
        raise BadBody(f"a JSON {type(value).__name__}, not an object")
    cleaned = _clean(value, 0)
    assert isinstance(cleaned, dict)
    return cleaned


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _MAX_DEPTH:
        raise BadBody("nested too deeply")
    if isinstance(value, dict):
        return {_clean_text(name): _clean(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return value


def _clean_text(text: str) -> str:
    """PostgreSQL stores neither NUL characters nor lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
