"""The base of every app's admin page: writes to the audit log, stays inside the robot scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast

import unfold.decorators
from django.contrib.admin.options import BaseModelAdmin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.utils import display_for_label

from worktool_ai.accounts import audit
from worktool_ai.accounts.admin_secrets import warn_of_row, warn_of_rows
from worktool_ai.accounts.scopes import scope_of

__all__ = ["AuditedModelAdmin", "ReadOnlyModelAdmin", "ScopedMixin", "display"]

F = TypeVar("F", bound=Callable[..., Any])


class _Labelled(tuple[Any, Any]):
    """A value and its text, which a row's own page shows as the coloured label that lists show."""

    colours: Mapping[Any, str]

    def __html__(self) -> str:
        return str(display_for_label(tuple(self), "-", self.colours))


def display(**options: Any) -> Callable[[F], F]:
    """The theme's column decorator (description, label, ordering, boolean, header), with its type kept.

    With ``label`` (colours by value) the method returns ``(value, text)``; a value without a colour shows its text in
    grey, where the theme would show the bare value.
    """
    decorate: Callable[[F], F] = unfold.decorators.display(**options)
    colours = options.get("label")
    if not isinstance(colours, Mapping):
        return decorate
    return lambda method: decorate(_with_labels(method, colours))


def _with_labels(method: F, colours: Mapping[Any, str]) -> F:
    @wraps(method)
    def shown(*args: Any) -> Any:
        value = method(*args)
        if not isinstance(value, tuple):
            return value
        if value[0] not in colours:
            return str(value[1])
        labelled = _Labelled(value)
        labelled.colours = colours
        return labelled

    return cast(F, shown)


class ScopedMixin:
    """Shows only rows, and offers only related rows, inside the person's robot scope.

    ``scope_path`` leads from the row to its robot (``"robot"``, ``"conversation__robot"``, ``""`` for robots
    themselves); None for rows that belong to no robot.
    """

    scope_path: ClassVar[str | None] = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return rows if self.scope_path is None else scope_of(request.user).filter(rows, self.scope_path)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        related: BaseModelAdmin[Any] | None = self.admin_site._registry.get(  # type: ignore[attr-defined]
            db_field.remote_field.model
        )
        if "queryset" not in kwargs and related is not None:
            kwargs["queryset"] = related.get_queryset(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class AuditedModelAdmin(ScopedMixin, ModelAdmin):  # type: ignore[misc]
    """Records every add, change and delete with the changed fields before and after.

    Django's admin wraps a save in one transaction, so a change and its entry stand or fall together. Actions
    that call a service need nothing: services write their own entries.
    """

    compressed_fields = True
    warn_unsaved_form = True
    list_per_page = 50
    #: What to do about a secret that cannot be opened, by field, where it is not entered on the row's page.
    lost_secret_ways_out: ClassVar[Mapping[str, Any]] = {}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            warn_of_row(request, obj, self.lost_secret_ways_out)
        return super().render_change_form(request, context, add, change, form_url, obj)  # type: ignore[no-any-return]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "GET":
            warn_of_rows(request, self.model, self.get_queryset(request).values_list("pk", flat=True))
        return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm[Any], change: bool) -> None:
        before = type(obj)._default_manager.filter(pk=obj.pk).first() if change else None
        form.audit_before = audit.snapshot(before) if before else {}  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: ModelForm[Any], formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        # after the relations: chosen rows of a many-to-many field are part of the change
        stored = type(form.instance)._default_manager.get(pk=form.instance.pk)
        self._record(request, "change" if change else "add", stored, form.audit_before)  # type: ignore[attr-defined]

    def save_formset(
        self, request: HttpRequest, form: ModelForm[Any], formset: BaseModelFormSet[Any, Any], change: bool
    ) -> None:
        known = {row.pk: audit.snapshot(row) for row in formset.get_queryset()} if change else {}
        super().save_formset(request, form, formset, change)
        for row in formset.new_objects:
            self._record(request, "add", row, {})
        for row, _names in formset.changed_objects:
            self._record(request, "change", row, known.get(row.pk, {}))
        for row in formset.deleted_objects:
            self._record_deleted(request, row, known.get(row.pk))

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with transaction.atomic():
            self._record_deleted(request, obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for row in queryset:
                self._record_deleted(request, row)
            super().delete_queryset(request, queryset)

    def _record(self, request: HttpRequest, verb: str, row: Model, before: dict[str, Any]) -> None:
        old, new = audit.changes(type(row), before, audit.snapshot(row))
        if new or verb == "add":
            audit.record(request.user, f"{row._meta.model_name}.{verb}", row, old, new, request)  # type: ignore[arg-type]

    def _record_deleted(self, request: HttpRequest, row: Model, before: dict[str, Any] | None = None) -> None:
        old, _new = audit.changes(type(row), before or audit.snapshot(row), {})
        audit.record(request.user, f"{row._meta.model_name}.delete", row, old, {}, request)  # type: ignore[arg-type]


class ReadOnlyModelAdmin(ScopedMixin, ModelAdmin):  # type: ignore[misc]
    """For facts: what happened is looked at, never edited."""

    compressed_fields = True
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
