"""``/api/v1/runs/``: how a line went through its flow, step by step, with every AI call."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from flows.context import to_api
from flows.models import Run, RunState
from monitoring.api.base import ScopedReadView
from personas.models import AICall
from robots.models import Reason
from worktool_ai.accounts.permissions import Ability

__all__ = ["RunFilter", "RunViewSet"]


class RunSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    messageId = serializers.UUIDField(source="message_id")
    conversationId = serializers.UUIDField(source="conversation_id")
    robot = serializers.CharField(source="conversation.robot.slug")
    flow = serializers.CharField(source="version.flow.slug")
    version = serializers.IntegerField(source="version.number")
    state = serializers.ChoiceField(choices=RunState.choices)
    outcome = serializers.CharField()
    reason = serializers.ChoiceField(choices=Reason.choices, allow_blank=True)
    reasonText = serializers.CharField(source="get_reason_display")
    recoveries = serializers.IntegerField()
    error = serializers.CharField()
    originRunId = serializers.UUIDField(source="origin_run_id", allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at")
    startedAt = serializers.DateTimeField(source="started_at", allow_null=True)
    endedAt = serializers.DateTimeField(source="ended_at", allow_null=True)


class PatchField(serializers.JSONField):
    """What a step changed, under the context's names on the API (docs/schema/standard-context.json)."""

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(to_api(value))


class StepSerializer(serializers.Serializer[Any]):
    """One node that ran; ``patch`` is what it changed in the context, ``detail`` explains it (wanted, actual)."""

    nodeId = serializers.CharField(source="node_id")
    nodeType = serializers.CharField(source="node_type")
    ordinal = serializers.IntegerField()
    state = serializers.CharField()
    port = serializers.CharField()
    patch = PatchField()
    detail = serializers.JSONField()
    logs = serializers.JSONField()
    error = serializers.CharField()
    startedAt = serializers.DateTimeField(source="started_at")
    endedAt = serializers.DateTimeField(source="ended_at")


class EffectSerializer(serializers.Serializer[Any]):
    """What a node asked for; ``outcome`` is null while it is being done."""

    nodeId = serializers.CharField(source="node_id")
    ordinal = serializers.IntegerField()
    kind = serializers.CharField()
    intent = serializers.JSONField()
    outcome = serializers.JSONField(allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at")
    doneAt = serializers.DateTimeField(source="done_at", allow_null=True)


class AICallSerializer(serializers.Serializer[Any]):
    """One attempt at a model. Unknown tokens and costs are null, never 0."""

    id = serializers.UUIDField()
    task = serializers.CharField()
    provider = serializers.CharField()
    model = serializers.CharField(source="model_name")
    nodeId = serializers.CharField(source="node_id")
    attempt = serializers.IntegerField()
    succeeded = serializers.BooleanField()
    errorKind = serializers.CharField(source="error_kind")
    error = serializers.CharField()
    request = serializers.JSONField()
    response = serializers.JSONField()
    promptTokens = serializers.IntegerField(source="prompt_tokens", allow_null=True)
    completionTokens = serializers.IntegerField(source="completion_tokens", allow_null=True)
    cost = serializers.DecimalField(max_digits=12, decimal_places=6, allow_null=True)
    durationMs = serializers.IntegerField(source="duration_ms")
    createdAt = serializers.DateTimeField(source="created_at")


class RunDetailSerializer(RunSerializer):
    steps = StepSerializer(many=True)
    effects = EffectSerializer(many=True)
    aiCalls = serializers.SerializerMethodField()

    @extend_schema_field(AICallSerializer(many=True))
    def get_aiCalls(self, run: Run) -> Any:
        calls = AICall.objects.filter(run_id=run.pk).order_by("created_at", "pk")
        return AICallSerializer(calls, many=True).data


class RunFilter(django_filters.FilterSet):  # type: ignore[misc]
    robot = django_filters.CharFilter(field_name="conversation__robot__slug")
    message = django_filters.UUIDFilter(field_name="message_id")
    state = django_filters.ChoiceFilter(choices=RunState.choices)
    reason = django_filters.ChoiceFilter(choices=Reason.choices)
    since = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Run
        fields: list[str] = []


class RunViewSet(ScopedReadView[Run]):
    """Runs, newest first; a single one with its steps, effects and AI calls."""

    requires = Ability.READ_RUNS
    scope_path = "conversation__robot"
    queryset = Run.objects.select_related("conversation__robot", "version__flow")
    filterset_class = RunFilter

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows.prefetch_related("steps", "effects") if self.action == "retrieve" else rows

    def get_serializer_class(self) -> type[RunSerializer]:
        return RunDetailSerializer if self.action == "retrieve" else RunSerializer
