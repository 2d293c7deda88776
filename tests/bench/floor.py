"""The floor: the work of one line without the product, ``python -m tests.bench.floor``, started by the bench.

One process, plain code on greenlets as in the product's worker. Per line: the callback comes in by HTTP and is
acknowledged after its rows are committed; two calls of the model's stand-in, in process, each followed by a commit; the
command is committed before the HTTP call to the platform (the product's own client) and after it; the platform's result
callback ends the run. The same rows go into the same tables, all that is due at a moment in one commit. It keeps no
promise beyond that: no claims and leases, no retries, no order, no duplicates, no budget, no panels, nothing read back.
"""

# ruff: noqa: E402 - everything below must be imported patched
from gevent import monkey

monkey.patch_all()

import argparse
import hashlib
import json
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import gevent
import psycopg
from gevent.server import StreamServer

from personas.model_stub.answers import answer
from robots.simulator.world import RESULT
from tests.bench.floor_rows import Batch, Template, Writer
from worktool_ai.lib.http import Place, Pool, exchange
from worktool_ai.lib.ids import uuid7

ROBOT = "floor"
OK = b'{"code":0,"message":"success"}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(OK), OK)
BACKLOG = 2048
CALL_S = 30.0
MAX_ANSWER_BYTES = 1024 * 1024
EARLY, LATE = slice(0, 2), slice(6, 8)  # steps before the first model's answer is stored; after the result


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Line:
    """One line on its way."""

    text: str
    person: str
    group: str
    conversation: UUID
    room: UUID
    message: UUID = field(default_factory=uuid7)
    run: UUID = field(default_factory=uuid7)
    command: UUID = field(default_factory=uuid7)
    wait: UUID = field(default_factory=uuid7)
    effect: UUID = field(default_factory=uuid7)


class Floor:
    """Answers lines."""

    def __init__(self, database_url: str, simulator: str) -> None:
        with psycopg.connect(database_url) as database:
            self._template = Template(database)
            self._people = {
                (room, person): (conversation, room_id)
                for room, person, conversation, room_id in database.execute(
                    "SELECT room.address, person.sender_name, person.id, room.id"
                    "  FROM robots_conversation AS person JOIN robots_room AS room ON room.id = person.room_id"
                )
            }
        self._writer = Writer(database_url)
        self._http = Pool(guarded=False, maxsize=100)
        address = urlsplit(simulator)
        self._simulator = Place(address.scheme, address.hostname or "", address.port)
        self._sent: dict[str, Line] = {}
        self._known = threading.Condition()

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    def serve(self, connection: socket.socket, _address: Any) -> None:
        stream = connection.makefile("rb")
        while start := stream.readline():
            length = 0
            while (header := stream.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self._take(start.split()[1], stream.read(length))
            connection.sendall(ANSWER)

    def _take(self, path: bytes, body: bytes) -> None:
        document = json.loads(body)
        if path.startswith(b"/message"):
            line = self._line(document)
            self._writer.write(self._received(line))
            gevent.spawn(self._walk, line)
        elif document.get("messageId"):
            self._end(document)

    def call(self, path: str, body: Any) -> Any:
        content = json.dumps(body, ensure_ascii=False).encode()
        answered = exchange(
            self._http,
            self._simulator,
            "POST",
            f"{path}?{urlencode({'robotId': ROBOT})}",
            body=content,
            headers={"Content-Type": "application/json"},
            timeout=CALL_S,
            connect_timeout=None,
            max_bytes=MAX_ANSWER_BYTES,
        )
        told = json.loads(answered.body)
        if told["code"] not in (0, 200):
            raise RuntimeError(f"the platform refused: {told}")
        return told["data"]

    # -- a line's way --------------------------------------------------------------------------------------------------

    def _line(self, document: dict[str, Any]) -> Line:
        conversation, room = self._people[document["groupName"], document["receivedName"]]
        return Line(document["spoken"], document["receivedName"], document["groupName"], conversation, room)

    def _walk(self, line: Line) -> None:
        json.loads(answer(line.text, "intent"))
        self._writer.write(self._understood(line))
        text = answer(line.text, "reply")
        command = {"type": 203, "titleList": [line.group], "receivedContent": text, "atList": [line.person]}
        self._writer.write(self._answered(line, text, command))
        platform_id = self.call("/wework/sendRawMessage", {"socketType": 2, "list": [command]})
        self._writer.write(self._accepted(line, platform_id))
        with self._known:
            self._sent[platform_id] = line
            self._known.notify_all()

    def _received(self, line: Line) -> Batch:
        place = {"conversation_id": line.conversation, "room_id": line.room}
        row, at = self._template.row, now()
        message = row(
            "robots_message", id=line.message, run_id=line.run, sender_name=line.person, text=line.text,
            raw_text=line.text, received_at=at, stored_at=at, **place,
        )  # fmt: skip
        run = row(
            "flows_run", id=line.run, message_id=line.message, conversation_id=line.conversation, state="active",
            created_at=at, started_at=at, ended_at=None,
        )  # fmt: skip
        digest = hashlib.sha256(f"{line.person}\0{line.text}".encode()).hexdigest()
        mark = row("robots_fingerprint", digest=digest, message_id=line.message, last_at=at)
        inserts = [("robots_message", message), ("robots_fingerprint", mark), ("flows_run", run)]
        return Batch(inserts, leases=[line.conversation], events=self._template.of_events("message_received"))

    def _understood(self, line: Line) -> Batch:
        events = self._template.of_events("intent_recognized", nodes=("receive", "intent"))
        return Batch([self._call(line, 0), *self._steps(line, EARLY)], events=events)

    def _answered(self, line: Line, text: str, command: dict[str, Any]) -> Batch:
        row, at = self._template.row, now()
        place = {"conversation_id": line.conversation, "room_id": line.room, "run_id": line.run}
        said = row("robots_message", 1, id=line.command, text=text, received_at=at, stored_at=at, **place)
        queued = row(
            "robots_command", id=line.command, message_id=line.command, target=line.group, text=text, payload=command,
            state="sending", created_at=at, sending_at=at, accepted_at=None, final_at=None, platform_id="",
            error_code=None, **place,
        )  # fmt: skip
        sent = row("flows_effect", 0, id=uuid7(), run_id=line.run, created_at=at, done_at=at)
        waiting = row("flows_effect", 1, id=line.effect, run_id=line.run, created_at=at, outcome=None, done_at=None)
        wait = row(
            "flows_wait", id=line.wait, run_id=line.run, conversation_id=line.conversation, key=line.command,
            state="open", created_at=at,
        )  # fmt: skip
        inserts = [("robots_message", said), ("robots_command", queued), ("flows_effect", sent)]
        inserts += [("flows_effect", waiting), ("flows_wait", wait), self._call(line, 1)]
        inserts += self._steps(line, slice(EARLY.stop, LATE.start))
        events = self._template.of_events("ai_reply_generated", nodes=("decision", "reply", "dispatch", "send"))
        return Batch(inserts, events=events)

    def _accepted(self, line: Line, platform_id: str) -> Batch:
        change = {"id": line.command, "state": "accepted", "accepted_at": now(), "platform_id": platform_id}
        return Batch(
            updates=[("robots_command", change)], events=self._template.of_events("command_sent", "message_sent")
        )

    def _end(self, document: dict[str, Any]) -> None:
        platform_id = document["messageId"]
        with self._known:
            self._known.wait_for(lambda: platform_id in self._sent)
        line, at = self._sent.pop(platform_id), now()
        result = self._template.row(
            "robots_commandresult", id=uuid7(), command_id=line.command, platform_id=platform_id, inner_id=platform_id,
            raw=document, received_at=at, run_time=at,
        )  # fmt: skip
        outcome = self._template.rows["flows_effect"][1]["outcome"]
        updates: list[tuple[str, dict[str, Any]]] = [
            ("robots_command", {"id": line.command, "state": "done", "final_at": at, "error_code": 0}),
            ("flows_wait", {"id": line.wait, "state": "woken"}),
            ("flows_effect", {"id": line.effect, "outcome": outcome, "done_at": at}),
            ("flows_run", {"id": line.run, "state": "done", "ended_at": at}),
            ("robots_message", {"id": line.message, "settled_at": at}),
        ]
        inserts = [("robots_commandresult", result), *self._steps(line, LATE)]
        events = self._template.of_events("command_result", "flow_completed", nodes=("status", "end"))
        self._writer.write(Batch(inserts, updates, [line.conversation], events))

    def _steps(self, line: Line, part: slice) -> list[tuple[str, dict[str, Any]]]:
        at = now()
        changes = {"run_id": line.run, "started_at": at, "ended_at": at}
        return [("flows_step", {**step, **changes, "id": uuid7()}) for step in self._template.rows["flows_step"][part]]

    def _call(self, line: Line, number: int) -> tuple[str, dict[str, Any]]:
        changes = {"run_id": line.run, "message_id": line.message, "conversation_id": line.conversation}
        return "personas_aicall", self._template.row("personas_aicall", number, id=uuid7(), created_at=now(), **changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True)
    parser.add_argument("--simulator", required=True)
    options = parser.parse_args()
    floor = Floor(options.database, options.simulator)
    server = StreamServer(("127.0.0.1", 0), floor.serve, backlog=BACKLOG)
    server.start()
    address = f"http://127.0.0.1:{server.server_port}"
    floor.call("/robot/robotInfo/callBack/bind", {"type": RESULT, "callBackUrl": f"{address}/result"})
    print(f"{address}/message", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
