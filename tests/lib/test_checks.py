"""What would fail silently is found at start."""

from __future__ import annotations

from worktool_ai.lib import checks, hooks
from worktool_ai.lib.hooks import Hook


def test_an_unbound_hook_is_a_start_up_error(monkeypatch):
    monkeypatch.setattr(hooks, "_declared", [])
    hook: Hook[[int]] = Hook("tests.thing_happened")
    (error,) = checks.every_hook_is_bound()
    assert "tests.thing_happened" in error.msg
    assert error.hint
    hook.bind(lambda number: None)
    assert checks.every_hook_is_bound() == []


def test_a_missing_or_odd_encryption_key_is_a_start_up_error(settings):
    assert checks.encryption_keys_are_usable() == []
    for keys in ([], ["short"]):
        settings.ENCRYPTION_KEYS = keys
        (error,) = checks.encryption_keys_are_usable()
        assert error.id == "lib.E002"
