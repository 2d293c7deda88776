"""Counters of what was spent and what is set aside, shared by all processes through Redis.

Each budget's target and period has a *counter* (hash: period, spent, held) and its *holds* (sorted set: a call and its
amount, by when the hold expires). All counters that a call matches are asked and changed in one step. Amounts are whole
millionths of the currency, times milliseconds on Redis' clock.

A counter that Redis does not know is counted anew from the rows of calls by whoever finds that out. A hold of a process
that died expires. Nothing here is durable, and nothing needs to be: it lies in the Redis that may be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import redis

from personas.budgets.prices import UNIT

__all__ = ["Counters", "Line", "Standing", "Unknown", "micro", "money"]

_PREAMBLE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function whole(number) return string.format('%.0f', number) end

-- longer than a month; both keys of a line go away together, or what is held would be wrong
local function keep(counter, holds)
  redis.call('PEXPIRE', counter, 3456000000)
  redis.call('PEXPIRE', holds, 3456000000)
end

-- what is held for calls that are on their way; holds of those that never came back are dropped
local function held(counter, holds)
  for _, hold in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', now)) do
    redis.call('ZREM', holds, hold)
    redis.call('HINCRBY', counter, 'held', whole(-tonumber(string.match(hold, ':(%d+)$'))))
  end
  return tonumber(redis.call('HGET', counter, 'held') or '0')
end

-- what was spent in the period; nil when that has to be counted
local function spent(counter, period)
  local known = redis.call('HMGET', counter, 'period', 'spent')
  if not known[1] or not known[2] then return nil end
  if known[1] < period then
    redis.call('HSET', counter, 'period', period, 'spent', '0')
    return 0
  end
  return tonumber(known[2])
end
"""

#: KEYS: counter and holds of each line. ARGV: call, milliseconds that a hold lasts, amount, then period and limit of
#: each line. Answers {number of the first line that is used up, or 0, spent, held, spent, held, ..}, or {-1} when a
#: counter is not known. Holds the amount on all lines or on none.
_RESERVE = (
    _PREAMBLE
    + """
local answer, amount = {0}, ARGV[3]
for i = 1, #KEYS / 2 do
  local counter, holds = KEYS[2 * i - 1], KEYS[2 * i]
  local gone, aside = spent(counter, ARGV[2 + 2 * i]), held(counter, holds)
  if not gone then return {-1} end
  if answer[1] == 0 and gone + aside >= tonumber(ARGV[3 + 2 * i]) then answer[1] = i end
  answer[#answer + 1] = gone
  answer[#answer + 1] = aside
end
if answer[1] == 0 and amount ~= '0' then
  for i = 1, #KEYS / 2 do
    redis.call('ZADD', KEYS[2 * i], now + tonumber(ARGV[2]), ARGV[1] .. ':' .. amount)
    redis.call('HINCRBY', KEYS[2 * i - 1], 'held', amount)
    keep(KEYS[2 * i - 1], KEYS[2 * i])
  end
end
return answer
"""
)

#: KEYS as above. ARGV: call, amount held, amount spent, then the period of each line. Answers what was spent in each,
#: or {-1} when a counter is not known; then nothing was changed.
_SETTLE = (
    _PREAMBLE
    + """
for i = 1, #KEYS / 2 do
  if not spent(KEYS[2 * i - 1], ARGV[3 + i]) then return {-1} end
end
local answer = {}
for i = 1, #KEYS / 2 do
  local counter, holds = KEYS[2 * i - 1], KEYS[2 * i]
  held(counter, holds)
  if redis.call('ZREM', holds, ARGV[1] .. ':' .. ARGV[2]) == 1 then
    redis.call('HINCRBY', counter, 'held', whole(-tonumber(ARGV[2])))
  end
  if redis.call('HGET', counter, 'period') == ARGV[3 + i] then
    redis.call('HINCRBY', counter, 'spent', ARGV[3])
  end
  keep(counter, holds)
  answer[i] = tonumber(redis.call('HGET', counter, 'spent'))
end
return answer
"""
)

#: KEYS: counter, holds. ARGV: period, what its rows add up to. Raises the counter to that; a greater one stays, because
#: rows are written a moment after the calls were counted.
_COUNTED = (
    _PREAMBLE
    + """
if redis.call('HEXISTS', KEYS[1], 'held') == 0 then redis.call('DEL', KEYS[2]) end
local known = redis.call('HMGET', KEYS[1], 'period', 'spent')
if known[1] and known[1] > ARGV[1] then return 0 end
if known[1] == ARGV[1] and known[2] and tonumber(known[2]) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'period', ARGV[1], 'spent', ARGV[2])
keep(KEYS[1], KEYS[2])
return 1
"""
)


class Unknown(Exception):
    """Redis does not know a counter: it has to be counted from rows."""


@dataclass(frozen=True, slots=True)
class Line:
    """One counter that a call is held against: ``name`` of its target and period, and how much may be spent."""

    name: str
    period: str
    limit: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a counter stands: millionths spent in the period, and held for calls on their way."""

    spent: int
    held: int


def micro(amount: Decimal) -> int:
    """Return an amount in millionths."""
    return int(amount / UNIT)


def money(millionths: int) -> Decimal:
    """Return millionths as an amount."""
    return millionths * UNIT


class Counters:
    """All counters of an installation. Methods raise ``redis.RedisError`` when Redis is away, and :class:`Unknown`."""

    def __init__(self, store: redis.Redis, prefix: str) -> None:
        # The braces keep all keys in one slot of a cluster.
        self._keys = f"{prefix}:{{budgets}}"
        self._store = store
        self._reserve = store.register_script(_RESERVE)
        self._settle = store.register_script(_SETTLE)
        self._counted = store.register_script(_COUNTED)

    def reserve(self, call: UUID, amount: int, lasts_s: float, lines: Sequence[Line]) -> tuple[int, list[Standing]]:
        """Hold an amount on all lines while each has something left, as if the call were never over.

        Returns the number (from 1) of the first line that is used up, 0 when the call may start, and how the lines
        stood before it.
        """
        limits: list[str | int] = [part for line in lines for part in (line.period, line.limit)]
        arguments: list[str | int] = [call.hex, max(1, round(lasts_s * 1000)), amount, *limits]
        full, *figures = self._known(self._reserve(keys=self._keys_of(lines), args=arguments))
        return full, [Standing(*pair) for pair in zip(figures[::2], figures[1::2], strict=True)]

    def settle(self, call: UUID, held: int, spent: int, lines: Sequence[Line]) -> list[int]:
        """Count what a call has cost in place of what was held for it; returns what was spent on each line."""
        arguments: list[str | int] = [call.hex, held, spent, *(line.period for line in lines)]
        return self._known(self._settle(keys=self._keys_of(lines), args=arguments))

    def standings(self, lines: Sequence[Line]) -> list[Standing]:
        """Return how the lines stand now. Changes nothing."""
        return self.reserve(UUID(int=0), 0, 1.0, lines)[1] if lines else []

    def counted(self, line: Line, spent: int) -> None:
        """Raise a counter to what the rows of its period add up to."""
        self._counted(keys=self._keys_of([line]), args=[line.period, spent])

    def forget(self, name: str) -> None:
        """Have a counter counted anew; what is held stays."""
        self._store.hdel(f"{self._keys}:{name}", "spent")

    def _keys_of(self, lines: Sequence[Line]) -> list[str]:
        names = (f"{self._keys}:{line.name}" for line in lines)
        return [key for name in names for key in (name, f"{name}:holds")]

    @staticmethod
    def _known(answer: list[int]) -> list[int]:
        if answer and answer[0] == -1:
            raise Unknown
        return [int(figure) for figure in answer]
