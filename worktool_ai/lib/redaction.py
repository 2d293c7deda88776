"""Taking a known secret out of other people's words: vendors and platforms quote what they refuse."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

__all__ = ["redact"]

#: Characters by which a secret's traces are found; whoever quotes one often leaves the middle out.
START = 8


def redact(text: str, *secrets: str) -> str:
    """Return the text without the secrets, and without anything that begins as one of them does; plain, percent-encoded
    or in base64.
    """
    for secret in filter(None, secrets):
        if len(secret) < START:
            text = text.replace(secret, "…")
            continue
        starts = "|".join(re.escape(form[:START]) for form in _forms(secret))
        text = re.sub(rf"(?:{starts})[^\s\"',;)}}]*", "…", text)
    return text


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    coded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    return {secret, quote(secret, safe=""), *coded}
