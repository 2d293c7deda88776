"""Outages and what was fetched for them; questions that nobody has answered."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from robots import questions
from robots.admin.colours import LINE_COLOURS
from robots.admin.common import (
    ChoicesDropdownFilter,
    IdSearchMixin,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    back_to,
    confirm,
    linked_rows,
    person,
)
from robots.models import CallbackGap, GapState, OpenQuestion
from robots.recovery import gaps
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.lib import clock
from worktool_ai.lib.text import shorten


class GapForm(forms.ModelForm):  # type: ignore[type-arg]
    """What somebody wants to have looked at again."""

    class Meta:
        model = CallbackGap
        fields = ("robot", "since", "until")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        since, until = values.get("since"), values.get("until")
        if since and until and not since < until <= clock.now():
            raise ValidationError({"until": _("The end must lie after the beginning, and not in the future.")})
        if since and until and until - since > gaps.LONGEST:
            raise ValidationError({"since": _("At most three days can be looked at once.")})
        return values


@admin.register(CallbackGap)
class CallbackGapAdmin(ReadOnlyModelAdmin):
    scope_path = "robot"
    form = GapForm
    list_display = (
        *("created_at", "robot", "cause", "since", "until", "shown_state"),
        *("found", "taken_in", "looks", "attempts", "shown_error"),
    )
    list_filter = (
        *("state", "cause"),
        ("robot", RelatedDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("robot",)
    actions_detail: ClassVar[list[str]] = ["look_again"]
    #: What is shown of an outage; of a new one its robot and its times are asked.
    shown = (
        *("robot", "cause", "since", "until", "shown_state", "found", "taken_in"),
        *("looks", "attempts", "shown_error", "due_at", "created_at", "ended_at"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("robots.add_callbackgap"))

    def has_look_again_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown if obj else ("robot", "since", "until")

    @display(
        description=_("state"),
        label={GapState.OPEN: "info", GapState.DONE: "success", GapState.GAVE_UP: "danger"},
        ordering="state",
    )
    def shown_state(self, gap: CallbackGap) -> tuple[str, str]:
        return gap.state, gap.get_state_display()

    @display(description=_("last problem"))
    def shown_error(self, gap: CallbackGap) -> str:
        return gettext(gap.error) if gap.error else "—"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Hand a new one to the service: the same span may be known already."""
        obj.pk = gaps.ask(obj.robot, obj.since, obj.until, person(request), request).pk

    @action(
        description=_("Look again"),
        icon="manage_search",
        permissions=["look_again"],
        dialog=confirm(
            _("Read the platform's log for this time again?"),
            _("What is stored already stays as it is; lines that are missing are taken in."),
        ),
    )
    def look_again(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        gap: CallbackGap | None = self.get_object(request, object_id)  # inside the person's scope
        if gap is None:
            raise Http404
        asked = gaps.ask(gap.robot, gap.since, gap.until, person(request), request)
        return back_to(request, asked, _("The log is being read; this page tells what was found."))


@admin.register(OpenQuestion)
class OpenQuestionAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    """Listed until somebody settles them or the customer is answered."""

    scope_path = "robot"
    list_display = (
        *("received_at", "robot", "room", "sender_name", "shown_line"),
        *("shown_reason", "is_backfill", "conversation_page"),
    )
    list_filter = (
        ("received_at", RangeDateTimeFilter),
        ("robot", RelatedDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        "is_backfill",
    )
    list_filter_submit = True
    search_fields = ("text", "sender_name", "room__name", "room__remark")
    list_select_related = ("robot", "room")
    ordering = ("-received_at", "-id")
    actions: ClassVar[list[str]] = ["settle"]
    fields = (
        *("received_at", "robot", "room", "conversation_page", "sender_name", "text"),
        *("shown_reason", "is_backfill", "settled_at", "further"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OpenQuestion]:
        rows: QuerySet[OpenQuestion] = super().get_queryset(request)
        return rows & questions.open_questions()

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("robots.change_openquestion"))

    @display(description=_("text"))
    def shown_line(self, line: OpenQuestion) -> str:
        return shorten(line.shown_text, 80) or "—"

    @display(description=_("state"), label=LINE_COLOURS, ordering="reason")
    def shown_reason(self, line: OpenQuestion) -> tuple[str, Any]:
        return line.reason, line.get_reason_display()

    @display(description=_("conversation"))
    def conversation_page(self, line: OpenQuestion) -> SafeString:
        address = reverse("admin:robots_conversation_change", args=[line.conversation_id])
        return format_html('<a href="{}">{}</a>', address, _("Open conversation"))

    @display(description=_("see also"))
    def further(self, line: OpenQuestion) -> SafeString | str:
        return linked_rows(line)

    @admin.action(description=_("Settled by a person"), permissions=["settle"])
    def settle(self, request: HttpRequest, lines: QuerySet[OpenQuestion]) -> None:
        """Somebody has answered, or there is nothing to answer any more."""
        chosen = lines.values_list("pk", flat=True)
        count = questions.close(chosen, person(request), request)
        self.message_user(request, _("%(count)d questions are settled.") % {"count": count}, messages.SUCCESS)
