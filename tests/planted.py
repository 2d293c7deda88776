"""The preset rows, planted once for a test process and copied into the tables of each test that wants them.

Planting takes half a second, copying a hundredth.
"""

from __future__ import annotations

from collections.abc import Callable

from django.apps import apps
from django.db import connection, transaction

from alerts import caches as alert_caches
from alerts import seeds as alert_seeds
from flows import seeds as flow_seeds
from flows.engine import knowledge
from personas import caches as persona_caches
from personas import seeds as persona_seeds
from robots import caches as robot_caches
from templates_lib import seeds as template_seeds

__all__ = ["clear_caches", "plant_all", "plant_personas"]

Seeds = tuple[Callable[[], object], ...]

PERSONAS: Seeds = (template_seeds.seed, persona_seeds.seed)
ALL: Seeds = (*PERSONAS, alert_seeds.seed, flow_seeds.seed)

#: What planting put into each table, as PostgreSQL copies it out.
_copies: dict[Seeds, dict[str, bytes]] = {}


def plant_personas() -> None:
    """Templates, personas, intents and their rules, into tables that are empty."""
    _plant(PERSONAS)


def plant_all() -> None:
    """The same, alert rules and the standard flow."""
    _plant(ALL)


def _plant(seeds: Seeds) -> None:
    if seeds in _copies:
        _copy_in(_copies[seeds])
    else:
        before = _sizes()
        for seed in seeds:
            seed()
        grown = {table for table, size in _sizes().items() if size != before[table]}
        if not any(before[table] for table in grown):
            _copies[seeds] = _copied_out(grown)
    clear_caches()


def clear_caches() -> None:
    """Forget what this process holds of the tables."""
    for forget in (knowledge.forget, robot_caches.forget, persona_caches.clear, alert_caches.clear):
        forget()


def _sizes() -> dict[str, int]:
    tables = [model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables))
        return dict(cursor.fetchall())


def _copied_out(tables: set[str]) -> dict[str, bytes]:
    rows = {}
    for table in sorted(tables):
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as copy:
            rows[table] = b"".join(bytes(part) for part in copy)
    return rows


def _copy_in(rows: dict[str, bytes]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:  # whose end checks what refers to what
        for table, content in rows.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(content)
