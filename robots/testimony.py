"""The evidence about an unknown send, in words that a person can decide by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from robots.models import Command
from robots.models.commands import Decision

__all__ = ["facts", "summary"]


def facts(command: Command) -> list[str]:
    """Return one sentence per fact, oldest first: how the call ended, and what each look at the platform found."""
    call = localtime(command.sending_at or command.created_at)
    ended = _("%(at)s: the call was made; it ended without an answer (%(why)s).")
    told = [ended % {"at": f"{call:%H:%M:%S}", "why": command.error_reason or _("no details")}]
    looks = [_look(look) for look in command.evidence if look.get("attempt") == command.attempts]
    return told + (looks or [_("The platform has not been asked yet, or did not answer.")])


def summary(command: Command) -> str:
    """Say in one sentence which way the evidence points."""
    looks = [look for look in command.evidence if "matches" in look and look.get("attempt") == command.attempts]
    if any(look["matches"] for look in looks):
        return _("Speaks for it: the platform lists an equal command, but it cannot be told apart from another one.")
    if any(look["complete"] for look in looks):
        return _("Speaks against it: the platform's complete list does not hold it.")
    return _("Undecided: the platform's list could not be read completely.")


def _look(look: Mapping[str, Any]) -> str:
    at = f"{localtime(datetime.fromisoformat(look['at'])):%H:%M:%S}"
    if "says" in look:
        word = Decision(look["says"]).label
        return _("%(at)s: %(who)s decided: %(word)s.") % {"at": at, "who": look.get("by", ""), "word": word}
    if not look["matches"]:
        text = (
            _("%(at)s: the platform's list does not hold it.")
            if look["complete"]
            else _("%(at)s: not found, but the list was incomplete, which proves nothing.")
        )
        return text % {"at": at}
    found = [_match(match) for match in look["matches"]]
    told = _("%(at)s: the platform lists %(count)d equal commands: %(rows)s.")
    return told % {"at": at, "count": len(found), "rows": "; ".join(found)}


def _match(match: Mapping[str, Any]) -> str:
    at = f"{localtime(datetime.fromisoformat(match['at'])):%H:%M:%S}" if match.get("at") else _("time unknown")
    return _("%(at)s, executed") % {"at": at} if match.get("ran") else _("%(at)s, not executed yet") % {"at": at}
