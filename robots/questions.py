"""Questions that nobody has answered: too old when the robot could have, or lost on the way to an answer."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from robots.models import CommandState, Direction, Message, OpenQuestion, Reason
from robots.models.messages import LEFT_OPEN
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User

__all__ = ["close", "open_questions"]

#: States of a command in which the customer has, or may have, its words.
_SAID = (
    CommandState.ACCEPTED,
    CommandState.DONE,
    CommandState.PARTIAL,
    CommandState.COVERED,
    CommandState.UNKNOWN,
    CommandState.WITHDRAWN_UNCONFIRMED,
)


def open_questions() -> QuerySet[OpenQuestion]:
    """Return customers' lines that were left without an answer, and after which none came in their conversation.

    That is: too old to be answered, not storable, or fetched afterwards and then failed.
    """
    answered = Message.objects.filter(
        conversation=OuterRef("conversation"),
        direction=Direction.OUT,
        received_at__gt=OuterRef("received_at"),
        command__state__in=_SAID,
    )
    silent = Q(reason__in=[Reason.STALE_LINE, Reason.DEAD_LETTER])
    left = OpenQuestion.objects.filter(direction=Direction.IN, reason__in=LEFT_OPEN)
    return left.filter(silent | Q(is_backfill=True)).exclude(Exists(answered))


@transaction.atomic
def close(ids: Iterable[UUID], actor: User | ApiKey | str, request: HttpRequest | None = None) -> int:
    """Note that a person has settled these questions; returns how many were still open."""
    lines = Message.objects.filter(pk__in=list(ids), direction=Direction.IN, reason__in=LEFT_OPEN)
    closed = list(lines.select_for_update(of=("self",)))
    for line in closed:
        before, line.reason = {"reason": line.reason}, Reason.ANSWERED_BY_COLLEAGUE
        line.save(update_fields=["reason"])
        audit.record(actor, "question.close", line, before, {"reason": line.reason}, request)
    return len(closed)
