"""``/api/v1/spend/`` and ``/api/v1/budgets/``: what calls to models have cost, and how the budgets stand.

Amounts are decimal text in the currency of the installation; null means unknown, which is never 0.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from personas.budgets import spending, standing, targets
from personas.budgets.caches import snapshot
from personas.budgets.models import Budget, BudgetScope
from personas.budgets.overview import Row, robots_of, rows_by
from personas.budgets.periods import Period, span
from personas.budgets.spending import GROUPS
from personas.budgets.standing import Status
from worktool_ai.accounts.permissions import Ability
from worktool_ai.accounts.scopes import scope_of
from worktool_ai.lib import clock

__all__ = ["BudgetsView", "SpendView"]


class AmountField(serializers.DecimalField):
    """An amount or a sum of amounts, as text with six decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=18, decimal_places=6, read_only=True, **options)


class SpendQuery(serializers.Serializer[Any]):
    """``by``: what the rows are about. ``period``: today or this month, in China."""

    by = serializers.ChoiceField(choices=list(GROUPS), default="model")
    period = serializers.ChoiceField(choices=Period.choices, default=Period.DAY)


class FiguresSerializer(serializers.Serializer[Any]):
    cost = AmountField(
        source="spending.cost", help_text="sum of the known costs; null when none of them is known", allow_null=True
    )
    calls = serializers.IntegerField(source="spending.calls", help_text="calls to vendors; local ones are not counted")
    unknown = serializers.IntegerField(source="spending.unknown", help_text="of these: of unknown cost")
    estimate = AmountField(
        source="spending.estimated", help_text="what counts in budgets for the unknown ones", allow_null=True
    )
    refused = serializers.IntegerField(source="spending.refused", help_text="of these: refused by the vendor, no bill")


class SpendRowSerializer(FiguresSerializer):
    id = serializers.UUIDField(source="spending.target", allow_null=True, help_text="null: calls that belong to none")
    name = serializers.CharField(allow_null=True, help_text="null: deleted, or a private chat")


class SpendSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    period = serializers.ChoiceField(choices=Period.choices)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    total = FiguresSerializer()
    items = SpendRowSerializer(many=True)


class SpendView(APIView):
    """``GET /api/v1/spend/?by=&period=``: spending of today or this month inside the robot scope, dearest first."""

    requires = Ability.READ_COSTS

    @extend_schema(parameters=[SpendQuery], responses=SpendSerializer)
    def get(self, request: Request) -> Response:
        asked = SpendQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted, viewer = asked.validated_data, scope_of(request.user)
        now = span(wanted["period"], clock.now())
        found = {
            "currency": settings.COST_CURRENCY,
            "period": wanted["period"],
            "start": now.start,
            "end": now.end,
            "total": Row(None, spending.total(now, robots_of(viewer))),
            "items": rows_by(wanted["by"], now, viewer),
        }
        return Response(SpendSerializer(found).data)


class BudgetSerializer(serializers.Serializer[Any]):
    """A budget in the present period. ``reserved``: for calls on their way; null while nobody knows."""

    id = serializers.UUIDField(source="budget.id")
    scope = serializers.ChoiceField(source="budget.scope", choices=BudgetScope.choices)
    targetId = serializers.UUIDField(source="budget.target", allow_null=True)
    title = serializers.SerializerMethodField()
    period = serializers.ChoiceField(source="budget.period", choices=Period.choices)
    currency = serializers.SerializerMethodField()
    amount = AmountField(source="budget.amount")
    spent = AmountField()
    reserved = AmountField(source="held", allow_null=True)
    left = AmountField()
    percent = serializers.IntegerField()
    endsAt = serializers.DateTimeField(source="span.end")

    def get_title(self, status: Status) -> str:
        return targets.title(status.budget.scope, status.budget.target, targets.EVERYWHERE)

    def get_currency(self, _status: Status) -> str:
        return str(settings.COST_CURRENCY)


class BudgetsSerializer(serializers.Serializer[Any]):
    items = BudgetSerializer(many=True)


class BudgetsView(APIView):
    """``GET /api/v1/budgets/``: the active budgets inside the robot scope; they are changed in the admin."""

    requires = Ability.READ_COSTS

    @extend_schema(responses=BudgetsSerializer)
    def get(self, request: Request) -> Response:
        rows = targets.visible(Budget.objects.filter(is_active=True), scope_of(request.user))
        found = standing.statuses([snapshot(row) for row in rows])
        return Response(BudgetsSerializer({"items": found}).data)
