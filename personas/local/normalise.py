"""One form for the many ways of typing a line, so that a rule is written once."""

from __future__ import annotations

import re
import unicodedata

from personas.local.spelling import SIMPLIFIED, VARIANTS
from worktool_ai.lib.text import PICTURE_OPENS

#: Longer lines are judged by their beginning: what is wanted is said early, and time stays bounded.
MAX_CHARS = 500

_CANONICAL = {variant: form for form, variants in VARIANTS.items() for variant in variants}
_VARIANT = re.compile("|".join(re.escape(v) for v in sorted(_CANONICAL, key=len, reverse=True)))
_MENTION = re.compile(r"@(?!所有人)[^\s@]{1,30}(?:\s|$)")
_STICKER = re.compile(r"\[[^\[\]\s]{1,8}\]")
# Letters of any script, digits and the few signs that carry meaning stay; emoji and punctuation become a space.
_NOISE = re.compile(r"[^\w?%+&.:/@\s]|_")
_DOTS = re.compile(r"\.(?!\d|[a-z])")
_REPEATED = re.compile(r"([^\d\s])\1{2,}")
_FINAL_ME = re.compile(r"(?<![什怎那这多要])么(?=\s*(?:$|\?))")
_SPACES = re.compile(r"\s+")
# Between two Chinese characters a space is a habit of typing, not a border ("怎么 退款").
_INNER_SPACE = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")


def normalise(text: str, *, join: bool = False) -> str:
    """Return the line in lower case, simplified, without mentions, stickers, emoji and runs of punctuation.

    Punctuation is kept as one space, a question mark as ``?``. ``join`` also drops spaces between Chinese
    characters, which rules' phrases want and lines do not.
    """
    # what is on a picture is judged, not that it is one
    line = unicodedata.normalize("NFKC", text[:MAX_CHARS].replace(PICTURE_OPENS, " ")).lower()
    line = _STICKER.sub(" ", _MENTION.sub(" ", line)).translate(SIMPLIFIED)
    line = _DOTS.sub(" ", _NOISE.sub(" ", line))
    line = _VARIANT.sub(lambda found: _CANONICAL[found.group()], line)
    line = _FINAL_ME.sub("吗", _REPEATED.sub(r"\1\1", line))
    line = _SPACES.sub(" ", line).strip()
    return _INNER_SPACE.sub("", line) if join else line
