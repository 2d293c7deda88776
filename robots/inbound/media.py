"""Pictures and overlong texts: stored once by hash, referenced everywhere else."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Picture", "picture_of", "text_file"]

_SIGNATURES: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """The content of a file; ``digest`` is the SHA-256 of its bytes."""

    digest: str
    content_type: str
    content: bytes = field(repr=False)


def picture_of(value: Any) -> Picture | None:
    """Decode ``fileBase64`` (a data URL is taken too); None when there is nothing that can be decoded."""
    if not isinstance(value, str) or not value.strip():
        return None
    encoded = value.rpartition("base64,")[2] if value.startswith("data:") else value
    try:
        # Some senders wrap lines, some drop the padding.
        packed = "".join(encoded.split())
        content = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return _file(content, _sniff(content)) if content else None


def text_file(text: str) -> Picture:
    """Keep a text that is too long for a context."""
    return _file(text.encode(), "text/plain; charset=utf-8")


def _file(content: bytes, content_type: str) -> Picture:
    return Picture(hashlib.sha256(content).hexdigest(), content_type, content)


def _sniff(content: bytes) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    found = (name for signature, name in _SIGNATURES.items() if content.startswith(signature))
    return next(found, "application/octet-stream")
