"""Who may do what, in one place: role -> abilities (API, panels) and role -> rights on rows (admin).

Nobody is handed permissions one by one: :class:`worktool_ai.accounts.backends.RoleBackend` answers Django's
questions from these tables, :class:`DenyByDefault` those of the API. *Where* something may be done is the
scope's business (``scopes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from worktool_ai.accounts.models import Role

__all__ = ["ABILITIES", "ROWS", "Ability", "DenyByDefault", "may", "may_touch", "required_ability", "role_of"]


class Ability(StrEnum):
    """What API views, panels and services ask for."""

    READ_LINES = "lines.read"
    READ_CONTACTS = "contacts.read"  # names of customers, private rooms, numbers in what they wrote
    TAKE_OVER = "conversations.take_over"
    DECIDE_SENDS = "sends.decide"  # was it sent? say it again, take it back
    STOP_SENDING = "sends.stop"
    READ_RUNS = "runs.read"
    READ_ROBOTS = "robots.read"
    CONNECT_ROBOTS = "robots.connect"  # robots' credentials, and where the platform posts
    READ_FLOWS = "flows.read"
    READ_ALERTS = "alerts.read"
    HANDLE_ALERTS = "alerts.handle"
    TRY_PROMPTS = "prompts.try"  # costs money, and shows what models are told
    READ_COSTS = "costs.read"
    EXPORT = "export"
    SIGNED_IN = "signed_in"


_VIEWER = frozenset(
    {
        Ability.SIGNED_IN,
        Ability.READ_LINES,
        Ability.READ_ROBOTS,
        Ability.READ_FLOWS,
        Ability.READ_ALERTS,
    }
)
_OPERATOR = _VIEWER | {
    Ability.READ_CONTACTS,
    Ability.TAKE_OVER,
    Ability.DECIDE_SENDS,
    Ability.STOP_SENDING,
    Ability.READ_RUNS,
    Ability.HANDLE_ALERTS,
    Ability.EXPORT,
}

ABILITIES: Mapping[str, frozenset[Ability]] = {
    Role.OWNER: frozenset(Ability),
    Role.ENGINEER: _OPERATOR | {Ability.READ_COSTS, Ability.TRY_PROMPTS},
    Role.OPERATOR: _OPERATOR,
    Role.VIEWER: _VIEWER,
}

_ALL, _EDIT, _VIEW, _NONE = "vacd", "vac", "v", ""
_ROLES = (Role.OWNER, Role.ENGINEER, Role.OPERATOR, Role.VIEWER)

#: Rights on rows in the admin: v(iew), a(dd), c(hange), d(elete) for owner, engineer, operator, viewer.
#: ``app.*`` is the default of an app; a model that no line names is closed. Facts can only be viewed, by the
#: owner too: what happened is not edited. Viewers see no table with customers' names or words: the panel
#: masks them.
ROWS: Mapping[str, tuple[str, str, str, str]] = {
    "accounts.user": (_EDIT, _NONE, _NONE, _NONE),
    "accounts.apikey": (_EDIT, _NONE, _NONE, _NONE),
    "accounts.auditentry": (_VIEW, _NONE, _NONE, _NONE),
    "accounts.seedmark": (_VIEW, _VIEW, _NONE, _NONE),
    "templates_lib.*": (_ALL, _ALL, _ALL, _VIEW),
    "personas.persona": (_ALL, _ALL, _ALL, _VIEW),
    "personas.personafallback": (_ALL, _ALL, _ALL, _VIEW),
    "personas.promptversion": (_VIEW, _VIEW, _VIEW, _VIEW),
    "personas.personamapping": (_ALL, _ALL, _ALL, _VIEW),
    "personas.intent": (_ALL, _ALL, _VIEW, _VIEW),
    "personas.intentrule": (_ALL, _ALL, _EDIT, _VIEW),
    "personas.aimodel": (_ALL, _ALL, _VIEW, _NONE),
    "personas.aimodelhealthcheck": (_VIEW, _VIEW, _VIEW, _NONE),
    "personas.aicall": (_VIEW, _VIEW, _NONE, _NONE),
    "personas.budget": (_ALL, _VIEW, _NONE, _NONE),
    "personas.budgetnotice": (_VIEW, _VIEW, _NONE, _NONE),
    "robots.robot": (_ALL, "vc", _VIEW, _VIEW),
    "robots.robotgroup": (_ALL, _EDIT, _VIEW, _VIEW),
    "robots.onlinechange": (_VIEW, _VIEW, _VIEW, _VIEW),
    "robots.groupqrcode": (_VIEW, _VIEW, _VIEW, _NONE),
    "robots.room": (_VIEW, _VIEW, _VIEW, _NONE),
    "robots.conversation": ("vc", "vc", "vc", _NONE),
    "robots.message": (_VIEW, _VIEW, _VIEW, _NONE),
    "robots.openquestion": ("vc", "vc", "vc", _NONE),
    "robots.callbackgap": ("va", "va", _VIEW, _NONE),
    "robots.command": ("vc", "vc", "vc", _NONE),
    "robots.unknownsend": ("vc", "vc", "vc", _NONE),
    "robots.switch": ("vc", "vc", "vc", _VIEW),
    "robots.commandresult": (_VIEW, _VIEW, _VIEW, _NONE),
    "robots.fingerprint": (_VIEW, _VIEW, _NONE, _NONE),
    "robots.media": (_VIEW, _VIEW, _VIEW, _NONE),
    "robots.inboxentry": (_VIEW, _VIEW, _NONE, _NONE),
    "robots.deadletter": ("vc", "vc", _VIEW, _NONE),
    "alerts.alertrule": (_ALL, _ALL, _VIEW, _VIEW),
    "alerts.notificationchannel": (_ALL, _ALL, _VIEW, _NONE),
    "alerts.recipient": (_ALL, _ALL, _EDIT, _NONE),
    "alerts.alert": ("vc", "vc", "vc", _NONE),
    "alerts.delivery": (_VIEW, _VIEW, _VIEW, _NONE),
    "flows.flow": (_ALL, _ALL, _VIEW, _VIEW),
    "flows.flowversion": (_VIEW, _VIEW, _VIEW, _VIEW),
    "flows.run": ("vc", "vc", _VIEW, _NONE),
    "flows.step": (_VIEW, _VIEW, _VIEW, _NONE),
    "flows.effect": (_VIEW, _VIEW, _NONE, _NONE),
    "flows.wait": (_VIEW, _VIEW, _NONE, _NONE),
    "flows.conversationlease": (_VIEW, _VIEW, _NONE, _NONE),
    "events.*": (_VIEW, _VIEW, _NONE, _NONE),
}


def role_of(person: Any) -> str | None:
    """Return the role of a person or API key; None for somebody who is not signed in or was switched off."""
    if not getattr(person, "is_authenticated", False) or not getattr(person, "is_active", False):
        return None
    if getattr(person, "is_superuser", False):
        return Role.OWNER
    return getattr(person, "role", None)


def may(person: Any, ability: Ability) -> bool:
    """Tell whether the role of a person or API key has an ability."""
    return ability in ABILITIES.get(role_of(person) or "", frozenset())


def may_touch(person: Any, right: str, app_label: str, model_name: str) -> bool:
    """Tell whether the role may ``view``, ``add``, ``change`` or ``delete`` rows of a model."""
    role = role_of(person)
    if role not in _ROLES:
        return False
    rights = ROWS.get(f"{app_label}.{model_name}") or ROWS.get(f"{app_label}.*")
    return rights is not None and right[:1] in rights[_ROLES.index(Role(role))]


def required_ability(view: Any, method: str) -> Ability | None:
    """Return what a view states in ``requires``: one ability, or one per action (view sets) or method."""
    stated = getattr(view, "requires", None)
    if isinstance(stated, Mapping):
        return stated.get(getattr(view, "action", None) or method.lower())
    return stated


class DenyByDefault(BasePermission):
    """Grants what the view's ``requires`` says; a view that states nothing is refused to everybody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "OPTIONS":
            return may(request.user, Ability.SIGNED_IN)
        ability = required_ability(view, request.method or "")
        return ability is not None and may(request.user, ability)
