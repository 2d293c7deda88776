from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PersonasConfig(AppConfig):
    name = "personas"
    verbose_name = _("Personas and models")

    def ready(self) -> None:
        from personas import caches, providers
        from worktool_ai.lib.config_forms import register_choices

        providers.registry.discover()
        register_choices("personas.intents", lambda: [(i.key, i.name) for i in caches.cast().intents.values()])
        register_choices("templates_lib.topics", lambda: [(topic, topic) for topic in caches.cast().topics])
