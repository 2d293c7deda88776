"""Inputs of the gateway's forms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

__all__ = ["SuggestingInput"]


class SuggestingInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]  # the theme has no types
    """A text input that suggests values and takes any."""

    def __init__(self, suggestions: Iterable[str]) -> None:
        super().__init__()
        self._suggestions = list(suggestions)

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        listed = f"{name}-suggestions"
        shown = super().render(name, value, {**(attrs or {}), "list": listed}, renderer)
        options = format_html_join("", '<option value="{}"></option>', ((text,) for text in self._suggestions))
        return format_html('{}<datalist id="{}">{}</datalist>', shown, listed, options)
