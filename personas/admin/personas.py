"""Personas with who answers for them now, and which persona type serves which robot."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from personas.admin.playground import PlaygroundMixin
from personas.admin.versions import PersonaForm, PromptVersionsMixin
from personas.local_model import PROVIDER as LOCAL
from personas.models import Persona, PersonaFallback, PersonaMapping
from personas.refusals import PROBLEMS, refusals
from personas.voices import voice_of
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, display
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.lib.admin_fields import ArrayInputsMixin


class PersonaFallbackInline(TabularInline):  # type: ignore[misc]
    """Which models are asked after the persona's own one; the local model comes last by itself."""

    model = PersonaFallback
    extra = 0
    fields = ("order", "model", "capability")


@admin.register(Persona)
class PersonaAdmin(PlaygroundMixin, PromptVersionsMixin, ArrayInputsMixin, AuditedModelAdmin):
    form = PersonaForm
    change_form_outer_before_template = "personas/persona_links.html"
    list_display = ("name", "role_type", "scenes", "shown_chain", "shown_voice", "is_active")
    list_filter = ("role_type", "is_active")
    list_select_related = ("model",)
    search_fields = ("name", "slug", "scenes", "system_prompt")
    readonly_fields = ("shown_voice", "shown_chain", "shown_refusals")
    inlines = (PersonaFallbackInline,)
    fieldsets = (
        (None, {"fields": ("name", "slug", "role_type", "scenes", "description", "is_active")}),
        (_("Voice"), {"fields": ("system_prompt", ("temperature", "max_tokens"), "history_tokens", "version_note")}),
        (_("Model"), {"fields": ("model", "shown_voice", "shown_chain", "shown_refusals", "capabilities")}),
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

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("fallbacks__model")

    @display(description=_("answers now"))
    def shown_voice(self, persona: Persona) -> str:
        """Say who answers at the moment, and why it is not the persona's model."""
        return str(voice_of(persona.pk)) if not persona._state.adding and persona.is_active else "—"

    @display(description=_("order of models"))
    def shown_chain(self, persona: Persona) -> str:
        named = [
            f"{row.model}（{row.get_capability_display()}）" if row.capability else str(row.model)
            for row in persona.fallbacks.all()
            if row.model.provider != LOCAL
        ]
        own = [str(persona.model)] if persona.model and persona.model.provider != LOCAL else []
        return " → ".join([*own, *named, str(_("local model"))])

    @display(description=_("answers refused, last 7 days"))
    def shown_refusals(self, persona: Persona) -> str:
        """How many answers of its models were judged unfit to be sent, and what for."""
        answered, refused = refusals(persona)
        if not answered:
            return "—"
        total = _("%(refused)d of %(answered)d") % {"refused": sum(refused.values()), "answered": answered}
        named = (f"{PROBLEMS.get(code, code)} {count}" for code, count in refused.items())
        return " · ".join([str(total), *named])


@admin.register(PersonaMapping)
class PersonaMappingAdmin(AuditedModelAdmin):
    list_display = ("word", "role_type")
    search_fields = ("word",)
