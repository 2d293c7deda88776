"""What a line consists of: the platform's content types, and a customer's picture put into words. Pure."""

from __future__ import annotations

from typing import Final, Literal

from worktool_ai.lib.config import gettext_noop as _
from worktool_ai.lib.text import PICTURE_OPENS

__all__ = ["PICTURE", "PICTURE_PROBLEMS", "READABLE", "TEXT", "PictureProblem", "in_words"]

TEXT: Final = 1
PICTURE: Final = 2
#: Content types whose text the platform delivers: text, text that quotes another message, and what it cannot name.
READABLE: Final = frozenset({0, TEXT, 15})

PictureProblem = Literal["not_delivered", "not_wanted", "no_model", "type", "too_large", "failed"]
#: Why a picture was not looked at; shown with the run.
PICTURE_PROBLEMS: Final[dict[str, str]] = {
    "not_delivered": _("The platform did not send the picture's content."),
    "not_wanted": _("The flow is set not to have such pictures looked at."),
    "no_model": _("No active model of this persona can look at pictures."),
    "type": _("The picture is of a type that no model takes."),
    "too_large": _("The picture is larger than models take."),
    "failed": _("No model could look at the picture."),
}


def in_words(text: str, picture: str | None) -> str:
    """Return what was said, a picture's description marked as such. Customers' words and models' are data alike."""
    return "\n".join(part for part in (text, f"{PICTURE_OPENS}{picture}」" if picture else "") if part)
