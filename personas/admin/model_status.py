"""How a model stands, on its page: breakers with their buttons, limits, probes, last errors and last test."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from personas import caches
from personas.models import AICall, AIModel, AITask, BreakerHold, Capability, HealthStatus
from personas.resilience import services, status
from personas.resilience.health import ProbeCount, probes_today
from worktool_ai.accounts.admin_mixins import display
from worktool_ai.lib.admin_actions import RowAction

__all__ = ["HEALTH_COLOURS", "ModelStatusMixin"]

HEALTH_COLOURS = {
    HealthStatus.HEALTHY: "success",
    HealthStatus.DEGRADED: "warning",
    HealthStatus.DOWN: "danger",
    "none": "info",
}
STATES = {"closed": _("closed"), "open": _("open (tripped)"), "half_open": _("half-open")}
LAST_ERRORS = 5


class BreakerForm(forms.Form):
    capability = forms.ChoiceField(
        label=_("capability"),
        required=False,
        choices=[("", _("all")), *Capability.choices],
        widget=UnfoldAdminSelectWidget,
    )


class HoldForm(BreakerForm):
    why = forms.CharField(label=_("why"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget)


class ModelStatusMixin:
    """Columns, fields and buttons of :class:`AIModelAdmin`."""

    breaker_actions: ClassVar[tuple[RowAction, ...]] = (
        RowAction("hold_open", _("Hold breaker open"), "block", HoldForm),
        RowAction("hold_closed", _("Hold breaker closed"), "check_circle", HoldForm),
        RowAction("automatic", _("Breaker automatic"), "autorenew", BreakerForm),
    )

    @display(description=_("status"), label=HEALTH_COLOURS)
    def shown_health(self, model: AIModel) -> tuple[str, Any]:
        latest = next(iter(model.health_checks.all()), None)
        if latest is None:
            return "none", _("never asked")
        took = "" if latest.response_time is None else f" · {latest.response_time} ms"
        return latest.status, f"{latest.get_status_display()}{took}"

    @display(description=_("breaker"), label={"closed": "success", "open": "danger", "unknown": "info"})
    def shown_breaker(self, model: AIModel) -> tuple[str, Any]:
        known = status.current().get(model.pk)
        held = [hold for hold in model.holds.all() if hold.state == BreakerHold.State.OPEN]
        if known is None and not held:
            return "unknown", "—"
        refusing = [_name(one.capability) for one in known.breakers if one.refuses] if known else []
        if held and not refusing:
            refusing = [_name(hold.capability) for hold in held]
        return ("open", _("open: %(names)s") % {"names": "、".join(refusing)}) if refusing else ("closed", _("closed"))

    @display(description=_("How it stands"))
    def shown_status(self, model: AIModel) -> str:
        if model._state.adding:
            return "—"
        return render_to_string("personas/model_status.html", _facts(model))

    def hold_open(self, request: HttpRequest, model: AIModel, inputs: dict[str, Any]) -> None:
        self._hold(request, model, BreakerHold.State.OPEN, inputs)

    def hold_closed(self, request: HttpRequest, model: AIModel, inputs: dict[str, Any]) -> None:
        self._hold(request, model, BreakerHold.State.CLOSED, inputs)

    def automatic(self, request: HttpRequest, model: AIModel, inputs: dict[str, Any]) -> None:
        services.release_breaker(model, inputs["capability"], request.user, request)  # type: ignore[arg-type]
        self.message_user(request, _("The breaker judges by itself again, from closed on."))  # type: ignore[attr-defined]

    def _hold(self, request: HttpRequest, model: AIModel, state: Any, inputs: dict[str, Any]) -> None:
        services.hold_breaker(model, inputs["capability"], state, inputs["why"], request.user, request)  # type: ignore[arg-type]
        text = _("The breaker of %(what)s is held: %(state)s. All processes follow within two seconds.")
        values = {"what": _name(inputs["capability"]), "state": BreakerHold.State(state).label}
        self.message_user(request, text % values)  # type: ignore[attr-defined]


def _facts(model: AIModel) -> dict[str, Any]:
    """Gather what the page shows; ``known`` is None while Redis is away."""
    snapshot = caches.model_snapshot(model)
    known = status.read([snapshot]).get(model.pk)
    calls = AICall.objects.filter(model=model).order_by("-created_at")
    requests, tokens = (known.requests, known.tokens) if known else (None, None)
    return {
        "known": known,
        "breakers": [(_name(one.capability), STATES[one.state], one) for one in known.breakers] if known else [],
        "holds": [(_name(hold.capability), hold) for hold in model.holds.all()],
        "limits": [
            (_("requests per minute"), requests, snapshot.request_limit),
            (_("tokens per minute"), tokens, snapshot.token_limit),
        ],
        "probes": probes_today([model.pk]).get(model.pk, ProbeCount()),
        "probe_cap": settings.MODEL_PROBES_PER_DAY,
        "errors": calls.filter(succeeded=False)[:LAST_ERRORS],
        "test": calls.filter(task=AITask.HEALTH).first(),
    }


def _name(capability: str) -> str:
    return str(Capability(capability).label) if capability else str(_("all"))
