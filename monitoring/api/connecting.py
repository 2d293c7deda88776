"""``/api/v1/robots/{slug}/checks/``: what stands in a robot's way, as the page 接入机器人 shows it."""

from __future__ import annotations

from typing import Any

import redis
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from robots.connecting import CheckState, examine, gather
from robots.models import Robot

__all__ = ["ChecksMixin"]


class StoreAway(APIException):
    """Redis is away: nothing is known, and nothing may be asked."""

    status_code = 503
    default_detail = "Redis is away: nothing can be asked now; try again in a minute"


class CheckSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    section = serializers.CharField(help_text="platform, callbacks, phone or ours")
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=CheckState.choices)
    seen = serializers.CharField(help_text="what was found, credentials masked")
    meaning = serializers.CharField(help_text="why that matters")
    hands = serializers.CharField(help_text="what a person does by hand")
    fixes = serializers.ListField(child=serializers.CharField(), help_text="names of the page's buttons")


class ChecksSerializer(serializers.Serializer[Any]):
    robot = serializers.CharField()
    problems = serializers.IntegerField()
    checks = CheckSerializer(many=True)


class ChecksMixin(GenericViewSet[Robot]):
    """``GET`` tells what was found last, ``POST`` asks the platform what has grown old."""

    @extend_schema(responses=ChecksSerializer)
    @action(detail=True, methods=["get"], url_path="checks")
    def checks(self, request: Request, **_kwargs: Any) -> Response:
        return Response(_examined(self.get_object(), ask=False))

    @extend_schema(request=None, responses=ChecksSerializer)
    @checks.mapping.post
    def look(self, request: Request, **_kwargs: Any) -> Response:
        return Response(_examined(self.get_object(), ask=True))


def _examined(robot: Robot, *, ask: bool) -> dict[str, Any]:
    try:
        sections = examine(gather(robot, ask=ask))
    except redis.RedisError:
        raise StoreAway from None
    checks = [
        {
            "key": check.key,
            "section": section.key,
            "title": check.title,
            "state": check.state,
            "seen": check.seen,
            "meaning": check.meaning,
            "hands": check.hands,
            "fixes": check.fixes,
        }
        for section in sections
        for check in section.checks
    ]
    problems = sum(section.problems for section in sections)
    return dict(ChecksSerializer({"robot": robot.slug, "problems": problems, "checks": checks}).data)
