"""Templates and their categories, as operators see them: what is written, and how it will read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from templates_lib.models import MessageTemplate, TemplateCategory
from templates_lib.services import check_texts, preview, variables_for
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, display
from worktool_ai.lib.admin_fields import ArrayInputsMixin, BlocksField
from worktool_ai.lib.text import shorten


@admin.register(TemplateCategory)
class TemplateCategoryAdmin(AuditedModelAdmin):
    list_display = ("name", "description", "shown_count", "planned_count", "order")
    search_fields = ("name", "description")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(active_templates=Count("templates", filter=Q(templates__is_active=True)))
        return counted

    @display(description=_("active templates"), ordering="active_templates")
    def shown_count(self, category: Any) -> int:
        return int(category.active_templates)


class MessageTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses unknown variables and words that customers never hear; notes which variables are used."""

    variants = BlocksField(
        required=False,
        label=_("Variants"),
        help_text=_("Other wordings, with a line of --- between two. One is drawn for each answer."),
    )

    class Meta:
        model = MessageTemplate
        fields = (
            "slug",
            "category",
            "name",
            "description",
            "body",
            "private_body",
            "variants",
            "persona_type",
            "intents",
            "is_active",
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        texts = {
            "body": [cleaned.get("body", "")],
            "private_body": [cleaned.get("private_body", "")],
            "variants": cleaned.get("variants") or [],
        }
        for field, problem in check_texts(texts).items():
            self.add_error(field, problem)
        self.instance.variables = variables_for([text for written in texts.values() for text in written])
        return cleaned


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ArrayInputsMixin, AuditedModelAdmin):
    form = MessageTemplateForm
    list_display = ("name", "category", "shown_body", "persona_type", "is_active")
    list_filter = ("category", "persona_type", "is_active")
    list_select_related = ("category",)
    search_fields = ("name", "slug", "description", "body", "private_body")
    readonly_fields = ("shown_preview", "shown_variables")
    fieldsets = (
        (None, {"fields": ("name", "slug", "category", "description", "is_active")}),
        (_("Text"), {"fields": ("body", "private_body", "variants", "shown_variables")}),
        (_("How it reads"), {"fields": ("shown_preview",)}),
        (_("When it fits"), {"fields": ("persona_type", "intents")}),
    )

    @display(description=_("text"))
    def shown_body(self, template: MessageTemplate) -> str:
        return shorten(template.body, 60)

    @display(description=_("with examples"))
    def shown_preview(self, template: MessageTemplate) -> SafeString:
        texts = [template.body, template.private_body, *template.variants]
        return format_html_join(
            "", '<p class="mb-3" style="white-space: pre-wrap">{}</p>', ((preview(t),) for t in texts if t)
        )

    @display(description=_("variables"))
    def shown_variables(self, template: MessageTemplate) -> str:
        return "、".join(f"{{{{{variable['key']}}}}} ({variable['example']})" for variable in template.variables) or "—"
