"""Planting seed rows once: what an operator edited or deleted is never planted again."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models, transaction

from worktool_ai.accounts.models import SeedMark

__all__ = ["plant"]


def plant(rows: Mapping[str, models.Model]) -> list[str]:
    """Insert the unsaved rows (of one model) whose keys were never planted here; returns the keys of those.

    A key is ``<kind>:<slug>``. A row whose unique field is already taken by one of an operator's own is left out.
    """
    with transaction.atomic():
        planted = set(SeedMark.objects.filter(key__in=rows).values_list("key", flat=True))
        fresh = {key: row for key, row in rows.items() if key not in planted}
        if not fresh:
            return []
        SeedMark.objects.bulk_create([SeedMark(key=key) for key in fresh], ignore_conflicts=True)
        manager = type(next(iter(fresh.values())))._default_manager
        manager.bulk_create(list(fresh.values()), ignore_conflicts=True)
    return list(fresh)
