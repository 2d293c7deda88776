from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from flows.nodes import Next, Node, NodeContext
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _


class MessageDispatch(Node):
    """Says where the answer goes: the group with a mention, or the person in private."""

    key: ClassVar[str] = "message_dispatch"
    label: ClassVar[str] = "消息分发"
    does: ClassVar[str] = _("Room or person, and who is mentioned. A group line is answered in the group.")

    class Config(PluginConfig):
        group_answer: Literal["group", "private_if_known"] = Field(
            default="group",
            title=_("Lines of a group"),
            json_schema_extra={
                "labels": {
                    "group": _("answered in the group"),
                    "private_if_known": _("answered privately where the person is a known contact"),
                }
            },
        )
        mention: bool = Field(default=True, title=_("Mention the person in a group"))
        further_targets: tuple[str, ...] = Field(default=(), title=_("Further chats that get the answer too"))

    def run(self, ctx: NodeContext) -> Next:
        target, at_list = self._target(ctx)
        patch = {
            "target_name": target,
            "at_list": at_list,
            "variables": {"targets": [target, *self.config.further_targets]},
        }
        return Next(patch=patch, detail={"target": target, "mention": list(at_list)})

    def _target(self, ctx: NodeContext) -> tuple[str, tuple[str, ...]]:
        data = ctx.data
        if not data.is_group:
            return data.user_name, ()
        if self.config.group_answer == "private_if_known" and ctx.robot.private_address:
            return ctx.robot.private_address, ()
        group = data.group_remark or data.group_name or ""
        return group, (data.user_name,) if self.config.mention else ()
