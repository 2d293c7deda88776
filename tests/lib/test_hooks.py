"""Upward calls reach exactly one target."""

from __future__ import annotations

import pytest

from worktool_ai.lib import hooks
from worktool_ai.lib.hooks import Hook, HookError


@pytest.fixture
def hook(monkeypatch) -> Hook[[int]]:
    monkeypatch.setattr(hooks, "_declared", [])
    return Hook("tests.thing_happened")


def test_a_bound_hook_calls_its_target(hook):
    seen: list[int] = []
    hook.bind(seen.append)
    hook(7)
    assert seen == [7]
    assert hooks.unbound() == []


def test_an_unbound_hook_is_named_and_refuses_to_be_silent(hook):
    assert hooks.unbound() == ["tests.thing_happened"]
    with pytest.raises(HookError, match="no app has bound"):
        hook(7)


def test_a_second_target_is_refused_but_the_same_one_is_not(hook):
    seen: list[int] = []
    target = seen.append
    hook.bind(target)
    hook.bind(target)
    with pytest.raises(HookError, match="already bound"):
        hook.bind(lambda number: None)


def test_a_test_replaces_the_target_for_its_length(hook):
    seen: list[int] = []
    with hook.replaced(seen.append):
        hook(1)
    assert not hook.is_bound
    assert seen == [1]
