"""Django's permission questions, answered from the role table."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.backends import ModelBackend

from worktool_ai.accounts.permissions import may_touch

__all__ = ["RoleBackend"]


class RoleBackend(ModelBackend):
    """Passwords as usual; permissions come from the role alone, never from hand-assigned rows."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        app_label, _, codename = perm.partition(".")
        right, _, model_name = codename.partition("_")
        return right in {"view", "add", "change", "delete"} and may_touch(user_obj, right, app_label, model_name)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        models = apps.get_app_config(app_label).get_models()
        return any(may_touch(user_obj, "view", app_label, str(model._meta.model_name)) for model in models)

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return {
            f"{model._meta.app_label}.{right}_{model._meta.model_name}"
            for model in apps.get_models()
            for right in ("view", "add", "change", "delete")
            if may_touch(user_obj, right, model._meta.app_label, str(model._meta.model_name))
        }
