"""The box on a conversation's page: what was said, answering by hand, taking over and giving back beside it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from robots import answering, services, switches, talk
from robots.admin.colours import LINE_COLOURS
from robots.admin.common import person
from robots.answering import CannotAnswer, HandAnswer
from robots.models import Conversation, Owner
from templates_lib.file_kinds import KINDS, FileRefusedError
from templates_lib.files import examine
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.lib.ids import uuid7

__all__ = ["TalkMixin"]

MAX_TEXT = 2000
ACCEPTED = ",".join(kind.extension for kind in KINDS.values())


class AnswerForm(forms.Form):
    """What the box sends. ``send_id`` was minted with the box: pressing twice sends once."""

    text = forms.CharField(max_length=MAX_TEXT, required=False)
    file = forms.FileField(required=False)
    mention = forms.BooleanField(required=False)
    send_id = forms.UUIDField()

    def said(self) -> HandAnswer:
        """Return the answer; raises ``FileRefusedError``, or :class:`CannotAnswer` for nothing at all."""
        given = self.cleaned_data
        upload = examine(given["file"]) if given["file"] else None
        if not given["text"] and upload is None:
            raise CannotAnswer("text", gettext("There is nothing to send."), gettext("Send a text, a file, or both."))
        return HandAnswer(text=given["text"], upload=upload, mention=given["mention"], send_id=given["send_id"])


class TalkMixin:
    """Adds the box to a conversation's page. Without its script it works by loading the page again."""

    change_form_outer_before_template = "admin/robots/talk/box.html"

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("robots/connect.css", "robots/talk.css")}
        js: ClassVar[tuple[Script, ...]] = (Script("robots/talk.js", type="module"),)

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("<uuid:conversation_id>/talk/", "robots_conversation_talk", self.talk_lines),
            ("<uuid:conversation_id>/answer/", "robots_conversation_answer", self.talk_answer),
            ("<uuid:conversation_id>/owner/", "robots_conversation_owner", self.talk_owner),
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page: Any = super()
        found: Conversation | None = self.get_object(request, object_id)  # type: ignore[attr-defined]
        more = {} if found is None else {**_shown(request, found), **_box(request)}
        shown: HttpResponse = page.change_view(request, object_id, form_url, {**(extra_context or {}), **more})
        return shown

    def talk_lines(self, request: HttpRequest, conversation_id: UUID, **_theme: Any) -> HttpResponse:
        """The lines alone, as the script fetches them again and again."""
        context = _shown(request, self._in_scope(request, conversation_id))
        response = render(request, "admin/robots/talk/lines.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def talk_answer(self, request: HttpRequest, conversation_id: UUID, **_theme: Any) -> HttpResponse:
        """``POST``: queue what a person says."""
        row = self._to_change(request, conversation_id)
        if isinstance(row, HttpResponse):
            return row
        form = AnswerForm(request.POST, request.FILES)
        if not form.is_valid():
            problems = [str(problem) for found in form.errors.values() for problem in found]
            return _told(request, row, False, " ".join(problems))
        try:
            answering.answer(row.pk, form.said(), person(request), request)
        except CannotAnswer as refused:
            return _told(request, row, False, f"{refused.problem} {refused.way_out}")
        except FileRefusedError as refused:
            return _told(request, row, False, f"{gettext(refused.problem)} {gettext(refused.way_out)}")
        return _told(request, row, True, gettext("Queued. Above you see how far it has come."))

    def talk_owner(self, request: HttpRequest, conversation_id: UUID, **_theme: Any) -> HttpResponse:
        """``POST``: take over, or give back."""
        row = self._to_change(request, conversation_id)
        if isinstance(row, HttpResponse):
            return row
        if request.POST.get("owner") == Owner.HUMAN:
            services.take_over(row.pk, person(request), request)
            return _told(request, row, True, gettext("The robot is silent here until the conversation is given back."))
        services.give_back(row.pk, person(request), request)
        return _told(request, row, True, gettext("The robot answers here again."))

    def _in_scope(self, request: HttpRequest, conversation_id: UUID) -> Conversation:
        page: Any = self
        row: Conversation | None = page.get_object(request, str(conversation_id))
        if row is None:
            raise Http404
        if not page.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def _to_change(self, request: HttpRequest, conversation_id: UUID) -> Conversation | HttpResponse:
        row = self._in_scope(request, conversation_id)
        if not may(request.user, Ability.TAKE_OVER):
            raise PermissionDenied
        return row if request.method == "POST" else HttpResponseNotAllowed(["POST"])


def _shown(request: HttpRequest, row: Conversation) -> dict[str, Any]:
    return {
        "talk": row,
        "talk_lines": [(line, LINE_COLOURS.get(line.state or "open", "")) for line in talk.last_lines(row)],
        "talk_waits": talk.what_waits(row),
        "talk_stops": switches.in_force_for(row.robot, row.room),
        "talk_is_human": row.owner == Owner.HUMAN,
        "talk_may_answer": may(request.user, Ability.TAKE_OVER),
    }


def _box(request: HttpRequest) -> dict[str, Any]:
    return {"talk_send_id": uuid7(), "talk_max": MAX_TEXT, "talk_accept": ACCEPTED}


def _told(request: HttpRequest, row: Conversation, ok: bool, text: str) -> HttpResponse:
    """Say what became of a click: to the script as JSON, with an id for the next answer; else on the page."""
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"ok": ok, "text": text, "sendId": str(uuid7())})
    messages.add_message(request, messages.SUCCESS if ok else messages.ERROR, text)
    return HttpResponseRedirect(reverse("admin:robots_conversation_change", args=[row.pk]))
