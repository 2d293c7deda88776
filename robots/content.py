"""When two descriptions of a command mean the same one: ours, and the platform's word of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ContentKey", "content_key"]

ContentKey = tuple[int, tuple[str, ...], str, str]


def content_key(command: Mapping[str, Any]) -> ContentKey | None:
    """Return type, targets, text and object of a command object; ``None`` when it names no type.

    The platform hands commands back as JSON text with fields added and empty ones dropped, so only what a sender
    always sets is compared.
    """
    try:
        kind = int(command["type"])
    except (KeyError, TypeError, ValueError):
        return None
    return kind, _targets(command), _text(command, "receivedContent", "originalContent"), _text(command, "objectName")


def _targets(command: Mapping[str, Any]) -> tuple[str, ...]:
    titles = command.get("titleList")
    if isinstance(titles, list) and titles:
        return tuple(str(title) for title in titles)
    return (_text(command, "groupName"),)


def _text(command: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if value := command.get(name):
            return str(value).replace("\r\n", "\n").strip()
    return ""
