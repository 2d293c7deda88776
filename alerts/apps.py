from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    name = "alerts"
    verbose_name = _("Alerts")

    def ready(self) -> None:
        from alerts import budgets, channels, conditions
        from personas.budgets import notices

        channels.registry.discover()
        conditions.registry.discover()
        notices.budget_reached.bind(budgets.raise_for)
        notices.budgets_looked_at.bind(budgets.resolve_over)
