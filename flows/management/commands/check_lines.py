from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows.context import StandardContext
from flows.engine import knowledge
from flows.engine.dry_run import DryRun, dry_run
from flows.nodes import RobotFacts
from personas.caches import cast
from personas.selection import select_persona
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7


class Command(BaseCommand):
    help = "Say what the active flow would do with each line of a text file (JSON lines on stdout). Sends nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="one customer's line of text on each line")
        parser.add_argument("--room", default="客服群", help="the group in which it is said (default 客服群)")

    def handle(self, *args: Any, file: Path, room: str, **options: Any) -> None:
        version = knowledge.active_version()
        if version is None:
            raise CommandError("no flow is published: run `manage.py seed` or `manage.py publish_flow FILE` first")
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        graph = knowledge.graph_of(version)
        for text in filter(None, map(str.strip, lines)):
            found = dry_run(graph, _said(text, room), _robot())
            self.stdout.write(json.dumps(_row(text, found), ensure_ascii=False))


def _said(text: str, room: str) -> StandardContext:
    moment = int(now().timestamp() * 1000)
    conversation = str(uuid7())
    return StandardContext(
        robot_id="check",
        robot_name="客服机器人",
        session_id=conversation,
        message_id=str(uuid7()),
        user_id=conversation,
        user_name="张三",
        group_id=str(uuid7()),
        group_name=room,
        room_type=1,
        is_group=True,
        original_message=text,
        raw_message=text,
        text_type=1,
        at_me=False,
        start_time=moment,
        received_at=moment,
    )


def _robot() -> RobotFacts:
    persona = select_persona(cast(), None, "客服", "")
    return RobotFacts(
        mode="automatic",
        line_fresh_s=300,
        reply_fresh_s=180,
        owner="robot",
        persona_id=str(persona.id),
        persona_type=persona.role_type,
    )


def _row(text: str, found: DryRun) -> dict[str, Any]:
    context = found.context
    sent = bool(found.commands)
    return {
        "text": text,
        "intent": context.intent,
        "topic": context.topic,
        "confidence": context.intent_confidence,
        "outcome": context.outcome or "silent",
        "reason": "flow_failed" if found.failed else context.reason,
        "answer": context.ai_response if sent else None,
        "persona": context.persona_type,
        "template": context.template if sent else None,
    }
