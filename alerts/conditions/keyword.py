"""The line contains some of the words."""

from __future__ import annotations

from typing import Annotated, Literal

from django.utils.translation import gettext_noop as _
from pydantic import Field

from alerts.conditions import Condition, Facts, Verdict
from personas.local.normalise import normalise
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.text import shorten

__all__ = ["KeywordCondition"]

Word = Annotated[str, Field(min_length=1, max_length=40)]


class KeywordConfig(PluginConfig):
    """Words to look for. Letter case, full-width letters, traditional characters and spaces make no difference."""

    words: tuple[Word, ...] = Field(min_length=1, max_length=500, title=_("Words"))
    mode: Literal["any", "all"] = Field(default="any", title=_("One of them, or all"))
    excludes: tuple[Word, ...] = Field(default=(), max_length=500, title=_("Not when one of these stands there"))

    @classmethod
    def example(cls) -> KeywordConfig:
        return cls(words=("12315", "起诉"))


class KeywordCondition(Condition):
    """Holds when the line contains one (or all) of the words and none of the excluded ones."""

    key = "keyword"
    label = _("Words in the line")
    Config = KeywordConfig

    def __init__(self, config: KeywordConfig) -> None:
        super().__init__(config)
        self._words = _searchable(config.words)
        self._excludes = _searchable(config.excludes)

    def check(self, facts: Facts) -> Verdict:
        text = str(facts.get("originalMessage") or "")
        line = _form(text)
        found = [word for word, form in self._words.items() if form in line]
        kept_out = [word for word, form in self._excludes.items() if form in line]
        enough = len(found) == len(self._words) if self.config.mode == "all" else bool(found)
        wanted = (" + " if self.config.mode == "all" else " / ").join(self._words)
        return Verdict(enough and not kept_out, shorten(wanted, 200), _actual(found, kept_out, text))


def _searchable(words: tuple[str, ...]) -> dict[str, str]:
    """Map each word to the form in which lines are searched; one that consists of signs only is left out."""
    return {word: form for word in words if (form := _form(word))}


def _form(text: str) -> str:
    """Without any space: people put them into words that they expect to be looked for."""
    return normalise(text).replace(" ", "")


def _actual(found: list[str], kept_out: list[str], text: str) -> str:
    if kept_out:
        return f"{'、'.join(found)}（除外：{'、'.join(kept_out)}）"
    return "、".join(found) or shorten(text, 80)
