"""Personas with who answers for them now, and which persona type serves which robot."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from personas import caches
from personas.admin.playground import PlaygroundMixin
from personas.admin.versions import PersonaForm, PromptVersionsMixin
from personas.models import Persona, PersonaMapping
from personas.resilience.hops import HopReason
from personas.selection import required_capability, why_unusable
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, display
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.lib.admin_fields import ArrayInputsMixin

REASONS: dict[HopReason, Any] = {
    "no_model": _("no model is chosen"),
    "inactive": _("the model is switched off"),
    "unknown_provider": _("the model's provider is not installed"),
    "not_capable": _("the model lacks the capability"),
    "no_key": _("the model has no API key"),
    "no_endpoint": _("the model has no endpoint"),
}


@admin.register(Persona)
class PersonaAdmin(PlaygroundMixin, PromptVersionsMixin, ArrayInputsMixin, AuditedModelAdmin):
    form = PersonaForm
    change_form_outer_before_template = "personas/persona_links.html"
    list_display = ("name", "role_type", "scenes", "model", "shown_voice", "is_active")
    list_filter = ("role_type", "is_active")
    list_select_related = ("model",)
    search_fields = ("name", "slug", "scenes", "system_prompt")
    readonly_fields = ("shown_voice",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "role_type", "scenes", "description", "is_active")}),
        (_("Voice"), {"fields": ("system_prompt", ("temperature", "max_tokens", "history_tokens"), "version_note")}),
        (_("Model"), {"fields": ("model", "shown_voice", "capabilities")}),
    )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_try": may(request.user, Ability.TRY_PROMPTS)}
        return super().changeform_view(request, object_id, form_url, context)

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
