"""Fixtures for all tests. The servers themselves are started by ``tests/services_plugin.py``."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import redis
from django.db import connection
from django.db.models.signals import post_migrate
from pytest_django import DjangoDbBlocker

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
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Make cleaning up after tests that commit possible and cheap.

    They are cleaned up by TRUNCATE, which the audit log refuses like every other change; and after each of them Django
    would write all permission rows anew, which nothing of ours reads: roles decide.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER accounts_audit_no_truncate ON accounts_auditentry")
