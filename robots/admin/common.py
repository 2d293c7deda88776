"""What the pages share: searching by id, showing JSON, confirming a deed."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.dataclasses import ActionDialog

from worktool_ai.accounts.models import User
from worktool_ai.lib import links

__all__ = [
    "ChoicesDropdownFilter",
    "IdSearchMixin",
    "RangeDateTimeFilter",
    "RelatedDropdownFilter",
    "back_to",
    "confirm",
    "linked_rows",
    "person",
    "shown_json",
]


class IdSearchMixin:
    """A search for a UUID looks at ``uuid_fields`` only; other words at ``search_fields``."""

    uuid_fields: ClassVar[tuple[str, ...]] = ("id",)
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            wanted = UUID(search_term.strip())
        except ValueError:
            found: tuple[QuerySet[Any], bool] = super().get_search_results(  # type: ignore[misc]
                request, queryset, search_term
            )
            return found
        named = Q()
        for field in self.uuid_fields:
            named |= Q(**{field: wanted})
        return queryset.filter(named), False


def shown_json(value: Any) -> SafeString:
    """Show a document as people can read it."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str) if value else "—"
    return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)


def linked_rows(row: Any) -> SafeString | str:
    """Show the links that upper apps offer for a row (its run, its alerts)."""
    found = format_html_join(" · ", '<a href="{1}">{0}</a>', links.for_row(row))
    return found or "—"


def confirm(title: Any, description: Any) -> ActionDialog:
    """Ask before a deed; the deed itself is a POST."""
    return ActionDialog(title=title, description=description, form_class=None, form_submit_text=_("Do it"))


def back_to(request: HttpRequest, row: Any, text: Any, level: int = messages.SUCCESS) -> HttpResponse:
    """Return to a row's page with a message, out of a dialog too."""
    if text:
        messages.add_message(request, level, str(text))
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return request.user
