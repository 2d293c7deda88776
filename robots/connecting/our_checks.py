"""Our side: how far the robot acts on its own, and what has arrived."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from robots.connecting.checks import Check, CheckState, Text
from robots.connecting.facts import Facts
from robots.models import Mode

__all__ = ["arrivals", "mode"]

LATELY = timedelta(hours=24)

_MODES: dict[str, Text] = {
    Mode.SHADOW: _("It answers every line with a draft that only your people see. Nothing is sent."),
    Mode.ASSIST: _("It writes the answer and a person sends it."),
    Mode.AUTOMATIC: _("It answers customers by itself."),
}


def mode(facts: Facts) -> Check:
    robot, title = facts.robot, _("What it does with a line")
    others = tuple(f"mode_{value}" for value in Mode.values if value != robot.mode)
    if not robot.is_active:
        seen = _("This robot is switched off here: its lines are stored and not answered.")
        hands = _("Switch it on on the robot's page (“active”).")
        return Check("mode", title, CheckState.PROBLEM, seen, hands=hands)
    return Check("mode", title, CheckState.OK, robot.get_mode_display(), _MODES[robot.mode], fixes=others)


def arrivals(facts: Facts) -> Check:
    title, last = _("What has arrived"), facts.robot.last_callback_at
    hint = _stranger_hint(facts)
    if last is not None and facts.now - last < LATELY:
        return Check("arrivals", title, CheckState.OK, _("The last callback: %(at)s.") % {"at": _at(last)}, hint)
    if last is None and facts.tested_at is not None:
        seen = _("The platform has tried our address (%(at)s); no line yet.") % {"at": _at(facts.tested_at)}
        return Check("arrivals", title, CheckState.WARNING, seen, hint, _say())
    nothing: Text = _("Nothing yet.") if last is None else _("Nothing since %(at)s.") % {"at": _at(last)}
    return Check("arrivals", title, CheckState.WARNING, nothing, hint, _say())


def _say() -> Text:
    return _("Say something in a test group that the robot is in; it appears below.")


def _stranger_hint(facts: Facts) -> Text:
    if not facts.strangers:
        return ""
    values = {"count": facts.strangers}
    return _("%(count)d requests of the last day named no robot or key of ours and were refused.") % values


def _at(moment: object) -> str:
    return timezone.localtime(moment).strftime("%m-%d %H:%M:%S")  # type: ignore[arg-type]
