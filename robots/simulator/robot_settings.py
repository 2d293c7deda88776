"""A robot's settings as its owner left them at the platform, set for a test or a demonstration."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from robots.simulator.records import Json, platform_time
from robots.simulator.world import EVENT_NAMES, NEW_MESSAGE, Robot

__all__ = ["RobotSettings", "shown_robot"]

#: The body's key, and the robot's attribute.
_ATTRIBUTES: Final = {
    "name": "name",
    "isKnown": "is_known",
    "openCallback": "open_callback",
    "replyAll": "reply_all",
    "robotKeyCheck": "key_check",
    "robotKey": "key",
    "callBackRequestType": "body_type",
}


class RobotSettings(BaseModel):
    """``PUT /sim/robot``; a key that is left out keeps what is set.

    ``callbackUrl`` is taken as it is, wrong or not (empty removes it); ``bindings`` false forgets the other four
    callbacks; ``isKnown`` false plays a wrong robotId; ``licenceDays`` may be negative.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    robotId: str = Field(min_length=1, max_length=200)
    name: str | None = Field(default=None, min_length=1, max_length=80)
    isKnown: bool | None = None
    openCallback: Literal[0, 1] | None = None
    replyAll: Literal[-1, 0, 1] | None = None
    robotKeyCheck: Literal[0, 1] | None = None
    robotKey: str | None = Field(default=None, max_length=200)
    callBackRequestType: Literal[1, 2] | None = None
    callbackUrl: str | None = Field(default=None, max_length=2000)
    bindings: Literal[False] | None = None
    licenceDays: int | None = Field(default=None, ge=-3650, le=3650)

    def apply(self, robot: Robot, now: float) -> None:
        for key, attribute in _ATTRIBUTES.items():
            if (value := getattr(self, key)) is not None:
                setattr(robot, attribute, value)
        if self.bindings is False:
            robot.urls = {type_: url for type_, url in robot.urls.items() if type_ == NEW_MESSAGE}
        if self.callbackUrl is not None:
            robot.urls[NEW_MESSAGE] = self.callbackUrl
        if not robot.urls.get(NEW_MESSAGE):
            robot.urls.pop(NEW_MESSAGE, None)
        if self.licenceDays is not None:
            robot.expires = now + self.licenceDays * 24 * 3600


def shown_robot(robot: Robot) -> Json:
    """Return what ``GET /sim/robot`` answers; the key only as whether there is one."""
    return {
        "robotId": robot.id,
        **{key: getattr(robot, attribute) for key, attribute in _ATTRIBUTES.items() if attribute != "key"},
        "hasKey": bool(robot.key),
        "licenceEnd": platform_time(robot.expires),
        "callbacks": {EVENT_NAMES[type_]: url for type_, url in sorted(robot.urls.items())},
    }
