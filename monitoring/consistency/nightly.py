"""The nightly run: whoever is on duty learns that facts contradict each other, before a customer does."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from alerts import services as alerts
from alerts.services import AlertDraft
from monitoring.consistency.examining import Span, examine, summary
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger

__all__ = ["run"]

logger = get_logger(__name__)

#: Chinese, like everything that colleagues read in WeCom.
TITLE = "数据一致性检查发现 {number} 处矛盾：请技术人员运行 check_consistency 查看"


def run() -> dict[str, Any]:
    """Examine what is kept, raise one alert where something is found, and return the summary."""
    with borrowed():
        told = summary(list(examine(Span.of())))
        found = {name: number for name, number in told["checks"].items() if number}
        logger.info("consistency.checked", inconsistencies=told["inconsistencies"], found=found)
        if found:
            _alert(told["inconsistencies"], found)
    return told


@transaction.atomic
def _alert(number: int, found: dict[str, int]) -> None:
    title = TITLE.format(number=number)
    draft = AlertDraft(
        code="inconsistent", level="warning", title=title, fingerprint="inconsistent", data={"checks": found}
    )
    alerts.notify(alerts.raise_alert(draft).id, level="warning")
