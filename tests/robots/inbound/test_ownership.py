"""Who owns a partition, and how it is lost."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection

from robots.inbound import ownership
from robots.inbound.ownership import Ownership
from tests.robots.inbound.locks import owners

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_owner_that_hangs_is_cut_off_and_cannot_write_any_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ownership, "IDLE_LIMIT", "300ms")
    monkeypatch.setattr(ownership, "RETRY_S", 0.0)
    hangs, goes_on = threading.Event(), threading.Event()

    def owner() -> frozenset[int]:
        """Own both partitions, hang, and then try to write in the session that was theirs."""
        mine = Ownership(range(2))
        assert mine.refresh() == {0, 1}
        hangs.set()
        goes_on.wait(20)
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        mine.drop()
        found = mine.refresh()
        mine.drop()
        return found

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(owner)
        assert hangs.wait(20)
        monkeypatch.setattr(ownership, "IDLE_LIMIT", "20s")
        successor = Ownership(range(2))
        deadline = time.monotonic() + 20
        while successor.refresh() != {0, 1}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        goes_on.set()
        assert future.result(20) == frozenset()
    successor.drop()


def test_a_new_session_takes_its_partitions_anew():
    """What the old one owned may be another's by now."""
    one = Ownership(range(3))
    assert one.refresh() == {0, 1, 2}
    before = owners()
    connection.close()
    connection.close_pool()
    assert one.refresh() == {0, 1, 2}
    assert len(before) == 1
    assert len(owners() - before) == 1
    one.drop()
    assert one.owned == frozenset()
