"""The active templates in memory; the copy follows changes within two seconds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from templates_lib.file_kinds import StoredFile
from templates_lib.models import MessageTemplate, TemplateCategory
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.db import borrowed

__all__ = ["TemplateSnapshot", "clear", "templates", "templates_of"]


@dataclass(frozen=True, slots=True)
class TemplateSnapshot:
    """A template's row; ``category`` is the name that lines' topics are given. Shaped like ``library.Template``."""

    slug: str
    category: str
    name: str
    description: str
    body: str
    private_body: str
    variants: tuple[str, ...]
    persona_type: str
    intents: tuple[str, ...]
    file: StoredFile | None = None


def templates() -> tuple[TemplateSnapshot, ...]:
    """Return all active templates in the order of their categories and slugs."""
    return tuple(itertools.chain.from_iterable(_cache.get().values()))


def templates_of(category: str) -> Sequence[TemplateSnapshot]:
    """Return the active templates of a category (by its name) in the order of their slugs."""
    return _cache.get().get(category, ())


def clear() -> None:
    """Forget the copy, so that this process sees its own changes at once."""
    _cache.clear()


def _load() -> Mapping[str, Sequence[TemplateSnapshot]]:
    by_category: dict[str, list[TemplateSnapshot]] = {}
    with borrowed():
        rows = (
            MessageTemplate.objects.filter(is_active=True)
            .select_related("category", "attachment")
            .defer("attachment__content")
        )
        for row in rows.order_by("category__order", "slug"):
            by_category.setdefault(row.category.name, []).append(_snapshot(row))
    return by_category


def _snapshot(row: MessageTemplate) -> TemplateSnapshot:
    return TemplateSnapshot(
        slug=row.slug,
        category=row.category.name,
        name=row.name,
        description=row.description,
        body=row.body,
        private_body=row.private_body,
        variants=tuple(row.variants),
        persona_type=row.persona_type,
        intents=tuple(row.intents),
        file=row.file,
    )


_cache: VersionedCache[Mapping[str, Sequence[TemplateSnapshot]]] = VersionedCache(
    _load, MessageTemplate, TemplateCategory
)
