"""What a worker imports before the first customer would have to wait for it: the SDKs of active models."""

from __future__ import annotations

import time
from typing import Any

from celery.signals import worker_ready

from personas import caches
from personas.providers import registry
from personas.selection import why_unusable
from worktool_ai.lib.concurrency import spawn
from worktool_ai.lib.logs import get_logger

__all__ = ["warm_up", "warm_up_in_background"]

logger = get_logger(__name__)


def warm_up() -> None:
    """Import the SDKs of all models that may be asked; what fails here fails again, and is told, in the first call."""
    began = time.monotonic()
    try:
        keys = {model.provider for model in caches.cast().models.values() if why_unusable(model) is None}
        for key in sorted(keys):
            registry.get(key).warm_up()
        caches.recogniser()
    except Exception:
        logger.exception("warm_up_failed")
        return
    logger.info("warmed_up", providers=sorted(keys), seconds=round(time.monotonic() - began, 2))


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def warm_up_in_background(**_: Any) -> None:
    spawn(warm_up)
