"""``/api/v1/commands/``: what robots were told to do, by our ``sendId`` or the platform's ``messageId``."""

from __future__ import annotations

from typing import Any

import django_filters
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.base import ScopedReadView
from monitoring.api.messages import LineCommandSerializer
from robots import recalls
from robots.models import Command, CommandState
from robots.models.commands import PENDING, SENT, Decision
from robots.recalls import RecallOutcome, outcome_of
from robots.unknown_sends import Refused
from robots.wording import cancelling
from worktool_ai.accounts.permissions import Ability
from worktool_ai.lib.api import ApiError, detail

__all__ = ["CommandFilter", "CommandViewSet"]


class CommandSerializer(LineCommandSerializer):
    """A command. ``commandStatus`` is the coarse word (pending, sent, failed), ``commandDetail`` the exact one."""

    robot = serializers.CharField(source="robot.slug")
    lineId = serializers.UUIDField(source="message_id", allow_null=True)
    runId = serializers.UUIDField(source="run_id", allow_null=True)
    nodeId = serializers.CharField(source="node_id")
    type = serializers.IntegerField(source="kind")
    text = serializers.SerializerMethodField()
    priority = serializers.IntegerField()
    attempts = serializers.IntegerField()
    createdAt = serializers.DateTimeField(source="created_at")
    acceptedAt = serializers.DateTimeField(source="accepted_at", allow_null=True)
    finalAt = serializers.DateTimeField(source="final_at", allow_null=True)
    freshUntil = serializers.DateTimeField(source="expires_at", allow_null=True)
    resentAs = serializers.UUIDField(source="resent_as_id", allow_null=True)
    requestedBy = serializers.CharField(source="requested_by", help_text="who wanted it, where that was no flow")
    cancels = serializers.UUIDField(source="cancels_id", allow_null=True, help_text="of a 305: the sendId it cancels")
    cancelling = serializers.SerializerMethodField(help_text="who wanted this command back, and how that ended")

    recall = serializers.SerializerMethodField(help_text="of a line that somebody wanted back: how that ended")
    recalls = serializers.UUIDField(
        source="recalls_id", allow_null=True, help_text="of a 226: the sendId it takes back"
    )
    decision = serializers.ChoiceField(choices=Decision.choices, allow_blank=True)
    decidedBy = serializers.CharField(source="decided_by")
    decidedAt = serializers.DateTimeField(source="decided_at", allow_null=True)

    @extend_schema_field(serializers.ChoiceField(choices=RecallOutcome.choices, allow_null=True))
    def get_recall(self, command: Command) -> str | None:
        return outcome_of(command)

    def get_text(self, command: Command) -> str:
        person = command.conversation.sender_name if command.conversation else command.target
        return self.words(command.text, person)

    def get_cancelling(self, command: Command) -> str:
        return cancelling(command)


class ResultSerializer(serializers.Serializer[Any]):
    errorCode = serializers.IntegerField(source="error_code")
    errorReason = serializers.CharField(source="error_reason")
    successCount = serializers.SerializerMethodField()
    failCount = serializers.SerializerMethodField()
    executedAt = serializers.DateTimeField(source="run_time", allow_null=True)
    receivedAt = serializers.DateTimeField(source="received_at")

    def get_successCount(self, result: Any) -> int:
        return len(result.success_list)

    def get_failCount(self, result: Any) -> int:
        return len(result.fail_list)


class CommandDetailSerializer(CommandSerializer):
    results = serializers.SerializerMethodField()

    @extend_schema_field(ResultSerializer(many=True))
    def get_results(self, command: Command) -> Any:
        return ResultSerializer(command.results.order_by("received_at"), many=True).data


class CommandFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="robot__slug")
    sendId = django_filters.UUIDFilter(field_name="id")
    messageId = django_filters.CharFilter(field_name="platform_id")
    lineId = django_filters.UUIDFilter(field_name="message_id")
    run = django_filters.UUIDFilter(field_name="run_id")
    commandStatus = django_filters.ChoiceFilter(
        choices=[("pending", "pending"), ("sent", "sent"), ("failed", "failed")], method="by_status"
    )
    commandDetail = django_filters.ChoiceFilter(choices=CommandState.choices, field_name="state")
    since = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Command
        fields: list[str] = []

    def by_status(self, rows: Any, _name: str, value: str) -> Any:
        if value == "failed":
            return rows.exclude(state__in=PENDING | SENT)
        return rows.filter(state__in=PENDING if value == "pending" else SENT)


class CommandViewSet(ScopedReadView[Command]):
    """Commands, newest first."""

    requires = {"list": Ability.READ_LINES, "retrieve": Ability.READ_LINES, "recall": Ability.DECIDE_SENDS}
    queryset = Command.objects.select_related("robot", "room", "conversation", "cancellation", "recall")
    filterset_class = CommandFilter

    @extend_schema(request=None, responses=CommandSerializer)
    @action(detail=True, methods=["post"])
    def recall(self, request: Request, pk: str | None = None) -> Response:
        """Take the robot's last line back, within two minutes. 409 with the reason where that cannot be."""
        actor: Any = request.user
        try:
            control = recalls.recall(self.get_object().pk, actor, request._request)
        except Refused as refused:
            raise ApiError(409, refused, [detail("", refused, _("Look at the room and set it right there."))]) from None
        return Response(CommandSerializer(control, context=self.get_serializer_context()).data)

    def get_serializer_class(self) -> type[CommandSerializer]:
        return CommandDetailSerializer if self.action == "retrieve" else CommandSerializer
