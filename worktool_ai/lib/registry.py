"""Plugin kinds: one small file each, found by folder.

A kind (flow node, AI provider, notification channel, alert condition) is a package whose ``__init__`` holds
the base class and a :class:`Registry`; every module beside it defines exactly one plugin whose ``key`` equals
the file's name. Adding a plugin is adding that file and its test: nothing else is edited.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from worktool_ai.lib.config import PluginConfig

__all__ = ["Plugin", "PluginError", "Registry", "UnknownPluginError"]


class PluginError(Exception):
    """A plugin is malformed; raised when it is registered, never when it is used."""


class UnknownPluginError(KeyError):
    """A stored key names a plugin that is not registered (removed, or misspelt)."""

    def __init__(self, kind: str, key: str, known: list[str]) -> None:
        super().__init__(f"unknown {kind} {key!r}; registered: {', '.join(known) or 'none'}")


class Plugin:
    """What every plugin kind shares: a stable key, a label for people, and a typed configuration."""

    key: ClassVar[str]
    label: ClassVar[str]
    Config: ClassVar[type[PluginConfig]] = PluginConfig


P = TypeVar("P", bound=Plugin)


class Registry(Generic[P]):
    """The plugins of one kind, by key.

    ``kind`` names it in errors ("flow node"), ``base`` is the class that every plugin extends, ``package``
    the folder's dotted name. ``discover()`` imports every module there; ``add_folder()`` takes in further
    folders (a deployment's own plugins, named by a setting) whose modules need not be importable by name.
    """

    _made: ClassVar[list[Registry[Any]]] = []

    def __init__(self, kind: str, base: type[P], package: str) -> None:
        self.kind = kind
        self.base = base
        self.package = package
        self._plugins: dict[str, type[P]] = {}
        Registry._made.append(self)

    @classmethod
    def all(cls) -> list[Registry[Any]]:
        """Return the registries of every kind that has been loaded, by kind."""
        return sorted(Registry._made, key=lambda registry: registry.kind)

    def discover(self) -> None:
        """Import every module of the package and register the plugin it holds. Safe to call again."""
        package = importlib.import_module(self.package)
        for info in pkgutil.iter_modules(package.__path__):
            if info.name.startswith("_"):
                continue
            module = importlib.import_module(f"{self.package}.{info.name}")
            self._register_from(module, info.name)

    def add_folder(self, folder: Path) -> None:
        """Register every ``<key>.py`` of a folder outside the package."""
        for path in sorted(folder.glob("*.py")):
            if path.stem.startswith(("_", "test_")):
                continue
            name = f"{self.package}._extra_{path.stem}"
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise PluginError(f"{path} cannot be imported as a {self.kind}")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
            self._register_from(module, path.stem)

    def _register_from(self, module: Any, stem: str) -> None:
        found = [
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, self.base)
            and value.__module__ == module.__name__
            and "key" in vars(value)
        ]
        if len(found) != 1:
            raise PluginError(f"{module.__name__} must define exactly one {self.kind}, found {len(found)}")
        if found[0].key != stem:
            raise PluginError(f"{module.__name__}: key {found[0].key!r} must equal the file name {stem!r}")
        self.register(found[0])

    def register(self, plugin: type[P]) -> type[P]:
        """Add one plugin; refuses a second class under its key, and one without label or docstring."""
        if not getattr(plugin, "label", ""):
            raise PluginError(f"{self.kind} {plugin.key!r} has no label")
        if not (plugin.__doc__ or "").strip():
            raise PluginError(f"{self.kind} {plugin.key!r} has no docstring")
        known = self._plugins.get(plugin.key)
        if known is not None and known is not plugin:
            raise PluginError(f"{self.kind} {plugin.key!r} is already registered by {known.__module__}")
        self._plugins[plugin.key] = plugin
        return plugin

    @contextmanager
    def temporarily(self, plugin: type[P]) -> Iterator[type[P]]:
        """Register a plugin for the length of a test."""
        self.register(plugin)
        try:
            yield plugin
        finally:
            del self._plugins[plugin.key]

    def get(self, key: str) -> type[P]:
        """Return the plugin class; :class:`UnknownPluginError` when the key is not registered."""
        try:
            return self._plugins[key]
        except KeyError:
            raise UnknownPluginError(self.kind, key, sorted(self._plugins)) from None

    def __contains__(self, key: str) -> bool:
        return key in self._plugins

    def __iter__(self) -> Iterator[type[P]]:
        return iter(sorted(self._plugins.values(), key=lambda plugin: plugin.key))

    def choices(self) -> list[tuple[str, str]]:
        """Return ``(key, label)`` pairs for a form. Never for a model field: kinds stay out of migrations."""
        return [(plugin.key, plugin.label) for plugin in self]
