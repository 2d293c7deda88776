"""The versions of a persona's prompt: listed, compared, brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from personas.models import Persona, PromptVersion
from personas.prompt_versions import differences, number_prompt, restore
from worktool_ai.accounts.models import User

__all__ = ["PersonaForm", "PromptVersionsMixin"]

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object


class PersonaForm(forms.ModelForm):  # type: ignore[type-arg]
    """A persona, and why its prompt was changed: kept with the version that the change makes."""

    version_note = forms.CharField(
        label=_("Note on this change"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("A changed prompt, temperature or length becomes a new version; this note is kept with it."),
    )

    class Meta:
        model = Persona
        fields = (
            "name",
            "slug",
            "role_type",
            "scenes",
            "description",
            "is_active",
            "system_prompt",
            "temperature",
            "max_tokens",
            "history_tokens",
            "model",
            "capabilities",
        )


class PromptVersionsMixin(Base):
    """Numbers each change of a persona's prompt, and gives the persona a page of its versions."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        number_prompt(obj, _person(request), form.cleaned_data.get("version_note", ""))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/versions/", view(self.versions_view), name="personas_persona_versions"),
            path("<uuid:pk>/versions/restore/", view(self.restore_view), name="personas_persona_restore"),
        ]
        return [*own, *super().get_urls()]

    def versions_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """List the versions; with ``old`` and ``new`` (numbers) compare two of them, else the latest two."""
        persona = self._persona(request, pk)
        versions = list(persona.versions.order_by("-number"))
        new = _chosen(versions, request.GET.get("new")) or (versions[0] if versions else None)
        before = [version for version in versions if new and version.number < new.number]
        old = _chosen(versions, request.GET.get("old")) or (before[0] if before else new)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Prompt versions of %(name)s") % {"name": persona.name},
            "persona": persona,
            "versions": versions,
            "old": old,
            "new": new,
            "lines": differences(old.system_prompt, new.system_prompt) if old and new else [],
            "may_restore": self.has_change_permission(request, persona),
        }
        return TemplateResponse(request, "personas/versions.html", context)

    def restore_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        persona = self._persona(request, pk)
        if request.method != "POST" or not self.has_change_permission(request, persona):
            raise PermissionDenied
        version = _chosen(list(persona.versions.all()), request.POST.get("number"))
        if version is None:
            raise Http404
        made = restore(version, _person(request), str(_("As version %(number)d") % {"number": version.number}))
        if made:
            text = _("Version %(number)d is in force now; it equals version %(old)d.")
            self.message_user(request, text % {"number": made.number, "old": version.number})
        else:
            self.message_user(request, _("The persona says just that already: nothing was changed."))
        return HttpResponseRedirect(reverse("admin:personas_persona_versions", args=[persona.pk]))

    def _persona(self, request: HttpRequest, pk: Any) -> Persona:
        persona: Persona | None = self.get_object(request, str(pk))
        if persona is None:
            raise Http404
        if not self.has_view_permission(request, persona):
            raise PermissionDenied
        return persona


def _chosen(versions: list[PromptVersion], number: str | None) -> PromptVersion | None:
    return next((version for version in versions if str(version.number) == number), None)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return request.user
