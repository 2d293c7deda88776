"""What may be written into a template, and how it will read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from templates_lib.library import FORBIDDEN_WORDS, Variable, load_library
from templates_lib.render import render, variables_of

__all__ = ["check_texts", "known_variables", "preview", "variables_for"]


@lru_cache(maxsize=1)
def known_variables() -> Mapping[str, Variable]:
    """Return the variables that a template may use: those of the library's files, by name."""
    found = {variable.key: variable for template in load_library().templates for variable in template.variables}
    return MappingProxyType(found)


def check_texts(texts: Mapping[str, Sequence[str]]) -> dict[str, ValidationError]:
    """Judge the texts of a template by form field; returns the problem of each field that has one."""
    problems = {}
    for field, written in texts.items():
        for text in written:
            if problem := _problem(text):
                problems[field] = problem
    return problems


def _problem(text: str) -> ValidationError | None:
    for name in variables_of(text):
        if name not in known_variables():
            return ValidationError(_unknown(name), code="unknown_variable")
    if "{{" in (left := render(text, _examples())) or "}}" in left:
        return ValidationError(_("Two braces that are no variable: write {{name}} or leave them out."), code="braces")
    for word in FORBIDDEN_WORDS:
        if word in text:
            message = _("«%(word)s» is never said to customers: say it in other words.") % {"word": word}
            return ValidationError(message, code="forbidden_word")
    return None


def _unknown(name: str) -> Any:
    near = difflib.get_close_matches(name, known_variables(), n=1)
    if near:
        return _("There is no variable «%(name)s». Did you mean «%(near)s»?") % {"name": name, "near": near[0]}
    known = ", ".join(sorted(known_variables()))
    return _("There is no variable «%(name)s». Known are: %(known)s.") % {"name": name, "known": known}


def _examples() -> dict[str, str]:
    return {variable.key: variable.example for variable in known_variables().values()}


def variables_for(texts: Sequence[str]) -> list[dict[str, str]]:
    """Return what is stored beside a template: each variable of its texts, where it comes from, and an example."""
    names = dict.fromkeys(name for text in texts for name in variables_of(text))
    return [known_variables()[name].model_dump() for name in names if name in known_variables()]


def preview(text: str) -> str:
    """Return a text as a customer would read it, with examples for its variables."""
    examples = {name: f"{{{name}}}" for name in variables_of(text)} | _examples()
    return render(text, examples)
