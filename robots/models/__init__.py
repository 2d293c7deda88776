"""The WorkTool gateway's tables: robots and their rooms, the lines said there, the commands sent."""

from __future__ import annotations

from robots.models.commands import Command, CommandResult, CommandState, UnknownSend
from robots.models.egress import Egress
from robots.models.inbound import DeadLetter, Fingerprint, InboxEntry, Media
from robots.models.messages import Conversation, Direction, Message, Owner, Reason, Room, RoomType
from robots.models.recovery import CallbackGap, DoorMark, GapCause, GapState, OpenQuestion
from robots.models.robots import GroupQrCode, Mode, OnlineChange, Robot, RobotGroup, StaleReply
from robots.models.switches import Switch, SwitchScope

__all__ = [
    "CallbackGap",
    "Command",
    "CommandResult",
    "CommandState",
    "Conversation",
    "DeadLetter",
    "Direction",
    "DoorMark",
    "Egress",
    "Fingerprint",
    "GapCause",
    "GapState",
    "GroupQrCode",
    "InboxEntry",
    "Media",
    "Message",
    "Mode",
    "OnlineChange",
    "OpenQuestion",
    "Owner",
    "Reason",
    "Robot",
    "RobotGroup",
    "Room",
    "RoomType",
    "StaleReply",
    "Switch",
    "SwitchScope",
    "UnknownSend",
]
