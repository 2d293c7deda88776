"""Alerts, whom they are told to and how, as operators see them."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.widgets import UnfoldAdminSelectWidget

from alerts import channels, conditions, services
from alerts.caches import build_condition
from alerts.channels import ChannelError
from alerts.models import (
    Alert,
    AlertRule,
    AlertState,
    Delivery,
    DeliveryState,
    Level,
    NotificationChannel,
    Recipient,
)
from alerts.trials import try_channel
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, ReadOnlyModelAdmin, display
from worktool_ai.accounts.models import User
from worktool_ai.lib import links
from worktool_ai.lib.admin_actions import RowAction, RowActionsMixin
from worktool_ai.lib.config_admin import PluginConfigAdminMixin
from worktool_ai.lib.crypto import masked_config

_LEVELS = {Level.CRITICAL: "danger", Level.WARNING: "warning", Level.INFO: "info"}
_STATES = {AlertState.OPEN: "danger", AlertState.ACKNOWLEDGED: "warning", AlertState.RESOLVED: "success"}
_DELIVERY_STATES = {
    DeliveryState.QUEUED: "info",
    DeliveryState.SENDING: "info",
    DeliveryState.SENT: "success",
    DeliveryState.FAILED: "danger",
    DeliveryState.NOT_CONFIGURED: "warning",
}


def _delivery_state(delivery: Delivery) -> tuple[str, str]:
    """The delivery's own state, and what became of the robot command that carries it."""
    state = delivery.get_state_display()
    carried = f"{state} · {delivery.command.get_state_display()}" if delivery.command else state
    return delivery.state, carried


class DeliveryInline(TabularInline):  # type: ignore[misc]
    model = Delivery
    extra = 0
    can_delete = False
    fields = ("channel", "recipient", "shown_state", "attempts", "error", "created_at", "sent_at")
    readonly_fields = fields
    ordering = ("-created_at",)
    verbose_name_plural = _("who was told")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows.select_related("channel", "recipient", "command")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("state"), label=_DELIVERY_STATES)
    def shown_state(self, delivery: Delivery) -> tuple[str, str]:
        return _delivery_state(delivery)


@admin.register(Alert)
class AlertAdmin(RowActionsMixin, ReadOnlyModelAdmin):
    """What must be noticed. Nothing is edited here: somebody takes care of it, and then it is over."""

    scope_path = "robot"
    list_display = ("title", "shown_level", "shown_state", "count", "robot", "room", "last_at", "notified_at")
    list_filter = ("state", "level", "code", ("last_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("robot", "room")
    search_fields = ("title", "code", "run_id", "room__name")
    actions = ("acknowledge_selected", "resolve_selected")
    inlines = (DeliveryInline,)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("title", "code", ("shown_level", "shown_state"), "count", ("first_at", "last_at"))}),
        (_("Where"), {"fields": ("robot", "room", "message", "shown_links")}),
        (_("What was done"), {"fields": ("rule", "notified_at", "acknowledged_by", "acknowledged_at", "resolved_at")}),
        (_("Data"), {"fields": ("shown_data",)}),
    )
    row_actions = (
        RowAction("acknowledge", _("I take care of it"), "pan_tool", permission="handle"),
        RowAction("resolve", _("It is over"), "task_alt", permission="handle"),
    )

    def has_handle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows are never edited, so the right to change them is the right to handle them."""
        return bool(request.user.has_perm("alerts.change_alert"))

    def offers(self, request: HttpRequest, action: RowAction, row: Alert) -> bool:
        fits = row.state == AlertState.OPEN if action.name == "acknowledge" else row.state != AlertState.RESOLVED
        return fits and super().offers(request, action, row)

    def acknowledge(self, request: HttpRequest, row: Alert, _inputs: dict[str, Any]) -> None:
        self._tell(request, services.acknowledge(row.pk, _person(request)))

    def resolve(self, request: HttpRequest, row: Alert, _inputs: dict[str, Any]) -> None:
        self._tell(request, services.resolve(row.pk, _person(request)))

    @admin.action(description=_("I take care of the selected alerts"), permissions=["handle"])
    def acknowledge_selected(self, request: HttpRequest, rows: QuerySet[Alert]) -> None:
        self._tell(request, sum(services.acknowledge(row.pk, _person(request)) for row in rows))

    @admin.action(description=_("The selected alerts are over"), permissions=["handle"])
    def resolve_selected(self, request: HttpRequest, rows: QuerySet[Alert]) -> None:
        self._tell(request, sum(services.resolve(row.pk, _person(request)) for row in rows))

    def _tell(self, request: HttpRequest, changed: int) -> None:
        if changed:
            self.message_user(request, _("%(n)d alerts changed.") % {"n": changed})
        else:
            self.message_user(request, _("Somebody else was faster: nothing was left to change."), messages.WARNING)

    @display(description=_("level"), label=_LEVELS, ordering="level")
    def shown_level(self, alert: Alert) -> tuple[str, str]:
        return alert.level, alert.get_level_display()

    @display(description=_("state"), label=_STATES, ordering="state")
    def shown_state(self, alert: Alert) -> tuple[str, str]:
        return alert.state, alert.get_state_display()

    @display(description=_("links"))
    def shown_links(self, alert: Alert) -> SafeString:
        found = ((address, title) for title, address in links.for_row(alert))
        return format_html_join(" · ", '<a href="{}">{}</a>', found)

    @display(description=_("data"))
    def shown_data(self, alert: Alert) -> SafeString:
        shown = {name: value for name, value in alert.data.items() if name != "keys"}
        text = json.dumps(shown, ensure_ascii=False, indent=2)
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)


@admin.register(AlertRule)
class AlertRuleAdmin(PluginConfigAdminMixin, AuditedModelAdmin):
    plugin_registry = conditions.registry
    plugin_kind_field = "condition"
    list_display = ("name", "shown_level", "condition", "code", "shown_problem", "cooldown_s", "order", "is_active")
    list_filter = ("level", "condition", "is_active")
    search_fields = ("name", "slug", "code")
    filter_horizontal = ("channels", "recipients")
    fieldsets = (
        (None, {"fields": ("name", "slug", "level", "code", "is_active", "order")}),
        (_("When"), {"fields": ("condition", "config")}),
        (_("Whom to tell"), {"fields": ("channels", "recipients", "cooldown_s")}),
    )

    @display(description=_("level"), label=_LEVELS, ordering="level")
    def shown_level(self, rule: AlertRule) -> tuple[str, str]:
        return rule.level, rule.get_level_display()

    @display(description=_("problem"))
    def shown_problem(self, rule: AlertRule) -> str:
        """Why this rule can never hold, empty for a sound one."""
        return build_condition(rule)[1] or "—"


class TrialForm(forms.Form):
    """Whom a trial is sent to, for channels that tell people one by one."""

    recipient = forms.ModelChoiceField(
        Recipient.objects.filter(is_active=True), label=_("Recipient"), widget=UnfoldAdminSelectWidget
    )


@admin.register(NotificationChannel)
class NotificationChannelAdmin(RowActionsMixin, PluginConfigAdminMixin, AuditedModelAdmin):
    plugin_registry = channels.registry
    list_display = ("name", "kind", "shown_address", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("name",)
    fieldsets = ((None, {"fields": ("name", "kind", "is_active")}), (_("Configuration"), {"fields": ("config",)}))
    row_actions = (RowAction("try_it", _("Send a trial now"), "send"),)

    @display(description=_("address"))
    def shown_address(self, row: NotificationChannel) -> str:
        """The host that a channel with an address posts to; never more of it."""
        if row.kind not in channels.registry:
            return "—"
        return masked_config(channels.registry.get(row.kind).Config, row.config).get("url") or "—"

    def form_of(self, action: RowAction, row: NotificationChannel, data: Any = None) -> forms.Form:
        needs_recipient = row.kind in channels.registry and channels.registry.get(row.kind).per_recipient
        return (TrialForm if needs_recipient else forms.Form)(data, prefix=action.name)

    def try_it(self, request: HttpRequest, row: NotificationChannel, inputs: dict[str, Any]) -> None:
        """Send one trial through the channel as it is stored, and say what came of it."""
        try:
            receipt = try_channel(row, inputs.get("recipient"))
        except ChannelError as problem:
            self.message_user(request, _("Not sent: %(why)s") % {"why": problem}, messages.ERROR)
        else:
            self.message_user(request, _("Sent: %(detail)s") % {"detail": receipt.detail})


@admin.register(Recipient)
class RecipientAdmin(AuditedModelAdmin):
    list_display = ("name", "chat_name", "chat_is_group", "user", "is_active")
    list_filter = ("is_active", "chat_is_group")
    list_select_related = ("user",)
    search_fields = ("name", "chat_name")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyModelAdmin):
    scope_path = "alert__robot"
    list_display = ("created_at", "alert", "channel", "recipient", "shown_state", "attempts", "error", "sent_at")
    list_filter = ("state", "channel", ("created_at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("alert", "channel", "recipient", "command")
    search_fields = ("text", "error", "alert__title")
    fields = (
        "alert", "channel", "recipient", "shown_state", "text", "attempts", "error", "command", "due_at", "deadline_at",
        "created_at", "sent_at",
    )  # fmt: skip

    @display(description=_("state"), label=_DELIVERY_STATES, ordering="state")
    def shown_state(self, delivery: Delivery) -> tuple[str, str]:
        return _delivery_state(delivery)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return request.user
