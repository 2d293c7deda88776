"""How often a persona's models gave answers that must not be sent."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count
from django.db.models.fields.json import KT

from personas.models import AICall, AITask, Persona
from worktool_ai.lib.clock import now

__all__ = ["refusals"]

AGE = timedelta(days=7)


def refusals(persona: Persona) -> tuple[int, dict[str, int]]:
    """Return how many answers models gave lately, tests left out, and the refused ones by their problem, most first."""
    answers = AICall.objects.filter(
        persona=persona, task=AITask.REPLY, is_test=False, created_at__gte=now() - AGE, response__has_key="text"
    ).exclude(provider="local")
    refused = (
        answers.filter(response__has_key="problem")
        .annotate(problem=KT("response__problem"))
        .values("problem")
        .annotate(count=Count("pk"))
        .order_by("-count", "problem")
    )
    return answers.count(), {row["problem"]: row["count"] for row in refused}
