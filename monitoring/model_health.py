"""Models whose vendors fail: one alert for each that is down, closed when it is not any more.

/readyz does not depend on vendors: the local model answers.
"""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from alerts import services as alerts
from alerts.models import Alert, AlertState, Level
from personas.models import AIModel
from personas.resilience import health
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger

__all__ = ["watch"]

logger = get_logger(__name__)

CODE = "model_down"


def watch() -> None:
    """Look at the models' health, and have the alerts say what is so."""
    health.watch()
    with borrowed():
        down = {_fingerprint(pk): pk for pk in health.down()}
        open_alerts = Alert.objects.filter(code=CODE).exclude(state=AlertState.RESOLVED)
        known = {alert.fingerprint: alert for alert in open_alerts}
        for fingerprint in down.keys() - known.keys():
            _raise(AIModel.objects.get(pk=down[fingerprint]), fingerprint)
        for fingerprint in known.keys() - down.keys():
            alerts.resolve(known[fingerprint].pk, "health")


def _raise(model: AIModel, fingerprint: str) -> None:
    latest = model.health_checks.first()
    error = latest.error_message if latest else ""
    text = _("The model %(name)s is down: %(error)s") % {"name": model.name, "error": error or "—"}
    draft = alerts.AlertDraft(
        code=CODE,
        level=Level.WARNING,
        title=_("A model is down"),
        fingerprint=fingerprint,
        data={"text": text, "model": model.name},
    )
    raised = alerts.raise_alert(draft)
    alerts.notify(raised.id, level=Level.WARNING, text=text)
    logger.warning("model.down", model=model.name, error=error)


def _fingerprint(model_id: UUID) -> str:
    return f"model:{model_id}"
