"""``/api/v1/alerts/``: what must be noticed; acknowledged and resolved by people."""

from __future__ import annotations

from typing import Any

import django_filters
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import services
from alerts.models import Alert, AlertState, Level
from monitoring.api.base import PrivateSerializer, ScopedReadView
from worktool_ai.accounts.models import User
from worktool_ai.accounts.permissions import Ability
from worktool_ai.lib.api import ApiError, detail

__all__ = ["AlertFilter", "AlertViewSet"]


class AlertSerializer(PrivateSerializer):
    id = serializers.UUIDField()
    code = serializers.CharField()
    level = serializers.ChoiceField(choices=Level.choices)
    levelText = serializers.CharField(source="get_level_display")
    title = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=AlertState.choices)
    stateText = serializers.CharField(source="get_state_display")
    count = serializers.IntegerField()
    robot = serializers.SerializerMethodField()
    room = serializers.SerializerMethodField()
    messageId = serializers.UUIDField(source="message_id", allow_null=True)
    runId = serializers.UUIDField(source="run_id", allow_null=True)
    firstAt = serializers.DateTimeField(source="first_at")
    lastAt = serializers.DateTimeField(source="last_at")
    acknowledgedBy = serializers.SerializerMethodField()
    acknowledgedAt = serializers.DateTimeField(source="acknowledged_at", allow_null=True)
    resolvedAt = serializers.DateTimeField(source="resolved_at", allow_null=True)

    def get_title(self, alert: Alert) -> str:
        person = alert.message.conversation.sender_name if alert.message else ""
        return self.words(alert.title, person)

    def get_robot(self, alert: Alert) -> str:
        return alert.robot.slug if alert.robot else ""

    def get_room(self, alert: Alert) -> str:
        if alert.room is None:
            return ""
        return alert.room.name if alert.room.is_group else self.name(alert.room.name)

    def get_acknowledgedBy(self, alert: Alert) -> str:
        return str(alert.acknowledged_by) if alert.acknowledged_by else ""


class AlertFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="robot__slug")
    state = django_filters.ChoiceFilter(choices=AlertState.choices)
    level = django_filters.ChoiceFilter(choices=Level.choices)
    since = django_filters.IsoDateTimeFilter(field_name="last_at", lookup_expr="gte")

    class Meta:
        model = Alert
        fields: list[str] = []


class AlertViewSet(ScopedReadView[Alert]):
    """Alerts, newest first. Alerts of no robot are for people whose scope is all robots."""

    requires = {
        "list": Ability.READ_ALERTS,
        "retrieve": Ability.READ_ALERTS,
        "acknowledge": Ability.HANDLE_ALERTS,
        "resolve": Ability.HANDLE_ALERTS,
    }
    queryset = Alert.objects.select_related("robot", "room", "acknowledged_by", "message__conversation")
    serializer_class = AlertSerializer
    filterset_class = AlertFilter

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str | None = None) -> Response:
        """Say that somebody takes care of it. 409 when it is not open any more."""
        return self._changed(services.acknowledge(self.get_object().pk, self._person(request)))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str | None = None) -> Response:
        """Say that it is over: the next one like it opens a new alert. 409 when it was resolved already."""
        return self._changed(services.resolve(self.get_object().pk, self._person(request)))

    def _changed(self, changed: bool) -> Response:
        alert = self.get_object()
        if not changed:
            problem = _("This alert is already %(state)s.") % {"state": alert.get_state_display()}
            raise ApiError(409, problem, [detail("state", problem, _("Nothing needs to be done."))])
        return Response(self.get_serializer(alert).data)

    def _person(self, request: Request) -> User:
        """An alert is taken over by a person: an API key cannot take care of anything."""
        person: Any = request.user
        if not isinstance(person, User):
            problem = _("Only a person can take over or close an alert.")
            raise ApiError(403, problem, [detail("", problem, _("Sign in and do it in the panel."))])
        return person
