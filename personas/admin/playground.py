"""The playground of a persona: one line, up to two ways to answer it, side by side. Nothing reaches a customer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from personas import caches
from personas.models import AIModel, Persona, PromptVersion
from personas.playground import Scene, Try, run_try
from personas.prompts import LINE_CHARS
from personas.providers import registry
from personas.types import ChatMessage
from worktool_ai.accounts.permissions import Ability, may

__all__ = ["PlaygroundMixin"]

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object

#: Choices of the two select boxes that are no row.
LOCAL, NONE, CURRENT, DRAFT = "local", "", "current", "draft"

_OURS = re.compile(r"^\s*(?:我们|我方|机器人|客服|us)\s*[:：]\s*", re.IGNORECASE)
_THEIRS = re.compile(r"^\s*(?:客户|用户|customer)\s*[:：]\s*", re.IGNORECASE)


class PlaygroundForm(forms.Form):
    """What is said, and who answers on the left and on the right; an empty right side compares nothing."""

    line = forms.CharField(
        label=_("What the customer says"), max_length=LINE_CHARS, widget=UnfoldAdminTextareaWidget({"rows": 2})
    )
    turns = forms.CharField(
        label=_("What was said before"),
        required=False,
        max_length=20_000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("One line each, oldest first. Begin our own answers with 我们: or us:"),
    )
    is_group = forms.BooleanField(
        label=_("Said in a group"), required=False, initial=True, widget=UnfoldBooleanSwitchWidget
    )
    left_model = forms.ChoiceField(label=_("Left: model"), widget=UnfoldAdminSelectWidget)
    left_prompt = forms.ChoiceField(label=_("Left: prompt"), widget=UnfoldAdminSelectWidget)
    right_model = forms.ChoiceField(label=_("Right: model"), required=False, widget=UnfoldAdminSelectWidget)
    right_prompt = forms.ChoiceField(label=_("Right: prompt"), widget=UnfoldAdminSelectWidget)
    draft = forms.CharField(
        label=_("Draft of the prompt"),
        required=False,
        max_length=20_000,
        widget=UnfoldAdminTextareaWidget({"rows": 8}),
        help_text=_("Only tried here; the persona is not changed."),
    )

    def __init__(self, persona: Persona, data: Any = None) -> None:
        super().__init__(data)
        self.persona = persona
        models = _model_choices()
        own = str(persona.model_id) if str(persona.model_id) in dict(models) else LOCAL
        prompts = [
            (CURRENT, _("as it is now")),
            *((str(v.number), f"v{v.number} {v.note}".strip()) for v in persona.versions.order_by("-number")),
            (DRAFT, _("the draft below")),
        ]
        for side, choices in (("left", models), ("right", [(NONE, _("— compare nothing —")), *models])):
            self.fields[f"{side}_model"].choices = choices  # type: ignore[attr-defined]
            self.fields[f"{side}_prompt"].choices = prompts  # type: ignore[attr-defined]
            self.fields[f"{side}_prompt"].initial = CURRENT
        self.fields["left_model"].initial = own
        self.fields["draft"].initial = persona.system_prompt

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        asks_draft = DRAFT in (cleaned.get("left_prompt"), cleaned.get("right_prompt"))
        if asks_draft and not cleaned.get("draft", "").strip():
            self.add_error("draft", _("Write the draft first, or choose another prompt."))
        return cleaned

    def scene(self) -> Scene:
        turns = tuple(_turn(line) for line in self.cleaned_data["turns"].splitlines() if line.strip())
        return Scene(self.cleaned_data["line"], turns, self.cleaned_data["is_group"])

    def wanted(self, side: str) -> Try | None:
        """Return what a side asks for, None for an empty one."""
        model, prompt = self.cleaned_data[f"{side}_model"], self.cleaned_data[f"{side}_prompt"]
        if model == NONE:
            return None
        numbered = None if prompt in (CURRENT, DRAFT) else self.persona.versions.get(number=prompt)
        latest = PromptVersion.latest([self.persona]).first()
        return Try(
            persona=caches.persona_snapshot(self.persona, latest),
            model_id=None if model == LOCAL else UUID(model),
            version=numbered,
            draft=self.cleaned_data["draft"] if prompt == DRAFT else "",
        )


class PlaygroundMixin(Base):
    """Gives a persona its playground: the page, and one request per side that answers with a piece of the page."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/playground/", view(self.playground_view), name="personas_persona_playground"),
            path("<uuid:pk>/playground/<str:side>/", view(self.try_view), name="personas_persona_try"),
        ]
        return [*own, *super().get_urls()]

    def playground_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        persona = self._tried_persona(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Playground of %(name)s") % {"name": persona.name},
            "persona": persona,
            "form": PlaygroundForm(persona),
        }
        return TemplateResponse(request, "personas/playground.html", context)

    def try_view(self, request: HttpRequest, pk: Any, side: str) -> HttpResponse:
        """Ask one side's model. A mistake in the form comes back as a piece of the page with 422."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if side not in ("left", "right"):
            raise Http404
        form = PlaygroundForm(self._tried_persona(request, pk), request.POST)
        if not form.is_valid():
            return TemplateResponse(request, "personas/playground_errors.html", {"form": form}, status=422)
        wanted = form.wanted(side)
        if wanted is None:
            return HttpResponse(status=204)
        outcome = run_try(wanted, form.scene())
        return TemplateResponse(request, "personas/playground_outcome.html", {"outcome": outcome, "wanted": wanted})

    def _tried_persona(self, request: HttpRequest, pk: Any) -> Persona:
        if not may(request.user, Ability.TRY_PROMPTS):
            raise PermissionDenied
        persona: Persona | None = self.get_object(request, str(pk))
        if persona is None:
            raise Http404
        return persona


def _model_choices() -> list[tuple[str, Any]]:
    """Every model that somebody could ask: active ones first, the local one always."""
    rows = AIModel.objects.order_by("-is_active", "name")
    remote = [row for row in rows if row.provider in registry and registry.get(row.provider).is_remote]
    named = [
        (str(row.pk), row.name if row.is_active else _("%(name)s (switched off)") % {"name": row.name})
        for row in remote
    ]
    return [*named, (LOCAL, _("Local answers (rules and templates)"))]


def _turn(line: str) -> ChatMessage:
    if _OURS.match(line):
        return ChatMessage("assistant", _OURS.sub("", line))
    return ChatMessage("user", _THEIRS.sub("", line))
