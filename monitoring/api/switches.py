"""``/api/v1/switches/``: stopping and resuming what robots send."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.base import PrivateSerializer, ScopedReadView
from robots import switches
from robots.models import Robot, Room, Switch, SwitchScope
from worktool_ai.accounts.permissions import Ability
from worktool_ai.accounts.scopes import scope_of
from worktool_ai.lib.api import ApiError, detail

__all__ = ["SwitchSerializer", "SwitchViewSet"]


class SwitchSerializer(PrivateSerializer):
    """A stop of sending; in force while ``liftedAt`` is null."""

    id = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=SwitchScope.choices)
    robot = serializers.SerializerMethodField()
    roomId = serializers.UUIDField(source="room_id", allow_null=True)
    room = serializers.SerializerMethodField()
    where = serializers.SerializerMethodField(help_text="what is stopped, in words")
    why = serializers.CharField()
    since = serializers.DateTimeField()
    by = serializers.CharField(source="set_by")
    withdrawn = serializers.IntegerField(help_text="queued commands that it withdrew")
    inForce = serializers.BooleanField(source="is_in_force")
    liftedAt = serializers.DateTimeField(source="lifted_at", allow_null=True)
    liftedBy = serializers.CharField(source="lifted_by")

    def get_robot(self, switch: Switch) -> str:
        return switch.robot.slug if switch.robot else ""

    def get_room(self, switch: Switch) -> str:
        if switch.room is None:
            return ""
        return switch.room.name if switch.room.is_group else self.name(switch.room.name)

    def get_where(self, switch: Switch) -> str:
        if switch.room:
            return self.get_room(switch)
        return switch.robot.name if switch.robot else switch.get_scope_display()


class StopSerializer(serializers.Serializer[Any]):
    """What is to be stopped: everything, ``robot`` (slug), or ``room`` (id)."""

    scope = serializers.ChoiceField(choices=SwitchScope.choices)
    robot = serializers.CharField(required=False)
    room = serializers.UUIDField(required=False)
    why = serializers.CharField(max_length=300)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = {SwitchScope.ALL: "", SwitchScope.ROBOT: "robot", SwitchScope.ROOM: "room"}[attrs["scope"]]
        if wanted and wanted not in attrs:
            raise serializers.ValidationError({wanted: [_("Say which one.")]}, code="required")
        return attrs


class SwitchFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="robot__slug")
    inForce = django_filters.BooleanFilter(field_name="lifted_at", lookup_expr="isnull")

    class Meta:
        model = Switch
        fields: list[str] = []


class SwitchViewSet(ScopedReadView[Switch]):
    """Stops of sending, newest first. Stopping all robots needs the scope of all robots."""

    requires = {
        "list": Ability.READ_ROBOTS,
        "retrieve": Ability.READ_ROBOTS,
        "create": Ability.STOP_SENDING,
        "resume": Ability.STOP_SENDING,
    }
    queryset = Switch.objects.select_related("robot", "room")
    serializer_class = SwitchSerializer
    filterset_class = SwitchFilter

    def get_queryset(self) -> QuerySet[Switch]:
        return switches.seen_by(scope_of(self.request.user))

    @extend_schema(request=StopSerializer, responses={201: SwitchSerializer})
    def create(self, request: Request) -> Response:
        """Stop sending. 409 when it is stopped there already."""
        asked = StopSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        actor: Any = request.user
        wanted = asked.validated_data
        try:
            made = switches.stop(wanted["scope"], wanted["why"], actor, request=request._request, **self._where(wanted))
        except switches.AlreadyStopped as already:
            problem = _("Sending is stopped there already, by %(who)s.") % {"who": already.switch.set_by}
            raise ApiError(409, problem, [detail("scope", problem, _("Nothing needs to be done."))]) from None
        return Response(self.get_serializer(made).data, status=201)

    @extend_schema(request=None, responses=SwitchSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str | None = None) -> Response:
        """Lift a stop; lifting it twice changes nothing. Old lines are not answered."""
        switch = self.get_object()
        if switch.scope == SwitchScope.ALL:
            self._check_everywhere()
        actor: Any = request.user
        switches.resume(switch.pk, actor, request._request)
        return Response(self.get_serializer(self.get_object()).data)

    def _where(self, asked: dict[str, Any]) -> dict[str, Any]:
        scope = scope_of(self.request.user)
        if asked["scope"] == SwitchScope.ALL:
            self._check_everywhere()
            return {}
        if asked["scope"] == SwitchScope.ROBOT:
            return {"robot": get_object_or_404(scope.filter(Robot.objects.all(), ""), slug=asked["robot"])}
        room = get_object_or_404(scope.filter(Room.objects.select_related("robot"), "robot"), pk=asked["room"])
        return {"robot": room.robot, "room": room}

    def _check_everywhere(self) -> None:
        if not scope_of(self.request.user).is_everywhere:
            problem = _("This concerns all robots; your scope is narrower.")
            raise ApiError(403, problem, [detail("scope", problem, _("Stop the robots of your scope one by one."))])
