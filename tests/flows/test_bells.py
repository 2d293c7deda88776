"""Bells that ring close together share a claim, and none is lost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flows.engine import worker
from flows.engine.group_writer import writer
from flows.engine.worker import Bells


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> Bells:
    monkeypatch.setattr(writer, "walking", 4)
    return Bells()


def test_a_claim_takes_what_others_rang_for_while_it_waited(bells: Bells, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=lambda _: answers.append(bells.gather(7))))
    assert (bells.gather(5), answers) == (12, [0])
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=lambda _: None))
    assert bells.gather(2) == 2, "what was asked for before is over"


def test_a_claimer_that_is_killed_while_it_waits_stands_in_nobodys_way(
    bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: float) -> None:
        raise SystemExit

    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=killed))
    with pytest.raises(SystemExit):
        bells.gather(5)
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=lambda _: None))
    assert bells.gather(1) == 1
