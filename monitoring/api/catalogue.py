"""Small lists: robots, rooms, node types, and who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flows.nodes import Node, registry
from monitoring.api.base import ScopedReadView
from monitoring.api.connecting import ChecksMixin
from robots.models import Mode, Robot, Room
from robots.pace import Wait, waits
from worktool_ai.accounts.models import ApiKey, Role, ScopeKind
from worktool_ai.accounts.permissions import ABILITIES, Ability, role_of
from worktool_ai.accounts.scopes import scope_of

__all__ = ["MeView", "NodeTypesView", "RobotViewSet", "RoomViewSet"]


class WaitingList(serializers.ListSerializer[Any]):
    """Reads the waits of all rows with one query."""

    def to_representation(self, data: Any) -> Any:
        rows = list(data)
        child: Any = self.child
        child.known = waits(robot_of(row) for row in rows)
        return super().to_representation(rows)


class WaitSerializer(serializers.Serializer[Any]):
    """How long a new command will wait: what the robot's phone still has to do, times its learned pace."""

    #: The waits of the rows at hand, by robot.
    known: Mapping[UUID, Wait] = MappingProxyType({})

    waiting = serializers.SerializerMethodField(help_text="commands that the robot's phone has to do before a new one")
    paceS = serializers.SerializerMethodField(help_text="learned seconds per command; null while not known")
    expectedWaitS = serializers.SerializerMethodField(help_text="waiting x paceS; null while the pace is not known")

    class Meta:
        list_serializer_class = WaitingList

    def get_waiting(self, row: Robot | Room) -> int:
        return self._wait(row).commands

    def get_paceS(self, row: Robot | Room) -> float | None:
        return self._wait(row).pace_s

    def get_expectedWaitS(self, row: Robot | Room) -> float | None:
        return self._wait(row).seconds

    def _wait(self, row: Robot | Room) -> Wait:
        robot = robot_of(row)
        if robot.pk not in self.known:
            self.known = waits([robot])
        return self.known[robot.pk]


def robot_of(row: Robot | Room) -> Robot:
    return row if isinstance(row, Robot) else row.robot


class RobotSerializer(WaitSerializer):
    """A robot by our slug; its platform id and keys are credentials and never leave."""

    slug = serializers.CharField()
    name = serializers.CharField()
    group = serializers.SerializerMethodField()
    mode = serializers.ChoiceField(choices=Mode.choices)
    modeText = serializers.CharField(source="get_mode_display")
    isActive = serializers.BooleanField(source="is_active")
    isOnline = serializers.BooleanField(source="is_online", allow_null=True)
    lastCallbackAt = serializers.DateTimeField(source="last_callback_at", allow_null=True)

    def get_group(self, robot: Robot) -> str:
        return robot.group.name if robot.group else ""


class RobotViewSet(ChecksMixin, ScopedReadView[Robot]):
    """Robots inside the scope."""

    requires: ClassVar[Mapping[str, Ability]] = {
        **dict.fromkeys(("list", "retrieve", "checks"), Ability.READ_ROBOTS),
        "look": Ability.CONNECT_ROBOTS,
    }
    scope_path = ""
    lookup_field = "slug"
    queryset = Robot.objects.select_related("group")
    serializer_class = RobotSerializer


class RoomSerializer(WaitSerializer):
    id = serializers.UUIDField()
    robot = serializers.CharField(source="robot.slug")
    name = serializers.CharField()
    createdAt = serializers.DateTimeField(source="created_at")


class RoomFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="robot__slug")
    name = django_filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Room
        fields: list[str] = []


class RoomViewSet(ScopedReadView[Room]):
    """Groups (never private chats: their names are people's)."""

    requires = Ability.READ_LINES
    queryset = Room.objects.filter(is_group=True).select_related("robot")
    serializer_class = RoomSerializer
    filterset_class = RoomFilter


class NodeTypeSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name, not the field's label
    does = serializers.CharField()
    ports = serializers.ListField(child=serializers.CharField())
    configVersion = serializers.IntegerField()
    configSchema = serializers.JSONField(help_text="JSON Schema of the node's configuration")


def _node_type(node: type[Node]) -> dict[str, Any]:
    return {
        "key": node.key,
        "label": str(node.label),
        "does": str(node.does),
        "ports": list(node.ports),
        "configVersion": node.Config.version,
        "configSchema": node.Config.model_json_schema(),
    }


class NodeTypesView(APIView):
    """``GET /api/v1/node-types/``: every node that flows can be built of, as registered."""

    requires = Ability.READ_FLOWS

    @extend_schema(responses=NodeTypeSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(NodeTypeSerializer([_node_type(node) for node in registry], many=True).data)


class MeSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["person", "api_key"])
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)
    abilities = serializers.ListField(child=serializers.CharField())
    scopeKind = serializers.ChoiceField(choices=ScopeKind.choices)
    scopeValues = serializers.ListField(child=serializers.CharField())


class MeView(APIView):
    """``GET /api/v1/me/``: role, abilities and robot scope of whoever asks."""

    requires = Ability.SIGNED_IN

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        scope = scope_of(request.user)
        role = role_of(request.user) or ""
        me = {
            "kind": "api_key" if isinstance(request.auth, ApiKey) else "person",
            "name": str(request.user),
            "role": role,
            "abilities": sorted(ABILITIES.get(role, ())),
            "scopeKind": scope.kind,
            "scopeValues": sorted(scope.values),
        }
        return Response(MeSerializer(me).data)
