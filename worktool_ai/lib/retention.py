"""Retention: every table of facts is kept for a stated time, then its rows go in small, paced batches.

An app states what it keeps in its ``retention.py``, which is imported at start-up::

    retention.keep(Run, only=Q(state__in=ENDED))  # for settings.RETENTION_DAYS, by the time in its id
    retention.keep(Fingerprint, timedelta(days=1), column="last_at")
    retention.never("a setting: people remove it", Robot)

What another row still refers to (``on_delete=PROTECT``) stays until that row has gone, so the order of the tables does
not matter and no upper app is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import PROTECT, RESTRICT, Exists, Model, OuterRef, Q, QuerySet
from django.db.models.deletion import get_candidate_relations_to_delete

from worktool_ai.lib.clock import now
from worktool_ai.lib.db import borrowed, tx
from worktool_ai.lib.ids import first_at
from worktool_ai.lib.logs import get_logger

__all__ = ["SETTING", "delete_older", "keep", "never", "register", "stated", "sweep"]

logger = get_logger(__name__)

#: Deletes at most so many rows and returns how many.
Cleaner = Callable[[int], int]

BATCH = 1000
PAUSE_S = 0.1
#: One sweep ends after so long; the next one goes on.
BUDGET_S = 60.0

#: Why most tables that are never swept are not.
SETTING = "a setting: few rows, which people remove"

_cleaners: dict[str, Cleaner] = {}
_kept: set[str] = set()
_reasons: dict[str, str] = {}


def register(name: str, clean: Cleaner) -> None:
    """State a way of cleaning of its own; registering a name again replaces. It begins with the model's label."""
    _cleaners[name] = clean
    _kept.add(name.partition(" ")[0])


def keep(model: type[Model], age: timedelta | None = None, *, column: str = "pk", only: Q | None = None) -> None:
    """Keep rows for ``age`` (None: ``settings.RETENTION_DAYS``), counted from ``column``.

    ``pk`` means the time in a UUIDv7 key. ``only`` names the rows that may go at all.
    """
    name = f"{model._meta.label_lower} by {column}"
    register(name, partial(_delete_aged, model, age, column=column, only=only))


def never(why: str, *models: type[Model]) -> None:
    """State that rows of these are never swept, and why that does not grow without bound."""
    for model in models:
        _reasons[model._meta.label_lower] = why


def stated(model: type[Model]) -> str:
    """Return what is stated of a table: ``kept``, or why it is never swept; empty when nothing is."""
    label = model._meta.label_lower
    return "kept" if label in _kept else _reasons.get(label, "")


def _delete_aged(model: type[Model], age: timedelta | None, batch: int, *, column: str, only: Q | None) -> int:
    age = timedelta(days=settings.RETENTION_DAYS) if age is None else age
    return delete_older(model, age, column=column, only=only, batch=batch)


def delete_older(
    model: type[Model], age: timedelta, *, column: str = "pk", only: Q | None = None, batch: int = BATCH
) -> int:
    """Delete at most ``batch`` of the oldest rows past their age, in one transaction; returns how many.

    Rows that somebody works on at the moment are passed over.
    """
    moment = now() - age
    old = model._default_manager.filter(
        only or Q(), **{f"{column}__lt": first_at(moment) if column == "pk" else moment}
    )
    with tx():
        free = _unreferenced(old).order_by(column).select_for_update(skip_locked=True)
        keys = list(free.values_list("pk", flat=True)[:batch])
        if keys:
            model._default_manager.filter(pk__in=keys).delete()
    return len(keys)


def _unreferenced(rows: QuerySet[Any]) -> QuerySet[Any]:
    relations: Iterable[Any] = get_candidate_relations_to_delete(rows.model._meta)
    for relation in relations:
        if relation.on_delete in (PROTECT, RESTRICT):
            referring = relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")})
            rows = rows.filter(~Exists(referring))
    return rows


def sweep(batch: int = BATCH, pause_s: float = PAUSE_S, budget_s: float = BUDGET_S) -> dict[str, int]:
    """Clean every registered table, batch by batch with a pause between; returns how many rows went, by name.

    One table's trouble does not keep the others from being cleaned.
    """
    end = time.monotonic() + budget_s
    gone: dict[str, int] = {}
    for name, clean in _cleaners.items():
        try:
            gone[name] = _clean(clean, batch, pause_s, end)
        except Exception:
            logger.exception("retention.failed", table=name)
    if deleted := {name: count for name, count in gone.items() if count}:
        logger.info("retention.swept", deleted=deleted)
    return gone


def _clean(clean: Cleaner, batch: int, pause_s: float, end: float) -> int:
    total = count = _one_batch(clean, batch)
    while count == batch and time.monotonic() < end:
        time.sleep(pause_s)
        count = _one_batch(clean, batch)
        total += count
    return total


def _one_batch(clean: Cleaner, batch: int) -> int:
    with borrowed():
        return clean(batch)
