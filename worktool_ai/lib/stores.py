"""Clients of our two Redis for code that waits (``async_stores`` is for code that doesn't)."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["redis_store"]


def redis_store(
    url: str,
    timeout_s: float = 2.0,
    *,
    connect_s: float | None = None,
    retries: int = 1,
    connections: int | None = None,
) -> redis.Redis:
    """Return a client that gives up early: the library's own tries four times, with pauses.

    A connection that died while idle is replaced ``retries`` times. ``connect_s`` is ``timeout_s`` unless told. With
    ``connections`` the threads of this process share so many and wait for one, at most ``timeout_s``: where hundreds
    ask at once, to make a connection costs more than to wait for one.
    """
    options = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s if connect_s is None else connect_s,
        "retry": Retry(NoBackoff(), retries, supported_errors=(redis.ConnectionError,)),
    }
    if connections is None:
        return redis.Redis.from_url(url, **options)
    pool = redis.BlockingConnectionPool.from_url(url, max_connections=connections, timeout=timeout_s, **options)
    return redis.Redis.from_pool(pool)
