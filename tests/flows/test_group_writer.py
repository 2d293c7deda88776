"""Who writes whose rows, and when: groups, leaders and their successors."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import pytest

from flows.engine import group_writer, store
from flows.engine.claims import Claim
from flows.engine.group_writer import GroupWriter
from flows.engine.store import Progress
from tests.polling import eventually
from worktool_ai.lib import gathering


class Database:
    """Writes nothing; holds the first write until it is let go, and remembers the groups."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.busy, self.go_on = threading.Event(), threading.Event()

    def write(self, group: list[Progress]) -> dict[Claim, int]:
        self.groups.append(len(group))
        self.busy.set()
        assert self.go_on.wait(20)
        return {progress.claim: 0 for progress in group}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database()
    monkeypatch.setattr(store, "write", database.write)
    return database


def a_walk() -> Progress:
    return Progress(Claim(uuid4(), 1), uuid4())


def test_what_comes_while_a_group_is_written_is_the_next_group(database: Database) -> None:
    writer = GroupWriter()
    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(writer.commit, a_walk())
        assert database.busy.wait(10)
        rest = [pool.submit(writer.commit, a_walk()) for _ in range(10)]
        eventually(lambda: len(writer._waiting) == 10)
        database.go_on.set()
        assert [future.result(10) for future in (first, *rest)] == [0] * 11
    assert database.groups == [1, 10]


def test_no_group_is_larger_than_a_statement_should_be(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_writer, "MAX_GROUP", 4)
    writer = GroupWriter()
    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(writer.commit, a_walk())
        assert database.busy.wait(10)
        rest = [pool.submit(writer.commit, a_walk()) for _ in range(10)]
        eventually(lambda: len(writer._waiting) == 10)
        database.go_on.set()
        assert [future.result(10) for future in (first, *rest)] == [0] * 11
    assert database.groups == [1, 4, 4, 2]


def test_a_leader_waits_while_others_keep_coming_and_no_longer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.go_on.set()
    writer = GroupWriter()
    writer.walking = 10
    pool = ThreadPoolExecutor(4)
    windows: list[int] = []

    def one_more_comes(_: float) -> None:
        windows.append(len(writer._waiting))
        if len(windows) <= 3:
            pool.submit(writer.commit, a_walk())
            eventually(lambda: len(writer._waiting) == len(windows) + 1)

    clock = SimpleNamespace(sleep=one_more_comes, monotonic=time.monotonic)
    monkeypatch.setattr(gathering, "time", clock)
    monkeypatch.setattr(group_writer, "LONGEST_S", 60.0)
    assert writer.commit(a_walk()) == 0
    pool.shutdown()
    assert (windows, database.groups) == ([1, 2, 3, 4], [4])


def test_a_walk_that_is_killed_while_it_gathers_leaves_nobody_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.go_on.set()
    writer = GroupWriter()
    writer.walking = 2

    def killed(_: float) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "time", SimpleNamespace(sleep=killed, monotonic=time.monotonic))
        with pytest.raises(SystemExit):
            writer.commit(a_walk())
    assert writer.commit(a_walk()) == 0
    assert database.groups == [1]


def test_an_error_reaches_its_group_and_not_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(group: list[Progress]) -> dict[Claim, int]:
        raise KeyError("data")

    writer = GroupWriter()
    with monkeypatch.context() as patched:
        patched.setattr(store, "write", fail)
        with pytest.raises(KeyError):
            writer.commit(a_walk())
    walk = a_walk()
    monkeypatch.setattr(store, "write", lambda group: {walk.claim: 3})
    assert writer.commit(walk) == 3
