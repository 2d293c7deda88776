"""What follows a change of budgets by a person."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from redis.exceptions import RedisError

from personas.budgets import caches
from personas.budgets.keeper import keeper
from personas.budgets.models import Budget
from worktool_ai.lib.logs import get_logger

__all__ = ["changed"]

logger = get_logger(__name__)


def changed(budget: Budget) -> None:
    """Have what was spent counted anew once the change is committed: while a budget is off, nobody counts for it."""
    transaction.on_commit(partial(_count_anew, caches.snapshot(budget).counter))


def _count_anew(counter: str) -> None:
    caches.forget()
    try:
        keeper().counters.forget(counter)
    except (RedisError, OSError) as error:
        # the look that follows within a minute raises the counter to what the rows say
        logger.warning("budgets.not_forgotten", error=type(error).__name__)
