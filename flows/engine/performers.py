"""Performing effects. Each performer turns an intent into a JSON outcome and never raises for what it was asked to do:
a failure is an outcome that the node judges. Infrastructure errors (the database is away) do raise: the walk is left to
its lease and done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from alerts import services as alerts
from alerts.services import AlertDraft
from flows.engine.claims import HeadRun
from flows.engine.pictures import look_at
from flows.nodes import AskModel, CommandDraft, HttpCall, Notify, RaiseAlert, SendCommands
from personas.service import AIService
from personas.types import AICallRecord, AIContext, CallScope, ChatMessage, GenerateOptions
from robots.caches import RobotSnapshot
from robots.files import push_file
from robots.hotpath import NewCommand
from robots.models.commands import Priority
from templates_lib.file_kinds import StoredFile
from worktool_ai.lib import http
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

__all__ = ["Performed", "ask_model", "call_http", "notify", "queue_commands", "raise_alert"]

MAX_HTTP_BODY = 16 * 1024


@dataclass(slots=True)
class Performed:
    """An outcome, the AI calls it took, and whether it must be stored before anything else happens (it cost something,
    or cannot be had again)."""

    outcome: dict[str, Any]
    calls: Sequence[AICallRecord] = ()
    is_costly: bool = False
    commands: list[NewCommand] = field(default_factory=list)


def ask_model(effect: AskModel, head: HeadRun, node_id: str) -> Performed:
    """Ask for an intent or a reply through the AI layer, which always ends in the local model; or about a picture,
    which only a vendor's can see."""
    scope = CallScope(
        robot_id=str(head.robot_id),
        room_id=str(head.room_id),
        conversation_id=str(head.claim.conversation_id),
        message_id=str(head.message_id),
        run_id=str(head.run_id),
        node_id=node_id,
    )
    outcome = _asked(AIService(scope), effect, head)
    is_costly = any(call.provider != "local" for call in scope.calls)
    return Performed(outcome, tuple(scope.calls), is_costly)


def _asked(service: AIService, effect: AskModel, head: HeadRun) -> dict[str, Any]:
    if effect.task == "intent":
        return _intent(service, effect)
    return look_at(service, effect) if effect.task == "picture" else _reply(service, effect, head)


def _intent(service: AIService, effect: AskModel) -> dict[str, Any]:
    found = service.recognize_intent(
        effect.text,
        AIContext(
            persona_id=effect.persona_id,
            history=_messages(effect),
            is_group=not effect.is_private,
            threshold=effect.threshold,
            deadline_s=effect.timeout_s,
        ),
    )
    return {
        "intent": found.intent,
        "topic": found.topic,
        "confidence": found.confidence,
        "why": found.why,
        "needsHuman": found.needs_human,
        "source": found.provider,
        "model": found.model,
    }


def _reply(service: AIService, effect: AskModel, head: HeadRun) -> dict[str, Any]:
    written = service.generate_reply(
        [*_messages(effect), ChatMessage("user", effect.text)],
        GenerateOptions(
            persona_id=effect.persona_id,
            intent=effect.intent or "unclear",
            topic=effect.topic,
            kind=effect.style,
            is_group=not effect.is_private,
            values=effect.facts,
            facts=effect.known,
            notes=effect.notes,
            shown_turns=effect.shown_turns,
            seed=str(head.message_id),
            deadline_s=effect.timeout_s,
        ),
    )
    return {
        "text": written.text,
        "kind": written.kind,
        "template": written.template,
        "source": written.provider,
        "model": written.model,
        **({"file": asdict(written.file)} if written.file else {}),
        **({"variants": list(written.variants)} if written.variants else {}),
    }


def _messages(effect: AskModel) -> tuple[ChatMessage, ...]:
    return tuple(ChatMessage("user" if role == "user" else "assistant", text) for role, text in effect.history)


def queue_commands(effect: SendCommands, head: HeadRun, robot: RobotSnapshot, node_id: str) -> Performed:
    """Mint the command rows. They are written with the outcome, in one transaction: queued exactly once or not at all.

    The command carries the owner epoch under which the line was claimed; the outbox withdraws it on a mismatch.
    """
    draft = not robot.sends_itself
    commands = [_command(item, effect, head, node_id, draft=draft) for item in effect.commands]
    outcome = {
        "sendIds": [str(command.id) for command in commands],
        "state": "draft" if draft else "queued",
    }
    return Performed(outcome, commands=commands)


def _command(item: CommandDraft, effect: SendCommands, head: HeadRun, node_id: str, *, draft: bool) -> NewCommand:
    moment = now()
    file = StoredFile(**item.file) if item.file else None
    payload: dict[str, Any] = {"type": item.type, "titleList": [item.target], "receivedContent": item.text}
    if file:
        payload = push_file(file, item.target)
    elif item.at_list:
        payload["atList"] = list(item.at_list)
    return NewCommand(
        id=uuid7(),
        robot_id=head.robot_id,
        room_id=head.room_id,
        conversation_id=head.claim.conversation_id,
        run_id=head.run_id,
        node_id=node_id,
        kind=item.type,
        target=item.target,
        text=item.text,
        payload=payload,
        priority=Priority[item.priority.upper()],
        owner_epoch=head.owner_epoch,
        expires_at=moment + timedelta(seconds=effect.fresh_s),
        created_at=moment,
        draft=draft,
        text_type=file.kind.line_type if file else 1,
        variants=item.variants,
    )


def raise_alert(effect: RaiseAlert, head: HeadRun) -> dict[str, Any]:
    """Raise or count up, in the caller's transaction."""
    raised = alerts.raise_alert(
        AlertDraft(
            code=effect.code,
            level=effect.level,
            title=effect.title,
            fingerprint=effect.fingerprint,
            robot_id=head.robot_id,
            room_id=head.room_id,
            message_id=head.message_id,
            run_id=head.run_id,
            data=effect.data,
        )
    )
    return {"alertId": str(raised.id), "level": raised.level, "count": raised.count, "isNew": raised.is_new}


def notify(effect: Notify) -> dict[str, Any]:
    """Queue deliveries, in the caller's transaction. Channels deliver on their own."""
    deliveries = alerts.notify(UUID(effect.alert_id), rules=effect.rules, level=effect.level, text=effect.text)
    return {"deliveries": [str(delivery) for delivery in deliveries]}


def call_http(effect: HttpCall) -> Performed:
    """Call an outside service through the SSRF guard; its intent was stored before."""
    try:
        answer = http.request(
            effect.method,
            effect.url,
            headers=effect.headers,
            body=effect.body.encode() if effect.body else None,
            timeout=effect.timeout_s,
        )
    except http.HttpError as error:
        unknown = isinstance(error, http.OutcomeUnknown)
        return Performed({"ok": False, "error": str(error), "unknown": unknown}, is_costly=True)
    text = answer.body[:MAX_HTTP_BODY].decode("utf-8", "replace")
    return Performed({"ok": answer.status < 400, "status": answer.status, "body": text}, is_costly=True)
