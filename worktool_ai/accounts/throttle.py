"""Failed logins are counted per name and address: five in five minutes, then a pause."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import redis
from django.conf import settings

from worktool_ai.lib import logs
from worktool_ai.lib.stores import redis_store

__all__ = ["failed", "forget", "seconds_left"]

logger = logs.get_logger(__name__)

LIMIT = 5
WINDOW_S = 300


def seconds_left(username: str, address: str) -> int:
    """Return how long this name may not try again from this address; 0 = it may. Redis away = it may."""
    key = _key(username, address)
    try:
        count = _client(settings.REDIS_BROKER_URL).get(key)
        if int(count or 0) < LIMIT:
            return 0
        return max(1, int(_client(settings.REDIS_BROKER_URL).ttl(key)))
    except redis.RedisError as error:
        # A login must not depend on a cache; passwords stay slow to check either way.
        logger.warning("login.throttle_away", error=type(error).__name__)
        return 0


def failed(username: str, address: str) -> None:
    """Count one failure; the window starts with the first."""
    key = _key(username, address)
    try:
        with _client(settings.REDIS_BROKER_URL).pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, ex=WINDOW_S, nx=True)
            pipeline.incr(key)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("login.throttle_away", error=type(error).__name__)


def forget(username: str, address: str) -> None:
    """Start anew after a success."""
    try:
        _client(settings.REDIS_BROKER_URL).delete(_key(username, address))
    except redis.RedisError as error:
        logger.warning("login.throttle_away", error=type(error).__name__)


def _key(username: str, address: str) -> str:
    digest = hashlib.sha256(f"{username.casefold()}\0{address}".encode()).hexdigest()
    return f"{settings.REDIS_PREFIX}:login:{digest[:32]}"


@lru_cache(maxsize=2)
def _client(url: str) -> redis.Redis:
    return redis_store(url, 0.5)
