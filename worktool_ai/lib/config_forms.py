"""Plugin configurations as forms: every field of a ``Config`` becomes an input, so that nobody types JSON.

=============================================  ================================================================
``str``                                        one line, or a text area with ``{"multiline": True}``
``int``, ``float``                             a number with the bounds of the field
``bool``, ``Literal``, ``Enum``                a switch, a select (``{"labels": {value: label}}`` names the choices)
``{"choices": "<source>"}``                    a select whose choices a source gives (:func:`register_choices`)
``list[str]``                                  one a line; with choices a multiple select
``list[Model]``, ``dict[str, str]``, ``Model`` rows, rows of name and value, a group
``SECRET``                                     write-only: empty keeps what is stored, ``-`` removes it
=============================================  ================================================================

The keys in braces go into ``json_schema_extra``. ``title`` and ``description`` are msgids (mark them with
``gettext_noop``). A field that has no input raises :class:`UnsupportedFieldError` when the form class is built, so
the contract suite finds it.
"""

from __future__ import annotations

import datetime
import types
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache, partial
from typing import Annotated, Any, ClassVar, Literal, Union, cast, get_args, get_origin

import pydantic
from django import forms
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python
from unfold import widgets

from worktool_ai.lib.config import SECRET, PluginConfig, is_secret, problem_text
from worktool_ai.lib.config_rows import LinesField, Location, Mode, RowsField
from worktool_ai.lib.crypto import (
    CLEAR,
    Secret,
    SecretFormField,
    UndecryptableError,
    is_sealed,
    map_sealed,
    seal_config,
)

__all__ = [
    "ConfigField",
    "ConfigForm",
    "UnsupportedFieldError",
    "config_form",
    "config_schema",
    "document_from",
    "form_class_for",
    "register_choices",
]

Choices = Iterable[tuple[Any, Any]]
_sources: dict[str, Callable[[], Choices]] = {}


class UnsupportedFieldError(TypeError):
    """A Config has a field for which there is no input."""


def register_choices(name: str, source: Callable[[], Choices]) -> None:
    """Name a source of ``(value, label)`` pairs, asked each time a form or schema is built."""
    _sources[name] = source


def _choices_of(name: str) -> list[tuple[Any, Any]]:
    if name not in _sources:
        raise LookupError(f"no choices are registered under {name!r}; call register_choices() in an AppConfig.ready()")
    return list(_sources[name]())


# -- the form ------------------------------------------------------------------------------------------------------


class ConfigForm(forms.Form):
    """The fields of one Config (or of a model nested in it). Made by :func:`form_class_for`."""

    model: ClassVar[type[BaseModel]]

    def __init__(self, data: Any = None, *, stored: Mapping[str, Any] | None = None, prefix: str | None = None) -> None:
        super().__init__(data, prefix=prefix)
        self.stored = dict(stored or {})
        if issubclass(self.model, PluginConfig):
            self.stored = self.model.upgraded(self.stored)
        self._document: dict[str, Any] | None = None
        for name, field in self.fields.items():
            self._fill(name, field)

    def _fill(self, name: str, field: forms.Field) -> None:
        stored = self.stored.get(name, field.initial)
        if isinstance(field, RowsField):
            field.set_stored(stored)
        elif not isinstance(field, SecretFormField):
            self.initial[name] = stored
        elif stored:
            field.widget.attrs["placeholder"] = gettext("stored; leave empty to keep")

    def is_blank(self) -> bool:
        """Tell whether nothing was typed into any input."""
        return not any(self[name].data for name in self.fields)

    def clean(self) -> dict[str, Any]:
        if not self.errors and issubclass(self.model, PluginConfig):
            self._validate(self.model)
        return self.cleaned_data

    def _validate(self, config: type[PluginConfig]) -> None:
        typed = self._typed()
        try:
            loaded = config.load(map_sealed(typed, _reveal_or_mask))
        except pydantic.ValidationError as error:
            for problem in error.errors(include_url=False):
                self.add_problem(problem["loc"], problem_text(problem))
        else:
            self._document = seal_config(config, _keep_sealed(typed, loaded.dump()))

    def _typed(self) -> dict[str, Any]:
        return {name: self._value(name, field) for name, field in self.fields.items()}

    def _value(self, name: str, field: forms.Field) -> Any:
        value = self.cleaned_data.get(name)
        if isinstance(field, SecretFormField):
            kept = self.stored.get(name, field.initial)
            return "" if value == CLEAR else value or kept or ""
        return None if value == "" and _is_optional(self.model.model_fields[name].annotation) else value

    def document(self) -> dict[str, Any]:
        """Return the document to store, validated and sealed; of a nested form its part, as typed."""
        return self._typed() if self._document is None else self._document

    def add_problem(self, location: Location, text: str) -> None:
        """Show a problem of the Config's own validation at the input that it concerns."""
        name = str(location[0]) if location else ""
        field = self.fields.get(name)
        if isinstance(field, RowsField) and field.add_problem(self[name].data, location[1:], text):
            text = gettext("Correct what is marked below.")
        self.add_error(name if field is not None else None, text)


def _reveal_or_mask(token: str) -> str:
    """Open a kept secret for validation; one whose key is lost stands in for itself."""
    try:
        return Secret.sealed(token).reveal()
    except UndecryptableError:
        return token


def _keep_sealed(typed: Any, dumped: Any) -> Any:
    """Put the stored tokens back where nothing new was typed, so that they are not encrypted again."""
    if is_sealed(typed):
        return typed
    if isinstance(typed, Mapping) and isinstance(dumped, Mapping):
        return {name: _keep_sealed(typed.get(name), item) for name, item in dumped.items()}
    if isinstance(typed, list) and isinstance(dumped, list) and len(typed) == len(dumped):
        return [_keep_sealed(one, other) for one, other in zip(typed, dumped, strict=True)]
    return dumped


def config_form(
    config: type[PluginConfig],
    data: Any = None,
    initial: Mapping[str, Any] | None = None,
    prefix: str | None = None,
) -> ConfigForm:
    """Return the form of a Config, filled from a stored (sealed) document or bound to what was sent."""
    return form_class_for(config)(data, stored=initial, prefix=prefix)


def document_from(form: ConfigForm) -> dict[str, Any]:
    """Return the document to store from a valid form: secrets sealed, stamped with its version."""
    return form.document()


class ConfigField(RowsField):
    """A whole Config as one field of a model form, in place of its JSON column."""

    def __init__(self, config: type[PluginConfig], stored: Mapping[str, Any] | None, **options: Any) -> None:
        super().__init__(form_class_for(config), "single", **options)
        self.set_stored(stored)


# -- from pydantic to Django ---------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def form_class_for(model: type[BaseModel]) -> type[ConfigForm]:
    """Return the form class of a model; raises :class:`UnsupportedFieldError`."""
    fields: dict[str, Any] = {name: _field(model, name, info) for name, info in model.model_fields.items()}
    return cast(type[ConfigForm], type(f"{model.__name__}Form", (ConfigForm,), {**fields, "model": model}))


def _field(model: type[BaseModel], name: str, info: FieldInfo) -> forms.Field:
    kind = _without_optional(info.annotation)
    options = _options(name, info)
    for build in _BUILDERS:
        field = build(model, name, kind, info, options)
        if field is not None:
            return field
    raise UnsupportedFieldError(f"{model.__name__}.{name}: there is no input for {info.annotation}")


def _options(name: str, info: FieldInfo) -> dict[str, Any]:
    default = info.get_default(call_default_factory=True, validated_data={})
    return {
        "label": gettext_lazy(info.title or name.replace("_", " ").capitalize()),
        "help_text": gettext_lazy(info.description) if info.description else "",
        "initial": None if default is PydanticUndefined else to_jsonable_python(default),
        "required": info.is_required(),
    }


def _extra(info: FieldInfo) -> dict[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _bound(info: FieldInfo, *names: str) -> Any:
    """Return the first of these constraints (``ge``, ``max_length``, …) that the field has."""
    found = (getattr(one, name, None) for one in info.metadata for name in names)
    return next((value for value in found if value is not None), None)


def _is_optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


def _without_optional(annotation: Any) -> Any:
    if _is_optional(annotation):
        inner = [one for one in get_args(annotation) if one is not type(None)]
        annotation = inner[0] if len(inner) == 1 else annotation
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _item(kind: Any) -> Any:
    """Return what a list holds, or None when it is no list."""
    if get_origin(kind) not in (list, tuple, set, frozenset):
        return None
    return _without_optional(get_args(kind)[0])


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _build_secret(model: type[BaseModel], name: str, kind: Any, info: FieldInfo, options: Any) -> forms.Field | None:
    if not is_secret(model, name) or kind is not str:
        return None
    hint = _("Never shown. Leave empty to keep what is stored; «-» removes it.")
    widget = widgets.UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return SecretFormField(widget=widget, **{**options, "required": False, "help_text": options["help_text"] or hint})


def _build_choice(model: type[BaseModel], name: str, kind: Any, info: FieldInfo, options: Any) -> forms.Field | None:
    many = _item(kind)
    choices = _field_choices(many or kind, info)
    if choices is None:
        return None
    coerce = _coerce(many or kind)
    if many:
        multiple = widgets.UnfoldAdminSelectMultipleWidget()
        return forms.TypedMultipleChoiceField(choices=choices, coerce=coerce, widget=multiple, **options)
    if _is_optional(info.annotation):
        choices = partial(_with_blank, choices)
        options = {**options, "empty_value": None}
    return forms.TypedChoiceField(choices=choices, coerce=coerce, widget=widgets.UnfoldAdminSelectWidget(), **options)


def _field_choices(kind: Any, info: FieldInfo) -> Callable[[], Choices] | None:
    if source := _extra(info).get("choices"):
        return partial(_choices_of, source)
    values = _closed_values(kind)
    labels = _extra(info).get("labels", {})
    return None if values is None else lambda: [(v, gettext(str(labels.get(v, v)))) for v in values]


def _closed_values(kind: Any) -> list[Any] | None:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [one.value for one in kind] if isinstance(kind, type) and issubclass(kind, Enum) else None


def _with_blank(choices: Callable[[], Choices]) -> Choices:
    return [("", "—"), *choices()]


def _coerce(kind: Any) -> Callable[[str], Any]:
    """Turn the text of a chosen option back into its value."""
    values = {str(value): value for value in _closed_values(kind) or ()}
    convert = kind if kind in (int, float) else str
    return lambda text: values[text] if text in values else convert(text)


def _build_scalar(model: type[BaseModel], name: str, kind: Any, info: FieldInfo, options: Any) -> forms.Field | None:
    if kind is bool:
        return forms.BooleanField(widget=widgets.UnfoldBooleanSwitchWidget(), **{**options, "required": False})
    if kind in (int, float):
        return _number(kind, info, options)
    if kind is datetime.time:
        return forms.TimeField(widget=widgets.UnfoldAdminTextInputWidget(attrs={"type": "time"}), **options)
    if kind is str or (isinstance(kind, type) and issubclass(kind, pydantic.AnyUrl)):
        widget = (
            widgets.UnfoldAdminTextareaWidget if _extra(info).get("multiline") else widgets.UnfoldAdminTextInputWidget
        )
        limits = {"min_length": _bound(info, "min_length"), "max_length": _bound(info, "max_length")}
        return forms.CharField(widget=widget(), **limits, **options)
    return None


def _number(kind: type[int] | type[float], info: FieldInfo, options: dict[str, Any]) -> forms.Field:
    limits = {"min_value": _bound(info, "ge", "gt"), "max_value": _bound(info, "le", "lt")}
    required = not _is_optional(info.annotation)
    if kind is int:
        return forms.IntegerField(
            widget=widgets.UnfoldAdminIntegerFieldWidget(), **limits, **{**options, "required": required}
        )
    return forms.FloatField(
        widget=widgets.UnfoldAdminDecimalFieldWidget(), **limits, **{**options, "required": required}
    )


def _build_list(model: type[BaseModel], name: str, kind: Any, info: FieldInfo, options: Any) -> forms.Field | None:
    item = _item(kind)
    if item in (str, int, float) and not is_secret(model, name):
        hint = options["help_text"] or _("One a line.")
        return LinesField(widget=widgets.UnfoldAdminTextareaWidget(), **{**options, "help_text": hint})
    return _rows(item, "list", options) if _is_model(item) else None


def _build_rows(model: type[BaseModel], name: str, kind: Any, info: FieldInfo, options: Any) -> forms.Field | None:
    if _is_model(kind):
        return _rows(kind, "single", options)
    if get_origin(kind) is not dict or get_args(kind)[0] is not str or get_args(kind)[1] not in (str, int, float, bool):
        return None
    return _rows(_pair(get_args(kind)[1], is_secret(model, name)), "dict", options)


def _rows(model: type[BaseModel], mode: Mode, options: dict[str, Any]) -> RowsField:
    return RowsField(form_class_for(model), mode, **options)


@lru_cache(maxsize=16)
def _pair(kind: Any, secret: bool) -> type[BaseModel]:
    """The row of a map: a name and its value."""
    value = pydantic.Field("" if kind is str else ..., title="Value", json_schema_extra=SECRET if secret else None)
    return create_model("Pair", key=(str, pydantic.Field(..., title="Name")), value=(kind, value))


_BUILDERS = (_build_secret, _build_choice, _build_scalar, _build_list, _build_rows)


# -- for the editor's panel ----------------------------------------------------------------------------------------


def config_schema(config: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a Config for the editor: texts translated, choices resolved, secrets write-only.

    Beside JSON Schema a property may have ``multiline``, ``options`` (``[{"value", "label"}]``) and ``writeOnly``.
    """
    return cast(dict[str, Any], _for_editor(config.model_json_schema()))


def _for_editor(node: Any) -> Any:
    if isinstance(node, list):
        return [_for_editor(item) for item in node]
    if not isinstance(node, dict):
        return node
    shown = {name: _for_editor(item) for name, item in node.items() if name not in ("choices", "labels", "secret")}
    for name in node.keys() & {"properties", "$defs"}:  # names of fields, which may be called like our marks
        shown[name] = {field: _for_editor(schema) for field, schema in node[name].items()}
    for name in ("title", "description"):
        if isinstance(shown.get(name), str):
            shown[name] = gettext(shown[name])
    if node.get("secret") is True:
        shown["writeOnly"] = True
    if isinstance(node.get("choices"), str):
        shown["options"] = [{"value": value, "label": str(label)} for value, label in _choices_of(node["choices"])]
    elif isinstance(node.get("labels"), dict):
        shown["options"] = [{"value": v, "label": gettext(label)} for v, label in node["labels"].items()]
    return shown
