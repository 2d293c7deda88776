"""A node's policy: how long one attempt may take, how often a failed one is tried again, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

__all__ = ["MAX_RETRIES", "MAX_RETRY_WAIT_S", "NO_POLICY", "Policy"]

MAX_RETRIES = 5
MAX_RETRY_WAIT_S = 600


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations in seconds; 0 sets no limit. The node's edges are decided only after its last attempt."""

    timeout_s: float = 0
    retries: int = 0
    retry_wait_s: float = 1
    deadline_s: float = 0

    def next_attempt(self, attempt: int, started_at: datetime, now: datetime, seed: str) -> datetime | None:
        """Return when to try again after failed attempt number ``attempt``, or None when it was the last.

        The pause doubles each time and is shortened by up to half, by chance: nodes that failed together do not come
        back together. The chance follows from ``seed``, so that the same failure always leads to the same moment.
        """
        if attempt > self.retries:
            return None
        at = now + timedelta(seconds=self.retry_wait_s * 2 ** (attempt - 1) * (0.5 + _chance(seed, attempt) / 2))
        if self.deadline_s and at >= started_at + timedelta(seconds=self.deadline_s):
            return None
        return at

    def time_left(self, started_at: datetime, now: datetime) -> float | None:
        """Return the seconds that an effect asked for now may take; None where nothing limits it."""
        limits = [self.timeout_s] if self.timeout_s else []
        if self.deadline_s:
            limits.append(self.deadline_s - (now - started_at).total_seconds())
        return min(limits) if limits else None


NO_POLICY = Policy()


def _chance(seed: str, attempt: int) -> float:
    digest = blake2b(f"{seed}:{attempt}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 2**32
