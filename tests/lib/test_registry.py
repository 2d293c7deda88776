"""Plugins are found by folder; a malformed one is refused when it is registered."""

from __future__ import annotations

import sys

import pytest

from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.registry import Plugin, PluginError, Registry, UnknownPluginError

HEAD = "from worktool_ai.lib.registry import Plugin\n\n\n"
GOOD = HEAD + 'class Good(Plugin):\n    """Says good."""\n\n    key = "good"\n    label = "Good"\n'


@pytest.fixture
def registry() -> Registry[Plugin]:
    return Registry("test plugin", Plugin, "tests.lib")


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("tests.lib._extra_")]:
        del sys.modules[name]


def test_one_file_in_a_folder_is_enough(registry, folder):
    (folder / "good.py").write_text(GOOD)
    (folder / "_helper.py").write_text("raise RuntimeError")
    (folder / "test_good.py").write_text("raise RuntimeError")
    registry.add_folder(folder)
    assert registry.choices() == [("good", "Good")]
    assert "good" in registry
    assert registry.get("good").Config is PluginConfig


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("good.py", GOOD.replace('key = "good"', 'key = "other"'), "must equal the file name"),
        ("good.py", GOOD.replace('    label = "Good"\n', ""), "no label"),
        ("good.py", GOOD.replace('    """Says good."""\n', ""), "no docstring"),
        ("good.py", HEAD, "exactly one"),
        ("good.py", GOOD + GOOD.removeprefix(HEAD).replace("Good(", "Second("), "exactly one"),
    ],
)
def test_a_malformed_plugin_is_refused(registry, folder, name, source, problem):
    (folder / name).write_text(source)
    with pytest.raises(PluginError, match=problem):
        registry.add_folder(folder)


def test_an_unknown_key_is_named_with_the_known_ones(registry):
    with pytest.raises(UnknownPluginError, match="unknown test plugin 'x'; registered: none"):
        registry.get("x")


def test_a_test_registers_for_its_length_only(registry):
    class Temporary(Plugin):
        """Only here."""

        key = "temporary"
        label = "Temporary"

    with registry.temporarily(Temporary):
        assert "temporary" in registry
    assert "temporary" not in registry


def test_a_second_plugin_under_a_taken_key_is_refused(registry):
    def plugin() -> type[Plugin]:
        return type("Taken", (Plugin,), {"__doc__": "Taken.", "key": "taken", "label": "Taken"})

    registry.register(plugin())
    with pytest.raises(PluginError, match="already registered"):
        registry.register(plugin())


def test_configs_are_upgraded_when_read():
    class Config(PluginConfig):
        version = 2
        limit: int = 1

        @classmethod
        def upgrade(cls, stored, from_version):
            return {"limit": stored["max"]}

    assert Config.load({"config_version": 1, "max": 5}).limit == 5
    assert Config.load({"limit": 5}).dump() == {"config_version": 2, "limit": 5}
    with pytest.raises(ValueError, match="extra"):
        Config.load({"config_version": 2, "lmit": 5})
