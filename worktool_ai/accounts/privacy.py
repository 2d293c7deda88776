"""What a person without :attr:`Ability.READ_CONTACTS` sees instead of customers' names and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["mask_name", "mask_text"]

HIDDEN = "＊"
#: Telephone, card, order and account numbers; e-mail addresses; ids such as a WeChat name.
_NUMBERS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<![A-Za-z0-9_])\+?\d(?:[ -]?\d){5,}|wxid_\w+", re.ASCII)


def mask_name(name: str) -> str:
    """Return the first character and a star: enough to follow who speaks, too little to know who it is."""
    return f"{name[0]}{HIDDEN}" if name else ""


def mask_text(text: str, names: Iterable[str] = ()) -> str:
    """Hide numbers, addresses and the given names inside what somebody wrote."""
    for name in names:
        if len(name) > 1:
            text = text.replace(name, mask_name(name))
    return _NUMBERS.sub(HIDDEN * 3, text)
