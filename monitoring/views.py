"""Pages for people. They are shells: what they show comes from the API and the live socket."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from monitoring.lines import LineState
from monitoring.panel_texts import panel_texts
from robots.models import Robot
from worktool_ai.accounts.access import ability_required
from worktool_ai.accounts.admin_pages import connect_page, page_of
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.accounts.scopes import scope_of

__all__ = ["business_panel"]

#: Scripts and styles only from here: what a customer wrote can never become code.
_POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@ability_required(Ability.READ_LINES)
def business_panel(request: HttpRequest) -> HttpResponse:
    """The business panel: every line and what became of it, live."""
    context = {
        "robots": scope_of(request.user).filter(Robot.objects.all(), ""),
        "states": LineState.choices,
        "with_contacts": may(request.user, Ability.READ_CONTACTS),
        "texts": panel_texts(),
        "options": _options(request),
        "simulator_page": _simulator_page(request),
        "add_robot_page": connect_page(request.user),
    }
    response = render(request, "monitoring/business.html", context)
    response["Content-Security-Policy"] = _POLICY
    response["Cache-Control"] = "no-store"
    return response


def _options(request: HttpRequest) -> dict[str, Any]:
    """Addresses for the scripts; an admin page only where the role may open it."""
    labels = {"message": "robots.message", "run": "flows.run", "alert": "alerts.alert"}
    if may(request.user, Ability.TAKE_OVER):
        labels["conversation"] = "robots.conversation"  # where people answer by hand
    if may(request.user, Ability.STOP_SENDING):
        labels["switch"] = "robots.switch"
    links = {name: page_of(request.user, label, "change", "ID") for name, label in labels.items()}
    addresses = {"messages": "message-list", "rooms": "room-list", "sending": "sending"}
    return {**{name: reverse(f"api:{view}") for name, view in addresses.items()}, "links": links}


def _simulator_page(request: HttpRequest) -> str:
    """The simulator's chat page, with its token for those who may see robots' settings; empty outside the demo."""
    if settings.ENVIRONMENT != "embedded" or not settings.SIMULATOR_TOKEN:
        return ""
    token = f"#token={settings.SIMULATOR_TOKEN}" if request.user.has_perm("robots.change_robot") else ""
    return f"{settings.WORKTOOL_BASE_URL}/{token}"
