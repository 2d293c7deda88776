"""The button that takes the robot's last line back, on a command's page and on a line's."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from robots import recalls
from robots.admin.common import back_to, confirm, person
from robots.models import Command
from robots.unknown_sends import Refused
from worktool_ai.accounts.admin_mixins import display

RECALL_COLOURS = {"recalled": "success", "under_way": "info", "too_late": "warning", "failed": "danger"}


class RecallMixin:
    """Adds the button ``recall`` and the column ``shown_recall``."""

    actions_detail: ClassVar[list[str]] = ["recall"]

    def recallable(self, request: HttpRequest, object_id: str) -> Command | None:
        """Return the page's command, inside the person's scope."""
        raise Http404

    def has_recall_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("robots.change_command")

    @action(
        description=_("Take the line back"),
        icon="undo",
        permissions=["recall"],
        dialog=confirm(
            _("Take this line back from the chat?"),
            _(
                "The phone looks for the robot's last line with these words and recalls it, within two minutes of it "
                "being said. Everybody in the room sees that something was recalled. It is tried once."
            ),
        ),
    )
    def recall(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        page: Any = self
        command = self.recallable(request, object_id)
        if command is None:
            raise Http404
        row = page.get_object(request, object_id)
        try:
            recalls.recall(command.pk, person(request), request)
        except Refused as refused:
            return back_to(request, row, refused, messages.ERROR)
        return back_to(request, row, _("The phone is told to take it back; this page shows how that ended."))

    @display(description=_("taking the line back"), label=RECALL_COLOURS)
    def shown_recall(self, row: Any) -> tuple[str, str]:
        command = row if isinstance(row, Command) else getattr(row, "command", None)
        outcome = recalls.outcome_of(command) if command else None
        return (outcome.value, str(outcome.label)) if outcome else ("", "—")
