"""The platform itself: its address, the robot's id and key, the licence."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from robots.connecting.answers import Answer, Trouble
from robots.connecting.checks import Check, CheckState, Text, unanswered
from robots.connecting.facts import Facts
from worktool_ai.lib.crypto import mask

__all__ = ["base_url", "licence", "robot_id", "robot_key"]

#: "bad key" and the platform's way to say it in words: the codes of these answers are not documented.
BAD_KEY = 501012
KEY_WORDS = ("key", "密钥", "秘钥")
INVALID = 4
ENDS_SOON = timedelta(days=14)


def base_url(facts: Facts) -> Check:
    title, answer = _("Platform address"), facts.answers.of("info")
    if answer.trouble == Trouble.NO_ANSWER:
        return Check(
            "base_url",
            title,
            CheckState.PROBLEM,
            _("%(url)s does not answer (%(why)s).") % {"url": facts.base_url, "why": answer.text},
            _("Nothing can be asked or sent until it does. Callbacks that arrive are kept all the same."),
            _("Check this machine's network and the setting WORKTOOL_BASE_URL. It is tried again by itself."),
        )
    if answer.trouble in (Trouble.LIMIT, Trouble.THROTTLED):
        return unanswered("base_url", title, answer)
    if not answer.trouble and answer.data is None:
        return Check("base_url", title, CheckState.CHECKING, facts.base_url)
    return Check("base_url", title, CheckState.OK, _("%(url)s answers.") % {"url": facts.base_url})


def robot_id(facts: Facts) -> Check:
    title, answer = _("Robot id"), facts.answers.of("info")
    shown = mask(facts.robot.robot_id)
    if answer.trouble == Trouble.REFUSED and not is_key_refused(answer):
        told = _("The platform refused: %(code)d %(text)s") % {"code": answer.code, "text": answer.text}
        return Check(
            "robot_id",
            title,
            CheckState.PROBLEM,
            told,
            _("The platform knows no robot of the id %(id)s, or does not let us see it.") % {"id": shown},
            _("Compare it with the id that the WorkTool app shows on the phone, and enter it again."),
            ("robot_id",),
        )
    if is_key_refused(answer):
        return Check("robot_id", title, CheckState.UNKNOWN, _("%(id)s: first the robot key.") % {"id": shown})
    info = facts.answers.info
    if info is None:
        return unanswered("robot_id", title, answer)
    seen = _("%(id)s is known as “%(name)s”.") % {"id": shown, "name": info.name or "—"}
    return Check("robot_id", title, CheckState.OK, seen)


def robot_key(facts: Facts) -> Check:
    title, answer, has_key = _("Robot key"), facts.answers.of("info"), bool(facts.robot.robot_key)
    if is_key_refused(answer):
        return Check(
            "robot_key",
            title,
            CheckState.PROBLEM,
            _("The platform refuses our key.") if has_key else _("The platform asks for a key and we have none."),
            _("Its key check is on: without the right key it neither answers nor sends."),
            _("Copy the key from the WorkTool console of this robot and enter it here. It is stored encrypted."),
            ("robot_key",),
        )
    info = facts.answers.info
    if info is None:
        return unanswered("robot_key", title, answer)
    if info.key_check is None:
        return Check("robot_key", title, CheckState.UNKNOWN, _("The platform does not say whether it checks keys."))
    if info.key_check:
        return Check("robot_key", title, CheckState.OK, _("The key check is on and our key is right."))
    return Check(
        "robot_key",
        title,
        CheckState.WARNING,
        _("The key check is off."),
        _("Whoever learns the robot id can then command the phone. The platform offers no call to switch it on."),
        _("Switch it on in the WorkTool console of this robot, then enter the key here: best at once."),
        ("robot_key",),
    )


def licence(facts: Facts) -> Check:
    title, detail = _("Licence"), facts.answers.detail
    if detail is None:
        return unanswered("licence", title, facts.answers.of("detail"))
    if detail.robot_type == INVALID:
        seen = _("The platform calls this robot invalid.")
        return Check("licence", title, CheckState.PROBLEM, seen, *_renew())
    if detail.expires_at is None:
        return Check("licence", title, CheckState.UNKNOWN, _("The platform does not say when it ends."))
    left = detail.expires_at - facts.now
    day = timezone.localtime(detail.expires_at).strftime("%Y-%m-%d")
    if left <= timedelta(0):
        return Check("licence", title, CheckState.PROBLEM, _("It ended on %(day)s.") % {"day": day}, *_renew())
    running = _("It runs until %(day)s (%(days)d days).") % {"day": day, "days": left.days}
    if left < ENDS_SOON:
        return Check("licence", title, CheckState.WARNING, running, *_renew())
    return Check("licence", title, CheckState.OK, running)


def _renew() -> tuple[Text, Text]:
    meaning = _("Without a licence the phone neither posts lines nor sends answers.")
    return meaning, _("Renew it where you bought the robot; it is looked at again every hour.")


def is_key_refused(answer: Answer) -> bool:
    """Tell whether a refusal is about the robot key."""
    if answer.trouble != Trouble.REFUSED:
        return False
    return answer.code == BAD_KEY or any(word in answer.text.lower() for word in KEY_WORDS)
