from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

#: Pages of lower apps whose rows know the run that they belong to.
LINKED_TO_THEIR_RUN = ("robots.message", "robots.command", "alerts.alert", "personas.aicall")


class FlowsConfig(AppConfig):
    name = "flows"
    verbose_name = _("Flows")

    def ready(self) -> None:
        from flows import nodes
        from flows.engine.waits import wake_for_commands
        from flows.links import run_page
        from flows.node_settings import default_field_choices
        from robots import hooks
        from robots.models import Reason
        from worktool_ai.lib import links
        from worktool_ai.lib.config_forms import register_choices

        nodes.registry.discover()
        for folder in settings.EXTRA_NODE_FOLDERS:
            nodes.registry.add_folder(folder)
        hooks.commands_final.bind(wake_for_commands)
        register_choices("flows.default_fields", default_field_choices)
        register_choices("flows.reasons", lambda: [("", "—"), *Reason.choices])
        for label in LINKED_TO_THEIR_RUN:
            links.register(label, _("Run"), run_page)
