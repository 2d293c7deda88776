"""What stands between the door and the stored line: the inbox, and callbacks that could not be processed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from robots import services
from robots.admin.common import IdSearchMixin, RangeDateTimeFilter, RelatedDropdownFilter, person
from robots.door.raw_bodies import masked
from robots.letters import forecasts
from robots.models import DeadLetter, InboxEntry
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.lib.text import shorten

#: Letters that are shown, and handled again, at once.
MOST = 200


class RedrivenFilter(DropdownFilter):  # type: ignore[misc]
    title = _("handled again")
    parameter_name = "redriven"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("not yet")), ("yes", _("yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        if self.value() in ("yes", "no"):
            return queryset.filter(redriven_at__isnull=self.value() == "no")
        return queryset


@admin.register(DeadLetter)
class DeadLetterAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    scope_path = "robot"
    list_display = ("created_at", "kind", "robot", "shown_error", "attempts", "redriven_at")
    list_filter = (RedrivenFilter, "kind", ("robot", RelatedDropdownFilter), ("created_at", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("error",)
    list_select_related = ("robot",)
    actions: ClassVar[list[str]] = ["redrive"]
    fields = (
        *("id", "kind", "robot", "received_at", "created_at", "attempts", "redriven_at"),
        *("error", "content_type", "shown_body"),
    )

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("robots.change_deadletter")

    @display(description=_("error"))
    def shown_error(self, letter: DeadLetter) -> str:
        return shorten(letter.error, 120)

    @display(description=_("body"))
    def shown_body(self, letter: DeadLetter) -> SafeString:
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', masked(bytes(letter.body)))

    @admin.action(description=_("Handle again"), permissions=["redrive"])
    def redrive(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> HttpResponse | None:
        """Say first what will happen to each; once confirmed, hand the letters to the consumer once more."""
        if "confirmed" not in request.POST:
            return self._preview(request, letters)
        self._hand_over(request, letters)
        return None

    def _preview(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> HttpResponse:
        found = forecasts(letters.order_by("received_at")[:MOST])
        context = {
            **self.admin_site.each_context(request),
            "title": _("Handle again"),
            "forecasts": found,
            "changing": sum(forecast.changes_something for forecast in found),
        }
        return TemplateResponse(request, "admin/robots/redrive.html", context)

    def _hand_over(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        outcomes = [services.redrive(letter.pk, person(request), request) for letter in letters]
        if handed := sum(outcomes):
            self.message_user(request, _("%(count)d callbacks are handled again now.") % {"count": handed})
        if lost := len(outcomes) - handed:
            text = _("%(count)d belong to no robot of ours and stay here.") % {"count": lost}
            self.message_user(request, text, messages.WARNING)


@admin.register(InboxEntry)
class InboxEntryAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    uuid_fields = ("id", "robot_id")
    list_display = ("received_at", "kind", "robot_id", "partition")
    list_filter = ("kind", "partition")
    fields = ("id", "kind", "robot_id", "partition", "content_type", "received_at", "shown_body")

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxEntry]:
        rows: QuerySet[InboxEntry] = super().get_queryset(request)
        return rows.defer("body")

    @display(description=_("body"))
    def shown_body(self, entry: InboxEntry) -> SafeString:
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', masked(bytes(entry.body)))
