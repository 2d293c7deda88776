"""Secrets that no key at hand opens: named at start-up and in one alert, which closes once all can be opened again.

Everything else goes on: a robot whose id cannot be opened sends nothing, a model whose key cannot is not asked.
"""

from __future__ import annotations

from django.db import transaction

from alerts import services as alerts
from alerts.models import Alert, AlertState
from alerts.services import AlertDraft
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.sealed_rows import Unreadable, unreadable

__all__ = ["watch"]

logger = get_logger(__name__)

FINGERPRINT = "unreadable_secrets"
#: Rows that the alert names; the start-up lines and ``manage.py check_secrets`` name all.
NAMED = 5
#: Chinese, like everything that colleagues read in WeCom.
TITLE = "{number} 项密钥无法解密：请在其页面重新填写，或把原来的密钥放回 ENCRYPTION_KEYS"


def watch() -> list[str]:
    """Look at every stored secret, log and alert what cannot be opened, and return it a sentence each."""
    with borrowed():
        found = list(unreadable())
        for one in found:
            logger.error(
                "secret.unreadable",
                model=one.column.model._meta.label,
                row=str(one.row),
                pk=str(one.row.pk),
                field=one.field_name,
                problem=str(one.problem),
            )
        if found:
            _alert(found)
        else:
            _close()
    return [str(one) for one in found]


@transaction.atomic
def _alert(found: list[Unreadable]) -> None:
    names = [f"{one.row._meta.verbose_name} {one.row}：{one.field_name}" for one in found[:NAMED]]
    title = TITLE.format(number=len(found))
    draft = AlertDraft(
        code="unreadable_secrets",
        level="critical",
        title=title,
        fingerprint=FINGERPRINT,
        data={"text": "；".join(names), "number": len(found)},
    )
    alerts.notify(alerts.raise_alert(draft).id, level="critical")


def _close() -> None:
    for alert in Alert.objects.filter(fingerprint=FINGERPRINT).exclude(state=AlertState.RESOLVED):
        alerts.resolve(alert.pk, FINGERPRINT)
