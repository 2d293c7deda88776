"""The phone and the names by which it finds people and groups."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from robots.connecting.checks import Check, CheckState, Text, unanswered, unanswered_further
from robots.connecting.facts import Facts
from robots.connecting.naming import name_problems
from robots.names import normal_name

__all__ = ["group_names", "online", "own_name"]

SPANS_SHOWN = 3
NAMES_SHOWN = 5


def online(facts: Facts) -> Check:
    title, answer = _("Phone"), facts.answers.of("online")
    now_online = facts.answers.online if facts.answers.online is not None else facts.robot.is_online
    if now_online is None:
        if not answer.is_known:
            return unanswered("online", title, answer)
        return Check("online", title, CheckState.UNKNOWN, _("The platform does not say whether it is online."))
    seen = _joined(_("Online.") if now_online else _("Offline."), _version(facts), _history(facts))
    if now_online:
        return Check("online", title, CheckState.OK, seen)
    meaning = _("It reads and sends nothing. What is sent meanwhile waits at the platform and may come out late.")
    hands = _("Wake the phone, open the WorkTool app, and switch its main function on; keep it on the charger.")
    return Check("online", title, CheckState.PROBLEM, seen, meaning, hands)


def _version(facts: Facts) -> Text:
    version = facts.answers.version
    return _("App version %(version)s.") % {"version": version} if version else ""


def _history(facts: Facts) -> Text:
    """Tell of today's times on line, by the platform; else of the last changes that we know of."""
    spans = [
        f"{_clock(span.since)}–{_clock(span.until) if span.until else ''}"
        for span in facts.answers.spans[:SPANS_SHOWN]
        if span.since
    ]
    if spans:
        return _("Today: %(spans)s.") % {"spans": ", ".join(spans)}
    changes = [f"{_clock(change.at)} {_('online') if change.is_online else _('offline')}" for change in facts.changes]
    return _("Last changes: %(changes)s.") % {"changes": ", ".join(changes[:SPANS_SHOWN])} if changes else ""


def _clock(at: object) -> str:
    return timezone.localtime(at).strftime("%m-%d %H:%M")  # type: ignore[arg-type]


def own_name(facts: Facts) -> Check:
    """Compare the name here with the platform's: customers @ the nickname, and the robot's own lines carry it."""
    title, info, robot = _("Name of the robot"), facts.answers.info, facts.robot
    if problems := list(name_problems(robot.name)):
        seen = _("“%(name)s” %(problems)s.") % {"name": robot.name, "problems": _joined(*problems, between=", ")}
        hands = _("Choose another name in WeCom, and write the same here.")
        return Check("own_name", title, CheckState.WARNING, seen, _("An @ of such a name often fails."), hands)
    if info is None:
        return unanswered_further("own_name", title, facts.answers.of("info"))
    known = {normal_name(name) for name in (robot.name, *robot.aliases)}
    if info.name and normal_name(info.name) not in known:
        values = {"ours": robot.name, "theirs": info.name}
        seen = _("Here “%(ours)s”, at the platform “%(theirs)s”.") % values
        meaning = _("Its own lines would be taken for a customer's, and an @ of that name not noticed.")
        return Check("own_name", title, CheckState.WARNING, seen, meaning, fixes=("add_alias",))
    return Check("own_name", title, CheckState.OK, _("“%(name)s”, here and at the platform.") % {"name": robot.name})


def group_names(facts: Facts) -> Check:
    title, risky = _("Names of the groups"), facts.risky_names
    if not risky:
        seen = _("No group is known yet whose name the phone may not find.")
        return Check("group_names", title, CheckState.OK, seen)
    shown = [f"“{row.name}” {', '.join(row.problems)}" for row in risky[:NAMES_SHOWN]]
    more = _("and %(count)d more") % {"count": len(risky) - NAMES_SHOWN} if len(risky) > NAMES_SHOWN else ""
    return Check(
        "group_names",
        title,
        CheckState.WARNING,
        _joined("; ".join(shown), more),
        _("Names are the platform's only addresses: an answer may not find such a group."),
        _("Give the group a short remark in the robot's WeCom: without blanks, - ( ) @, not starting with a digit."),
    )


def _joined(*texts: Text, between: str = " ") -> str:
    return between.join(str(text) for text in texts if text)
