"""What one click does about a problem: each a function of the services or of ``binding``, by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from robots import services
from robots.client import NoCredentials
from robots.connecting import binding
from robots.connecting.addresses import BOUND
from robots.connecting.answers import stored
from robots.connecting.checks import Text
from robots.connecting.looking import QUERIES, forget
from robots.limiter import limiter
from robots.models import Mode, Robot
from robots.services import Actor
from worktool_ai.accounts.permissions import Ability

__all__ = ["FIXES", "Fix", "Outcome", "apply"]

MAX_INPUT = 200
LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a click, in words for the person."""

    ok: bool
    text: str


Deed = Callable[[Robot, str, Actor, HttpRequest | None], Outcome]


@dataclass(frozen=True, slots=True)
class Fix:
    """One button. ``field`` is the label of its input where it needs one; ``stale`` names the queries whose answers
    it changes; ``needs`` is an ability, None where changing the robot's row is right enough.
    """

    name: str
    label: Text
    deed: Deed
    field: Text = ""
    stale: tuple[str, ...] = ("info", "bindings")
    needs: Ability | None = Ability.CONNECT_ROBOTS


def apply(fix: Fix, robot: Robot, value: str, actor: Actor, request: HttpRequest | None = None) -> Outcome:
    """Do it, and have asked anew what it changes. Raises ``redis.RedisError`` when Redis is away."""
    value = value.strip()[:MAX_INPUT]
    if fix.field and not value:
        return Outcome(False, gettext("Enter a value first."))
    try:
        outcome = fix.deed(robot, value, actor, request)
    except NoCredentials as error:
        return Outcome(False, gettext(str(error)))
    if fix.stale:
        forget(robot, *fix.stale)
    return outcome


def _told(steps: list[binding.Step], done: Text) -> Outcome:
    problems = "; ".join(f"{step.event}: {step.problem}" for step in steps if step.problem)
    if not problems:
        return Outcome(True, str(done))
    return Outcome(False, gettext("The platform did not take it: %(problems)s") % {"problems": problems})


def _at_platform(change: Callable[..., list[binding.Step]], done: Text) -> Deed:
    def deed(robot: Robot, _value: str, actor: Actor, request: HttpRequest | None) -> Outcome:
        return _told(change(robot, actor, request), done)

    return deed


def _rotate(robot: Robot, _value: str, actor: Actor, request: HttpRequest | None) -> Outcome:
    rotated = services.rotate_callback_key(robot, actor, request)
    told = _told(binding.connect_robot(rotated, actor, request), _("New key made and told to the platform."))
    if told.ok:
        return told
    return Outcome(False, f"{gettext('New key made; the old address works 24 hours more.')} {told.text}")


def _set_key(robot: Robot, value: str, actor: Actor, request: HttpRequest | None) -> Outcome:
    services.set_robot_key(robot, value, actor, request)
    return Outcome(True, gettext("Key stored; the platform is asked with it now."))


def _set_id(robot: Robot, value: str, actor: Actor, request: HttpRequest | None) -> Outcome:
    try:
        services.change_platform_id(robot, value, actor, request)
    except ValidationError as error:
        return Outcome(False, " ".join(error.messages))
    return Outcome(True, gettext("Robot id stored; the platform is asked for it now."))


def _add_alias(robot: Robot, _value: str, actor: Actor, request: HttpRequest | None) -> Outcome:
    info = stored(robot.pk).info
    if info is None or not info.name:
        return Outcome(False, gettext("The platform has not told its name yet."))
    services.add_alias(robot, info.name, actor, request)
    return Outcome(True, gettext("Added to the other names."))


def _set_mode(mode: Mode) -> Deed:
    def deed(robot: Robot, _value: str, actor: Actor, request: HttpRequest | None) -> Outcome:
        services.set_mode(robot, mode, actor, request)
        return Outcome(True, str(mode.label))

    return deed


def _look_again(robot: Robot, _value: str, actor: Actor, request: HttpRequest | None) -> Outcome:
    """Ask everything anew, at most once in a few seconds: each look costs requests that answers need."""
    if limiter().once_per(f"checks:{robot.pk}", LOOK_EVERY_S):
        forget(robot, *QUERIES)
    return Outcome(True, gettext("Asked again."))


_EVERYTHING = tuple(QUERIES)
_SET: Text = _("Set at the platform.")
_BUTTONS = (
    Fix("connect", _("Set everything up"), _at_platform(binding.connect_robot, _("All five callbacks come here now."))),
    Fix("message_url", _("Post new lines here"), _at_platform(binding.set_message_url, _SET)),
    Fix("open_callback", _("Switch on"), _at_platform(binding.open_callback, _SET)),
    Fix("hear_everything", _("Post all group lines"), _at_platform(binding.hear_everything, _SET)),
    *(Fix(f"bind_{kind}", _("Bind"), _at_platform(partial(binding.bind_one, kind), _SET)) for kind in BOUND),
    Fix("robot_key", _("Use this key"), _set_key, field=_("robot key"), stale=_EVERYTHING),
    Fix("robot_id", _("Use this id"), _set_id, field=_("robot id"), stale=_EVERYTHING),
    Fix("rotate_key", _("New callback key"), _rotate),
    Fix("add_alias", _("Add as another name"), _add_alias, stale=(), needs=None),
    Fix("mode_shadow", _("Shadow: drafts only"), _set_mode(Mode.SHADOW), stale=(), needs=None),
    Fix("mode_assist", _("Assist: a person sends"), _set_mode(Mode.ASSIST), stale=(), needs=None),
    Fix("mode_automatic", _("Automatic"), _set_mode(Mode.AUTOMATIC), stale=(), needs=None),
    Fix("look", _("Check again"), _look_again, stale=(), needs=None),
)
FIXES: dict[str, Fix] = {fix.name: fix for fix in _BUTTONS}
