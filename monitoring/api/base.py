"""What every view of the API shares: its permission is stated, its rows lie inside the robot scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.viewsets import ReadOnlyModelViewSet

from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.accounts.privacy import mask_name, mask_text
from worktool_ai.accounts.scopes import scope_of

__all__ = ["PrivateSerializer", "ScopedReadView"]

M = TypeVar("M", bound=Model)


class ScopedReadView(ReadOnlyModelViewSet[M]):
    """List and detail. ``requires`` states who may call it, ``scope_path`` leads from a row to its robot."""

    requires: ClassVar[Ability | Mapping[str, Ability]]
    scope_path: ClassVar[str] = "robot"

    def get_queryset(self) -> QuerySet[M]:
        return scope_of(self.request.user).filter(super().get_queryset(), self.scope_path)


class PrivateSerializer(serializers.Serializer[Any]):
    """Hides customers' names and numbers from those who may not read contacts."""

    @property
    def shows_contacts(self) -> bool:
        request = self.context.get("request")
        return request is not None and may(request.user, Ability.READ_CONTACTS)

    def name(self, name: str) -> str:
        return name if self.shows_contacts else mask_name(name)

    def words(self, text: str, *names: str) -> str:
        return text if self.shows_contacts else mask_text(text, names)
