"""How often a persona's models gave answers that must not be sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy as _

from personas.models import AICall, AITask, Persona
from worktool_ai.lib.clock import now

__all__ = ["PROBLEMS", "refusals"]

AGE = timedelta(days=7)

#: What the checks call a problem (:mod:`personas.checks.problem`), for people.
PROBLEMS: dict[str, Any] = {
    "empty": _("empty"),
    "unresolved": _("variable left open"),
    "too_long": _("too long"),
    "forbidden": _("forbidden word"),
    "leak": _("prompt leaked"),
    "language": _("wrong language"),
    "role": _("out of its role"),
    "claim": _("without evidence"),
    "promise": _("promise of nobody"),
    "unchecked": _("could not be checked"),
}


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
