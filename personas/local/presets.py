"""The preset personas and intents as files: what the seed command puts into the database. No ORM here."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from worktool_ai.lib.yaml_data import read_yaml

__all__ = [
    "IntentPreset",
    "MappingPreset",
    "PersonaPreset",
    "PersonaPresets",
    "PresetError",
    "load_intents",
    "load_personas",
]

DATA_FOLDER = Path(__file__).resolve().parent.parent / "data"

Text = Annotated[str, Field(min_length=1)]


class PresetError(ValueError):
    """A data file cannot be used; the message names the file, the place in it and what is wrong."""


class _Preset(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class IntentPreset(_Preset):
    """``needs_human``: a person must be told, whatever the robot answers."""

    key: Text
    name: Text
    order: int
    description: Text
    needs_human: bool


class PersonaPreset(_Preset):
    """A voice. ``model_id`` is the vendor's name of the model that the product plan gives it."""

    slug: Text
    name: Text
    role_type: Text
    role_name: Text
    scenes: Text
    description: Text
    system_prompt: Text
    temperature: Decimal = Field(ge=0, le=2)
    max_tokens: int = Field(gt=0)
    model_id: Text
    capabilities: tuple[str, ...]


class MappingPreset(_Preset):
    """A robot whose group (else whose type) is ``word`` speaks as the persona of ``role_type``."""

    word: Text
    role_type: Text


class PersonaPresets(_Preset):
    """All preset personas and how a robot without its own persona gets one."""

    default_role_type: Text
    mappings: tuple[MappingPreset, ...]
    personas: tuple[PersonaPreset, ...]


Parsed = TypeVar("Parsed")


def load_personas(path: Path = DATA_FOLDER / "personas.yaml") -> PersonaPresets:
    """Read the personas and the mapping; raises :class:`PresetError`."""
    return _parse(TypeAdapter(PersonaPresets), path)


def load_intents(path: Path = DATA_FOLDER / "intents.yaml") -> tuple[IntentPreset, ...]:
    """Read the intents in their order; raises :class:`PresetError`."""
    intents = _parse(TypeAdapter(tuple[IntentPreset, ...]), path)
    return tuple(sorted(intents, key=lambda intent: intent.order))


def _parse(adapter: TypeAdapter[Parsed], path: Path) -> Parsed:
    try:
        document: Any = read_yaml(path)
        return adapter.validate_python(document)
    except (OSError, yaml.YAMLError) as error:
        raise PresetError(f"{path.name}: cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise PresetError(f"{path.name}: {where}: {first['msg']}") from error
