"""``/api/v1/conversations/``: who answers whom, taking over and giving back, answering by hand."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.base import PrivateSerializer, ScopedReadView
from robots import answering, services
from robots.answering import HandAnswer
from robots.models import Conversation, Owner
from templates_lib.file_kinds import FileRefusedError
from templates_lib.files import Upload, examine
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.lib.api import ApiError, detail

__all__ = ["ConversationFilter", "ConversationViewSet"]

UUID7: Final = 7


class ConversationSerializer(PrivateSerializer):
    """One person in one room. ``ownerEpoch`` grows by one with every change of hands; what the robot queued under an
    older one is not sent. ``ownerSince`` and ``ownerBy`` are null and empty until the first change."""

    id = serializers.UUIDField()
    robot = serializers.CharField(source="robot.slug")
    roomId = serializers.UUIDField(source="room_id")
    room = serializers.SerializerMethodField()
    roomIsGroup = serializers.BooleanField(source="room.is_group")
    person = serializers.SerializerMethodField()
    owner = serializers.ChoiceField(choices=Owner.choices)
    ownerText = serializers.CharField(source="get_owner_display")
    ownerEpoch = serializers.IntegerField(source="owner_epoch")
    ownerSince = serializers.DateTimeField(source="owner_since", allow_null=True)
    ownerBy = serializers.CharField(source="owner_set_by", help_text="a person, an API key or a process")
    createdAt = serializers.DateTimeField(source="created_at")

    def get_room(self, conversation: Conversation) -> str:
        room = conversation.room
        return room.name if room.is_group else self.name(room.name)

    def get_person(self, conversation: Conversation) -> str:
        return self.name(conversation.sender_name)


class HandAnswerSerializer(serializers.Serializer[Any]):
    """A person's answer: a text, a picture or file (multipart/form-data), or both; the file goes out after the text.

    ``sendId`` (a UUIDv7 of yours) makes a repetition harmless: the same one again queues nothing more.
    """

    text = serializers.CharField(max_length=2000, allow_blank=True, default="")
    file = serializers.FileField(required=False, help_text="PNG, JPEG, GIF, MP4, MP3, PDF, Office, ZIP; at most 10 MB")
    mention = serializers.BooleanField(default=True, help_text="in a group: begin the text with an @ of the person")
    sendId = serializers.UUIDField(required=False)

    def validate_sendId(self, value: UUID) -> UUID:
        if value.version != UUID7:
            raise serializers.ValidationError(_("This is no UUIDv7."))
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["upload"] = self._examined(attrs.get("file"))
        if not attrs["text"] and attrs["upload"] is None:
            problem = _("There is nothing to send.")
            raise ApiError(400, problem, [detail("text", problem, _("Send a text, a file, or both."))])
        return attrs

    def _examined(self, uploaded: Any) -> Upload | None:
        try:
            return examine(uploaded) if uploaded is not None else None
        except FileRefusedError as refused:
            problem = _(refused.problem)
            raise ApiError(400, problem, [detail("file", problem, _(refused.way_out))]) from refused

    def said(self) -> HandAnswer:
        given = self.validated_data
        return HandAnswer(
            text=given["text"], upload=given["upload"], mention=given["mention"], send_id=given.get("sendId")
        )


class QueuedSerializer(serializers.Serializer[Any]):
    """A command of the answer; follow it under ``/api/v1/commands/<sendId>/``."""

    sendId = serializers.UUIDField(source="pk")
    type = serializers.IntegerField(source="kind", help_text="203 text, 218 file")
    text = serializers.CharField(help_text="of a file: its name")
    commandDetail = serializers.CharField(source="state")


class ConversationFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="robot__slug")
    room = django_filters.UUIDFilter(field_name="room_id")
    owner = django_filters.ChoiceFilter(choices=Owner.choices)
    person = django_filters.CharFilter(method="by_person", help_text="part of a customer's name")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def by_person(self, rows: QuerySet[Conversation], _name: str, value: str) -> QuerySet[Conversation]:
        if not may(self.request.user, Ability.READ_CONTACTS):
            problem = _("Searching by a customer's name needs the right to read contact data.")
            raise ApiError(403, problem, [detail("person", problem, _("Leave this field empty."))])
        return rows.filter(sender_name__icontains=value)


class ConversationViewSet(ScopedReadView[Conversation]):
    """Conversations, newest first. Taking over and giving back may be repeated: the second time changes nothing."""

    requires = {
        "list": Ability.READ_LINES,
        "retrieve": Ability.READ_LINES,
        "take_over": Ability.TAKE_OVER,
        "give_back": Ability.TAKE_OVER,
        "answer": Ability.TAKE_OVER,
    }
    queryset = Conversation.objects.select_related("robot", "room")
    serializer_class = ConversationSerializer
    filterset_class = ConversationFilter

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="take-over")
    def take_over(self, request: Request, pk: str | None = None) -> Response:
        """Answer yourself from now on: what the robot had queued is withdrawn, what was accepted is cancelled."""
        return self._shown(services.take_over(self.get_object().pk, self._actor(request), request._request))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="give-back")
    def give_back(self, request: Request, pk: str | None = None) -> Response:
        """Let the robot answer again, from the next line on."""
        return self._shown(services.give_back(self.get_object().pk, self._actor(request), request._request))

    @extend_schema(
        request={"multipart/form-data": HandAnswerSerializer, "application/json": HandAnswerSerializer},
        responses={201: QueuedSerializer(many=True)},
    )
    @action(detail=True, methods=["post"], url_path="messages", parser_classes=[JSONParser, MultiPartParser])
    def answer(self, request: Request, pk: str | None = None) -> Response:
        """Answer by hand, whoever owns the conversation: queued before the robot's own replies, and not repeated."""
        given = HandAnswerSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            queued = answering.answer(self.get_object().pk, given.said(), self._actor(request), request._request)
        except answering.CannotAnswer as refused:
            details = [detail(refused.field, refused.problem, refused.way_out)]
            raise ApiError(409, refused.problem, details) from refused
        return Response(QueuedSerializer(queued, many=True).data, status=201)

    def _actor(self, request: Request) -> Any:
        """A person, or an API key that acts in somebody's stead."""
        return request.user

    def _shown(self, conversation: Conversation) -> Response:
        return Response(self.get_serializer(conversation).data)
