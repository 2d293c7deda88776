"""The column that holds a plugin's configuration, secrets sealed inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models

__all__ = ["ConfigJSONField"]


class ConfigJSONField(models.JSONField):
    """A JSON column in which sealed secrets may stand: ``rotate_keys`` and the start-up report look inside.

    Migrations see a plain JSONField: nothing differs in the database.
    """

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, arguments, options = super().deconstruct()
        return name, "django.db.models.JSONField", arguments, options
