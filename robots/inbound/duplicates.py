"""Which lines the platform has delivered twice. Pure: the rows come in, the decision and changed rows go out.

Equal fingerprint within the robot's window is a duplicate, unless both copies carry platform ids that differ; equal id
and text is one at any distance. The window counts from the line that was kept, on door times, so that somebody who
says the same thing again and again is heard again after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from robots.inbound.parse import ParsedMessage

__all__ = ["Judge", "Mark", "digests_of", "first_marks"]


@dataclass(slots=True)
class Mark:
    """One fingerprint row: the line kept last under it."""

    digest: str
    message_id: UUID
    platform_id: str
    last_at: datetime
    changed: bool = False


def digests_of(line: ParsedMessage) -> tuple[str, str | None]:
    """Return the digests by content, and by content and platform id where the line has one."""
    content = hashlib.sha256()
    for part in (
        str(line.robot_id),
        str(line.is_group),
        line.room_address,
        line.sender_name,
        str(line.text_type),
        line.text,
        line.media_digest or "",
    ):
        content.update(part.encode() + b"\x1f")
    plain = content.hexdigest()
    if not line.platform_id:
        return plain, None
    content.update(b"id\x1f" + line.platform_id.encode())
    return plain, content.hexdigest()


def first_marks(lines: Iterable[ParsedMessage]) -> list[Mark]:
    """Return the rows to insert where there is none: of each digest its first line, in an order without deadlock."""
    marks: dict[str, Mark] = {}
    for line in lines:
        for digest in digests_of(line):
            if digest is not None:
                marks.setdefault(digest, Mark(digest, line.id, line.platform_id, line.received_at))
    return sorted(marks.values(), key=lambda mark: mark.digest)


class Judge:
    """Decides line after line against the rows as they are; ``changed`` are those to write back."""

    def __init__(self, marks: Mapping[str, Mark], windows: Mapping[UUID, timedelta]) -> None:
        self._marks = marks
        self._windows = windows

    def original_of(self, line: ParsedMessage) -> UUID | None:
        """Return the line that this one repeats, or None when it is to be kept."""
        plain, with_id = digests_of(line)
        original = self._same_id(line, with_id)
        if original is None:
            original = self._same_text(line, self._marks[plain])
        if with_id is not None and original is not None:
            self._point(self._marks[with_id], original)
        return original

    def changed(self) -> list[Mark]:
        return [mark for mark in self._marks.values() if mark.changed]

    def _same_id(self, line: ParsedMessage, digest: str | None) -> UUID | None:
        if digest is None:
            return None
        mark = self._marks[digest]
        return None if mark.message_id == line.id else mark.message_id

    def _same_text(self, line: ParsedMessage, mark: Mark) -> UUID | None:
        if mark.message_id == line.id:
            return None
        differ = bool(mark.platform_id and line.platform_id and mark.platform_id != line.platform_id)
        near = abs(line.received_at - mark.last_at) <= self._windows[line.robot_id]
        if near and not differ:
            if line.platform_id and not mark.platform_id:
                mark.platform_id, mark.changed = line.platform_id, True
            return mark.message_id
        self._replace(mark, line)
        return None

    def _replace(self, mark: Mark, line: ParsedMessage) -> None:
        """Keep the younger line: one that arrives late must not move the window back."""
        if line.received_at >= mark.last_at:
            mark.message_id, mark.platform_id, mark.last_at = line.id, line.platform_id, line.received_at
            mark.changed = True

    def _point(self, mark: Mark, original: UUID) -> None:
        if mark.message_id != original:
            mark.message_id, mark.changed = original, True
