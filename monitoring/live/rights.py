"""Ends the sockets of people who signed out, were switched off, or whose role or scope was changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.contrib.sessions.models import Session
from django.db import Error as DatabaseError

from monitoring.live.frames import CloseCode
from monitoring.live.hub import Subscription
from worktool_ai.accounts.models import User
from worktool_ai.lib import clock, logs

__all__ = ["Holder", "RightsWatch", "fingerprint", "rights_watch"]

logger = logs.get_logger(__name__)

#: Seconds between two looks: a change is felt within two.
LOOK_S = 1.0


class Holder(NamedTuple):
    """Who holds a socket, by which session, and what their rights were when it opened."""

    person: UUID
    session: str
    rights: int


def fingerprint(person: User) -> int:
    """Return a number that changes with anything that decides what this person may see."""
    return hash(
        (
            person.is_active,
            person.is_superuser,
            person.role,
            person.scope_kind,
            tuple(person.scope_values),
            person.password,  # a changed password ends every session
        )
    )


class RightsWatch:
    """One look per second and process at everybody who holds a socket, as long as anybody does."""

    def __init__(self) -> None:
        self._held: dict[Subscription, Holder] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, subscription: Subscription, holder: Holder) -> None:
        self._held[subscription] = holder
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def remove(self, subscription: Subscription) -> None:
        self._held.pop(subscription, None)
        if not self._held and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            held = dict(self._held)
            try:
                valid = await database_sync_to_async(_still_valid, thread_sensitive=False)(set(held.values()))
            except DatabaseError as error:
                logger.warning("live.rights_unchecked", error=type(error).__name__)
                continue
            for subscription, holder in held.items():
                if holder not in valid:
                    subscription.end(CloseCode.RIGHTS_CHANGED)


def _still_valid(holders: Iterable[Holder]) -> set[Holder]:
    holders = set(holders)
    people = {person.pk: fingerprint(person) for person in User.objects.filter(pk__in={h.person for h in holders})}
    sessions = set(
        Session.objects.filter(
            session_key__in={holder.session for holder in holders}, expire_date__gt=clock.now()
        ).values_list("session_key", flat=True)
    )
    return {h for h in holders if people.get(h.person) == h.rights and h.session in sessions}


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, RightsWatch] = WeakKeyDictionary()


def rights_watch() -> RightsWatch:
    """Return the watch of the running event loop."""
    return _watches.setdefault(asyncio.get_running_loop(), RightsWatch())
