"""What every plugin of every kind keeps, its own test file included: adding a plugin is one file and one test."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from alerts import channels, conditions
from flows import nodes
from personas import providers
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config_forms import config_form, config_schema
from worktool_ai.lib.crypto import load_config, open_config, seal_config
from worktool_ai.lib.registry import Plugin, Registry

TESTS = Path(__file__).resolve().parents[1]
REGISTRIES: list[Registry] = [providers.registry, channels.registry, conditions.registry, nodes.registry]
PLUGINS = [
    pytest.param(registry, plugin, id=f"{registry.package}.{plugin.key}")
    for registry in REGISTRIES
    for plugin in registry
]

every_plugin = pytest.mark.parametrize(("registry", "plugin"), PLUGINS)


def is_ours(registry: Registry, plugin: type[Plugin]) -> bool:
    """A deployment's own plugins lie in folders of their own, with their tests beside them."""
    return plugin.__module__ == f"{registry.package}.{plugin.key}"


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.package)
def test_every_file_of_the_folder_is_registered(registry):
    package = inspect.getmodule(registry.base)
    files = {path.stem for path in Path(package.__file__).parent.glob("*.py") if not path.stem.startswith("_")}

    assert files == {plugin.key for plugin in registry if is_ours(registry, plugin)}


@every_plugin
def test_its_key_is_its_file_and_it_says_what_it_is(registry, plugin):
    assert Path(inspect.getfile(plugin)).stem == plugin.key
    assert plugin.label.strip()
    assert inspect.cleandoc(plugin.__doc__ or "")
    assert issubclass(plugin.Config, PluginConfig)


@every_plugin
def test_it_has_a_test_file_of_its_own(registry, plugin):
    if is_ours(registry, plugin):
        mirrored = TESTS / Path(*registry.package.split(".")) / f"test_{plugin.key}.py"
    else:
        mirrored = Path(inspect.getfile(plugin)).with_name(f"test_{plugin.key}.py")

    assert mirrored.is_file(), f"{mirrored} is missing"


@every_plugin
def test_its_config_survives_storage(registry, plugin):
    example = plugin.Config.example()

    stored = json.loads(json.dumps(seal_config(plugin.Config, example.dump())))

    assert load_config(plugin.Config, stored) == example
    assert stored["config_version"] == plugin.Config.version
    assert open_config(stored) == example.dump()


@every_plugin
def test_its_config_refuses_a_field_that_it_does_not_know(registry, plugin):
    document = {**plugin.Config.example().dump(), "nobody_knows_this": 1}

    with pytest.raises(ValueError, match="nobody_knows_this"):
        plugin.Config.load(document)


@every_plugin
@pytest.mark.django_db
def test_its_config_has_a_form_and_a_schema(registry, plugin):
    form = config_form(plugin.Config, initial=plugin.Config.example().dump())

    assert set(form.fields) == set(plugin.Config.model_fields)
    assert form.as_div() or not form.fields
    assert set(config_schema(plugin.Config).get("properties", {})) == set(plugin.Config.model_fields)


@every_plugin
def test_it_can_be_built_from_its_example(registry, plugin):
    config = plugin.Config.example()

    if registry is providers.registry:
        built = plugin(config, api_key="k", endpoint="https://llm.example.com/v1", model_id="m")
    else:
        built = plugin(config)

    assert isinstance(built, registry.base)
