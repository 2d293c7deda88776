"""Addresses of admin pages, only where there is one and this person's role may open it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from worktool_ai.accounts.permissions import Ability, may, may_touch

__all__ = ["connect_page", "page_of"]


def page_of(person: Any, label: str, kind: str = "changelist", row: str = "") -> str:
    """Return the address of a model's ``changelist``, ``add`` or ``change`` page; empty when it is not for them."""
    model = apps.get_model(label)
    meta = model._meta
    right = "add" if kind == "add" else "view"
    is_open = getattr(person, "is_staff", False) and may_touch(person, right, meta.app_label, str(meta.model_name))
    if not is_open or model not in admin.site._registry:
        return ""
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{kind}", args=[row] if row else [])


def connect_page(person: Any) -> str:
    """Return the address of the page that takes robots in; empty for who may not."""
    is_open = getattr(person, "is_staff", False) and may(person, Ability.CONNECT_ROBOTS)
    return reverse("admin:robots_connect") if is_open else ""
