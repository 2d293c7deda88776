"""The relay publishes every batch once, in order, and never overtakes a transaction that is still open."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from worktool_ai.events import reader, retention, services
from worktool_ai.events.cursor import Cursor, stream_key
from worktool_ai.events.models import EventBatch, RelayPosition
from worktool_ai.events.relay import Relay, run
from worktool_ai.events.types import Event
from worktool_ai.lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


def event(text: str) -> Event:
    return {
        "type": "message_received",
        "at": "2026-11-22T08:00:00Z",
        "robot": "demo",
        "group": "",
        "data": {"text": text},
    }


def say(text: str) -> None:
    with transaction.atomic():
        services.record(event(text))


@pytest.fixture
def relay() -> Iterator[Relay]:
    one = Relay()
    assert one.lock()
    yield one
    one.close()


@pytest.fixture
def published(broker_redis):
    def texts() -> list[str]:
        entries = broker_redis.xrange(stream_key(RelayPosition.objects.get().epoch))
        return [item["data"]["text"] for _id, fields in entries for item in json.loads(fields[b"e"])]

    return texts


def settled(relay: Relay) -> None:
    """Publish until nothing is due; autovacuum may hold the horizon back for a moment."""
    deadline = time.monotonic() + 10
    while str(reader.current().position) != str(EventBatch.objects.order_by("-xid", "-id").first()):
        relay.step()
        assert time.monotonic() < deadline


def test_publishes_in_order_with_the_rows_own_ids(relay, published, broker_redis):
    for text in "abc":
        say(text)
    settled(relay)

    assert published() == ["a", "b", "c"]
    last = EventBatch.objects.latest("id")
    entry_id, _fields = broker_redis.xrevrange(stream_key(RelayPosition.objects.get().epoch), count=1)[0]
    assert entry_id.decode() == str(last) == str(reader.current().position)


def test_waits_for_a_transaction_that_began_earlier_and_commits_later(relay, published):
    parameters = connection.get_connection_params()
    parameters.pop("context", None)
    with psycopg.connect(**parameters) as early:
        early.execute("SELECT pg_current_xact_id()")
        say("late beginner, early commit")
        relay.step()
        assert published() == [], "an older transaction is still open"
        with early.cursor() as cursor:
            services.insert(cursor, [event("early beginner, late commit")])
        early.commit()
    settled(relay)

    assert published() == ["early beginner, late commit", "late beginner, early commit"]


def test_a_repeat_after_a_crash_is_refused_by_the_stream(relay, published):
    say("once")
    settled(relay)
    RelayPosition.objects.update(xid=0, batch_id=0)  # killed between XADD and the new position

    settled(relay)

    assert published() == ["once"]


def test_only_one_relay_at_a_time(relay):
    second = Relay()
    assert not second.lock()
    relay.close()
    deadline = time.monotonic() + 5
    while not second.lock():
        assert time.monotonic() < deadline
    second.close()


def test_goes_on_after_both_stores_dropped_its_connections(published, broker_redis):
    stop, beats = threading.Event(), []
    thread = threading.Thread(target=run, args=(stop, lambda: beats.append(1)))
    thread.start()
    try:
        say("before")
        _until(lambda: published() == ["before"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        broker_redis.client_kill_filter(_type="normal", skipme=True)
        say("after")
        _until(lambda: published() == ["before", "after"])
    finally:
        stop.set()
        thread.join(10)
    assert beats
    assert not thread.is_alive()


def _until(condition) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            if condition():
                return
        except RelayPosition.DoesNotExist:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_replay_tells_what_a_client_missed(relay):
    say("seen")
    settled(relay)
    seen = reader.current()
    say("missed 1")
    say("missed 2")
    settled(relay)

    batches = reader.replay(seen, reader.current())

    assert batches is not None
    assert [item["data"]["text"] for batch in batches for item in batch.items] == ["missed 1", "missed 2"]
    assert reader.replay(reader.current(), reader.current()) == []


def test_a_cursor_that_is_too_old_or_of_another_epoch_means_reload(relay):
    say("old")
    settled(relay)
    old = reader.current()
    EventBatch.objects.update(created_at=clock.now() - timedelta(hours=25))
    say("new")
    settled(relay)

    assert reader.replay(old, reader.current()) is None
    other = Cursor.parse(f"00000000-0000-4000-8000-000000000000:{old.position}")
    assert other is not None
    assert reader.replay(other, reader.current()) is None


def test_missing_too_much_means_reload(relay, monkeypatch):
    say("seen")
    settled(relay)
    seen = reader.current()
    monkeypatch.setattr(reader, "MOST", 1)
    say("a")
    say("b")
    settled(relay)

    assert reader.replay(seen, reader.current()) is None


@pytest.mark.parametrize("text", ["", "abc", "x:1-2", "00000000-0000-4000-8000-000000000000:1", "-" * 36 + ":1-2"])
def test_nonsense_is_no_cursor(text):
    assert Cursor.parse(text) is None


def test_old_rows_are_deleted_but_never_the_last(relay):
    for text in "abc":
        say(text)
    EventBatch.objects.update(created_at=clock.now() - timedelta(days=3))

    assert retention.delete_old() == 2
    assert retention.delete_old() == 0
    assert EventBatch.objects.count() == 1


def test_events_need_the_transaction_of_what_they_tell_about():
    with pytest.raises(RuntimeError, match="atomic"):
        services.record(event("alone"))
