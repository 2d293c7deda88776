"""When two spellings of a name mean the same person. Names are all that the platform tells about who spoke."""

from __future__ import annotations

import unicodedata

__all__ = ["normal_name"]


def normal_name(name: str) -> str:
    """Return a name for comparing: full-width forms, letter case and blanks (also U+2005, which follows an @) apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
