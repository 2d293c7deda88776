"""Recording events: always in the transaction of what they tell about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from worktool_ai.events.types import Event
from worktool_ai.lib import bulk
from worktool_ai.lib.bulk import Part
from worktool_ai.lib.db import prepared_cursor

__all__ = ["insert", "part", "part_about_changed", "record"]

_EVENTS = "events AS (INSERT INTO events_eventbatch (created_at, items) VALUES (clock_timestamp(), %(events)s::jsonb))"


#: In the order in which they are handed in; those about rows that did not change are left out.
_EVENTS_ABOUT = """events AS (
    INSERT INTO events_eventbatch (created_at, items)
    SELECT clock_timestamp(), jsonb_agg(told.item -> 1 ORDER BY told.number)
    FROM jsonb_array_elements(%(events)s::jsonb) WITH ORDINALITY AS told (item, number)
    JOIN changed ON changed.id = (told.item ->> 0)::uuid
    HAVING count(*) > 0)"""


def part_about_changed(events: Sequence[tuple[UUID, Event]]) -> Part:
    """Return what writes events beside a common table expression ``changed``: each if that holds a row with its id."""
    return Part("events", _EVENTS_ABOUT, events)


def part(events: Sequence[Event]) -> Part:
    """Return what writes the events of one transaction as one row."""
    return Part("events", _EVENTS, events)


def insert(cursor: Any, events: Sequence[Event]) -> None:
    """Write the events of one transaction as one row, through the transaction's own cursor (hot path)."""
    bulk.execute(cursor, [part(events)])


def record(*events: Event) -> None:
    """Write events in the current transaction of Django's default connection."""
    if not connection.in_atomic_block:
        raise RuntimeError("events are recorded in the transaction of what they tell about: wrap it in atomic()")
    with prepared_cursor() as cursor:
        insert(cursor, events)
