"""Numbered, unchangeable versions of personas' prompts: who changed what, when and why, and the way back."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from django.db import transaction

from personas.models import Persona, PromptVersion
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User

__all__ = ["DiffLine", "change_prompt", "differences", "number_prompt", "restore"]

Actor = User | ApiKey | str | None


def change_prompt(persona: Persona, actor: Actor, note: str = "", **content: object) -> PromptVersion | None:
    """Set prompt, temperature or most tokens of a persona; returns the new version, None when nothing changed."""
    with transaction.atomic():
        locked = Persona.objects.select_for_update().get(pk=persona.pk)
        before = audit.snapshot(locked)
        for name in content.keys() & set(PromptVersion.CONTENT):
            setattr(locked, name, content[name])
        locked.full_clean(exclude=["model"])
        locked.save(update_fields=[*PromptVersion.CONTENT, "updated_at"])
        version = number_prompt(locked, actor, note)
        old, new = audit.changes(Persona, before, audit.snapshot(locked))
        old.pop("updated_at", None)
        if new.pop("updated_at", None) and new:
            audit.record(actor, "persona.change", locked, old, new)
    return version


def number_prompt(persona: Persona, actor: Actor, note: str = "") -> PromptVersion | None:
    """Give a saved persona's prompt the next number, where it differs from the latest; in the caller's transaction."""
    with transaction.atomic():
        stored = Persona.objects.select_for_update().get(pk=persona.pk)
        latest = stored.versions.order_by("-number").first()
        if latest and latest.says_the_same_as(stored):
            return None
        return PromptVersion.objects.create(
            persona=stored,
            number=latest.number + 1 if latest else 1,
            note=note[:200],
            made_by=audit.actor_name(actor)[:150],
            **{name: getattr(stored, name) for name in PromptVersion.CONTENT},
        )


def restore(version: PromptVersion, actor: Actor, note: str) -> PromptVersion | None:
    """Make a new version equal to an old one; None when the persona says just that already."""
    if version.persona is None:
        raise ValueError("the version's persona was deleted")
    content = {name: getattr(version, name) for name in PromptVersion.CONTENT}
    return change_prompt(version.persona, actor, note, **content)


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a comparison: in both, only in the old text, or only in the new one."""

    kind: Literal["same", "old", "new"]
    text: str


def differences(old: str, new: str) -> list[DiffLine]:
    """Compare two texts line by line."""
    kinds: dict[str, Literal["same", "old", "new"]] = {"  ": "same", "- ": "old", "+ ": "new"}
    compared = difflib.ndiff(old.splitlines(), new.splitlines())
    return [DiffLine(kinds[line[:2]], line[2:]) for line in compared if line[:2] in kinds]
