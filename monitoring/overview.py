"""The small numbers of the admin's first page: today, inside the person's robot scope, counted, never estimated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alerts.models import Alert, AlertState
from monitoring.lines import LineState, state_filter
from personas.budgets.overview import active_notices, total_cost
from personas.budgets.periods import Period
from personas.budgets.prices import shown
from robots.models import Command, CommandState, Direction, Message, Robot
from worktool_ai.accounts.admin_pages import page_of
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.accounts.scopes import scope_of

__all__ = ["Tile", "robots", "tiles"]

UNKNOWN = "—"


@dataclass(frozen=True, slots=True)
class Tile:
    """One number. ``tone``: good, bad, or empty; ``href`` leads to the rows behind it."""

    title: str | Promise
    value: str
    note: str | Promise = ""
    href: str = ""
    tone: str = ""


def tiles(person: Any) -> list[Tile]:
    """Return what this person may see; nothing for who may not read lines."""
    if not may(person, Ability.READ_LINES):
        return []
    since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return [*_line_tiles(person, since), _unknown_sends(person, since), _open_alerts(person), *_costs(person)]


def _line_tiles(person: Any, since: datetime) -> list[Tile]:
    lines = Message.objects.filter(direction=Direction.IN, received_at__gte=since)
    counted = (
        scope_of(person)
        .filter(lines, "robot")
        .aggregate(all=Count("pk"), **{state.value: Count("pk", filter=state_filter(state)) for state in LineState})
    )
    settled = counted["all"] - counted["processing"]
    share = f"{counted['replied'] / settled:.0%}" if settled else UNKNOWN
    of_all = _("%(part)d of %(all)d handled lines") % {"part": counted["replied"], "all": settled}

    def link(state: str = "") -> str:
        return _panel(since, state)

    return [
        Tile(_("Lines today"), str(counted["all"]), _waiting(counted["processing"]), link()),
        Tile(_("Answered"), share, of_all, link("replied"), "good" if counted["replied"] else ""),
        Tile(_("Silent"), str(counted["silent"]), _("each with its reason"), link("silent")),
        Tile(_("Handed over"), str(counted["handed_over"]), _("a colleague is needed"), link("handed_over")),
        Tile(_("Failed"), str(counted["failed"]), "", link("failed"), "bad" if counted["failed"] else ""),
    ]


def _waiting(count: int) -> str | Promise:
    return _("%(count)d being handled") % {"count": count} if count else ""


def _unknown_sends(person: Any, since: datetime) -> Tile:
    unknown = Q(state__in=[CommandState.UNKNOWN, CommandState.WITHDRAWN_UNCONFIRMED], created_at__gte=since)
    count = scope_of(person).filter(Command.objects.filter(unknown), "robot").count()
    note = _("nobody can say yet whether they were sent")
    return Tile(_("Unknown sends"), str(count), note, _panel(since, "unknown"), "bad" if count else "")


def _open_alerts(person: Any) -> Tile:
    rows: QuerySet[Alert] = scope_of(person).filter(Alert.objects.filter(state=AlertState.OPEN), "robot")
    count = rows.count()
    page = page_of(person, "alerts.alert")
    href = f"{page}?{urlencode({'state__exact': AlertState.OPEN})}" if page else ""
    return Tile(_("Open alerts"), str(count), "", href, "bad" if count else "good")


def _costs(person: Any) -> list[Tile]:
    """Today's costs of calls to models, for those who may see costs."""
    if not may(person, Ability.READ_COSTS):
        return []
    cost, unknown = total_cost(Period.DAY, scope_of(person))
    note = _("and %(count)d calls of unknown cost") % {"count": unknown} if unknown else ""
    spent = active_notices(scope_of(person))
    if spent:
        note = _("%(count)d budgets used up or nearly") % {"count": spent}
    return [
        Tile(_("Cost of models today"), shown(cost), note, reverse("admin:personas_spending"), "bad" if spent else "")
    ]


def _panel(since: datetime, state: str) -> str:
    parameters = {"since": f"{since:%Y-%m-%dT%H:%M}", **({"status": state} if state else {})}
    return f"{reverse('monitoring:business_panel')}?{urlencode(parameters)}"


def robots(person: Any) -> QuerySet[Robot]:
    """Return the robots in scope for the first page's list."""
    return scope_of(person).filter(Robot.objects.select_related("group", "persona"), "")[:20]
