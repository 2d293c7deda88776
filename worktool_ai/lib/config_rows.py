"""Fields of a configuration form that hold forms themselves: nested models, and rows that people add and remove.

What is typed stays plain inputs; nobody writes JSON. Rows are numbered by the browser (``config_rows.js``); each
carries where it came from (``origin``), so that a kept secret finds its stored value after rows were removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

__all__ = ["LinesField", "Row", "RowForm", "RowsField", "RowsWidget"]

Mode = Literal["single", "list", "dict"]
Location = tuple[int | str, ...]
MAX_ROWS = 200


class RowForm(Protocol):
    """As much of a configuration form as a row needs (see ``config_forms.ConfigForm``)."""

    def __init__(self, data: Any = None, *, stored: Any = None, prefix: str | None = None) -> None: ...
    def is_valid(self) -> bool: ...
    def is_blank(self) -> bool: ...
    def has_changed(self) -> bool: ...
    def document(self) -> dict[str, Any]: ...
    def add_problem(self, location: Location, text: str) -> None: ...


class Row(NamedTuple):
    """A row's form, and the place of the stored row it came from (empty for a new one)."""

    origin: str
    form: RowForm


class LinesField(forms.CharField):
    """A list of texts, one a line; empty lines do not count."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        lines = [line.strip() for line in (data or "").splitlines() if line.strip()]
        return [str(item) for item in initial or []] != lines


class RowsWidget(forms.Widget):
    """Shows one form, or a row of inputs for each form, with a template for new rows."""

    class Media:
        js = ("lib/config_rows.js",)

    def __init__(self, form_class: type[RowForm], mode: Mode) -> None:
        super().__init__()
        self.form_class = form_class
        self.mode = mode
        self.stored: list[Any] = []
        self._bound: dict[str, list[Row]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> RowsWidget:
        copy: RowsWidget = super().__deepcopy__(memo)
        copy._bound = {}
        return copy

    def set_stored(self, value: Any) -> None:
        """Take the stored part of the document, whose secrets are kept where nothing new is typed."""
        if self.mode == "single":
            self.stored = [value or {}]
        elif self.mode == "dict":
            self.stored = [{"key": key, "value": item} for key, item in (value or {}).items()]
        else:
            self.stored = list(value or [])

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[Row]:
        """Return the bound rows, the same ones each time, so that errors added to them are shown."""
        if name not in self._bound:
            self._bound[name] = self._bind(data, name)
        return self._bound[name]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False

    def _bind(self, data: Mapping[str, Any], name: str) -> list[Row]:
        if self.mode == "single":
            return [Row("0", self.form_class(data, stored=self._stored_at("0"), prefix=name))]
        marker = re.compile(re.escape(name) + r"-(\d{1,6})-origin")
        found = sorted(int(match[1]) for key in data if (match := marker.fullmatch(key)))[:MAX_ROWS]
        return [self._bind_row(data, f"{name}-{index}") for index in found]

    def _bind_row(self, data: Mapping[str, Any], prefix: str) -> Row:
        origin = str(data[f"{prefix}-origin"])
        return Row(origin, self.form_class(data, stored=self._stored_at(origin), prefix=prefix))

    def _stored_at(self, origin: str) -> Any:
        place = int(origin) if origin.isdecimal() and len(origin) < 7 else len(self.stored)
        return self.stored[place] if place < len(self.stored) else None

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        placeholder = f"__row_{name}__"
        context = {
            "name": name,
            "mode": self.mode,
            "rows": self._bound.get(name) or self._unbound(name),
            "placeholder": placeholder,
            "blank": None if self.mode == "single" else self.form_class(prefix=f"{name}-{placeholder}"),
        }
        return render_to_string("lib/config_rows.html", context)

    def _unbound(self, name: str) -> list[Row]:
        prefixes = [name] if self.mode == "single" else [f"{name}-{index}" for index in range(len(self.stored))]
        stored = self.stored or [{}]
        return [
            Row(str(index), self.form_class(stored=stored[index], prefix=prefix))
            for index, prefix in enumerate(prefixes)
        ]


class RowsField(forms.Field):
    """A field whose value is a nested document, a list of them, or a map of texts."""

    widget: RowsWidget

    def __init__(self, form_class: type[RowForm], mode: Mode, **options: Any) -> None:
        super().__init__(widget=RowsWidget(form_class, mode), **{**options, "required": False})
        self.mode = mode

    def set_stored(self, value: Any) -> None:
        self.widget.set_stored(value)

    def clean(self, value: list[Row]) -> Any:
        rows = self._kept(value)
        valid = [row.form.is_valid() for row in rows]
        if not all(valid):
            raise forms.ValidationError(_("Correct what is marked below."))
        documents = [row.form.document() for row in rows]
        if self.mode == "single":
            return documents[0]
        return self._as_map(documents) if self.mode == "dict" else documents

    def has_changed(self, initial: Any, data: Any) -> bool:
        rows = self._kept(data)
        return len(rows) != len(self.widget.stored) or any(row.form.has_changed() for row in rows)

    def add_problem(self, value: list[Row], location: Location, text: str) -> bool:
        """Show a problem at the row it concerns; False where no row is named."""
        rows = self._kept(value)
        if self.mode == "single":
            rows[0].form.add_problem(location, text)
            return True
        place = location[0] if location else None
        if not isinstance(place, int) or place >= len(rows):
            return False
        rows[place].form.add_problem(location[1:], text)
        return True

    def _kept(self, rows: list[Row] | None) -> list[Row]:
        """Leave out rows in which nothing was typed."""
        return [row for row in rows or [] if self.mode == "single" or not row.form.is_blank()]

    @staticmethod
    def _as_map(documents: list[dict[str, Any]]) -> dict[str, Any]:
        found = {document["key"]: document["value"] for document in documents}
        if len(found) != len(documents):
            raise forms.ValidationError(_("Each name may stand here once."))
        return found
