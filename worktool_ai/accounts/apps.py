from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "worktool_ai.accounts"
    label = "accounts"
    verbose_name = _("People and permissions")

    def ready(self) -> None:
        from worktool_ai.accounts import checks  # noqa: F401  # registers them
