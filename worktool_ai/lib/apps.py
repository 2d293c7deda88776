from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from worktool_ai.lib import failpoints


class LibConfig(AppConfig):
    name = "worktool_ai.lib"
    label = "lib"

    def ready(self) -> None:
        from worktool_ai.lib import checks  # noqa: F401  # registers itself; needs the app registry

        failpoints.check(settings.ENVIRONMENT)
        autodiscover_modules("retention")  # every app states there what it keeps, and for how long
