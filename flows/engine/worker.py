"""One worker process: how many conversations it carries, and that it keeps their leases while it waits."""

from __future__ import annotations

import threading
import time
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from flows import doorbell
from flows.engine import claims
from flows.engine.claims import HeadRun
from flows.engine.group_writer import writer
from flows.engine.runner import advance_conversation
from flows.engine.taking import take
from worktool_ai.lib.concurrency import run_all

__all__ = ["Slots", "advance", "slots"]

log = structlog.get_logger(__name__)

#: Conversations that one task claims at most: more than this only makes its first ones wait for its last ones' rows.
MAX_BATCH = 200
#: A claim waits so long for each walk under way, at most the second figure, and takes along what is due by then: beside
#: many walks nobody notices, and a claim for each bell costs as much as the walks themselves.
PAUSE_S, LONGEST_PAUSE_S = 0.0005, 0.05


class Slots:
    """The conversations that this process is advancing now. A keeper renews their leases while there are any."""

    def __init__(self) -> None:
        self._held: set[UUID] = set()
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None

    def free(self) -> int:
        return max(0, int(settings.WORKER_SLOTS) - len(self._held))

    def take(self, conversations: set[UUID]) -> None:
        with self._lock:
            self._held |= conversations
            writer.walking = len(self._held)
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
                self._keeper.start()

    def give_back(self, conversation: UUID) -> None:
        with self._lock:
            self._held.discard(conversation)
            writer.walking = len(self._held)

    def _keep(self) -> None:
        while True:
            time.sleep(settings.LEASE_S / 3)
            with self._lock:
                held = list(self._held)
                if not held:
                    self._keeper = None
                    return
            try:
                claims.renew(held)
            except DatabaseError as error:
                log.warning("engine.renewal_failed", error=type(error).__name__)


slots = Slots()


class Bells:
    """Bells that ring while a claim is about to be made are answered by it: it takes as many as all have asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._is_awaited = False

    def gather(self, count: int) -> int:
        """Return how many conversations to claim; none when another caller is about to."""
        with self._lock:
            self._wanted += count
            if self._is_awaited:
                return 0
            self._is_awaited = True
        try:
            time.sleep(min(writer.walking * PAUSE_S, LONGEST_PAUSE_S))
        finally:
            with self._lock:  # before the claim: who rings from now on may have seen rows that it does not see
                wanted, self._wanted, self._is_awaited = self._wanted, 0, False
        return wanted


bells = Bells()


def advance(count: int) -> int:
    """Claim up to ``count`` due conversations and advance them side by side; returns how many were claimed."""
    asked_for = bells.gather(count)
    wanted = min(asked_for, MAX_BATCH, slots.free())
    if wanted <= 0:
        return 0
    taken = take(wanted)
    slots.take({head.claim.conversation_id for head in taken.heads})
    if taken.claimed == wanted < asked_for:
        doorbell.ring(asked_for - wanted)  # somebody else can begin while we wait for models
    run_all([partial(_advance_one, head) for head in taken.heads])
    return taken.claimed


def _advance_one(head: HeadRun) -> None:
    """One conversation's trouble stays its own: what breaks between two runs is left to the lease."""
    try:
        advance_conversation(head)
    except Exception:
        log.exception("engine.conversation_failed", runId=str(head.run_id))
    finally:
        slots.give_back(head.claim.conversation_id)
