"""Our callback addresses: which one a bound address is, and how it may be shown."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from robots.models import Robot
from worktool_ai.lib import clock
from worktool_ai.lib.crypto import fingerprint

__all__ = ["BOUND", "MESSAGE", "Verdict", "judge", "shown"]

#: The platform's callback types and our paths for them; new messages are set through ``robotInfo/update``.
BOUND = {1: "result", 0: "qrcode", 5: "online", 6: "offline"}
MESSAGE = 11

_KEY_IN_PATH = re.compile(r"/api/worktool/callback/([^/]+)/\w+$")


class Verdict(StrEnum):
    """What an address is to us."""

    OURS = "ours"
    OLD_KEY = "old_key"  # ours, with the key before the last rotation, which still works
    DEAD_KEY = "dead_key"  # has the form of ours, with a key that does not work
    ELSEWHERE = "elsewhere"
    MISSING = "missing"


def judge(robot: Robot, event: str, url: str) -> Verdict:
    """Tell whether an address is ours for this event, in either form: key in the path, or in the query."""
    if not url:
        return Verdict.MISSING
    key, ours = _key_in(url), urlsplit(settings.PUBLIC_URL)
    parts = urlsplit(url)
    if (parts.scheme, parts.netloc) != (ours.scheme, ours.netloc) or not parts.path.endswith(f"/{event}"):
        return Verdict.ELSEWHERE
    digest = fingerprint(key) if key else ""
    if digest == robot.callback_key_digest:
        return Verdict.OURS
    is_previous = bool(key) and digest == robot.previous_key_digest
    still = robot.previous_key_until is not None and robot.previous_key_until > clock.now()
    return Verdict.OLD_KEY if is_previous and still else Verdict.DEAD_KEY


def shown(url: str) -> str:
    """Return an address as people may see it: where it leads, without what may be a credential."""
    parts = urlsplit(url)
    if not parts.netloc:
        return "…"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}/…/{parts.path.rpartition('/')[2][-12:]}"


def _key_in(url: str) -> str:
    parts = urlsplit(url)
    found = _KEY_IN_PATH.search(parts.path)
    return found[1] if found else parse_qs(parts.query).get("key", [""])[0]
