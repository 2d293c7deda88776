"""How many requests may go to the platform: one sliding log per outgoing address, shared by all processes.

The platform counts every endpoint, queries too, per caller address (worktool-api.md §4.4), and drops or blocks what is
over. So each request is written into the log before it is made, on Redis' clock; at most LIMIT lie in *any* window.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from worktool_ai.lib.ids import uuid7

__all__ = ["Grant", "Limiter", "LimiterError", "limiter"]

LimiterError = redis.RedisError

#: Added to the window, because a request reaches the platform a little later than we log it.
SLACK_S = 0.25

_PREAMBLE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local window = tonumber(ARGV[1])
"""

#: Log up to ARGV[2] requests named by ARGV[4]; answers how many, and after how many microseconds there is room.
_ACQUIRE = (
    _PREAMBLE
    + """
local wanted, limit, name = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local paused = redis.call('PTTL', KEYS[2])
if paused > 0 then return {0, paused * 1000} end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local granted = math.min(wanted, math.max(0, limit - redis.call('ZCARD', KEYS[1])))
for i = 1, granted do redis.call('ZADD', KEYS[1], now, name .. ':' .. i) end
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
if granted == wanted then return {granted, 0} end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {granted, oldest[2] and (oldest[2] + window - now) or window}
"""
)

#: Move requests that are only made now (ARGV[2..]) to the present; they count from here on.
_TOUCH = (
    _PREAMBLE
    + """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
"""
)


@dataclass
class Grant:
    """Leave for ``granted`` requests. When fewer than wanted: ask again after ``retry_after_s``."""

    granted: int
    retry_after_s: float
    name: str = ""
    taken_at: float = field(default_factory=time.monotonic)

    def member(self, number: int) -> str:
        return f"{self.name}:{number}"


class Limiter:
    """The log of one egress address in the durable Redis. Methods raise :data:`LimiterError` when that is away."""

    def __init__(self, store: redis.Redis, prefix: str, egress: str = "default") -> None:
        # The braces keep both keys in one slot of a cluster.
        self._log = f"{prefix}:{{requests:{egress}}}:log"
        self._pause = f"{prefix}:{{requests:{egress}}}:pause"
        self._pace = f"{prefix}:paced"
        self._store = store
        self._acquire = store.register_script(_ACQUIRE)
        self._touch = store.register_script(_TOUCH)

    def acquire(self, wanted: int, *, window_s: float | None = None, limit: int | None = None) -> Grant:
        """Take leave for up to ``wanted`` requests; window and limit come from the settings unless given."""
        limit = settings.WORKTOOL_REQUEST_LIMIT if limit is None else limit
        name = uuid7().hex
        taken_at = time.monotonic()
        granted, wait_us = self._acquire(
            keys=[self._log, self._pause], args=[_window_us(window_s), wanted, limit, name]
        )
        return Grant(int(granted), float(wait_us) / 1_000_000, name, taken_at)

    def release(self, grant: Grant, unused: int) -> None:
        """Give back the last ``unused`` requests of a grant: they were not made and never will be."""
        members = [grant.member(number) for number in range(grant.granted - unused + 1, grant.granted + 1)]
        if members:
            self._store.zrem(self._log, *members)

    def starts(self, grant: Grant, number: int, *, window_s: float | None = None) -> None:
        """Say that request ``number`` (from 1) of a grant is made now; logs it again if that comes late."""
        if time.monotonic() - grant.taken_at > SLACK_S:
            self._touch(keys=[self._log], args=[_window_us(window_s), grant.member(number)])

    def pause(self, seconds: float) -> None:
        """Grant nothing for so long: the platform has said 429."""
        self._store.set(self._pause, "429", px=max(1, round(seconds * 1000)))

    def once_per(self, name: str, seconds: float) -> bool:
        """Tell whether nobody has asked for ``name`` within so many seconds: paces one robot, or one kind of query."""
        key = f"{self._pace}:{name}"
        return bool(self._store.set(key, "1", nx=True, px=max(1, round(seconds * 1000))))

    def used(self, *, window_s: float | None = None) -> int:
        """Return how many requests lie in the window that ends now."""
        seconds, micros = self._clock()
        oldest = seconds * 1_000_000 + micros - _window_us(window_s)
        return int(self._store.zcount(self._log, f"({oldest}", "+inf"))

    def _clock(self) -> tuple[int, int]:
        clock: Any = self._store.time()
        return clock[0], clock[1]


def _window_us(window_s: float | None) -> int:
    window_s = settings.WORKTOOL_REQUEST_WINDOW_S if window_s is None else window_s
    return round((window_s + SLACK_S) * 1_000_000)


def limiter() -> Limiter:
    """Return this process's limiter of the address that all of us send from."""
    return _limiter(settings.REDIS_URL, settings.REDIS_PREFIX)


@lru_cache(maxsize=2)
def _limiter(url: str, prefix: str) -> Limiter:
    store = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5, retry=Retry(NoBackoff(), 1))
    return Limiter(store, prefix)
