"""Asks the budgets before a call to a remote model, and counts afterwards what it has cost.

::

    before  what the call can cost at most is set aside in every budget that it matches, unless one is used up
    after   its cost takes that place. A call of unknown cost keeps what was set aside, because it may have cost that;
            one that the vendor refused costs nothing

A call may start while spent + set aside < amount, so all processes together overshoot by one call at most. Without a
matching budget nobody is asked. While Redis is away each process goes by what it knew last and by what it has spent
since: a budget that was used up stays so, no call waits or fails. Calls to a model without a price cannot be held to
any budget: they are counted as unknown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

import redis
from django.conf import settings
from django.db import Error as DatabaseError

from personas.budgets import caches, notices, spending
from personas.budgets.caches import BudgetSnapshot
from personas.budgets.counters import Counters, Line, Unknown, micro, money
from personas.budgets.periods import Span, span
from personas.budgets.prices import FREE, REFUSED, Price, tokens_at_most
from personas.providers import Answer, ChatRequest, ProviderError, registry
from personas.selection import ModelSnapshot
from personas.types import CallScope
from worktool_ai.lib import clock
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.stores import redis_store

__all__ = ["Hold", "Keeper", "OverBudget", "Settled", "count", "keeper", "lines_of"]

logger = get_logger(__name__)

T = TypeVar("T")

#: Seconds that Redis is waited for, and that it is left alone after it did not answer.
PATIENCE_S = 0.5
SILENCE_S = 1.0
#: So many calls of a process ask Redis at once; of a thousand that begin together none waits longer for its turn.
TURNS = 32
TURN_S = 3.0
#: A hold outlasts its call's deadline by so many seconds.
SPARE_S = 30.0


class OverBudget(Exception):
    """The model is not asked now: ``budget`` is used up until its period ends or its amount is raised.

    ``is_spent`` is false while the rest of it is only set aside for calls that are on their way.
    """

    def __init__(self, budget: BudgetSnapshot, *, is_spent: bool) -> None:
        super().__init__(f"the budget {budget.counter} is used up")
        self.budget = budget
        self.is_spent = is_spent


class _Busy(Exception):
    """Redis may be there, but this call did not get its turn in time."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What was set aside for one call; ``amount`` is None where the model has no price."""

    id: UUID
    price: Price | None
    amount: Decimal | None
    budgets: Sequence[BudgetSnapshot] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What a call has cost, None when nobody knows; then ``estimate`` counts in budgets, None where there is none."""

    cost: Decimal | None
    estimate: Decimal | None


class Keeper:
    """The budgets of one process. Its methods raise nothing but :class:`OverBudget`."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._silent_until = float("-inf")
        #: What this process knew last: line -> (period, millionths spent).
        self._last: dict[str, tuple[str, int]] = {}
        #: Lines whose counter lacks calls that ended while Redis was away.
        self._behind: set[str] = set()
        self._turns = threading.BoundedSemaphore(TURNS)
        self._counting = threading.Lock()
        self._counted_at: dict[str, float] = {}

    def reserve(
        self,
        model: ModelSnapshot,
        request: ChatRequest,
        scope: CallScope,
        persona_id: UUID | None,
        *,
        enforced: bool = True,
    ) -> Hold:
        """Set aside what a call can cost at most; raises :class:`OverBudget`, unless the call is only counted."""
        price = model.price if registry.get(model.provider).is_remote else Price(FREE, FREE)
        amount = price.at_most(*_tokens(model, request)) if price else None
        budgets = _matching(model, scope, persona_id) if amount else ()
        hold = Hold(uuid7(), price, amount, budgets)
        if budgets:
            full = self._first_full(hold, request.timeout + SPARE_S)
            if full and enforced:
                raise full
        return hold

    def settle(self, hold: Hold, answer: Answer | None, error: ProviderError | None) -> Settled:
        """Count what the call has cost in place of what was held for it."""
        settled = _cost(hold, answer, error)
        if hold.budgets:
            amount = settled.estimate if settled.cost is None else settled.cost
            self._count_in(hold, micro(amount or FREE))
        return settled

    # -- before ------------------------------------------------------------------------------------------------------

    def _first_full(self, hold: Hold, lasts_s: float) -> OverBudget | None:
        moment = clock.now()
        lines = [line for line, _span in lines_of(hold.budgets, moment)]
        try:
            self._catch_up(hold.budgets)
            number, standings = self._asked(
                hold.budgets, lambda: self.counters.reserve(hold.id, micro(hold.amount or FREE), lasts_s, lines)
            )
        except (redis.RedisError, DatabaseError, OSError, _Busy) as error:
            self._went_away(error)
            number, standings = self._by_memory(lines), []
        for line, standing in zip(lines, standings, strict=False):
            self._last[line.name] = (line.period, standing.spent)
        if not number:
            return None
        line = lines[number - 1]
        return OverBudget(hold.budgets[number - 1], is_spent=self._last[line.name][1] >= line.limit)

    def _by_memory(self, lines: Sequence[Line]) -> int:
        for number, line in enumerate(lines, start=1):
            period, spent = self._last.get(line.name, ("", 0))
            if period == line.period and spent >= line.limit:
                return number
        return 0

    def _catch_up(self, budgets: Sequence[BudgetSnapshot]) -> None:
        """Count from rows what Redis was not told while it was away."""
        missed = [budget for budget in budgets if budget.counter in self._behind]
        if missed and time.monotonic() >= self._silent_until:
            count(self.counters, missed)
            self._behind.difference_update(budget.counter for budget in missed)

    # -- after -------------------------------------------------------------------------------------------------------

    def _count_in(self, hold: Hold, spent: int) -> None:
        with_spans = lines_of(hold.budgets, clock.now())
        lines = [line for line, _span in with_spans]
        held = micro(hold.amount or FREE)
        try:
            figures = self._asked(hold.budgets, lambda: self.counters.settle(hold.id, held, spent, lines))
        except (redis.RedisError, DatabaseError, OSError, _Busy) as error:
            self._went_away(error)
            self._remember(lines, spent)
            return
        for budget, (line, period), figure in zip(hold.budgets, with_spans, figures, strict=True):
            self._last[line.name] = (line.period, figure)
            notices.tell(budget, period, money(figure))

    def _remember(self, lines: Sequence[Line], spent: int) -> None:
        for line in lines:
            period, known = self._last.get(line.name, ("", 0))
            self._last[line.name] = (line.period, (known if period == line.period else 0) + spent)
            self._behind.add(line.name)

    # -- Redis -------------------------------------------------------------------------------------------------------

    def _asked(self, budgets: Sequence[BudgetSnapshot], ask: Callable[[], T]) -> T:
        """Ask Redis; once more when it had lost a counter, after that was counted from rows."""
        began = time.monotonic()
        try:
            return self._in_turn(ask)
        except Unknown:
            self._count_once(budgets, began)
        try:
            return self._in_turn(ask)
        except Unknown as error:
            raise redis.RedisError("it loses what it is told") from error

    def _in_turn(self, ask: Callable[[], T]) -> T:
        """Whoever had to wait looks again whether Redis is to be left alone: it may not have answered the others."""
        if not self._turns.acquire(timeout=TURN_S):
            raise _Busy("too many calls at once")
        try:
            if time.monotonic() < self._silent_until:
                raise redis.ConnectionError("left alone for a moment")
            return ask()
        except (redis.RedisError, OSError) as error:
            self._went_away(error)  # before the turn is handed on
            raise
        finally:
            self._turns.release()

    def _count_once(self, budgets: Sequence[BudgetSnapshot], began: float) -> None:
        """Count from rows what no other call has counted since this one began to ask."""
        if not self._counting.acquire(timeout=TURN_S):
            raise _Busy("the counters are still being counted")
        try:
            missing = [one for one in budgets if self._counted_at.get(one.counter, float("-inf")) < began]
            count(self.counters, missing)
            self._counted_at.update(dict.fromkeys((one.counter for one in missing), time.monotonic()))
        finally:
            self._counting.release()

    def _went_away(self, error: Exception) -> None:
        if time.monotonic() >= self._silent_until:
            logger.warning("budgets.by_memory", error=type(error).__name__)
            if not isinstance(error, _Busy):
                self._silent_until = time.monotonic() + SILENCE_S


def lines_of(budgets: Sequence[BudgetSnapshot], moment: datetime) -> list[tuple[Line, Span]]:
    """Return the line of each budget, with the day or month that it is about."""
    spans = {budget.period: span(budget.period, moment) for budget in budgets}
    return [
        (Line(budget.counter, spans[budget.period].name, micro(budget.amount)), spans[budget.period])
        for budget in budgets
    ]


def count(counters: Counters, budgets: Sequence[BudgetSnapshot]) -> None:
    """Raise the counters of these budgets to what the rows of calls add up to."""
    for budget, (line, period) in zip(budgets, lines_of(budgets, clock.now()), strict=True):
        with borrowed():
            spent = spending.charged(budget, period)
        counters.counted(line, micro(spent))


def _matching(model: ModelSnapshot, scope: CallScope, persona_id: UUID | None) -> Sequence[BudgetSnapshot]:
    try:
        return caches.matching(model.id, persona_id, scope.robot_id, scope.room_id)
    except DatabaseError as error:
        logger.warning("budgets.not_read", error=type(error).__name__)
        return ()


def _tokens(model: ModelSnapshot, request: ChatRequest) -> tuple[int, int]:
    """Return how many tokens a call reads and writes at most; a model's thinking counts as written."""
    thinking = model.config.get("thinking_tokens")
    return tokens_at_most(request), request.max_tokens + (thinking if isinstance(thinking, int) else 0)


def _cost(hold: Hold, answer: Answer | None, error: ProviderError | None) -> Settled:
    if hold.price is None:
        return Settled(None, None)
    if hold.amount == FREE:
        return Settled(FREE, None)
    cost = hold.price.cost(answer.prompt_tokens, answer.completion_tokens) if answer else None
    if cost is not None:
        return Settled(cost, None)
    is_refused = answer is None and error is not None and error.kind in REFUSED
    return Settled(None, None if is_refused else hold.amount)


def keeper() -> Keeper:
    """Return this process's keeper."""
    return _keeper(settings.REDIS_BROKER_URL, settings.REDIS_PREFIX)


@lru_cache(maxsize=2)
def _keeper(url: str, prefix: str) -> Keeper:
    # pages and the look once a minute take no turn
    store = redis_store(url, PATIENCE_S, retries=0, connections=TURNS + 8)
    return Keeper(Counters(store, prefix))
