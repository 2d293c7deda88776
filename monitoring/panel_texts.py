"""Everything the panel's JavaScript says or looks up, in the reader's language, from the same tables as the API."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from monitoring.lines import COMMAND_STATES, REASON_STATES, LineState
from personas.models import Intent
from robots.models import CommandState, Reason
from robots.models.commands import command_status

__all__ = ["panel_texts"]


def panel_texts() -> dict[str, Any]:
    """Return labels, the reason and command tables, and the sentences of the page."""
    return {
        "states": {state.value: str(state.label) for state in LineState},
        "reasons": {
            reason.value: {"text": str(reason.label), "state": REASON_STATES.get(reason, LineState.SILENT)}
            for reason in Reason
        },
        "commands": {
            command.value: {
                "text": str(command.label),
                "state": COMMAND_STATES.get(command, LineState.SILENT),
                "status": command_status(command),
            }
            for command in CommandState
        },
        "levels": {"critical": _("Critical alert"), "warning": _("Warning"), "info": _("Notice")},
        "parts": {
            "postgres": _("Database"),
            "redis": _("Redis"),
            "inbound": _("Lines coming in"),
            "consumer": _("Storing lines"),
            "worker": _("Flows"),
            "outbox": _("Sending"),
            "beat": _("Clock"),
            "relay": _("Live events"),
        },
        "part_states": {"degraded": _("slow"), "down": _("down")},
        "text_types": {
            "0": _("[unknown content]"),
            "2": _("[picture]"),
            "3": _("[voice]"),
            "4": _("[contact card]"),
            "5": _("[video]"),
            "6": _("[location]"),
            "7": _("[mini program]"),
            "8": _("[link]"),
            "9": _("[file]"),
            "10": _("[system line]"),
            "11": _("[Tencent document]"),
            "12": _("[group chain]"),
            "13": _("[merged messages]"),
            "14": _("[collection form]"),
            "15": _("[reply with quote]"),
            "16": _("[group notification]"),
            "17": _("[Channels video]"),
            "18": _("[Channels live]"),
            "22": _("[new friend]"),
        },
        "intents": dict(Intent.objects.values_list("key", "name")),
        **_sentences(),
    }


def _sentences() -> dict[str, str]:
    return {
        "online": _("Live"),
        "connecting": _("Connecting…"),
        "reconnecting": _("Connection lost, reconnecting…"),
        "waiting": _("Connection lost, next try in %s s"),
        "new_lines": _("%s new lines"),
        "older_loading": _("Loading older lines…"),
        "no_older": _("This is where the record begins"),
        "load_failed": _("The lines could not be loaded."),
        "no_network": _("The server cannot be reached. Check the network, then try again."),
        "request": _("Request %s"),
        "private": _("private chat"),
        "to": _("to %s"),
        "picture": _("Picture: %s"),
        "backfill": _("fetched afterwards"),
        "duplicate": _("duplicate"),
        "confidence": _("%s%% sure"),
        "times": _("%s times"),
        "open_alert": _("Look at the alert"),
        "dismiss": _("Dismiss"),
        "sent_by": _("told by %s"),
        "part_waiting": _("%s waiting"),
        "unreachable": _("The server does not answer."),
        "stopped": _("Sending is stopped (%s) since %s, by %s: %s"),
        "resume": _("Resume sending"),
        "budget": _("Requests in the last minute: %s of %s"),
        "budget_unknown": _("The request limit cannot be read: nothing is sent without it."),
        "paused": _("the platform has asked for a pause: %s s"),
        "commands_wait": _("%s commands waiting, about %s s"),
        "commands_wait_unknown": _("%s commands waiting; the phone's pace is not known yet"),
        "nothing_waits": _("nothing waits"),
    }
