"""Names are the platform's only addresses: which ones the phone will not find (worktool-api.md §4.6)."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["name_problems"]

FORBIDDEN = frozenset("-()（）@ \u3000")
#: About twelve Chinese characters; a Latin letter takes half of one.
LONGEST_GROUP = 12.0
ELLIPSES = ("…", "...")


def name_problems(name: str, *, is_group: bool = False, is_remark: bool = False) -> Iterator[str | Promise]:
    """Yield what makes a name hard or impossible to find; nothing for a good one."""
    if found := sorted(FORBIDDEN & set(name)):
        shown = " ".join(str(_("a blank")) if char.isspace() else char for char in found)
        yield _("holds %(characters)s") % {"characters": shown}
    if name.endswith(ELLIPSES):
        yield _("is cut off: the phone shows a longer name than it can find")
    if is_group and not is_remark and _width(name) > LONGEST_GROUP:
        yield _("is longer than about 12 Chinese characters and may be cut off")
    if is_remark and name[:1].isdigit():
        yield _("is a remark that starts with a digit, which WeCom's search does not find")


def _width(name: str) -> float:
    return sum(0.5 if char.isascii() else 1.0 for char in name)
