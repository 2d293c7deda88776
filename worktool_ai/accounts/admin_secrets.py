"""What an admin page says of secrets that no key opens: which, and what to do. Never the secret, never a key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from worktool_ai.lib.sealed_rows import Unreadable, columns_of, unreadable, unreadable_of

__all__ = ["warn_of_row", "warn_of_rows"]

NAMED = 10


def warn_of_row(request: HttpRequest, row: Model, ways_out: Mapping[str, Any]) -> None:
    """Say on a row's page which of its secrets cannot be opened; ``ways_out`` by field, where entering it again here is
    not possible.
    """
    for one in unreadable_of(row):
        way_out = ways_out.get(one.column.field.name) or _("Enter it again here.")
        messages.error(request, f"{_what(one)} {way_out} {_other_way(one)}")


def warn_of_rows(request: HttpRequest, model: type[Model], visible: Iterable[Any]) -> None:
    """Say on a list which of the rows that this person may see hold a secret that cannot be opened."""
    if not columns_of(model):
        return
    affected = {one.row.pk: str(one.row) for one in unreadable(model)}
    names = [affected[pk] for pk in visible if pk in affected] if affected else []
    if names:
        shown = "、".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
        text = _("Secrets of these rows cannot be decrypted; their pages say what to do: %(names)s")
        messages.error(request, text % {"names": shown})


def _what(one: Unreadable) -> str:
    field = capfirst(str(one.column.field.verbose_name)) + (f" ({one.place})" if one.place else "")
    if one.is_damaged:
        return _("%(field)s: the stored value is damaged.") % {"field": field}
    text = _("%(field)s cannot be decrypted: its key %(key)s is not in ENCRYPTION_KEYS.")
    return text % {"field": field, "key": one.problem.key_id}


def _other_way(one: Unreadable) -> str:
    return "" if one.is_damaged else _("Or put that key back into ENCRYPTION_KEYS and restart.")
