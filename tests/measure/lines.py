"""Customers' lines: said at the door by HTTP, and what became of them in the database."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.measure.stack import Stack

__all__ = [
    "Latency",
    "Round",
    "engine_ms",
    "faults",
    "finished",
    "give_history",
    "has_history",
    "latency",
    "say",
    "use_model",
]

SENDERS = 24
#: People share groups as customers do; the commands of one group leave one after the other.
PEOPLE_PER_GROUP = 10
HISTORY_LINES = 20
STEPS, AI_CALLS, COMMANDS = 8, 2, 1
#: Of a topic each, and recognised with confidence above 0.85, so that no round gets the answers of the one before: what
#: equals an answer of the last 30 s waits.
QUESTIONS = ("如何退款？", "什么时候发货？", "会员有什么权益？", "怎么修改密码？", "收到的商品坏了怎么办？")


@dataclass(frozen=True, slots=True)
class Round:
    """``count`` lines, each of another person; ``number`` makes their texts differ from those of other rounds.

    ``first`` is the number of the first of these people.
    """

    number: int
    count: int
    rate: float = 0.0
    first: int = 0

    @staticmethod
    def name(person: int) -> str:
        return f"客户{person:05}"

    def body(self, person: int) -> bytes:
        text = f"{QUESTIONS[self.number % len(QUESTIONS)]} #m{self.number * 100_000 + person}"
        speaker = self.first + person
        document = {
            "spoken": text,
            "rawSpoken": text,
            "receivedName": self.name(speaker),
            "groupName": f"测量群{speaker // PEOPLE_PER_GROUP:04}",
            "groupRemark": "",
            "roomType": 1,
            "atMe": "false",
            "textType": 1,
        }
        return json.dumps(document, ensure_ascii=False).encode()


def say(stack: Stack, spoken: Round) -> datetime:
    """Post the lines from several connections at once, or at ``rate`` a second; returns when it began (local clock)."""
    started, begun = datetime.now().astimezone(), time.monotonic()
    address, path = urlsplit(stack.run["url"]).netloc, stack.door()
    refused: list[int] = []

    def sender(first: int) -> None:
        door = http.client.HTTPConnection(address, timeout=60)
        for person in range(first, spoken.count, SENDERS):
            if spoken.rate:
                time.sleep(max(0.0, begun + person / spoken.rate - time.monotonic()))
            door.request("POST", path, spoken.body(person), {"Content-Type": "application/json"})
            answer = door.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                refused.append(answer.status)
        door.close()

    threads = [threading.Thread(target=sender, args=(first,)) for first in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise RuntimeError(f"the door refused {len(refused)} lines: {refused[:5]}")
    return started


def finished(database: psycopg.Connection[Any], since: datetime) -> int:
    """Count the runs that were queued since then and have ended."""
    row = database.execute(
        "SELECT count(*) FROM flows_run WHERE created_at >= %s AND ended_at IS NOT NULL", [since]
    ).fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the callback to its command row; ``rate`` is commands per second of the whole round."""

    p50: float
    p95: float
    rate: float


def latency(database: psycopg.Connection[Any], since: datetime) -> Latency:
    row = database.execute(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took), percentile_cont(0.95) WITHIN GROUP (ORDER BY took),"
        "       count(*) / extract(epoch FROM max(queued_at) - min(received_at))"
        "  FROM (SELECT line.received_at, said.stored_at AS queued_at,"
        "               extract(epoch FROM said.stored_at - line.received_at)::float8 AS took"
        "          FROM robots_message AS line JOIN robots_message AS said ON said.run_id = line.run_id"
        "         WHERE line.received_at >= %s AND line.direction = 'in' AND said.direction = 'out') AS answered",
        [since],
    ).fetchone()
    assert row is not None
    return Latency(*(float(value) for value in row))


def engine_ms(database: psycopg.Connection[Any], since: datetime) -> list[float]:
    """Return, line by line, the milliseconds from the door to the stored command, without the model calls' own."""
    rows = database.execute(
        "SELECT extract(epoch FROM said.stored_at - line.received_at)::float8 * 1000"
        "       - (SELECT sum(call.duration_ms) FROM personas_aicall AS call WHERE call.run_id = line.run_id)"
        "  FROM robots_message AS line JOIN robots_message AS said ON said.run_id = line.run_id"
        " WHERE line.received_at >= %s AND line.direction = 'in' AND said.direction = 'out'",
        [since],
    ).fetchall()
    return [row[0] for row in rows]


def faults(database: psycopg.Connection[Any], since: datetime) -> list[str]:
    """Say which lines do not have their eight steps, two successful model calls and one command. Slow."""
    rows = database.execute(
        "SELECT line.text, run.state, run.recoveries,"
        "       (SELECT count(*) FROM flows_step AS step WHERE step.run_id = run.id),"
        "       (SELECT count(*) FROM personas_aicall AS call WHERE call.run_id = run.id AND call.succeeded),"
        "       (SELECT count(*) FROM personas_aicall AS call WHERE call.run_id = run.id),"
        "       (SELECT count(*) FROM robots_command AS command WHERE command.run_id = run.id)"
        "  FROM robots_message AS line LEFT JOIN flows_run AS run ON run.message_id = line.id"
        " WHERE line.received_at >= %s AND line.direction = 'in' AND line.reason <> 'duplicate'",
        [since],
    ).fetchall()
    wanted = ("done", 0, STEPS, AI_CALLS, AI_CALLS, COMMANDS)
    return [f"{row[0]}: {row[1:]}" for row in rows if tuple(row[1:]) != wanted]


def has_history(database: psycopg.Connection[Any]) -> bool:
    return database.execute("SELECT 1 FROM robots_conversation LIMIT 1").fetchone() is not None


def give_history(database: psycopg.Connection[Any]) -> None:
    """Give every conversation as many earlier lines as a walk reads, so that each round has the same work."""
    database.execute(
        "INSERT INTO robots_message (id, robot_id, room_id, conversation_id, direction, sender_name, text, raw_text,"
        " text_type, at_me, platform_id, received_at, stored_at, is_backfill, intent, topic, reason, extra)"
        " SELECT uuidv7(interval '-1 hour'), robot_id, room_id, id, CASE WHEN n %% 2 = 0 THEN 'in' ELSE 'out' END,"
        " sender_name, '之前说过的第' || n || '句话，问的是订单和物流', '', 1, false, '', now() - interval '1 hour',"
        " now(), false, '', '', 'answered', '{}' FROM robots_conversation, generate_series(1, %s) AS n",
        [HISTORY_LINES],
    )


def use_model(database: psycopg.Connection[Any], endpoint: str | None, model: str = "") -> None:
    """Let every persona ask this OpenAI-compatible endpoint; None: the local model."""
    database.execute("UPDATE personas_persona SET model_id = NULL")
    if endpoint is None:
        return
    row = database.execute(
        "INSERT INTO personas_aimodel (id, name, provider, model_id, model_type, capabilities, is_active, api_endpoint,"
        " api_key_encrypted, config, note, created_at, updated_at)"
        " VALUES (uuidv7(), 'measured ' || now(), 'custom', %s, 'chat',"
        " '{intent_recognition,service_reply,conversion,chat}', true, %s, '', '{\"allow_private\": true}', '', now(),"
        " now()) RETURNING id",
        [model, endpoint],
    ).fetchone()
    database.execute("UPDATE personas_persona SET model_id = %s", row)
