"""Numbers as people type them: full width, Chinese numerals, 万."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

__all__ = ["NUMBER", "normal_text", "parse_number"]

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060-\u2064\ufeff\U000e0000-\U000e007f\ufe00-\ufe0f]")
_THOUSANDS = re.compile(r"(?<![\d.])(\d{1,3}(?:,\d{3})+)(?!\d)")

#: A number in a pattern, Arabic or Chinese.
NUMBER = (
    r"(?:\d+(?:\.\d+)?(?:[万亿千百]|[wWkK](?![A-Za-z]))?"
    r"|[零〇一二两三四五六七八九十百千万半]+(?:点[零一二三四五六七八九]+)?)"
)

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_FACTORS = {"百": 100, "千": 1000, "k": 1000, "万": 10_000, "w": 10_000, "亿": 100_000_000}


@lru_cache(maxsize=512)
def normal_text(text: str) -> str:
    """Return the text in half width, without invisible characters and thousands separators."""
    kept_apart = _INVISIBLE.sub("", text).replace("，", "、")
    half = unicodedata.normalize("NFKC", kept_apart)
    return _THOUSANDS.sub(lambda match: match[1].replace(",", ""), half)


def parse_number(text: str) -> str | None:
    """Return a number's normal form; ``2-3`` for 两三; None for what is no number."""
    if text[0].isdigit():
        factor = _FACTORS.get(text[-1].lower())
        return _plain(Decimal(text[:-1]) * factor if factor else Decimal(text))
    if text == "半":
        return "0.5"
    whole, _, fraction = text.partition("点")
    if len(whole) == 2 and all(c in _DIGITS for c in whole):
        return f"{_DIGITS[whole[0]]}-{_DIGITS[whole[1]]}"
    value = _chinese(whole)
    if value is None:
        return None
    decimals = "".join(str(_DIGITS[c]) for c in fraction)
    return _plain(Decimal(f"{value}.{decimals}") if decimals else Decimal(value))


def _chinese(text: str) -> int | None:
    """Read 一百二十, 两千零五, 一万二 (12000); None where digits stand side by side."""
    total, section, digit, last_unit = 0, 0, None, 1
    for character in text:
        if character in _DIGITS:
            if digit not in (None, 0):
                return None
            digit = _DIGITS[character]
            if digit == 0:
                last_unit = 1
        elif character in _UNITS:
            last_unit = _UNITS[character]
            section += (1 if digit is None else digit) * last_unit
            digit = None
        elif character == "万":
            total, section, digit, last_unit = (total + section + (digit or 0) or 1) * 10_000, 0, None, 10_000
        else:
            return None
    # 一百五 is 150, 一百零五 is 105
    return total + section + (digit or 0) * (last_unit // 10 if last_unit > 10 else 1)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
