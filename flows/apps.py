from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class FlowsConfig(AppConfig):
    name = "flows"
    verbose_name = _("Flows")

    def ready(self) -> None:
        from flows import nodes
        from flows.engine.waits import wake_for_commands
        from robots import hooks

        nodes.registry.discover()
        for folder in settings.EXTRA_NODE_FOLDERS:
            nodes.registry.add_folder(folder)
        hooks.commands_final.bind(wake_for_commands)
