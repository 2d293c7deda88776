"""The admin's change form of a model that is configured by a plugin: its own fields in place of a JSON column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from worktool_ai.lib.config_forms import ConfigField
from worktool_ai.lib.crypto import masked_config
from worktool_ai.lib.registry import Plugin, Registry

__all__ = ["PluginConfigAdminMixin"]

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object


class PluginConfigAdminMixin(Base):
    """Put before ``ModelAdmin``::

        class ChannelAdmin(PluginConfigAdminMixin, ModelAdmin):
            plugin_registry = channels.registry

    The kind is chosen once, when the row is added; then the plugin's own fields are shown, validated by its Config
    and stored with sealed secrets. Whoever may only look sees the document with masked secrets, and so does everybody
    where the kind is no longer registered.
    """

    plugin_registry: ClassVar[Registry[Any]]
    plugin_kind_field: ClassVar[str] = "kind"
    plugin_config_field: ClassVar[str] = "config"

    class Media:
        js = ("lib/config_rows.js",)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Any]]:
        form = super().get_form(request, obj, change, **kwargs)
        fields: dict[str, Any] = form.base_fields  # of this class alone: made above
        if self.plugin_kind_field in fields:
            fields[self.plugin_kind_field] = self._kind_field()
        if self.plugin_config_field in fields:
            plugin = self._plugin(request, obj)
            if plugin is None:
                del fields[self.plugin_config_field]
            else:
                stored = getattr(obj, self.plugin_config_field, None)
                fields[self.plugin_config_field] = ConfigField(plugin.Config, stored, label=plugin.label)
        return form

    def _kind_field(self) -> forms.ChoiceField:
        widget = UnfoldAdminSelectWidget(attrs={"data-plugin-kind": ""})
        label = self.model._meta.get_field(self.plugin_kind_field).verbose_name
        return forms.ChoiceField(
            choices=lambda: [("", "—"), *self.plugin_registry.choices()], widget=widget, label=label
        )

    def _plugin(self, request: HttpRequest, obj: Any) -> type[Plugin] | None:
        if obj is not None:
            kind = getattr(obj, self.plugin_kind_field)
        else:
            kind = request.POST.get(self.plugin_kind_field) or request.GET.get(self.plugin_kind_field) or ""
        return self.plugin_registry.get(kind) if kind in self.plugin_registry else None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [*super().get_readonly_fields(request, obj), "shown_config"]
        return [*fields, self.plugin_kind_field] if obj is not None else fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [name for name in super().get_fields(request, obj) if name != "shown_config"]
        if obj is not None and self.plugin_config_field not in fields:  # left out by get_form: the kind is unknown
            fields.append(self.plugin_config_field)
        return self._with_config(request, obj, fields)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            (title, {**options, "fields": self._with_config(request, obj, options["fields"])})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def _with_config(self, request: HttpRequest, obj: Any, fields: Sequence[Any]) -> list[Any]:
        """Show the plugin's form, the masked document, or (as long as no kind is chosen) neither."""
        if self._plugin(request, obj) is not None and self._may_edit(request, obj):
            return list(fields)
        instead = ["shown_config"] if obj is not None else []
        return [new for name in fields for new in (instead if name == self.plugin_config_field else [name])]

    def _may_edit(self, request: HttpRequest, obj: Model | None) -> bool:
        return self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)

    @admin.display(description=_("configuration"))
    def shown_config(self, obj: Any) -> SafeString | str:
        """The stored document, secrets masked."""
        document: Mapping[str, Any] = getattr(obj, self.plugin_config_field, None) or {}
        kind = getattr(obj, self.plugin_kind_field, "")
        config = self.plugin_registry.get(kind).Config if kind in self.plugin_registry else Plugin.Config
        shown = json.dumps(masked_config(config, document), ensure_ascii=False, indent=2)
        return format_html("<pre>{}</pre>", shown)
