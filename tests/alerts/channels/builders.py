from __future__ import annotations

from alerts.channels import Notification
from worktool_ai.lib.ids import uuid7


def notification(**fields) -> Notification:
    values = {
        "delivery_id": uuid7(),
        "alert_id": uuid7(),
        "level": "critical",
        "code": "risk",
        "title": "客服群 · 张三：我要投诉",
        "text": "【严重】高危言论\n客服群 · 张三",
        "robot_id": None,
        "room_name": "客服群",
        "recipient_name": "值班主管",
        "recipient_user_id": None,
        "chat_name": "值班主管",
        "chat_is_group": False,
    }
    return Notification(**{**values, **fields})
