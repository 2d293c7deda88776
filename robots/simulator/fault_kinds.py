"""The kinds of faults, one small function each: it writes what goes wrong into the plan of one request, one
execution or one callback. To add a kind, write its function here and register it; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """Where a fault strikes."""

    REQUEST = "any request of ours"
    SEND = "a sendRawMessage of ours"
    PHONE = "the execution of one command"
    MESSAGE = "one message callback"
    RESULT = "one result callback"
    STATE = "a state of the robot as long as the fault stands"


@dataclass(slots=True)
class Plan:
    """What goes wrong with one request, execution or callback; the default is nothing.

    ``hold_*`` delay, ``silent_*`` never answer (the caller or the time gives up), ``copies`` counts
    deliveries or executions, ``behind_s`` lets the next callback pass, waiting at most so long for it.
    """

    status: int = 0
    hold_before_s: float = 0.0
    silent_before_s: float = 0.0
    hold_after_s: float = 0.0
    silent_after_s: float = 0.0
    delay_s: float = 0.0
    behind_s: float = 0.0
    copies: int = 1
    error_code: int = 0


Strike = Callable[[Plan, float, int], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its name on the control interface, label on the chat page, and what it does to a plan.

    ``seconds`` and ``value`` are used when the fault names none.
    """

    name: str
    label: str
    stage: Stage
    seconds: float
    value: int
    strike: Strike


KINDS: dict[str, Kind] = {}


def kind(
    label: str, stage: Stage, *, seconds: float = 0.0, value: int = 0, name: str = ""
) -> Callable[[Strike], Strike]:
    """Register a function as the kind of the same name (or ``name``)."""

    def register(strike: Strike) -> Strike:
        key = name or strike.__name__
        if key in KINDS:
            raise ValueError(f"fault kind {key} is registered twice")
        KINDS[key] = Kind(key, label, stage, seconds, value, strike)
        return strike

    return register


@kind("受理前按住", Stage.SEND, seconds=5)
def hold_before_accept(plan: Plan, seconds: float, value: int) -> None:
    plan.hold_before_s = seconds


@kind("受理后按住", Stage.SEND, seconds=5)
def hold_after_accept(plan: Plan, seconds: float, value: int) -> None:
    plan.hold_after_s = seconds


@kind("不受理也不应答", Stage.SEND, seconds=300)
def timeout_before(plan: Plan, seconds: float, value: int) -> None:
    plan.silent_before_s = seconds


@kind("受理但不应答", Stage.SEND, seconds=300)
def timeout_after(plan: Plan, seconds: float, value: int) -> None:
    plan.silent_after_s = seconds


@kind("平台返回错误状态", Stage.REQUEST, value=500)
def http_status(plan: Plan, seconds: float, value: int) -> None:
    plan.status = value


@kind("部分目标失败", Stage.PHONE, value=201102)
def partial(plan: Plan, seconds: float, value: int) -> None:
    plan.error_code = value


@kind("手机很慢", Stage.PHONE, seconds=5)
def slow_phone(plan: Plan, seconds: float, value: int) -> None:
    plan.delay_s += seconds


@kind("手机重复发送", Stage.PHONE)
def execute_twice(plan: Plan, seconds: float, value: int) -> None:
    plan.copies += 1


@kind("机器人离线", Stage.STATE, seconds=0)
def offline(plan: Plan, seconds: float, value: int) -> None:
    """Strikes nothing: the board is asked whether it stands (see ``FaultBoard.is_offline``)."""


@kind("消息回调迟到", Stage.MESSAGE, seconds=5, name="callback_delay")
@kind("结果回调迟到", Stage.RESULT, seconds=30, name="result_late")
def delay(plan: Plan, seconds: float, value: int) -> None:
    plan.delay_s += seconds


@kind("消息回调丢失", Stage.MESSAGE, name="callback_loss")
@kind("结果回调丢失", Stage.RESULT, name="result_loss")
def lose(plan: Plan, seconds: float, value: int) -> None:
    plan.copies = 0


@kind("消息回调重复", Stage.MESSAGE, name="callback_duplicate")
@kind("结果回调重复", Stage.RESULT, name="result_duplicate")
def duplicate(plan: Plan, seconds: float, value: int) -> None:
    plan.copies += 1


@kind("消息回调乱序", Stage.MESSAGE, seconds=10, name="callback_reorder")
@kind("结果回调乱序", Stage.RESULT, seconds=10, name="result_reorder")
def reorder(plan: Plan, seconds: float, value: int) -> None:
    plan.behind_s = seconds
