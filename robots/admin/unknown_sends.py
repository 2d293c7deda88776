"""Sends whose end nobody knows: the evidence in words, and a person's decision."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from robots import unknown_sends
from robots.admin.common import IdSearchMixin, RelatedDropdownFilter, confirm, linked_rows, person
from robots.models import Command, UnknownSend
from robots.testimony import facts, summary
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.lib.text import shorten


@admin.register(UnknownSend)
class UnknownSendAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    """Listed until somebody decides, the platform is found to have it, or the deadline passes."""

    scope_path = "robot"
    list_display = ("sending_at", "robot", "target", "shown_line", "shown_summary", "shown_deadline")
    list_filter = (("robot", RelatedDropdownFilter), "kind")
    search_fields = ("target", "text")
    list_select_related = ("robot", "room")
    ordering = ("sending_at",)
    actions_detail: ClassVar[list[str]] = ["confirm_sent", "resend"]
    fields = (
        *("robot", "room", "target", "kind", "text", "sending_at", "shown_summary", "shown_testimony"),
        *("shown_refusal", "shown_deadline", "further"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[UnknownSend]:
        rows: QuerySet[UnknownSend] = super().get_queryset(request)
        return rows & unknown_sends.unknown_sends()

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("robots.change_unknownsend")

    @display(description=_("text"))
    def shown_line(self, command: UnknownSend) -> str:
        return shorten(command.text, 60) or "—"

    @display(description=_("evidence"))
    def shown_summary(self, command: UnknownSend) -> str:
        return summary(command)

    @display(description=_("evidence for and against"))
    def shown_testimony(self, command: UnknownSend) -> SafeString:
        return format_html_join("", "<p>{}</p>", ((line,) for line in facts(command)))

    @display(description=_("sending again"))
    def shown_refusal(self, command: UnknownSend) -> str:
        return unknown_sends.why_not_resent(command) or str(_("allowed"))

    @display(description=_("to be decided until"), ordering="sending_at")
    def shown_deadline(self, command: UnknownSend) -> str:
        until = localtime((command.sending_at or command.created_at) + unknown_sends.DECIDE_WITHIN)
        return f"{until:%m-%d %H:%M}"

    @display(description=_("see also"))
    def further(self, command: UnknownSend) -> SafeString | str:
        return linked_rows(command)

    @action(
        description=_("It was sent"),
        icon="check",
        permissions=["decide"],
        dialog=confirm(
            _("Have you seen this line in the room?"),
            _("It counts as sent from now on, and is not sent again."),
        ),
    )
    def confirm_sent(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, unknown_sends.confirm_sent, _("Noted: it was sent."))

    @action(
        description=_("Send it again"),
        icon="send",
        permissions=["decide"],
        dialog=confirm(
            _("Is this line missing in the room?"),
            _("It is said once more, behind what is queued there. If it was sent after all, people read it twice."),
        ),
    )
    def resend(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, unknown_sends.resend, _("It is queued once more."))

    def _decide(self, request: HttpRequest, object_id: str, decide: Any, told: Any) -> HttpResponse:
        command: Command | None = self.get_object(request, object_id)  # inside the person's scope
        if command is None:
            raise Http404
        try:
            decide(command.pk, person(request), request)
            messages.success(request, str(told))
        except unknown_sends.Refused as refused:
            messages.error(request, str(refused))
        listing = reverse("admin:robots_unknownsend_changelist")
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": listing})
        return HttpResponseRedirect(listing)
