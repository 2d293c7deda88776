"""Models, personas, intents and the rules of the local model, as operators see them."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, models, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter

from personas import caches
from personas.hotpath import insert_ai_calls
from personas.models import (
    AICall,
    AIModel,
    AIModelHealthCheck,
    HealthStatus,
    Intent,
    IntentRule,
    Persona,
    PersonaMapping,
)
from personas.providers import registry
from personas.selection import Unusable, required_capability, why_unusable
from personas.service import AIService
from personas.trying import try_line
from personas.types import CallScope, HealthResult
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, ReadOnlyModelAdmin, display
from worktool_ai.lib import links
from worktool_ai.lib.admin_actions import RowAction, RowActionsMixin
from worktool_ai.lib.admin_fields import ArrayInputsMixin
from worktool_ai.lib.config_admin import PluginConfigAdminMixin

REASONS: dict[Unusable, Any] = {
    "no_model": _("no model is chosen"),
    "inactive": _("the model is switched off"),
    "unknown_provider": _("the model's provider is not installed"),
    "not_capable": _("the model lacks the capability"),
    "no_key": _("the model has no API key"),
    "no_endpoint": _("the model has no endpoint"),
}


@admin.register(AIModel)
class AIModelAdmin(RowActionsMixin, PluginConfigAdminMixin, ArrayInputsMixin, AuditedModelAdmin):
    """A model of a vendor. Its key is never shown again; the button asks it one real question."""

    plugin_registry = registry
    plugin_kind_field = "provider"
    list_display = ("name", "provider", "model_id", "is_active", "shown_health", "note", "updated_at")
    list_filter = ("provider", "is_active")
    search_fields = ("name", "model_id", "note")
    formfield_overrides: ClassVar[Any] = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = (
        (None, {"fields": ("name", "provider", "model_id", "model_type", "is_active", "note")}),
        (_("Access"), {"fields": ("api_endpoint", "api_key")}),
        (_("What it is used for"), {"fields": ("capabilities",)}),
        (_("Configuration"), {"fields": ("config",)}),
    )
    row_actions = (RowAction("test", _("Test now with a real question"), "network_ping"),)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("health_checks")

    @display(
        description=_("last test"),
        label={"healthy": "success", "degraded": "warning", "down": "danger", "none": "info"},
    )
    def shown_health(self, model: AIModel) -> tuple[str, Any]:
        latest = next(iter(model.health_checks.all()), None)
        if latest is None:
            return "none", _("never tested")
        return latest.status, f"{latest.get_status_display()} · {latest.response_time} ms"

    def test(self, request: HttpRequest, model: AIModel, _inputs: dict[str, Any]) -> None:
        service = AIService(CallScope(node_id="admin"))
        result = service.health_check(caches.model_snapshot(model))
        with transaction.atomic(), connection.cursor() as cursor:
            insert_ai_calls(cursor, service.scope.calls)
            _store_health(model, result)
        if result.ok:
            text = _("It answered after %(ms)d ms: %(answer)s") % {"ms": result.duration_ms, "answer": result.answer}
            self.message_user(request, text)
        else:
            text = _("No usable answer (%(kind)s): %(error)s") % {"kind": result.error_kind, "error": result.error}
            self.message_user(request, text, messages.ERROR)


def _store_health(model: AIModel, result: HealthResult) -> None:
    AIModelHealthCheck.objects.create(
        model=model,
        status=HealthStatus.HEALTHY if result.ok else HealthStatus.DOWN,
        response_time=result.duration_ms,
        error_message=result.error,
    )


@admin.register(AIModelHealthCheck)
class AIModelHealthCheckAdmin(ReadOnlyModelAdmin):
    list_display = ("checked_at", "model", "status", "response_time", "error_message")
    list_filter = ("model", "status")


@admin.register(Persona)
class PersonaAdmin(ArrayInputsMixin, AuditedModelAdmin):
    list_display = ("name", "role_type", "scenes", "model", "shown_voice", "is_active")
    list_filter = ("role_type", "is_active")
    list_select_related = ("model",)
    search_fields = ("name", "slug", "scenes", "system_prompt")
    readonly_fields = ("shown_voice",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "role_type", "scenes", "description", "is_active")}),
        (_("Voice"), {"fields": ("system_prompt", ("temperature", "max_tokens"))}),
        (_("Model"), {"fields": ("model", "shown_voice", "capabilities")}),
    )

    @display(description=_("answers now"))
    def shown_voice(self, persona: Persona) -> str:
        """Say who answers at the moment, and why it is not the persona's model."""
        model = caches.model_snapshot(persona.model) if persona.model else None
        reason = why_unusable(model, required_capability("reply", persona.role_type))
        if reason:
            return str(_("Answering locally: %(reason)s") % {"reason": REASONS[reason]})
        return model.name if model else ""


@admin.register(PersonaMapping)
class PersonaMappingAdmin(AuditedModelAdmin):
    list_display = ("word", "role_type")
    search_fields = ("word",)


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


@admin.register(AICall)
class AICallAdmin(ReadOnlyModelAdmin):
    """Every call to a model, also the failed ones, with what was asked and answered."""

    list_display = ("created_at", "task", "shown_model", "persona", "shown_outcome", "duration_ms", "shown_tokens")
    list_filter = (("created_at", RangeDateTimeFilter), "task", "provider", "succeeded", "error_kind")
    list_filter_submit = True
    list_select_related = ("persona", "model")
    search_fields = ("run_id", "message_id", "conversation_id", "model_name", "error")
    search_help_text = _("Id of a run, message or conversation, name of a model, or words of an error")
    show_full_result_count = False
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("created_at", "task", "provider", "model", "model_name", "persona", "attempt")}),
        (
            _("Outcome"),
            {
                "fields": (
                    "succeeded",
                    "error_kind",
                    "error",
                    "duration_ms",
                    "prompt_tokens",
                    "completion_tokens",
                    "cost",
                )
            },
        ),
        (
            _("Whose call"),
            {"fields": ("run_id", "node_id", "message_id", "conversation_id", "robot_id", "shown_links")},
        ),
        (_("Asked and answered"), {"fields": ("shown_request", "shown_response")}),
    )

    @display(description=_("model"))
    def shown_model(self, call: AICall) -> str:
        return call.model_name or call.provider

    @display(description=_("outcome"), label={"ok": "success", "failed": "danger"})
    def shown_outcome(self, call: AICall) -> tuple[str, Any]:
        return ("ok", _("ok")) if call.succeeded else ("failed", call.error_kind or _("failed"))

    @display(description=_("tokens"))
    def shown_tokens(self, call: AICall) -> str:
        return f"{_or_dash(call.prompt_tokens)} + {_or_dash(call.completion_tokens)}"

    @display(description=_("links"))
    def shown_links(self, call: AICall) -> SafeString:
        found = ((address, title) for title, address in links.for_row(call))
        return format_html_join(" · ", '<a href="{}">{}</a>', found)

    @display(description=_("request"))
    def shown_request(self, call: AICall) -> SafeString:
        return _json(call.request)

    @display(description=_("response"))
    def shown_response(self, call: AICall) -> SafeString:
        return _json(call.response)


def _or_dash(value: int | None) -> str:
    return "—" if value is None else str(value)


def _json(document: Any) -> SafeString:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)
