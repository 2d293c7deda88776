"""Plants the categories and templates of the library's files."""

from __future__ import annotations

from templates_lib import caches
from templates_lib.library import Category, Template, load_library
from templates_lib.models import MessageTemplate, TemplateCategory
from worktool_ai.accounts.seeding import plant

__all__ = ["seed"]


def seed() -> int:
    """Plant what was never planted here; returns how many rows that were."""
    library = load_library()
    planted = plant({f"category:{category.name}": _category(category) for category in library.categories})
    categories = {row.name: row for row in TemplateCategory.objects.all()}
    # a category that an operator renamed or deleted takes its unplanted templates along
    templates = [template for template in library.templates if template.category in categories]
    planted += plant({f"template:{t.slug}": _template(t, categories[t.category]) for t in templates})
    caches.clear()
    return len(planted)


def _category(category: Category) -> TemplateCategory:
    return TemplateCategory(
        name=category.name,
        description=category.description,
        order=category.order,
        planned_count=category.planned_count,
    )


def _template(template: Template, category: TemplateCategory) -> MessageTemplate:
    return MessageTemplate(
        slug=template.slug,
        category=category,
        name=template.name,
        description=template.description,
        body=template.body,
        private_body=template.private_body,
        variants=list(template.variants),
        variables=[variable.model_dump() for variable in template.variables],
        persona_type=template.persona_type,
        intents=list(template.intents),
        is_active=template.active,
    )
