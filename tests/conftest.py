"""Fixtures for all tests. The servers themselves are started by ``tests/services_plugin.py``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest
import redis
from django.db import connection
from django.db.models.signals import post_migrate

import worktool_ai.celery  # makes it the current app, as manage.py and asgi.py do
import worktool_ai.urls  # noqa: F401 - finds the admin's pages, which tests ask for while they are collected


@pytest.fixture(scope="session")
def durable_redis() -> Iterator[redis.Redis]:
    """A client of this test process's own database of the durable Valkey."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture(scope="session")
def broker_redis() -> Iterator[redis.Redis]:
    """A client of this test process's own database of the broker's Valkey."""
    with redis.Redis.from_url(os.environ["REDIS_BROKER_URL"]) as client:
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(durable_redis: redis.Redis, broker_redis: redis.Redis) -> None:
    """Each test starts with empty streams, queues, limits and caches."""
    durable_redis.flushdb()
    broker_redis.flushdb()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Make cleaning up after tests that commit possible and cheap: see ``_empty`` for the rows.

    After each of them Django would write all permission rows anew, which nothing of ours reads: roles decide.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    connection.ops.sql_flush = _empty  # type: ignore[method-assign]


def _empty(style: object, tables: Sequence[str], **options: object) -> list[str]:
    """Return the statements, of one transaction, that delete all rows; Django's own truncates: 0.1 s for each test.

    No triggers: the audit log refuses changes, and foreign keys need not be checked where nothing is left. The lock
    waits for whoever is still writing.
    """
    names = [connection.ops.quote_name(name) for name in tables]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
    return [
        "SET LOCAL session_replication_role = replica",
        f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE",
        f"""DO $$ DECLARE name text; BEGIN
            FOR name IN {filled} LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
        END $$""",
    ]
