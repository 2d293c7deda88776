"""The template library as files: what the seed command puts into the database. No ORM here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from templates_lib.render import variables_of
from worktool_ai.lib.yaml_data import read_yaml

__all__ = [
    "CATEGORIES_FILE",
    "DATA_FOLDER",
    "Category",
    "Library",
    "LibraryError",
    "Template",
    "Variable",
    "load_library",
]

DATA_FOLDER = Path(__file__).resolve().parent / "data"
CATEGORIES_FILE = Path(__file__).resolve().parent / "categories.yaml"

#: Never said to a customer: nobody is told that his words were flagged.
FORBIDDEN_WORDS = ("标记", "风险", "违规")

Text = Annotated[str, Field(min_length=1)]
#: message: from the customer's line; robot: its settings; company: facts that an operator enters.
Source = Literal["message", "robot", "company"]


class LibraryError(ValueError):
    """A data file cannot be used; the message names the file, the entry and the field."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


EntryT = TypeVar("EntryT", bound=_Entry)


class Variable(_Entry):
    """Where the value of ``{{key}}`` comes from, with an example for previews."""

    key: str = Field(pattern=r"^[A-Za-z_]\w*$")
    source: Source
    example: Text


class Category(_Entry):
    """A scene; its name is the topic of a customer's line. ``needs_human``: its answers say that a colleague comes."""

    name: Text
    order: int = Field(ge=1)
    planned_count: int = Field(ge=1)
    description: Text
    needs_human: bool = False


class Template(_Entry):
    """One answer: ``body`` (or one of ``variants``) in a group, ``private_body`` instead in a private chat."""

    slug: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)
    category: Text
    name: Text
    description: Text
    body: Text
    private_body: str = ""
    variants: tuple[Text, ...] = ()
    variables: tuple[Variable, ...] = ()
    persona_type: str = ""
    intents: tuple[str, ...] = ()
    active: bool = True

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that a customer may read."""
        return tuple(text for text in (self.body, self.private_body, *self.variants) if text)

    @field_validator("body", "private_body")
    @classmethod
    def _kind(cls, text: str) -> str:
        return _without_forbidden(text)

    @field_validator("variants")
    @classmethod
    def _kind_variants(cls, variants: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_without_forbidden(text) for text in variants)

    @model_validator(mode="after")
    def _variables_are_declared(self) -> Self:
        used = {name for text in self.texts for name in variables_of(text)}
        declared = {variable.key for variable in self.variables}
        if used != declared:
            raise ValueError(f"variables used {sorted(used)} and declared {sorted(declared)} differ")
        return self


class Library(_Entry):
    """All categories in their order, and all templates in the order of their files."""

    categories: tuple[Category, ...]
    templates: tuple[Template, ...]


def load_library(folder: Path = DATA_FOLDER, categories_file: Path = CATEGORIES_FILE) -> Library:
    """Read the categories and every ``*.yaml`` of the folder; raises :class:`LibraryError`."""
    categories = [_parse(Category, row, categories_file, "name") for row in _rows(categories_file)]
    names = {category.name for category in categories}
    templates: dict[str, Template] = {}
    for path in sorted(folder.glob("*.yaml")):
        for row in _rows(path):
            template = _parse(Template, row, path, "slug")
            if template.slug in templates:
                raise LibraryError(f"{path.name}: {template.slug}: slug is used twice")
            if template.category not in names:
                raise LibraryError(f"{path.name}: {template.slug}: unknown category {template.category!r}")
            templates[template.slug] = template
    ordered = sorted(categories, key=lambda category: category.order)
    return Library(categories=tuple(ordered), templates=tuple(templates.values()))


def _rows(path: Path) -> list[Any]:
    try:
        rows = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise LibraryError(f"{path.name}: cannot be read: {error}") from error
    if not isinstance(rows, list):
        raise LibraryError(f"{path.name}: one list is expected")
    return rows


def _parse(entry: type[EntryT], row: Any, path: Path, key: str) -> EntryT:
    name = row.get(key, "?") if isinstance(row, dict) else "?"
    try:
        return entry.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "entry"
        raise LibraryError(f"{path.name}: {name}: {where}: {first['msg']}") from error


def _without_forbidden(text: str) -> str:
    for word in FORBIDDEN_WORDS:
        if word in text:
            raise ValueError(f"{word} must not be said to customers")
    return text
