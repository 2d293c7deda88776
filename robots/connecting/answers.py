"""What the platform said last about a robot: kept sealed in the broker's Redis, shared by all pages that show it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

import redis
from django.conf import settings

from robots.client import Binding, RobotInfo
from robots.client.rows import OnlineSpan, RobotDetail, read_detail, read_info, read_online_span
from worktool_ai.lib.crypto import UndecryptableError, decrypt, encrypt
from worktool_ai.lib.stores import redis_store

__all__ = ["FIRST", "Answer", "Answers", "Trouble", "asking", "keep", "stored"]

KEPT_S = 24 * 3600
#: The query that must bring something before others are asked: they would fail alike.
FIRST = "info"
#: Nobody else asks about a robot while one does; the bound of a process that dies meanwhile.
ASKING_S = 30


class Trouble(StrEnum):
    """Why a query brought nothing."""

    NONE = ""
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    LIMIT = "limit"  # our own request limit is used up
    THROTTLED = "throttled"  # the platform answered 429
    WAITING = "waiting"  # not asked while the first query brings nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query brought. ``at`` is the epoch second of the last try, 0 when it is to be asked anew; ``data`` is
    kept from the last success, ``None`` when there was none; ``code`` and ``text`` are those of a refusal.
    """

    at: float = 0.0
    data: Any = None
    trouble: Trouble = Trouble.NONE
    code: int = 0
    text: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the last try brought something."""
        return self.data is not None and not self.trouble


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers by the name of the query."""

    rows: Mapping[str, Answer]

    def of(self, name: str) -> Answer:
        answer = self.rows.get(name, Answer())
        if answer.data is None and not answer.trouble and self.rows.get(FIRST, answer).trouble:
            return replace(answer, trouble=Trouble.WAITING)
        return answer

    def with_row(self, name: str, answer: Answer) -> Answers:
        return Answers({**self.rows, name: answer})

    def expired(self, *names: str) -> Answers:
        """Have these asked anew; what was known stays until then."""
        return Answers({name: replace(row, at=0.0) if name in names else row for name, row in self.rows.items()})

    @property
    def info(self) -> RobotInfo | None:
        answer = self.of("info")
        return read_info(answer.data) if answer.is_known else None

    @property
    def detail(self) -> RobotDetail | None:
        answer = self.of("detail")
        return read_detail(answer.data) if answer.is_known else None

    @property
    def bindings(self) -> list[Binding] | None:
        answer = self.of("bindings")
        return [Binding(kind, url) for kind, url in answer.data] if answer.is_known else None

    @property
    def online(self) -> bool | None:
        answer = self.of("online")
        return answer.data if answer.is_known and isinstance(answer.data, bool) else None

    @property
    def spans(self) -> list[OnlineSpan]:
        answer = self.of("online_infos")
        return [read_online_span(row) for row in answer.data] if answer.is_known else []

    @property
    def version(self) -> str:
        answer = self.of("version")
        return str(answer.data) if answer.is_known else ""


def stored(robot_id: UUID) -> Answers:
    """Return what is kept of a robot; empty when nothing is, or it cannot be opened. Raises ``redis.RedisError``."""
    with _redis() as store:
        sealed = store.get(_key(robot_id))
    if not isinstance(sealed, bytes):
        return Answers({})
    try:
        rows = json.loads(decrypt(sealed.decode()))
    except (UndecryptableError, ValueError):
        return Answers({})
    return Answers({name: Answer(**{**row, "trouble": Trouble(row["trouble"])}) for name, row in rows.items()})


def keep(robot_id: UUID, answers: Answers) -> None:
    """Keep them for a day. Sealed: they hold the robot's id and the keys of callback addresses."""
    sealed = encrypt(json.dumps({name: asdict(row) for name, row in answers.rows.items()}, ensure_ascii=False))
    with _redis() as store:
        store.set(_key(robot_id), sealed, ex=KEPT_S)


@contextmanager
def asking(robot_id: UUID) -> Iterator[bool]:
    """Yield whether the caller may ask the platform now: one at a time per robot."""
    name = f"{_key(robot_id)}:asking"
    with _redis() as store:
        mine = bool(store.set(name, "1", nx=True, ex=ASKING_S))
        try:
            yield mine
        finally:
            if mine:
                store.delete(name)


def _redis() -> redis.Redis:
    return redis_store(settings.REDIS_BROKER_URL)


def _key(robot_id: UUID) -> str:
    return f"{settings.REDIS_PREFIX}:connect:{robot_id}"
