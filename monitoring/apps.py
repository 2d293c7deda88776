from __future__ import annotations

from django.apps import AppConfig
from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class MonitoringConfig(AppConfig):
    name = "monitoring"
    verbose_name = _("Monitoring")

    def ready(self) -> None:
        admin.site.index_title = _("Overview")
        admin.site.index_template = "monitoring/dashboard.html"
