"""Intents, and the rules by which the local model recognises them, with a box to try a sentence."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from personas import caches
from personas.models import Intent, IntentRule
from personas.trying import try_line
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, display
from worktool_ai.lib.admin_fields import ArrayInputsMixin


@admin.register(Intent)
class IntentAdmin(AuditedModelAdmin):
    list_display = ("name", "key", "needs_human", "order", "is_active")
    search_fields = ("name", "key", "description")

    def get_readonly_fields(self, request: HttpRequest, obj: Intent | None = None) -> Any:
        return ("key",) if obj else ()


class IntentRuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses phrases and patterns that the recogniser could not search for."""

    class Meta:
        model = IntentRule
        fields = (
            "slug",
            "intent",
            "topic",
            "weight",
            "is_active",
            "phrases",
            "patterns",
            "excludes",
            "note",
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                caches.rule_of(IntentRule(**cleaned))
            except ValueError as error:
                raise ValidationError(str(error)) from None
        return cleaned


@admin.register(IntentRule)
class IntentRuleAdmin(ArrayInputsMixin, AuditedModelAdmin):
    """Rules by which the local model recognises intents, with a box to try a sentence on all of them."""

    form = IntentRuleForm
    list_before_template = "personas/try_box.html"
    list_display = ("slug", "intent", "topic", "weight", "shown_phrases", "is_active")
    list_filter = ("intent", "topic", "is_active")
    list_select_related = ("intent", "topic")
    search_fields = ("slug", "phrases", "patterns", "note")

    @display(description=_("phrases"))
    def shown_phrases(self, rule: IntentRule) -> str:
        return "、".join(rule.phrases[:8])

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.try_view)
        return [path("try/", view, name="personas_intentrule_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the rules in force make of a sentence, and what would be answered. Changes nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        text = request.GET.get("text", "").strip()[:500]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Try a sentence"),
            "text": text,
            "tried": try_line(text) if text else None,
        }
        return TemplateResponse(request, "personas/try.html", context)
