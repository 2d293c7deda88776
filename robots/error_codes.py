"""What the platform's error codes mean for us (worktool-api.md §5), and what an operator is told.

``retry`` says whether a person may sensibly send the same again; nothing is ever repeated on its own because of a
code. Group and friend commands (206, 207, 213, 219) are never repeated at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["NEVER_REPEATED", "ErrorCode", "describe"]

#: Creating, editing and dissolving groups, adding friends: a second execution does a second deed. Cancelling: late, it
#: might hit another command. Recalling: late, it might take back other words.
NEVER_REPEATED = frozenset({206, 207, 213, 219, 226, 304, 305})


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """``counts_as_done``: what was asked for is already so."""

    code: int
    meaning: str | Promise
    advice: str | Promise
    retry: bool = False
    counts_as_done: bool = False


_NAME = _("Check the name: where a remark is set only the remark works, and a renamed group has another address.")
_AGAIN = _("This often passes: look at the phone, then send it once more.")
_BY_HAND = _("Look at the phone and finish it by hand; it is not repeated on its own.")
_OURS = _("This is a fault in what we sent; tell an engineer.")
_KEY = _("Check the robot id and the robot key on the robot's page.")

_ROWS = (
    ErrorCode(0, _("success"), "", counts_as_done=True),
    ErrorCode(101011, _("bad data format"), _OURS),
    ErrorCode(101012, _("illegal operation"), _OURS),
    ErrorCode(101013, _("no permission"), _("Give the robot's account the right to do this in WeCom.")),
    ErrorCode(101014, _("duplicate command"), _("The phone has already done this."), counts_as_done=True),
    ErrorCode(201011, _("creating the group failed"), _BY_HAND),
    ErrorCode(201012, _("renaming the group failed"), _BY_HAND),
    ErrorCode(201013, _("adding the member failed"), _BY_HAND),
    ErrorCode(201014, _("removing the member failed"), _BY_HAND),
    ErrorCode(201015, _("the announcement failed"), _BY_HAND),
    ErrorCode(201016, _("the group remark failed"), _BY_HAND),
    ErrorCode(201017, _("the group template failed"), _BY_HAND),
    ErrorCode(201018, _("limit of new groups reached"), _("Wait until tomorrow, or use another robot.")),
    ErrorCode(201101, _("chat window not found"), _NAME),
    ErrorCode(201102, _("sending failed"), _AGAIN, retry=True),
    ErrorCode(201103, _("button not found"), _AGAIN, retry=True),
    ErrorCode(201104, _("target not found"), _NAME),
    ErrorCode(201105, _("forwarding failed"), _AGAIN, retry=True),
    ErrorCode(201106, _("already added"), _("The person is already a contact."), counts_as_done=True),
    ErrorCode(201107, _("file download failed"), _("Check that the file's public address is reachable."), retry=True),
    ErrorCode(201108, _("file storage failed"), _("Free some space on the phone."), retry=True),
    ErrorCode(201109, _("getting the group QR code failed"), _AGAIN, retry=True),
    ErrorCode(501000, _("other error"), _AGAIN, retry=True),
    ErrorCode(501011, _("wrong robot id"), _KEY),
    ErrorCode(501012, _("wrong robot key"), _KEY),
    ErrorCode(501013, _("the robot is logged in on several phones"), _("Log it out on all phones but one.")),
)

TABLE = MappingProxyType({row.code: row for row in _ROWS})


def describe(code: int) -> ErrorCode:
    """Return what is known of a code; an unknown one is a plain failure."""
    return TABLE.get(code) or ErrorCode(code, _("unknown error"), _("Look at the phone and at the platform's text."))
