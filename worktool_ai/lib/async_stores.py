"""Connections of the asyncio parts (door, health): short timeouts of their own, nothing shared with Django's."""

from __future__ import annotations

from typing import Any

import psycopg
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from worktool_ai.lib.postgres import parameters

__all__ = ["connect_postgres", "redis_client"]


async def connect_postgres(application_name: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Open an autocommit connection to the default database; the caller limits the time and closes it."""
    return await psycopg.AsyncConnection.connect(**parameters(application_name=application_name), autocommit=True)


def redis_client(url: str, timeout_s: float) -> redis.asyncio.Redis:
    """Return a client that gives up early; a connection that died while idle is replaced once."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
