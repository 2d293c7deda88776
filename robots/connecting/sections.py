"""The examination as a whole: all checks, in the order in which a person goes about connecting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext_lazy as _

from robots.connecting import callback_checks, our_checks, phone_checks, platform_checks
from robots.connecting.addresses import BOUND
from robots.connecting.checks import Check, CheckState, Text
from robots.connecting.facts import Facts

__all__ = ["Section", "examine"]

_SECTIONS: tuple[tuple[str, Text, tuple[Callable[[Facts], Check], ...]], ...] = (
    (
        "platform",
        _("The platform"),
        (platform_checks.base_url, platform_checks.robot_id, platform_checks.robot_key, platform_checks.licence),
    ),
    (
        "callbacks",
        _("What it posts to us"),
        (
            callback_checks.public_address,
            callback_checks.open_callback,
            callback_checks.message_url,
            callback_checks.reply_all,
            *(partial(callback_checks.binding, kind=kind) for kind in BOUND),
            callback_checks.body_format,
        ),
    ),
    ("phone", _("Phone and names"), (phone_checks.online, phone_checks.own_name, phone_checks.group_names)),
    ("ours", _("Our side"), (our_checks.mode, our_checks.arrivals)),
)


@dataclass(frozen=True, slots=True)
class Section:
    """Checks that belong together."""

    key: str
    title: Text
    checks: list[Check]

    @property
    def problems(self) -> int:
        return sum(check.state == CheckState.PROBLEM for check in self.checks)


def examine(facts: Facts) -> list[Section]:
    """Judge the facts; asks nobody."""
    return [Section(key, title, [check(facts) for check in checks]) for key, title, checks in _SECTIONS]
