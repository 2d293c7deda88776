"""The same breakers and limits in this process alone, for as long as Redis is away."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from personas.resilience.rules import LIMIT_WINDOW_S, BreakerRules, Report, State, Verdict, Wanted

__all__ = ["ProcessGates"]


@dataclass(slots=True)
class _Breaker:
    """``calls``: when each ended, and whether it failed."""

    state: State = "closed"
    until: float = 0.0
    lease: float = 0.0
    probe: str = ""
    openings: int = 0
    calls: deque[tuple[float, bool]] = field(default_factory=deque)

    def wait_s(self, now: float) -> float:
        """Return for how long nothing passes, 0 when something may."""
        ends = {"closed": 0.0, "open": self.until, "half_open": self.lease}[self.state]
        return max(0.0, ends - now)

    def open(self, now: float, rules: BreakerRules) -> None:
        self.openings += 1
        self.state, self.until = "open", now + rules.open_for(self.openings)
        self.calls.clear()

    def close(self) -> None:
        self.state, self.openings = "closed", 0
        self.calls.clear()

    def probed(self, report: Report, now: float, rules: BreakerRules) -> None:
        if report.outcome == "ok":
            self.close()
        elif report.outcome == "fail":
            self.open(now, rules)
        else:
            self.lease = 0.0

    def counted(self, report: Report, now: float, rules: BreakerRules) -> None:
        self.calls.extend([(now, report.outcome == "fail")] * report.calls)
        while self.calls[0][0] <= now - rules.window_s:
            self.calls.popleft()
        failed = sum(failure for _at, failure in self.calls)
        enough = len(self.calls) >= rules.min_calls and failed >= len(self.calls) * rules.failure_rate
        if report.outcome == "fail" and enough:
            self.open(now, rules)


@dataclass(slots=True)
class _Limits:
    """``used``, by the call's own token: when it was let through, and how many tokens it may use or has used."""

    paused_until: float = 0.0
    used: dict[str, tuple[float, int]] = field(default_factory=dict)

    def wait_s(self, wanted: Wanted, now: float) -> float:
        self.used = {name: call for name, call in self.used.items() if call[0] > now - LIMIT_WINDOW_S}
        calls = list(self.used.values())
        requests = self._wait_for(wanted.request_limit, 1, [(at, 1) for at, _tokens in calls], now)
        return max(requests, self._wait_for(wanted.token_limit, wanted.tokens, calls, now))

    def settle(self, name: str, tokens_over: int) -> None:
        if name in self.used:
            at, tokens = self.used[name]
            self.used[name] = (at, tokens + tokens_over)

    @staticmethod
    def _wait_for(limit: int, wanted: int, used: list[tuple[float, int]], now: float) -> float:
        if not limit:
            return 0.0
        over = sum(amount for _at, amount in used) + min(wanted, limit) - limit
        free_at = now
        for at, amount in used:
            if over <= 0:
                break
            over -= amount
            free_at = at + LIMIT_WINDOW_S
        return free_at - now


class ProcessGates:
    """Thread-safe; ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[tuple[UUID, str], _Breaker] = {}
        self._limits: dict[UUID, _Limits] = {}

    def enter(self, wanted: Wanted, rules: BreakerRules) -> Verdict:
        with self._lock:
            now = self._clock()
            breaker = self._breaker(wanted.model_id, wanted.capability)
            limits = self._limits.setdefault(wanted.model_id, _Limits())
            if wanted.obeys_breaker and (wait := breaker.wait_s(now)):
                return Verdict(breaker.state, "breaker_open", wait)
            if limits.paused_until > now:
                return Verdict(breaker.state, "paused", limits.paused_until - now)
            if wait := limits.wait_s(wanted, now):
                return Verdict(breaker.state, "limit", wait)
            if wanted.is_limited:
                limits.used[wanted.token] = (now, min(wanted.tokens, wanted.token_limit))
            is_probe = wanted.obeys_breaker and breaker.state != "closed"
            if is_probe:
                breaker.state, breaker.probe, breaker.lease = "half_open", wanted.token, now + wanted.lease_s
            return Verdict(breaker.state, is_probe=is_probe)

    def report(self, report: Report, rules: BreakerRules) -> Verdict:
        with self._lock:
            now = self._clock()
            limits = self._limits.setdefault(report.model_id, _Limits())
            limits.settle(report.token, report.tokens_over)
            if report.pause_s:
                limits.paused_until = now + report.pause_s
            if not report.capability:
                return Verdict("closed")
            breaker = self._breaker(report.model_id, report.capability)
            if breaker.state == "half_open" and breaker.probe == report.token:
                breaker.probed(report, now, rules)
            elif breaker.state == "closed" and report.outcome != "neutral":
                breaker.counted(report, now, rules)
            if wait := breaker.wait_s(now):
                return Verdict(breaker.state, "breaker_open", wait)
            paused_s = limits.paused_until - now
            return Verdict(breaker.state, "paused", paused_s) if paused_s > 0 else Verdict(breaker.state)

    def keep_open(self, model_id: UUID, capability: str, seconds: float) -> None:
        """Begin with what Redis last said: this one is open."""
        with self._lock:
            breaker = self._breaker(model_id, capability)
            if breaker.state == "closed":
                breaker.state, breaker.until, breaker.openings = "open", self._clock() + seconds, 1

    def clear(self) -> None:
        with self._lock:
            self._breakers.clear()
            self._limits.clear()

    def _breaker(self, model_id: UUID, capability: str) -> _Breaker:
        return self._breakers.setdefault((model_id, capability), _Breaker())
