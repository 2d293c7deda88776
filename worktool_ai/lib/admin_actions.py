"""Buttons on a row's admin page: each a POST of its own beside the row's form, with inputs of its own where needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse

__all__ = ["RowAction", "RowActionsMixin"]

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object


@dataclass(frozen=True, slots=True)
class RowAction:
    """One button. ``name`` is also the method ``(request, row, cleaned_data)`` that it calls.

    The method tells its outcome by ``message_user``, and returns a response only where the row's page is not what is to
    be seen next. ``permission`` is the right on the row that it needs.
    """

    name: str
    label: Any
    icon: str = ""
    form: type[forms.Form] = forms.Form
    permission: str = "change"


class RowActionsMixin(Base):
    """Put before ``ModelAdmin`` and list ``row_actions``; they stand above the row's form."""

    row_actions: ClassVar[Sequence[RowAction]] = ()
    change_form_outer_before_template = "lib/row_actions.html"

    def get_urls(self) -> list[Any]:
        own = [
            path(
                f"<path:object_id>/{action.name}/",
                self.admin_site.admin_view(partial(self._act, action)),
                name=self._url_name(action),
            )
            for action in self.row_actions
        ]
        return own + super().get_urls()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if object_id else None
        context = {**(extra_context or {}), "row_actions": self._buttons(request, row) if row else []}
        return super().changeform_view(request, object_id, form_url, context)

    def offers(self, request: HttpRequest, action: RowAction, row: Any) -> bool:
        """Tell whether a button makes sense for this row now; override for what depends on its state."""
        return bool(getattr(self, f"has_{action.permission}_permission")(request, row))

    def form_of(self, action: RowAction, row: Any, data: Any = None) -> forms.Form:
        """Return an action's inputs; override for those that depend on the row."""
        return action.form(data, prefix=action.name)

    def _buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        return [
            {"action": action, "url": self._address(action, row), "form": self.form_of(action, row)}
            for action in self.row_actions
            if self.offers(request, action, row)
        ]

    def _url_name(self, action: RowAction) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{action.name}"

    def _address(self, action: RowAction, row: Any) -> str:
        return reverse(f"{self.admin_site.name}:{self._url_name(action)}", args=[row.pk])

    def _act(self, action: RowAction, request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.offers(request, action, row):
            raise PermissionDenied
        form = self.form_of(action, row, request.POST)
        form.files = request.FILES
        response: HttpResponse | None = None
        if form.is_valid():
            response = getattr(self, action.name)(request, row, form.cleaned_data)
        else:
            problems = "; ".join(str(error) for errors in form.errors.values() for error in errors)
            self.message_user(request, problems, messages.ERROR)
        page = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        return response or HttpResponseRedirect(reverse(page, args=[row.pk]))
