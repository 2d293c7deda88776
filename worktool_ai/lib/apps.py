from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from worktool_ai.lib import failpoints


class LibConfig(AppConfig):
    name = "worktool_ai.lib"
    label = "lib"

    def ready(self) -> None:
        from worktool_ai.lib import checks  # noqa: F401  # registers itself; needs the app registry

        failpoints.check(settings.ENVIRONMENT)
