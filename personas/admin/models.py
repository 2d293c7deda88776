"""AI models with how they stand and the test button, and the history of their health."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import connection, models, transaction
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from personas import caches
from personas.admin.model_status import HEALTH_COLOURS, ModelStatusMixin
from personas.hotpath import insert_ai_calls
from personas.models import AIModel, AIModelHealthCheck, HealthStatus
from personas.providers import registry
from personas.service import AIService
from personas.types import CallScope, HealthResult
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, ReadOnlyModelAdmin, display
from worktool_ai.lib.admin_actions import RowAction, RowActionsMixin
from worktool_ai.lib.admin_fields import ArrayInputsMixin
from worktool_ai.lib.config_admin import PluginConfigAdminMixin


@admin.register(AIModel)
class AIModelAdmin(ModelStatusMixin, RowActionsMixin, PluginConfigAdminMixin, ArrayInputsMixin, AuditedModelAdmin):
    """A model of a vendor. Its key is never shown again; the button asks it one real question."""

    plugin_registry = registry
    plugin_kind_field = "provider"
    list_display = ("name", "provider", "model_id", "is_active", "shown_health", "shown_breaker", "note")
    readonly_fields = ("shown_status",)
    list_filter = ("provider", "is_active")
    search_fields = ("name", "model_id", "note")
    formfield_overrides: ClassVar[Any] = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = (
        (None, {"fields": ("name", "provider", "model_id", "model_type", "is_active", "note")}),
        (None, {"fields": ("shown_status",)}),
        (_("Access"), {"fields": ("api_endpoint", "api_key")}),
        (_("Limits"), {"fields": (("requests_per_minute", "tokens_per_minute"),)}),
        (_("What it is used for"), {"fields": ("capabilities",)}),
        (_("Price"), {"fields": (("input_price", "output_price"),)}),
        (_("Configuration"), {"fields": ("config",)}),
    )
    row_actions = (
        RowAction("test", _("Test now with a real question"), "network_ping"),
        *ModelStatusMixin.breaker_actions,
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related(Prefetch("health_checks", _latest_checks()), "holds")

    def test(self, request: HttpRequest, model: AIModel, _inputs: dict[str, Any]) -> None:
        service = AIService(CallScope(node_id="admin"))
        result = service.health_check(caches.model_snapshot(model))
        with transaction.atomic(), connection.cursor() as cursor:
            insert_ai_calls(cursor, service.scope.calls)
            _store_health(model, result)
        if result.ok:
            text = _("It answered after %(ms)d ms: %(answer)s") % {"ms": result.duration_ms, "answer": result.answer}
            self.message_user(request, text)
        else:
            text = _("No usable answer (%(kind)s): %(error)s") % {"kind": result.error_kind, "error": result.error}
            self.message_user(request, text, messages.ERROR)


def _latest_checks() -> QuerySet[AIModelHealthCheck]:
    return AIModelHealthCheck.objects.order_by("model_id", "-checked_at").distinct("model_id")


def _store_health(model: AIModel, result: HealthResult) -> None:
    AIModelHealthCheck.objects.create(
        model=model,
        status=HealthStatus.HEALTHY if result.ok else HealthStatus.DOWN,
        response_time=result.duration_ms,
        error_message=result.error,
    )


@admin.register(AIModelHealthCheck)
class AIModelHealthCheckAdmin(ReadOnlyModelAdmin):
    list_display = ("checked_at", "model", "shown_status", "source", "response_time", "error_message")
    list_filter = ("model", "status", "source")

    @display(description=_("status"), label=HEALTH_COLOURS)
    def shown_status(self, check: AIModelHealthCheck) -> tuple[str, str]:
        return check.status, check.get_status_display()
