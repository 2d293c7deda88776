"""Commands and their results: what was told to the phones, and what they said about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action

from robots.admin.colours import STATE_COLOURS
from robots.admin.common import (
    ChoicesDropdownFilter,
    IdSearchMixin,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    linked_rows,
    shown_json,
)
from robots.admin.error_codes import ErrorCodesView
from robots.admin.recalls import RecallMixin
from robots.error_codes import describe
from robots.models import Command, CommandResult, CommandState
from robots.outbox_claim import HOLD_UNKNOWN
from robots.testimony import facts
from robots.wording import cancelling, error_of
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.lib import clock
from worktool_ai.lib.text import shorten


class NeedsAPersonFilter(DropdownFilter):  # type: ignore[misc]
    """What no rule decides any more, and what did not work."""

    title = _("needs a person")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("unknown", _("unknown for over two minutes")), ("failed", _("failed or not accepted"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Command]) -> QuerySet[Command]:
        if self.value() == "unknown":
            return queryset.filter(state=CommandState.UNKNOWN, sending_at__lt=clock.now() - HOLD_UNKNOWN)
        if self.value() == "failed":
            not_repeated = Q(state=CommandState.NOT_ACCEPTED, resent_as=None)
            return queryset.filter(Q(state__in=(CommandState.FAILED, CommandState.PARTIAL)) | not_repeated)
        return queryset


@admin.register(Command)
class CommandAdmin(RecallMixin, IdSearchMixin, ReadOnlyModelAdmin):
    scope_path = "robot"
    actions_list: ClassVar[list[str]] = ["error_codes"]
    uuid_fields = ("id", "run_id", "message_id", "resent_as_id")
    list_display = ("created_at", "robot", "target", "shown_line", "shown_state", "priority", "attempts", "platform_id")
    list_filter = (
        NeedsAPersonFilter,
        ("state", ChoicesDropdownFilter),
        ("robot", RelatedDropdownFilter),
        "priority",
        "kind",
        ("created_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    search_fields = ("platform_id__exact", "target", "text")
    search_help_text = _("sendId, the platform's messageId, a run's id, a target, or words of the text.")
    list_select_related = ("robot", "conversation", "cancellation", "recall")
    fields = (
        *("id", "platform_id", "robot", "room", "target", "kind", "text", "shown_payload", "priority", "shown_state"),
        *("shown_error", "attempts", "created_at", "not_before", "expires_at", "sending_at", "sender", "accepted_at"),
        *("final_at", "reworded", "covered_by", "resent_as", "cancels", "requested_by", "shown_cancelling"),
        *("recalls", "shown_recall"),
        *("decision", "decided_by", "decided_at", "shown_results", "shown_evidence", "further"),
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("error-codes/", "robots_error_codes", ErrorCodesView.as_view(model_admin=self)),)

    @action(description=_("Error codes"), icon="menu_book", permissions=["view"])
    def error_codes(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:robots_error_codes"))

    def recallable(self, request: HttpRequest, object_id: str) -> Command | None:
        found: Command | None = self.get_object(request, object_id)  # inside the person's scope
        return found

    @display(description=_("text"))
    def shown_line(self, command: Command) -> str:
        return shorten(command.text, 60) or "—"

    @display(description=_("state"), label=STATE_COLOURS, ordering="state")
    def shown_state(self, command: Command) -> tuple[str, str]:
        return command.state, command.get_state_display()

    @display(description=_("error"))
    def shown_error(self, command: Command) -> str:
        """The platform's words, and what an operator can do about them."""
        return error_of(command) or "—"

    @display(description=_("taking it back"))
    def shown_cancelling(self, command: Command) -> SafeString | str:
        """Who wanted it back, how that ended, and the control command that did it."""
        told = cancelling(command)
        control = getattr(command, "cancellation", None)
        if control is None:
            return told or "—"
        return format_html('{} <a href="{}">305</a>', told, reverse("admin:robots_command_change", args=[control.pk]))

    @display(description=_("payload"))
    def shown_payload(self, command: Command) -> SafeString:
        return shown_json(command.payload)

    @display(description=_("results"))
    def shown_results(self, command: Command) -> SafeString:
        return shown_json([result.raw for result in command.results.order_by("received_at")[:20]])

    @display(description=_("evidence for and against"))
    def shown_evidence(self, command: Command) -> SafeString | str:
        if command.state == CommandState.UNKNOWN or command.evidence:
            return format_html_join("", "<p>{}</p>", ((line,) for line in facts(command)))
        return "—"

    @display(description=_("see also"))
    def further(self, command: Command) -> SafeString | str:
        return linked_rows(command)


class OrphanFilter(DropdownFilter):  # type: ignore[misc]
    title = _("whose it is")
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("nobody", _("of no command of ours"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CommandResult]) -> QuerySet[CommandResult]:
        if self.value() != "nobody":
            return queryset
        # younger ones may still find their command
        return queryset.filter(command=None, received_at__lt=clock.now() - timedelta(minutes=2))


@admin.register(CommandResult)
class CommandResultAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    scope_path = "robot"
    uuid_fields = ("id", "command_id")
    list_display = ("received_at", "robot", "command", "shown_outcome", "fail_list", "time_cost", "platform_id")
    list_filter = (OrphanFilter, ("robot", RelatedDropdownFilter), "error_code", ("received_at", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("platform_id__exact", "inner_id__exact")
    search_help_text = _("sendId or the platform's messageId.")
    list_select_related = ("robot", "command")
    fields = (
        *("received_at", "robot", "command", "platform_id", "inner_id", "kind", "shown_outcome", "error_reason"),
        *("success_list", "fail_list", "run_time", "time_cost", "shown_raw"),
    )

    @display(description=_("outcome"), label={"ok": "success", "partial": "warning", "failed": "danger"})
    def shown_outcome(self, result: CommandResult) -> tuple[str, str]:
        known = describe(result.error_code)
        state = "ok" if known.counts_as_done else "failed"
        if result.fail_list and (state == "ok" or result.success_list):
            state = "partial"
        return state, f"{result.error_code} {known.meaning}"

    @display(description=_("raw"))
    def shown_raw(self, result: CommandResult) -> SafeString:
        return shown_json(result.raw)
