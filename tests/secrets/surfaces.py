"""Everything that people, other programs and whoever steals a copy can read of the product, as text."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import redis
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, reverse

from monitoring.api.urls import router

ROWS = 2


def database() -> Iterator[tuple[str, str]]:
    """Yield each row of each table, bytes in hex, as a dump has them."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            for (row,) in cursor.fetchall():
                yield f"table {table}", row


def redis_keys(name: str, client: redis.Redis) -> Iterator[tuple[str, str]]:
    """Yield each key with all that it holds: streams, queues with Celery's payloads, hashes."""
    for key in client.scan_iter(count=1000):
        yield f"{name} {key.decode()}", key.decode() + " " + repr(_value(client, key))


def _value(client: redis.Redis, key: bytes) -> Any:
    readers = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    read: Any = readers[client.type(key)]
    return read(key)


def pages(client: Client) -> Iterator[tuple[str, str]]:
    """Yield every list of the admin, and form and history of the newest rows of each, and the pages of the menu."""
    index = client.get(reverse("admin:index"))
    yield "admin index", index.content.decode()
    links = {str(item["link"]) for group in index.context["sidebar_navigation"] for item in group["items"]}
    names = {model: f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry}
    links |= {reverse(f"admin:{name}_changelist") for name in names.values()}
    for link in sorted(links):
        yield f"page {link}", client.get(link).content.decode()
    for model, name in names.items():
        for row in model._default_manager.order_by("-pk")[:ROWS]:
            for page in ("change", "history"):
                answer = client.get(reverse(f"admin:{name}_{page}", args=[row.pk]))
                yield f"{page} of {name}", _whole(answer)


def api(client: Client, **headers: str) -> Iterator[tuple[str, str]]:
    """Yield every list of the API, and the first rows of each."""
    for prefix, _view, basename in router.registry:
        answer = client.get(reverse(f"api:{basename}-list"), headers=headers)
        yield f"api {prefix}", _whole(answer)
        data = answer.json().get("data") or {}
        rows = data.get("results", data.get("items", [])) if isinstance(data, dict) else data
        for row in rows[:ROWS]:
            for id_ in filter(None, (row.get("id"), row.get("slug"), row.get("sendId"))):
                try:
                    yield (
                        f"api {prefix}",
                        _whole(client.get(reverse(f"api:{basename}-detail", args=[id_]), headers=headers)),
                    )
                except NoReverseMatch:
                    continue


def everything(
    client: Client, key: str, log: StringIO, durable: redis.Redis, broker: redis.Redis
) -> Iterator[tuple[str, str]]:
    """Yield ``(place, text)`` of all of it, the log last: looking writes lines too."""
    yield from pages(client)
    yield from api(Client(), Authorization=f"Bearer {key}")
    yield from exports(client)
    yield from database()
    yield from redis_keys("durable", durable)
    yield from redis_keys("broker", broker)
    yield from (("log", line) for line in log.getvalue().splitlines())


def exports(client: Client) -> Iterator[tuple[str, str]]:
    """Yield what leaves in one piece: the data dump, and what machines ask for."""
    out = StringIO()
    call_command("dumpdata", stdout=out)
    yield "dumpdata", out.getvalue()
    for path in ("/metrics", "/readyz", "/healthz", reverse("api:schema")):
        yield path, _whole(client.get(path))


def _whole(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return f"{dict(answer.headers)} {content.decode('utf-8', 'replace')}"
