"""How many requests may go to the platform: one sliding log per outgoing address, shared by all processes.

The platform counts every endpoint, queries too, per caller address (worktool-api.md §4.4), and drops or blocks what is
over. So each request is written into the log before it is made, on Redis' clock; at most LIMIT lie in *any* window. It
speaks of 60 in a minute and of 20 in a second: after a quiet minute the whole limit would leave at once, so at most a
third of it lies in any sixtieth of the window.

*Control* (alerts, 304, 305) may use the whole limit and passes a pause after a 429; all else leaves a reserve for it.
A robot may have a limit of its own inside the shared one. A log that Redis has lost counts as full for one window;
only an address that has never been used starts with an empty one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

import redis
from django.conf import settings

from robots.models import Egress
from worktool_ai.lib import clock
from worktool_ai.lib.db import tx
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.stores import redis_store

__all__ = ["ONE", "Grant", "Limiter", "LimiterError", "Usage", "Wanted", "limiter", "share_of_sends"]

logger = get_logger(__name__)

LimiterError = redis.RedisError

MAX_CONNECTIONS = 8
#: Added to the window, because a request reaches the platform a little later than we log it.
SLACK_S = 0.25
#: After a 429 nothing but control leaves for so long.
PAUSE_S = 60.0
#: At most this share of the limit (and no less than so many) in this part of the window: 20 of 60 in a second.
BURST_SHARE, BURST_AT_LEAST, BURST_PART = 1 / 3, 10, 1 / 60

_PREAMBLE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local window = tonumber(ARGV[1])
"""

#: KEYS: log, pause, mark, then the log of each robot that has a limit. ARGV[2..]: limit, what of it is not reserved,
#: a name, {{control?, number of the robot's log or 0}, ..} for each request, the robots' limits, and the burst: its
#: microseconds and how many may lie in them.
#: Answers {after how many microseconds to ask again, numbers of the requests granted..}, or {-1} without the mark.
_ACQUIRE = (
    _PREAMBLE
    + """
if redis.call('EXISTS', KEYS[3]) == 0 then return {-1} end
local limit, common, name = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local wanted, caps = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local span, most = tonumber(ARGV[7]), tonumber(ARGV[8])
local paused = redis.call('PTTL', KEYS[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local recent = redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now - span), '+inf')
local used, own = redis.call('ZCARD', KEYS[1]), {}
for i = 1, #caps do
  redis.call('ZREMRANGEBYSCORE', KEYS[3 + i], '-inf', now - window)
  own[i] = redis.call('ZCARD', KEYS[3 + i])
end
local answer, logged = {0}, {}
for i, request in ipairs(wanted) do
  local control, robot = request[1] == 1, request[2]
  local free = recent < most and used < (control and limit or common) and (control or paused <= 0)
  if free and robot > 0 and not control then free = own[robot] < caps[robot] end
  if free then
    used, recent = used + 1, recent + 1
    answer[#answer + 1] = i
    logged[#logged + 1] = now
    logged[#logged + 1] = name .. ':' .. i
    if robot > 0 then
      own[robot] = own[robot] + 1
      redis.call('ZADD', KEYS[3 + robot], now, name .. ':' .. i)
      redis.call('PEXPIRE', KEYS[3 + robot], math.ceil(window / 1000))
    end
  end
end
if #logged > 0 then
  redis.call('ZADD', KEYS[1], unpack(logged))
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
end
if #answer <= #wanted then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  answer[1] = paused > 0 and paused * 1000 or (oldest[2] and (oldest[2] + window - now) or window)
  if paused <= 0 and recent >= most and used < common then
    local first = redis.call('ZRANGE', KEYS[1], -most, -most, 'WITHSCORES')
    answer[1] = first[2] + span - now
  end
end
return answer
"""
)

#: Set the mark; unless the address is new (ARGV[2] = 0), with a log of ARGV[2] requests that nobody knows.
_BEGIN = (
    _PREAMBLE
    + """
if not redis.call('SET', KEYS[3], now, 'NX') then return 0 end
for i = 1, tonumber(ARGV[2]) do redis.call('ZADD', KEYS[1], now, 'lost:' .. i) end
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
return 1
"""
)

#: Move requests that are only made now (ARGV[2..]) to the present; they count from here on.
_TOUCH = (
    _PREAMBLE
    + """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
"""
)


#: How many requests lie in the window, and for how many milliseconds there is a pause yet.
_USAGE = (
    _PREAMBLE
    + """
return {redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now - window), '+inf'),
        redis.call('PTTL', KEYS[2])}
"""
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that somebody wants to make; ``robot_limit`` requests of ``robot_id`` may lie in a window."""

    is_control: bool = False
    robot_id: UUID | None = None
    robot_limit: int | None = None


#: A request of no robot in particular.
ONE = Wanted()


@dataclass
class Grant:
    """Leave for the requests with these numbers (from 1, in the order in which they were asked for).

    When they are fewer than wanted: ask again after ``retry_after_s``.
    """

    numbers: tuple[int, ...]
    retry_after_s: float
    name: str = ""
    robot_logs: Mapping[int, str] = field(default_factory=dict)
    taken_at: float = field(default_factory=time.monotonic)

    @property
    def granted(self) -> int:
        return len(self.numbers)

    def member(self, number: int) -> str:
        return f"{self.name}:{number}"


@dataclass(frozen=True, slots=True)
class Usage:
    """How the limit stands: ``used`` of ``limit`` requests in the window that ends now; ``paused_s`` after a 429."""

    used: int
    limit: int
    reserve: int
    paused_s: float

    def __str__(self) -> str:
        paused = f", paused for {self.paused_s:.0f} s after a 429" if self.paused_s else ""
        return f"{self.used} of {self.limit} requests used{paused}"


class Limiter:
    """The log of one egress address in the durable Redis. Methods raise :data:`LimiterError` when that is away."""

    def __init__(self, store: redis.Redis, prefix: str, egress: str = "default") -> None:
        # The braces keep all keys in one slot of a cluster.
        self._keys = f"{prefix}:{{requests:{egress}}}"
        self._egress = egress
        self._log, self._pause, self._mark = (f"{self._keys}:{name}" for name in ("log", "pause", "mark"))
        self._pace = f"{prefix}:paced"
        self._store = store
        self._acquire = store.register_script(_ACQUIRE)
        self._begin = store.register_script(_BEGIN)
        self._touch = store.register_script(_TOUCH)
        self._usage = store.register_script(_USAGE)

    def acquire(self, wanted: int, *, window_s: float | None = None, limit: int | None = None) -> Grant:
        """Take leave for up to ``wanted`` ordinary requests; window and limit come from the settings unless given."""
        return self.ask([ONE] * wanted, window_s=window_s, limit=limit)

    def ask(self, wanted: Sequence[Wanted], *, window_s: float | None = None, limit: int | None = None) -> Grant:
        """Take leave for as many of these as possible, in their order. ``limit`` is for ordinary requests."""
        whole = settings.WORKTOOL_REQUEST_LIMIT
        common = _common() if limit is None else min(limit, whole)
        logs = list({one.robot_id: one.robot_limit for one in wanted if one.robot_id and one.robot_limit}.items())
        place: dict[UUID | None, int] = {robot_id: number for number, (robot_id, _limit) in enumerate(logs, start=1)}
        requests = [(int(one.is_control), place.get(one.robot_id, 0)) for one in wanted]
        name = uuid7().hex
        arguments = [_window_us(window_s), whole, common, name, json.dumps(requests), json.dumps([c for _, c in logs])]
        arguments += _burst(window_s)
        keys = [self._log, self._pause, self._mark, *(f"{self._keys}:{robot_id}" for robot_id, _ in logs)]
        taken_at = time.monotonic()
        wait_us, *numbers = self._acquire(keys=keys, args=arguments)
        if wait_us == -1:
            self._begin_anew(window_s)
            wait_us, *numbers = self._acquire(keys=keys, args=arguments)
        own = {number: keys[2 + robot] for number, (_, robot) in enumerate(requests, start=1) if robot}
        return Grant(tuple(map(int, numbers)), max(0, int(wait_us)) / 1_000_000, name, own, taken_at)

    def _begin_anew(self, window_s: float | None) -> None:
        """Redis knows nothing: full for a window, unless nothing has ever left from here.

        Whoever comes second waits for the row, and then finds the mark.
        """
        with tx():
            _row, is_new = Egress.objects.get_or_create(pk=self._egress)
            spent = 0 if is_new else settings.WORKTOOL_REQUEST_LIMIT
            if self._begin(keys=[self._log, self._pause, self._mark], args=[_window_us(window_s), spent]) and spent:
                Egress.objects.filter(pk=self._egress).update(lost_at=clock.now())
                logger.warning("limiter.count_lost", counted_as=spent)

    def release(self, grant: Grant, numbers: Iterable[int]) -> None:
        """Give back requests of a grant: they were not made and never will be."""
        with self._store.pipeline(transaction=False) as pipe:
            for number in numbers:
                for key in filter(None, (self._log, grant.robot_logs.get(number))):
                    pipe.zrem(key, grant.member(number))
            if len(pipe):
                pipe.execute()

    def starts(self, grant: Grant, number: int, *, window_s: float | None = None) -> None:
        """Say that this request of a grant is made now; logs it again if that comes late."""
        if time.monotonic() - grant.taken_at > SLACK_S:
            self._touch(keys=[self._log], args=[_window_us(window_s), grant.member(number)])

    def pause(self, seconds: float | None = None) -> None:
        """Grant nothing but control for so long (a minute): the platform has said 429."""
        seconds = PAUSE_S if seconds is None else seconds
        self._store.set(self._pause, "429", px=max(1, round(seconds * 1000)))

    def once_per(self, name: str, seconds: float) -> bool:
        """Tell whether nobody has asked for ``name`` within so many seconds: paces one robot, or one kind of query."""
        return bool(self._store.set(f"{self._pace}:{name}", "1", nx=True, px=max(1, round(seconds * 1000))))

    def not_before(self, name: str, seconds: float) -> None:
        """Have :meth:`once_per` of ``name`` say no for so long from now: what it allowed has been done."""
        self._store.set(f"{self._pace}:{name}", "1", px=max(1, round(seconds * 1000)))

    def used(self, *, window_s: float | None = None) -> int:
        """Return how many requests lie in the window that ends now."""
        return self.usage(window_s=window_s).used

    def usage(self, *, window_s: float | None = None) -> Usage:
        """Return how the limit stands now."""
        used, paused_ms = self._usage(keys=[self._log, self._pause], args=[_window_us(window_s)])
        limit: int = settings.WORKTOOL_REQUEST_LIMIT
        return Usage(int(used), limit, limit - _common(), max(0, int(paused_ms)) / 1000)


def _common() -> int:
    """Return what ordinary requests may use: the limit without the reserve, but at least one of it."""
    limit: int = settings.WORKTOOL_REQUEST_LIMIT
    return max(min(limit, 1), limit - int(settings.WORKTOOL_REQUEST_RESERVE))


def share_of_sends() -> int:
    """Return what ordinary sends may use. A little stays for queries: while the queue is long, nobody would learn
    else what became of the calls that ended without an answer.
    """
    common = _common()
    return max(min(common, 1), common - int(settings.WORKTOOL_REQUEST_LIMIT) // 25)


def _window_us(window_s: float | None) -> int:
    window_s = settings.WORKTOOL_REQUEST_WINDOW_S if window_s is None else window_s
    return round((window_s + SLACK_S) * 1_000_000)


def _burst(window_s: float | None) -> tuple[int, int]:
    """Return a part of the window in microseconds, and how many requests may lie in it."""
    window_s = settings.WORKTOOL_REQUEST_WINDOW_S if window_s is None else window_s
    most = max(BURST_AT_LEAST, int(settings.WORKTOOL_REQUEST_LIMIT * BURST_SHARE))
    return round(window_s * BURST_PART * 1_000_000), most


def limiter() -> Limiter:
    """Return this process's limiter of the address that all of us send from."""
    return _limiter(settings.REDIS_URL, settings.REDIS_PREFIX)


@lru_cache(maxsize=2)
def _limiter(url: str, prefix: str) -> Limiter:
    return Limiter(redis_store(url, 5.0, connect_s=2.0, connections=MAX_CONNECTIONS), prefix)
