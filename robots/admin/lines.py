"""Rooms, conversations and the lines said in them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from robots import services
from robots.admin.colours import LINE_COLOURS, OWNER_COLOURS
from robots.admin.common import (
    ChoicesDropdownFilter,
    IdSearchMixin,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    back_to,
    confirm,
    linked_rows,
    person,
    shown_json,
)
from robots.admin.pace import PaceMixin
from robots.admin.recalls import RecallMixin
from robots.admin.switches import StopMixin
from robots.admin.talk import TalkMixin
from robots.models import Command, Conversation, Direction, Media, Message, Room
from robots.waiting import why_waiting
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.lib.text import shorten


class OwnerActionsMixin:
    """Taking over and giving back, as buttons that first say what will happen."""

    actions_detail: ClassVar[list[str]] = ["take_over", "give_back"]

    def owned(self, request: HttpRequest, object_id: str) -> Conversation | None:
        """Return the conversation of the page, inside the person's scope."""
        raise Http404

    def has_change_owner_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("robots.change_conversation")

    @action(
        description=_("Take over"),
        icon="front_hand",
        permissions=["change_owner"],
        dialog=confirm(
            _("Answer yourself from now on?"),
            _(
                "The robot stays silent to this person until the conversation is given back. What it has not sent yet "
                "is withdrawn; what the platform already has is cancelled there, as far as the phone has not done it."
            ),
        ),
    )
    def take_over(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        services.take_over(self._conversation(request, object_id).pk, person(request), request)
        return self._back(request, object_id, _("The robot is silent here until the conversation is given back."))

    @action(
        description=_("Give back"),
        icon="smart_toy",
        permissions=["change_owner"],
        dialog=confirm(
            _("Let the robot answer again?"),
            _("It answers from the next line on; what was said until now it leaves as it is."),
        ),
    )
    def give_back(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        services.give_back(self._conversation(request, object_id).pk, person(request), request)
        return self._back(request, object_id, _("The robot answers here again."))

    def _conversation(self, request: HttpRequest, object_id: str) -> Conversation:
        conversation = self.owned(request, object_id)
        if conversation is None:
            raise Http404
        return conversation

    def _back(self, request: HttpRequest, object_id: str, text: Any) -> HttpResponse:
        page: Any = self
        return back_to(request, page.get_object(request, object_id), text)


@admin.register(Room)
class RoomAdmin(PaceMixin, StopMixin, IdSearchMixin, ReadOnlyModelAdmin):
    scope_path = "robot"
    fields = (
        *("name", "remark", "address", "is_group", "room_type", "robot", "created_at"),
        *("shown_stop", "shown_waiting", "shown_wait"),
    )
    list_display = ("name", "remark", "address", "is_group", "room_type", "robot", "created_at")
    list_filter = (("robot", RelatedDropdownFilter), "is_group", "room_type")
    search_fields = ("name", "remark", "address")
    list_select_related = ("robot",)

    @display(description=_("waits to be sent"))
    def shown_waiting(self, room: Room) -> str:
        return " ".join(why_waiting(room)) or "—"


@admin.register(Conversation)
class ConversationAdmin(TalkMixin, OwnerActionsMixin, IdSearchMixin, ReadOnlyModelAdmin):
    scope_path = "robot"
    list_display = ("sender_name", "room", "robot", "shown_owner", "created_at")
    list_filter = (("robot", RelatedDropdownFilter), "owner")
    search_fields = ("sender_name", "room__name", "room__remark")
    list_select_related = ("room", "robot")
    fields = (
        *("sender_name", "room", "robot", "shown_owner", "owner_since", "owner_set_by", "shown_epoch", "created_at"),
        "further",
    )

    @display(description=_("owner"), label=OWNER_COLOURS, ordering="owner")
    def shown_owner(self, conversation: Conversation) -> tuple[str, str]:
        return conversation.owner, conversation.get_owner_display()

    @display(description=_("changes of hands"))
    def shown_epoch(self, conversation: Conversation) -> int:
        return conversation.owner_epoch

    @display(description=_("see also"))
    def further(self, conversation: Conversation) -> SafeString | str:
        return linked_rows(conversation)

    def owned(self, request: HttpRequest, object_id: str) -> Conversation | None:
        found: Conversation | None = self.get_object(request, object_id)  # inside the person's scope
        return found


@admin.register(Message)
class MessageAdmin(OwnerActionsMixin, RecallMixin, IdSearchMixin, ReadOnlyModelAdmin):
    scope_path = "robot"
    actions_detail: ClassVar[list[str]] = [*OwnerActionsMixin.actions_detail, *RecallMixin.actions_detail]
    uuid_fields = ("id", "run_id", "conversation_id")
    list_display = (
        "received_at",
        "shown_direction",
        "robot",
        "room",
        "sender_name",
        "shown_line",
        "shown_reason",
        "intent",
    )
    list_filter = (
        ("received_at", RangeDateTimeFilter),
        ("robot", RelatedDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        "direction",
        "intent",
        "is_backfill",
    )
    list_filter_submit = True
    search_fields = ("text", "sender_name", "room__name", "room__remark", "platform_id__exact")
    search_help_text = _("Words, a person, a room, the platform's id, or our id of a line, run or conversation.")
    list_select_related = ("robot", "room", "conversation", "command", "command__recall")
    fields = (
        *("received_at", "direction", "robot", "room", "conversation", "shown_owner", "sender_name"),
        *("text", "raw_text", "picture_text"),
        *("text_type", "at_me", "media", "platform_id", "shown_reason", "intent", "intent_confidence", "topic"),
        *("shown_recall", "duplicate_of", "is_backfill", "settled_at", "shown_extra", "further"),
    )

    def recallable(self, request: HttpRequest, object_id: str) -> Command | None:
        line: Message | None = self.get_object(request, object_id)
        return getattr(line, "command", None)

    def owned(self, request: HttpRequest, object_id: str) -> Conversation | None:
        line: Message | None = self.get_object(request, object_id)
        return line.conversation if line else None

    @display(description=_("owner"), label=OWNER_COLOURS)
    def shown_owner(self, line: Message) -> tuple[str, str]:
        return line.conversation.owner, line.conversation.get_owner_display()

    @display(description=_("direction"), label={Direction.IN: "info", Direction.OUT: "success"}, ordering="direction")
    def shown_direction(self, line: Message) -> tuple[str, str]:
        return line.direction, line.get_direction_display()

    @display(description=_("text"))
    def shown_line(self, line: Message) -> str:
        return shorten(line.shown_text, 80) or "—"

    @display(description=_("state"), label=LINE_COLOURS, ordering="reason")
    def shown_reason(self, line: Message) -> tuple[str, Any]:
        """A customer's line shows its reason, the robot's own the state of its command."""
        if line.direction == Direction.OUT:
            command = getattr(line, "command", None)
            return (command.state, command.get_state_display()) if command else ("", "—")
        return (line.reason, line.get_reason_display()) if line.reason else ("open", _("in hand"))

    @display(description=_("further fields"))
    def shown_extra(self, line: Message) -> SafeString:
        return shown_json(line.extra)

    @display(description=_("see also"))
    def further(self, line: Message) -> SafeString | str:
        return linked_rows(line)


@admin.register(Media)
class MediaAdmin(ReadOnlyModelAdmin):
    list_display = ("digest", "content_type", "size", "created_at")
    fields = ("digest", "content_type", "size", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Media]:
        rows: QuerySet[Media] = super().get_queryset(request)
        return rows.defer("content")
