"""People, API keys and the audit log."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from worktool_ai.accounts import api_keys, audit
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, ReadOnlyModelAdmin, display
from worktool_ai.accounts.models import ApiKey, AuditEntry, Role, SeedMark, User
from worktool_ai.accounts.permissions import may_touch

admin.site.unregister(Group)  # roles are the permissions here

_ROLE_LABELS = {
    Role.OWNER: "danger",
    Role.ENGINEER: "info",
    Role.OPERATOR: "success",
    Role.VIEWER: "warning",
}


class PersonForm(UserChangeForm):  # type: ignore[misc]
    """Refuses the change after which nobody could manage people any more."""

    language = forms.ChoiceField(label=_("language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        stays_owner = cleaned.get("role") == Role.OWNER and cleaned.get("is_active") and cleaned.get("is_staff")
        others = User.objects.filter(role=Role.OWNER, is_active=True, is_staff=True).exclude(pk=self.instance.pk)
        if not stays_owner and not others.exists():
            raise ValidationError(
                _("This is the last active owner. Make somebody else an owner first."), code="last_owner"
            )
        return cleaned


@admin.register(User)
class PersonAdmin(AuditedModelAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    form = PersonForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "display_name", "shown_role", "shown_scope", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("username", "display_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password", "must_change_password", "display_name", "email", "language")}),
        (
            _("What this person may do"),
            {
                "fields": ("role", "is_active", "is_staff", ("scope_kind", "scope_values")),
                "description": _(
                    "The role says what, the scope says for which robots: names of robot groups, or slugs of robots, "
                    "with commas between."
                ),
            },
        ),
        (_("History"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "display_name", "password1", "password2")}),
        (
            _("What this person may do"),
            {"fields": ("role", "is_active", "is_staff", ("scope_kind", "scope_values"))},
        ),
    )

    @display(description=_("role"), label=_ROLE_LABELS, ordering="role")
    def shown_role(self, person: User) -> tuple[str, str]:
        return person.role, person.get_role_display()

    @display(description=_("robot scope"))
    def shown_scope(self, person: User) -> str:
        return ", ".join(person.scope_values) or person.get_scope_kind_display()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_changeform_initial_data(request), "is_staff": True}

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response: HttpResponse = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            audit.record(_person(request), "user.password", User.objects.get(pk=id), {}, {}, request)
            # a password that two people know is nobody's own
            User.objects.filter(pk=id).exclude(pk=_person(request).pk).update(must_change_password=True)
        return response


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ApiKey
        fields = ("name", "role", "scope_kind", "scope_values", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]
    """Keys are made and revoked; a key that exists is never edited."""

    form = ApiKeyForm
    compressed_fields = True
    list_display = ("name", "prefix", "role", "created_by", "created_at", "expires_at", "last_used_at", "shown_state")
    list_filter = ("role",)
    search_fields = ("name", "prefix")
    list_select_related = ("created_by",)
    actions: ClassVar[list[str]] = ["revoke_selected"]

    @display(
        description=_("state"),
        label={"valid": "success", "revoked": "danger", "expired": "warning"},
        ordering="revoked_at",
    )
    def shown_state(self, key: ApiKey) -> tuple[str, Any]:
        if key.revoked_at:
            return "revoked", _("revoked")
        return ("expired", _("expired")) if key.is_expired else ("valid", _("valid"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may_touch(request.user, "change", "accounts", "apikey")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ("prefix", "created_by", "created_at", "last_used_at", "revoked_at") if obj else ()
        return (*ApiKeyForm.Meta.fields, *shown)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key = api_keys.issue(obj, _person(request))
        text = _("Copy the key now, it is shown only once: {}")
        self.message_user(request, format_html(str(text), format_html("<code>{}</code>", key)), messages.WARNING)

    @admin.action(description=_("Revoke the selected keys"), permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        count = sum(api_keys.revoke(key, _person(request)) for key in keys)
        self.message_user(request, _("%(count)d keys revoked; they are refused from now on.") % {"count": count})


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyModelAdmin):
    list_display = ("at", "actor_name", "action", "target_type", "target_name", "shown_fields")
    list_filter = (("at", RangeDateTimeFilter), "action", "target_type")
    list_filter_submit = True
    search_fields = ("actor_name", "target_name", "target_id", "request_id")
    date_hierarchy = "at"
    fields = ("at", "actor_name", "action", "target_type", "target_id", "target_name", "shown_changes", "request_id")

    @display(description=_("fields"))
    def shown_fields(self, entry: AuditEntry) -> str:
        return ", ".join(sorted({**entry.before, **entry.after}))

    @display(description=_("before and after"))
    def shown_changes(self, entry: AuditEntry) -> SafeString:
        rows = "\n".join(
            f"{name}: {_shown(entry.before.get(name))} → {_shown(entry.after.get(name))}"
            for name in sorted({**entry.before, **entry.after})
        )
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', rows)


@admin.register(SeedMark)
class SeedMarkAdmin(ReadOnlyModelAdmin):
    list_display = ("key", "planted_at")
    search_fields = ("key",)


def _shown(value: Any) -> str:
    return "—" if value in (None, "") else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return request.user
