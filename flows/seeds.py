"""The seeded flow: the seed document's 8-node way and its 11-node alert way as one graph, with four ways out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flows.models import Flow
from flows.services import publish
from worktool_ai.accounts.models import SeedMark

__all__ = ["seed", "standard_graph"]

DATA = Path(__file__).parent / "data"


def standard_graph() -> dict[str, Any]:
    """Return the seeded graph as it is stored."""
    graph: dict[str, Any] = json.loads((DATA / "standard.json").read_text(encoding="utf-8"))
    return graph


def seed() -> int:
    """Plant and publish the standard flow once; returns how many rows were planted."""
    _mark, fresh = SeedMark.objects.get_or_create(key="flow:standard")
    if not fresh:
        return 0
    flow = Flow.objects.create(
        slug="standard",
        name="标准客服流程",
        description="标准回复、告警处理、不清楚、静默四条路；告警处理通知同事后回到标准回复。",
        is_default=not Flow.objects.filter(is_default=True).exists(),
    )
    publish(flow, standard_graph(), actor=None, note="预设流程")
    return 1
