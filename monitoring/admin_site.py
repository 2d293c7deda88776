"""The admin's menu, grouped by work, and its first page. Both show only what the role may see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _

from monitoring import overview, sending
from worktool_ai.accounts.admin_pages import connect_page, page_of
from worktool_ai.accounts.permissions import Ability, may

__all__ = ["dashboard", "navigation"]

#: Group -> its rows, each a model and a symbol of the theme's icon font. A model that no group names is shown
#: under "System", so that a new table cannot be forgotten here.
_GROUPS: tuple[tuple[Any, str, tuple[tuple[str, str], ...]], ...] = (
    (
        _("Conversations"),
        "conversations",
        (
            ("robots.message", "chat"),
            ("robots.openquestion", "contact_support"),
            ("robots.conversation", "forum"),
            ("robots.room", "groups"),
            ("robots.command", "send"),
            ("robots.unknownsend", "help"),
            ("robots.commandresult", "mark_chat_read"),
        ),
    ),
    (
        _("Wording and personas"),
        "wording",
        (
            ("templates_lib.messagetemplate", "article"),
            ("templates_lib.templatecategory", "category"),
            ("personas.persona", "theater_comedy"),
            ("personas.personamapping", "account_tree"),
            ("personas.intent", "target"),
            ("personas.intentrule", "rule"),
            ("personas.aimodel", "neurology"),
            ("personas.aicall", "network_intelligence"),
            ("personas.budget", "payments"),
        ),
    ),
    (
        _("Flows"),
        "flows",
        (
            ("flows.flow", "schema"),
            ("flows.flowversion", "history"),
            ("flows.run", "play_circle"),
        ),
    ),
    (
        _("Alerts"),
        "alerts",
        (
            ("alerts.alert", "notifications_active"),
            ("alerts.alertrule", "rule_settings"),
            ("alerts.notificationchannel", "campaign"),
            ("alerts.recipient", "contact_mail"),
            ("alerts.delivery", "outgoing_mail"),
        ),
    ),
    (
        _("Robots"),
        "robots",
        (
            ("robots.robot", "smart_toy"),
            ("robots.switch", "block"),
            ("robots.robotgroup", "workspaces"),
            ("robots.onlinechange", "wifi"),
            ("robots.groupqrcode", "qr_code_2"),
        ),
    ),
    (
        _("System"),
        "system",
        (
            ("accounts.user", "person"),
            ("accounts.apikey", "key"),
            ("accounts.auditentry", "policy"),
            ("robots.callbackgap", "cloud_off"),
            ("robots.deadletter", "report"),
            ("robots.inboxentry", "inbox"),
            ("events.eventbatch", "bolt"),
        ),
    ),
)
_NAMED = frozenset(label for _title, _key, rows in _GROUPS for label, _icon in rows)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu for unfold's sidebar: groups of links that this person may open."""
    groups = [{"title": _("Monitoring"), "items": list(_panels(request))}]
    for title, key, rows in _GROUPS:
        listed = [*rows, *(_unnamed() if key == "system" else ())]
        items = [item for label, icon in listed if (item := _item(request, label, icon))]
        groups.append({"title": title, "collapsible": True, "separator": True, "items": items})
    return [group for group in groups if group["items"]]


def _panels(request: HttpRequest) -> Iterator[dict[str, Any]]:
    yield {"title": _("Overview"), "icon": "dashboard", "link": reverse_lazy("admin:index")}
    if may(request.user, Ability.READ_LINES):
        link = reverse("monitoring:business_panel")
        # the panel is no admin page: without this its "/" would mark it as open everywhere
        yield {
            "title": _("Business panel"),
            "icon": "monitoring",
            "link": link,
            "active": lambda request: False,
        }
    if request.user.has_perm("robots.change_robot"):
        link = reverse("admin:robots_connect")
        yield {"title": _("Connect a robot"), "icon": "cable", "link": link}
        link = reverse("admin:robots_raw_bodies")
        yield {"title": _("Latest callbacks"), "icon": "move_to_inbox", "link": link}


def _item(request: HttpRequest, label: str, icon: str) -> dict[str, Any] | None:
    model_admin = admin.site._registry.get(apps.get_model(label))
    if model_admin is None or not model_admin.has_view_permission(request):
        return None
    meta = model_admin.model._meta
    link = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return {"title": meta.verbose_name_plural, "icon": icon, "link": link}


def _unnamed() -> list[tuple[str, str]]:
    labels = [model._meta.label_lower for model in admin.site._registry]
    return [(label, "table_rows") for label in labels if label not in _NAMED]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the admin's first page (``monitoring/dashboard.html``)."""
    return {
        **context,
        "stops": sending.stops(request.user),
        "switch_page": page_of(request.user, "robots.switch"),
        "tiles": overview.tiles(request.user),
        "robots": overview.robots(request.user),
        "add_robot_page": connect_page(request.user),
    }
