"""One line of the examination: how it stands, what was seen, what that means, what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from robots.connecting.answers import Answer, Trouble

__all__ = ["Check", "CheckState", "Text", "unanswered", "unanswered_further"]

Text = str | Promise


class CheckState(TextChoices):
    OK = "ok", _("OK")
    PROBLEM = "problem", _("Problem")
    WARNING = "warning", _("Look at this")
    UNKNOWN = "unknown", _("Unknown")
    CHECKING = "checking", _("Checking")


@dataclass(frozen=True, slots=True)
class Check:
    """``fixes`` are names of :data:`robots.connecting.fixes.FIXES`; ``hands`` is what a person does by hand."""

    key: str
    title: Text
    state: CheckState
    seen: Text = ""
    meaning: Text = ""
    hands: Text = ""
    fixes: tuple[str, ...] = ()


_TROUBLES: dict[Trouble, Text] = {
    Trouble.NO_ANSWER: _("The platform does not answer."),
    Trouble.LIMIT: _("Our own request limit is used up; asked again shortly."),
    Trouble.WAITING: _("Asked as soon as the problem above is solved."),
    Trouble.THROTTLED: _("The platform says: too many requests. Nothing is asked for a minute."),
}


def unanswered(key: str, title: Text, answer: Answer) -> Check:
    """Return the line of a query that has brought nothing: unknown is not offline, and not wrong."""
    if answer.trouble == Trouble.REFUSED:
        told = _("The platform refused: %(code)d %(text)s") % {"code": answer.code, "text": answer.text}
        return Check(key, title, CheckState.UNKNOWN, told)
    if answer.trouble:
        return Check(key, title, CheckState.UNKNOWN, _TROUBLES[answer.trouble])
    return Check(key, title, CheckState.CHECKING)


def unanswered_further(key: str, title: Text, answer: Answer) -> Check:
    """Return the line of a further check that needs the same answer: why it was refused, the first ones tell."""
    refused = answer.trouble == Trouble.REFUSED
    return unanswered(key, title, replace(answer, trouble=Trouble.WAITING) if refused else answer)
