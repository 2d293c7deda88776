from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RobotsConfig(AppConfig):
    name = "robots"
    verbose_name = _("Robots")

    def ready(self) -> None:
        from robots.budget_targets import register_targets

        register_targets()
