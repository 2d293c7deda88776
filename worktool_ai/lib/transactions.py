"""Database connections for code that runs in greenlets of its own.

Django gives a connection back at the end of a request or Celery task. A greenlet (or thread) that somebody
else started has no such end: without these blocks each keeps one, and the pool runs dry.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

__all__ = ["released", "tx"]


@contextmanager
def released() -> Iterator[None]:
    """Give this greenlet's connection back to the pool at the end; inside a transaction it is kept."""
    kept = connection.in_atomic_block
    try:
        yield
    finally:
        if not kept:
            connection.close()


@contextmanager
def tx() -> Iterator[None]:
    """One transaction, after which the connection is given back."""
    with released(), transaction.atomic():
        yield
