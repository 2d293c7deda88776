"""``/api/v1/unknown-sends/`` and ``/api/v1/error-codes/``: sends whose end nobody knows, and what codes mean."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api.base import ScopedReadView
from monitoring.api.commands import CommandSerializer
from monitoring.api.switches import SwitchSerializer
from monitoring.sending import sending
from robots import unknown_sends
from robots.error_codes import NEVER_REPEATED, TABLE
from robots.models import UnknownSend
from robots.testimony import facts, summary
from worktool_ai.accounts.permissions import Ability
from worktool_ai.accounts.scopes import scope_of
from worktool_ai.lib.api import ApiError, detail

__all__ = ["ErrorCodesView", "SendingView", "UnknownSendViewSet"]


class RequestBudgetSerializer(serializers.Serializer[Any]):
    """Requests to the platform of all robots together, in the window that ends now."""

    used = serializers.IntegerField()
    limit = serializers.IntegerField()
    reserve = serializers.IntegerField(help_text="of the limit: kept for alerts and taking back")
    pausedSeconds = serializers.FloatField(source="paused_s", help_text="left of the pause after a 429")


class SendingSerializer(serializers.Serializer[Any]):
    """``budget`` is null while it cannot be read; ``waitSeconds`` while a busy phone's pace is not known."""

    stops = SwitchSerializer(many=True)
    budget = RequestBudgetSerializer(source="usage", allow_null=True)
    waitingCommands = serializers.IntegerField(source="commands", help_text="queued, and on the phones")
    waitSeconds = serializers.FloatField(source="wait_s", allow_null=True)


class SendingView(APIView):
    """``GET /api/v1/sending/``: what is stopped, how much of the request limit is used, what waits and how long."""

    requires = Ability.READ_LINES

    @extend_schema(responses=SendingSerializer)
    def get(self, request: Request) -> Response:
        return Response(SendingSerializer(sending(request.user), context={"request": request}).data)


class ErrorCodeSerializer(serializers.Serializer[Any]):
    """One code of the platform. ``retry``: a person may sensibly send the same again; nothing repeats on its own."""

    code = serializers.IntegerField()
    meaning = serializers.CharField()
    advice = serializers.CharField()
    retry = serializers.BooleanField()
    countsAsDone = serializers.BooleanField(source="counts_as_done")


class ErrorCodesSerializer(serializers.Serializer[Any]):
    codes = ErrorCodeSerializer(many=True)
    neverRepeated = serializers.ListField(child=serializers.IntegerField(), help_text="command types")


class ErrorCodesView(APIView):
    """``GET /api/v1/error-codes/``: what the platform's codes mean and what to do about each."""

    requires = Ability.READ_LINES

    @extend_schema(responses=ErrorCodesSerializer)
    def get(self, request: Request) -> Response:
        table = {"codes": list(TABLE.values()), "neverRepeated": sorted(NEVER_REPEATED)}
        return Response(ErrorCodesSerializer(table).data)


class UnknownSendSerializer(CommandSerializer):
    """A send whose end nobody knows. ``evidence`` tells in words what speaks for and against it."""

    room = serializers.SerializerMethodField()
    sentAt = serializers.DateTimeField(source="sending_at", help_text="when the call was made")
    summary = serializers.SerializerMethodField()
    evidence = serializers.SerializerMethodField()
    decideUntil = serializers.SerializerMethodField()
    mayResend = serializers.SerializerMethodField()
    whyNotResent = serializers.SerializerMethodField(help_text="empty when it may be sent again")

    def get_room(self, command: UnknownSend) -> str:
        return self.get_target(command)

    def get_summary(self, command: UnknownSend) -> str:
        return summary(command)

    def get_evidence(self, command: UnknownSend) -> list[str]:
        return [self.words(line, command.target) for line in facts(command)]

    def get_decideUntil(self, command: UnknownSend) -> str:
        return ((command.sending_at or command.created_at) + unknown_sends.DECIDE_WITHIN).isoformat()

    def get_mayResend(self, command: UnknownSend) -> bool:
        return not unknown_sends.why_not_resent(command)

    def get_whyNotResent(self, command: UnknownSend) -> str:
        return unknown_sends.why_not_resent(command)


class UnknownSendFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="robot__slug")
    room = django_filters.UUIDFilter(field_name="room_id")

    class Meta:
        model = UnknownSend
        fields: list[str] = []


class UnknownSendViewSet(ScopedReadView[UnknownSend]):
    """Sends that wait for a person's word, newest first. 409 when one was settled meanwhile or must not be repeated."""

    requires = {
        "list": Ability.READ_LINES,
        "retrieve": Ability.READ_LINES,
        "confirm_sent": Ability.DECIDE_SENDS,
        "resend": Ability.DECIDE_SENDS,
    }
    queryset = UnknownSend.objects.all()
    serializer_class = UnknownSendSerializer
    filterset_class = UnknownSendFilter

    def get_queryset(self) -> QuerySet[UnknownSend]:
        related = ("robot", "room", "conversation", "cancellation", "recall")
        return scope_of(self.request.user).filter(unknown_sends.unknown_sends().select_related(*related), "robot")

    @extend_schema(request=None, responses=CommandSerializer)
    @action(detail=True, methods=["post"], url_path="confirm-sent")
    def confirm_sent(self, request: Request, pk: str | None = None) -> Response:
        """Say that somebody has seen it in the room; returns the command."""
        return self._decided(request, unknown_sends.confirm_sent)

    @extend_schema(request=None, responses=CommandSerializer)
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, pk: str | None = None) -> Response:
        """Say it once more; returns the new command."""
        return self._decided(request, unknown_sends.resend)

    def _decided(self, request: Request, decide: Any) -> Response:
        actor: Any = request.user
        try:
            command = decide(self.get_object().pk, actor, request._request)
        except unknown_sends.Refused as refused:
            way_out = _("Load the list again; what must not be repeated is finished by hand.")
            raise ApiError(409, refused, [detail("", refused, way_out)]) from None
        return Response(CommandSerializer(command, context=self.get_serializer_context()).data)
