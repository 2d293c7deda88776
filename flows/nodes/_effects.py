"""Effects: what a node wants done, as data. The engine's performer does it (flows/engine/performers.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal

__all__ = [
    "AskModel",
    "CommandDraft",
    "Effect",
    "HttpCall",
    "Notify",
    "RaiseAlert",
    "RetryAt",
    "SendCommands",
    "WaitFor",
    "WaitUntil",
]


@dataclass(frozen=True, slots=True)
class _Data:
    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return the intent that is stored with the run; dataclasses in it are left to the encoder."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class AskModel(_Data):
    """Ask a model. Outcome of ``intent``: intent, topic, confidence, why; of ``reply``: text, template, source, and
    ``file`` where the template sends one; of ``picture``: text, or the problem, or nothing where there is no picture.

    ``picture`` is a reference (the context's ``file_url``): bytes stand in no effect.

    ``facts`` fill templates and are told to the model, ``known`` only the latter; ``notes`` (colleagues' remarks) are
    never told to the customer. Of ``history`` the last ``shown_turns`` lines are shown, older ones summarised.
    """

    kind: ClassVar[str] = "ask_model"

    task: Literal["intent", "reply", "picture"]
    text: str
    persona_id: str | None = None
    persona_type: str | None = None
    style: Literal["answer", "ask_back", "ask_for_text", "hand_over"] = "answer"
    intent: str | None = None
    topic: str | None = None
    history: tuple[tuple[str, str], ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    shown_turns: int = 10
    is_private: bool = False
    threshold: float = 0.0
    timeout_s: float = 20.0
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class CommandDraft:
    """One command to be queued. ``target`` is the address of the chat; ``to`` says which kind of chat it is.

    With ``file`` (digest, name, content_type) that is sent, and ``text`` is its name for people. ``variants`` say the
    same as ``text``: the phone swallows what equals one of a moment ago.
    """

    target: str
    text: str
    at_list: tuple[str, ...] = ()
    to: Literal["room", "person"] = "room"
    priority: Literal["alert", "human", "reply", "bulk"] = "reply"
    type: int = 203
    file: Mapping[str, str] | None = None
    variants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendCommands(_Data):
    """Queue commands. Outcome: ``sendIds`` in order and ``state`` (queued, or draft where the robot is in shadow)."""

    kind: ClassVar[str] = "send_commands"

    commands: tuple[CommandDraft, ...]
    fresh_s: int = 180


@dataclass(frozen=True, slots=True)
class RaiseAlert(_Data):
    """Raise an alert, or count an open one with the same fingerprint up. Outcome: alertId, level, count, isNew."""

    kind: ClassVar[str] = "raise_alert"

    code: str
    level: str
    title: str
    fingerprint: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notify(_Data):
    """Tell people of an alert. Outcome: ``deliveries``, the ids of the rows that were queued."""

    kind: ClassVar[str] = "notify"

    alert_id: str
    rules: tuple[str, ...] = ()
    level: str = "warning"
    text: str = ""


@dataclass(frozen=True, slots=True)
class HttpCall(_Data):
    """Call an outside service (through the SSRF guard). Outcome: ok, status, body; or ok false and the error.

    ``unknown`` is true in the outcome when nobody can say whether the other side has acted on it.
    """

    kind: ClassVar[str] = "http_call"

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class WaitUntil(_Data):
    """Go on at a moment. The run parks: nothing is held. Outcome: the intent again."""

    kind: ClassVar[str] = "wait_until"

    at: datetime

    def to_json(self) -> dict[str, Any]:
        return {"at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class RetryAt(WaitUntil):
    """Try a failed node again at a moment. Asked for by the engine itself, never by a node.

    The outcome repeats the intent: whoever takes the run up goes on with the next attempt and never repeats this one.
    """

    kind: ClassVar[str] = "retry"

    attempt: int
    started_at: datetime
    errors: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(),
            "retry": self.attempt,
            "startedAt": self.started_at.isoformat(),
            "errors": list(self.errors),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RetryAt:
        """Read what :meth:`to_json` has written."""
        at, started_at = (datetime.fromisoformat(stored[name]) for name in ("at", "startedAt"))
        return cls(at, stored["retry"], started_at, tuple(stored["errors"]))


@dataclass(frozen=True, slots=True)
class WaitFor(_Data):
    """Go on when a command is final, or at ``until``. The run settles: its conversation is free meanwhile.

    Outcome: ``state`` of the command then, ``error``, and ``timedOut``.
    """

    kind: ClassVar[str] = "wait_for"

    command_id: str
    until: datetime

    def to_json(self) -> dict[str, Any]:
        return {"commandId": self.command_id, "until": self.until.isoformat()}


Effect = AskModel | SendCommands | RaiseAlert | Notify | HttpCall | WaitUntil | WaitFor
