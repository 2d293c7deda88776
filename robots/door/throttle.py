"""Slowing down whoever keeps trying wrong keys. Right keys are never slowed: the platform posts for all robots from the
same few addresses, and one that is set up wrongly must not silence the others."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

__all__ = ["Throttle"]

WINDOW_S = 60.0
FREE = 20
DELAY_S = 1.0
#: Refusals that may be held back at once; beyond it they are answered right away, so that nothing piles up.
MAX_HELD = 100
MAX_CLIENTS = 4096


class Throttle:
    """Counts refusals per client address in windows of a minute."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._held = 0

    def exceeded(self, client: str) -> bool:
        """Count one refusal; True when this client has had its free ones."""
        now = time.monotonic()
        since, count = self._clients.pop(client, (now, 0))
        if now - since > WINDOW_S:
            since, count = now, 0
        self._clients[client] = (since, count + 1)
        if len(self._clients) > MAX_CLIENTS:
            self._clients.popitem(last=False)
        return count >= FREE

    async def hold(self) -> None:
        """Wait before the answer."""
        if self._held >= MAX_HELD:
            return
        self._held += 1
        try:
            await asyncio.sleep(DELAY_S)
        finally:
            self._held -= 1
