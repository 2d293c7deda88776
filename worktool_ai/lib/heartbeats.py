"""Signs of life of the processes, for ``/readyz`` and the panels: ``beat("worker", detail="980 slots free")``.

One hash in the broker's Redis, a field per part and process. Beating is a hint to people, so it never fails, never
takes long, and writes at most once a second.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import redis
from django.conf import settings

from worktool_ai.lib.keyring import known_key_ids
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.stores import redis_store

__all__ = ["PARTS", "Heartbeat", "Part", "beat", "key", "newest", "parse", "read_all"]

logger = get_logger(__name__)

Part = Literal["consumer", "worker", "outbox", "beat", "relay"]
PARTS: tuple[Part, ...] = ("consumer", "worker", "outbox", "beat", "relay")

#: Fields of processes that have not been heard of for so long are removed.
FORGOTTEN_S = 600.0
EVERY_S = 1.0
_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of one process. ``at`` in epoch seconds; ``lag`` in the part's own unit (0 = up to date); ``keys``
    are the ids of the encryption keys that it knows.
    """

    part: str
    process: str
    at: float
    detail: str = ""
    lag: float = 0
    keys: tuple[str, ...] = ()

    def age(self, now: float) -> float:
        """Return the seconds since then; never negative, since clocks of machines differ a little."""
        return max(0.0, now - self.at)


def key() -> str:
    """Return the name of the hash."""
    return f"{settings.REDIS_PREFIX}:heartbeats"


def beat(part: Part, detail: str = "", lag: float = 0) -> None:
    """Say that this process does its part, now. Callers may call as often as they like."""
    _pulse.beat(part, detail, lag)


def read_all() -> list[Heartbeat]:
    """Return the last sign of every process; raises ``redis.RedisError`` when the broker's Redis is away."""
    return parse(_client(settings.REDIS_BROKER_URL).hgetall(key()))


def parse(fields: Any) -> list[Heartbeat]:
    """Read what HGETALL of :func:`key` answered; fields that nobody of ours wrote are left out."""
    found = (_parse(_text(name), _text(value)) for name, value in dict(fields).items())
    return [heartbeat for heartbeat in found if heartbeat is not None]


def newest(heartbeats: Iterable[Heartbeat]) -> Mapping[str, Heartbeat]:
    """Return the youngest sign of each part."""
    found: dict[str, Heartbeat] = {}
    for heartbeat in sorted(heartbeats, key=lambda one: one.at):
        found[heartbeat.part] = heartbeat
    return found


def _parse(name: str, value: str) -> Heartbeat | None:
    part, _, process = name.partition(":")
    try:
        body = json.loads(value)
        keys = tuple(map(str, body.get("keys", ())))
        return Heartbeat(part, process, float(body["at"]), str(body["detail"]), float(body["lag"]), keys)
    except (ValueError, TypeError, KeyError):
        return None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class _Pulse:
    """What this process has said last, so that it does not say it too often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said_at: dict[str, float] = {}
        self._unheard = False

    def beat(self, part: str, detail: str, lag: float) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._said_at.get(part, float("-inf")) < EVERY_S:
                return
            first = part not in self._said_at
            self._said_at[part] = now
        try:
            _say(part, detail, lag, tidy=first)
            self._unheard = False
        except (redis.RedisError, OSError) as error:
            if not self._unheard:
                logger.warning("heartbeat.unheard", part=part, error=type(error).__name__)
            self._unheard = True


def _say(part: str, detail: str, lag: float, *, tidy: bool) -> None:
    client = _client(settings.REDIS_BROKER_URL)
    sign = {"at": time.time(), "detail": detail, "lag": lag, "keys": known_key_ids()}
    value = json.dumps(sign, ensure_ascii=False)
    client.hset(key(), f"{part}:{socket.gethostname()}-{os.getpid()}", value)
    if tidy:
        _forget_the_dead(client, part)


def _forget_the_dead(client: redis.Redis, part: str) -> None:
    oldest = time.time() - FORGOTTEN_S
    dead = [one for one in parse(client.hgetall(key())) if one.part == part and one.at < oldest]
    if dead:
        client.hdel(key(), *(f"{one.part}:{one.process}" for one in dead))


@lru_cache(maxsize=2)
def _client(url: str) -> redis.Redis:
    return redis_store(url, _TIMEOUT_S)


_pulse = _Pulse()
