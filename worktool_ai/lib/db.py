"""Transactions in greenlets and threads that neither Celery nor a web request cleans up after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

__all__ = ["borrowed", "tx"]


@contextmanager
def borrowed() -> Iterator[None]:
    """Give the connection back to the pool afterwards, unless an outer transaction still needs it.

    Without this, every greenlet that once asked the database keeps a connection, and the pool runs dry.
    """
    nested = connection.in_atomic_block
    try:
        yield
    finally:
        if not nested:
            connection.close()


@contextmanager
def tx() -> Iterator[None]:
    """One transaction on a borrowed connection."""
    with borrowed(), transaction.atomic():
        yield
