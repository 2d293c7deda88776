from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PersonasConfig(AppConfig):
    name = "personas"
    verbose_name = _("Personas and models")

    def ready(self) -> None:
        from personas import providers

        providers.registry.discover()
