"""``/api/v1/messages/``: the lines of customers and robots, and what became of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.api.base import PrivateSerializer, ScopedReadView
from monitoring.lines import LineState, state_filter, state_of
from robots.models import Command, CommandState, Direction, Message, Reason
from robots.models.commands import command_status
from robots.questions import open_questions
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.accounts.scopes import scope_of
from worktool_ai.lib.api import ApiError, detail

__all__ = ["MessageFilter", "MessageSerializer", "MessageViewSet", "OpenQuestionViewSet"]

MAX_IDS = 50


class LineCommandSerializer(PrivateSerializer):
    """The command of a robot's line. ``messageId`` is the platform's, ``sendId`` ours."""

    sendId = serializers.UUIDField(source="id")
    messageId = serializers.CharField(source="platform_id")
    commandStatus = serializers.SerializerMethodField()
    commandDetail = serializers.ChoiceField(choices=CommandState.choices, source="state")
    detailText = serializers.CharField(source="get_state_display")
    target = serializers.SerializerMethodField()
    errorCode = serializers.IntegerField(source="error_code", allow_null=True)
    errorReason = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(choices=["pending", "sent", "failed"]))
    def get_commandStatus(self, command: Command) -> str:
        return command_status(command.state)

    def get_target(self, command: Command) -> str:
        is_group = command.room is not None and command.room.is_group
        return command.target if is_group else self.name(command.target)

    def get_errorReason(self, command: Command) -> str:
        return self.words(command.error_reason, command.target)


class MessageSerializer(PrivateSerializer):
    """One line. ``state`` says how it stands, ``reason`` why, ``command`` (robot's lines) how its sending stands."""

    id = serializers.UUIDField()
    direction = serializers.ChoiceField(choices=Direction.choices)
    robot = serializers.CharField(source="robot.slug")
    robotName = serializers.CharField(source="robot.name")
    group = serializers.SerializerMethodField()
    conversationId = serializers.UUIDField(source="conversation_id")
    room = serializers.SerializerMethodField()
    roomIsGroup = serializers.BooleanField(source="room.is_group")
    sender = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    textType = serializers.IntegerField(source="text_type")
    pictureText = serializers.SerializerMethodField(help_text="what a model has seen on the line's picture")
    atMe = serializers.BooleanField(source="at_me")
    messageId = serializers.CharField(source="platform_id", help_text="the platform's id, where it gave one")
    receivedAt = serializers.DateTimeField(source="received_at")
    isBackfill = serializers.BooleanField(source="is_backfill")
    intent = serializers.CharField()
    confidence = serializers.FloatField(source="intent_confidence", allow_null=True)
    topic = serializers.CharField()
    state = serializers.SerializerMethodField()
    stateText = serializers.SerializerMethodField()
    reason = serializers.ChoiceField(choices=Reason.choices, allow_blank=True)
    reasonText = serializers.CharField(source="get_reason_display")
    runId = serializers.UUIDField(source="run_id", allow_null=True)
    settledAt = serializers.DateTimeField(source="settled_at", allow_null=True)
    duplicateOf = serializers.UUIDField(source="duplicate_of_id", allow_null=True)
    command = serializers.SerializerMethodField()

    def get_group(self, message: Message) -> str:
        return message.robot.group.name if message.robot.group else ""

    def get_room(self, message: Message) -> str:
        return message.room.name if message.room.is_group else self.name(message.room.name)

    def get_sender(self, message: Message) -> str:
        """Whose line it is, or, of a robot's line, who is answered."""
        return self.name(message.conversation.sender_name)

    def get_text(self, message: Message) -> str:
        return self.words(message.text, message.conversation.sender_name)

    def get_pictureText(self, message: Message) -> str:
        return self.words(message.picture_text, message.conversation.sender_name)

    @extend_schema_field(serializers.ChoiceField(choices=LineState.choices))
    def get_state(self, message: Message) -> str:
        return state_of(message, _command(message))

    def get_stateText(self, message: Message) -> str:
        return str(state_of(message, _command(message)).label)

    @extend_schema_field(LineCommandSerializer(allow_null=True))
    def get_command(self, message: Message) -> Any:
        command = _command(message)
        return None if command is None else LineCommandSerializer(command, context=self.context).data


def _command(message: Message) -> Command | None:
    return getattr(message, "command", None)


class MessageFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="robot__slug")
    room = django_filters.CharFilter(method="by_room", help_text="id of a room, or part of a group's name")
    person = django_filters.CharFilter(method="by_person", help_text="part of a customer's name")
    since = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lt")
    status = django_filters.ChoiceFilter(choices=LineState.choices, method="by_status")
    direction = django_filters.ChoiceFilter(choices=Direction.choices)
    run = django_filters.UUIDFilter(field_name="run_id")
    text = django_filters.CharFilter(field_name="text", lookup_expr="icontains")
    sendId = django_filters.UUIDFilter(field_name="command__id")
    messageId = django_filters.CharFilter(method="by_platform_id", help_text="the platform's id of line or command")
    ids = django_filters.CharFilter(method="by_ids", help_text=f"at most {MAX_IDS} ids, comma between")

    class Meta:
        model = Message
        fields: list[str] = []

    def by_room(self, rows: QuerySet[Message], _name: str, value: str) -> QuerySet[Message]:
        if _is_uuid(value):
            return rows.filter(room_id=value)
        return rows.filter(room__is_group=True, room__name__icontains=value)

    def by_person(self, rows: QuerySet[Message], _name: str, value: str) -> QuerySet[Message]:
        if not may(self.request.user, Ability.READ_CONTACTS):
            problem = _("Searching by a customer's name needs the right to read contact data.")
            raise ApiError(403, problem, [detail("person", problem, _("Leave this field empty."))])
        return rows.filter(conversation__sender_name__icontains=value)

    def by_status(self, rows: QuerySet[Message], _name: str, value: str) -> QuerySet[Message]:
        return rows.filter(state_filter(value))

    def by_platform_id(self, rows: QuerySet[Message], _name: str, value: str) -> QuerySet[Message]:
        return rows.filter(Q(platform_id=value) | Q(command__platform_id=value))

    def by_ids(self, rows: QuerySet[Message], _name: str, value: str) -> QuerySet[Message]:
        ids = value.split(",")
        if len(ids) > MAX_IDS or not all(map(_is_uuid, ids)):
            problem = _("This is no list of at most %(max)d ids.") % {"max": MAX_IDS}
            raise ApiError(400, problem, [detail("ids", problem, _("Send ids of lines, comma between."))])
        return rows.filter(pk__in=ids)


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


class MessageViewSet(ScopedReadView[Message]):
    """Lines, newest first."""

    requires = Ability.READ_LINES
    queryset = Message.objects.select_related("robot__group", "room", "conversation", "command__room")
    serializer_class = MessageSerializer
    filterset_class = MessageFilter


class OpenQuestionViewSet(MessageViewSet):
    """Customers' lines that nobody has answered and the robot may not answer any more, newest first."""

    def get_queryset(self) -> QuerySet[Message]:
        related = ("robot__group", "room", "conversation", "command__room")
        return scope_of(self.request.user).filter(open_questions().select_related(*related), self.scope_path)
