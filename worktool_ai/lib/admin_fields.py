"""Inputs for array columns: boxes to tick, or one text a line. The stock input splits at commas, which texts hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.db.models import Field
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from worktool_ai.lib.config_rows import LinesField

__all__ = ["ArrayInputsMixin", "BlocksField"]

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object

_RULE = re.compile(r"^\s*---+\s*$", re.MULTILINE)


class BlocksField(forms.CharField):
    """A list of texts of several lines each, with a line of ``---`` between two."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "\n---\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        return _blocks(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != _blocks(data or "")


def _blocks(text: str) -> list[str]:
    found = (block.strip() for block in _RULE.split(text.replace("\r\n", "\n")))
    return [block for block in found if block]


class ArrayInputsMixin(Base):
    """Put before ``ModelAdmin``: array columns with choices become boxes, others one text a line."""

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if not isinstance(db_field, ArrayField):
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        options: dict[str, Any] = {"label": db_field.verbose_name, "required": not db_field.blank}
        if choices := db_field.base_field.choices:
            boxes = UnfoldAdminCheckboxSelectMultipleWidget()
            return forms.MultipleChoiceField(choices=list(choices), widget=boxes, **options)
        return LinesField(widget=UnfoldAdminTextareaWidget(), help_text=_("One a line."), **options)
