"""How psycopg alone reaches the default database: for processes and tasks that do without Django's connections."""

from __future__ import annotations

from typing import Any

from django.conf import settings

__all__ = ["parameters"]

_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def parameters(**others: Any) -> dict[str, Any]:
    """Return the keyword arguments of ``psycopg.connect``: Django's settings without its pool; ``others`` win."""
    database = settings.DATABASES["default"]
    address = {name: database[key] for name, key in _NAMES.items() if database.get(key)}
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name != "pool"}
    return {**address, "client_encoding": "UTF8", **options, **others}
