"""Whose turn it is to send: one process at a time, so that two never look for the same commands.

The turn is a key of the broker's Redis that ends by itself :data:`TURN_S` after its holder's last sign of life. Who
finds it taken leaves a bell there; the holder hears it within :data:`TICK_S` while calls are under way, and never lays
the turn down before it has heard it. A holder that is killed or stopped keeps others waiting for the rest of its turn,
and what is queued until the next poll.

It only saves work: the claim of each command is a compare-and-set, so that two senders do no harm. Without Redis
everybody may look, and nobody gets leave to send.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import redis

from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.stores import redis_store

__all__ = ["TICK_S", "TURN_S", "Turn", "turn_of"]

logger = get_logger(__name__)

TURN_S = 1.0
#: A turn that was taken a moment ago is not asked for again.
RENEWAL_S = 0.2
#: How often the holder listens while it waits for calls.
TICK_S = 0.02
#: A bell that nobody has heard for so long was answered by a poll.
BELL_S = 5.0

#: A store that does not answer is not asked again for so long.
SILENCE_S = 1.0

#: KEYS: turn, bell. ARGV: who, milliseconds of the turn, of the bell.
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
"""

_HEAR = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('DEL', KEYS[2])
"""

_LEAVE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('DEL', KEYS[2]) == 1 then return 1 end
redis.call('DEL', KEYS[1])
return 0
"""


class Turn:
    """The turn as process ``who`` sees it. Methods never fail."""

    def __init__(self, store: redis.Redis, prefix: str, who: str) -> None:
        # The braces keep both keys in one slot of a cluster.
        self._keys = [f"{prefix}:{{outbox}}:turn", f"{prefix}:{{outbox}}:bell"]
        self._arguments = [who, round(TURN_S * 1000), round(BELL_S * 1000)]
        self._silent_until = self._surely_until = float("-inf")
        self._take, self._hear, self._leave = (store.register_script(text) for text in (_TAKE, _HEAR, _LEAVE))

    def take(self) -> bool:
        """Take or keep the turn; false when another process has it, for which a bell is left."""
        if time.monotonic() < self._surely_until:
            return True
        begun = time.monotonic()
        if not self._asks(self._take, otherwise=True):
            return False
        self._surely_until = begun + RENEWAL_S
        return True

    def hear(self) -> bool:
        """Keep the turn, and tell whether another process has rung."""
        return self._asks(self._hear, otherwise=False)

    def leave(self) -> bool:
        """Lay the turn down; true, and it is kept, when another process has rung meanwhile."""
        self._surely_until = float("-inf")
        return self._asks(self._leave, otherwise=False)

    def _asks(self, script: Any, *, otherwise: bool) -> bool:
        if time.monotonic() < self._silent_until:
            return otherwise
        try:
            return bool(script(keys=self._keys, args=self._arguments))
        except redis.RedisError as error:
            self._silent_until = time.monotonic() + SILENCE_S
            logger.warning("outbox.no_turn", error=type(error).__name__)
            return otherwise


@lru_cache(maxsize=2)
def turn_of(who: str, url: str, prefix: str) -> Turn:
    """Return the turn as process ``who`` sees it."""
    return Turn(redis_store(url, 0.5), prefix, who)
