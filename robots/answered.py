"""Customers' lines whose answer fared otherwise than was noted when they were settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from robots.caches import robots_by_id
from robots.models import Direction, Message
from robots.models.commands import command_status
from worktool_ai.events.services import record
from worktool_ai.events.types import Event
from worktool_ai.lib import clock

__all__ = ["Answer", "resettle"]


class _Command(Protocol):
    @property
    def id(self) -> UUID: ...
    @property
    def robot_id(self) -> UUID: ...
    @property
    def conversation_id(self) -> UUID | None: ...
    @property
    def run_id(self) -> UUID | None: ...
    @property
    def state(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The command by which a run answered."""

    command_id: UUID
    robot_id: UUID
    conversation_id: UUID | None
    run_id: UUID | None
    state: str

    @classmethod
    def of(cls, command: _Command) -> Answer:
        return cls(command.id, command.robot_id, command.conversation_id, command.run_id, command.state)


def resettle(answers: Iterable[Answer], was: Sequence[str], reason: str) -> None:
    """Give the lines of these answers another reason, where theirs is one of ``was``; in the caller's transaction."""
    by_run = {answer.run_id: answer for answer in answers if answer.run_id and answer.conversation_id}
    if not by_run:
        return
    conversations = {answer.conversation_id for answer in by_run.values()}
    # by conversation first: that is what the table is indexed by
    lines = Message.objects.filter(
        conversation__in=conversations, direction=Direction.IN, run_id__in=by_run, reason__in=was
    )
    found = dict(lines.order_by("pk").select_for_update(of=("self",)).values_list("pk", "run_id"))
    if found:
        Message.objects.filter(pk__in=found).update(reason=reason, settled_at=clock.now())
        record(*(event for pk, run in found.items() if run and (event := _event(pk, by_run[run], reason))))


def _event(line: UUID, answer: Answer, reason: str) -> Event | None:
    robot = robots_by_id().get(answer.robot_id)
    if robot is None:
        return None
    return {
        "type": "command_result",
        "at": clock.now().isoformat(),
        "robot": robot.slug,
        "group": robot.group,
        "messageId": str(line),
        "runId": str(answer.run_id),
        "data": {
            "sendId": str(answer.command_id),
            "messageId": str(line),
            "status": command_status(answer.state),
            "state": answer.state,
            "result": {"reason": reason},
        },
    }
