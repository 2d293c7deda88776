"""Typed calls that go *up* without an import.

A lower app declares ``thing_happened: Hook[[list[UUID]]] = Hook("robots.thing_happened")``; exactly one upper
app binds it in its ``AppConfig.ready()``. The call runs in the caller's transaction. An unbound hook is a
start-up error (:func:`unbound`, turned into a system check), so a silent no-op cannot happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, ParamSpec

__all__ = ["Hook", "HookError", "unbound"]

P = ParamSpec("P")

_declared: list[Hook[...]] = []


class HookError(RuntimeError):
    """A hook was bound twice, or called before anybody bound it."""


class Hook(Generic[P]):
    """One upward call; ``name`` is ``<app>.<what_happened>``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._target: Callable[P, None] | None = None
        _declared.append(self)

    def bind(self, target: Callable[P, None]) -> None:
        """Set the one function that is called; binding another one is refused."""
        if self._target is not None and self._target is not target:
            raise HookError(f"hook {self.name} is already bound to {self._target!r}")
        self._target = target

    @property
    def is_bound(self) -> bool:
        return self._target is not None

    @contextmanager
    def replaced(self, target: Callable[P, None]) -> Iterator[None]:
        """Bind something else for the length of a test."""
        before, self._target = self._target, target
        try:
            yield
        finally:
            self._target = before

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        if self._target is None:
            raise HookError(f"hook {self.name} was called but no app has bound it")
        self._target(*args, **kwargs)


def unbound() -> list[str]:
    """Return the names of all declared hooks that nobody has bound."""
    return [hook.name for hook in _declared if not hook.is_bound]
