"""Small files as real programs write their first bytes."""

from __future__ import annotations

import base64
import io
import zipfile

#: One transparent pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(20)
GIF = b"GIF89a\x01\x00\x01\x00" + bytes(20)
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L" + bytes(20)
MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00" + bytes(20)
MOV = b"\x00\x00\x00\x14ftypqt  " + bytes(20)
HEIC = b"\x00\x00\x00\x18ftypheic" + bytes(20)
MP3 = b"ID3\x04\x00" + bytes(20)
BARE_MP3 = b"\xff\xfb\x90\x64" + bytes(20)
PDF = b"%PDF-1.7\n" + bytes(20)
HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'
EXE = b"MZ\x90\x00" + bytes(60)


def ole(stream: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100) + stream.encode("utf-16-le") + bytes(20)


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return packed.getvalue()
