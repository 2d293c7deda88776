from __future__ import annotations

from django.apps import AppConfig


class LibConfig(AppConfig):
    name = "worktool_ai.lib"
    label = "lib"
