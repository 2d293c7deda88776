"""The active templates in memory; the copy follows changes within two seconds."""

from __future__ import annotations

from dataclasses import dataclass

from templates_lib.file_kinds import StoredFile
from templates_lib.models import MessageTemplate, TemplateCategory
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.db import borrowed

__all__ = ["TemplateSnapshot", "clear", "templates"]


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
    return _cache.get()


def clear() -> None:
    """Forget the copy, so that this process sees its own changes at once."""
    _cache.clear()


def _load() -> tuple[TemplateSnapshot, ...]:
    with borrowed():
        rows = (
            MessageTemplate.objects.filter(is_active=True)
            .select_related("category", "attachment")
            .defer("attachment__content")
        )
        return tuple(_snapshot(row) for row in rows.order_by("category__order", "slug"))


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


_cache: VersionedCache[tuple[TemplateSnapshot, ...]] = VersionedCache(_load, MessageTemplate, TemplateCategory)
