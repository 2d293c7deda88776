"""Small builders for tests of nodes, graphs and walks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from flows import nodes
from flows.context import StandardContext
from flows.nodes import HistoryLine, Knowledge, Node, NodeContext, RobotFacts

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)


def context(**values: Any) -> StandardContext:
    """A line by 张三 in 客服群, unless told otherwise."""
    defaults: dict[str, Any] = {
        "robot_id": "demo",
        "robot_name": "客服机器人",
        "session_id": "c-1",
        "message_id": "m-1",
        "user_id": "c-1",
        "user_name": "张三",
        "group_id": "r-1",
        "group_name": "客服群",
        "room_type": 1,
        "is_group": True,
        "original_message": "如何退款？",
        "raw_message": "如何退款？",
        "text_type": 1,
        "at_me": False,
        "start_time": int(NOW.timestamp() * 1000),
        "received_at": int(NOW.timestamp() * 1000),
    }
    return StandardContext(**{**defaults, **values})


def private(**values: Any) -> StandardContext:
    """A line by 张三 in a private chat."""
    return context(**{"is_group": False, "group_id": None, "group_name": None, "room_type": 2, **values})


def node_context(
    data: StandardContext | None = None,
    *,
    now: datetime = NOW,
    owner: str = "robot",
    rules: list[dict[str, Any]] | None = None,
    history: tuple[HistoryLine, ...] = (),
    private_address: str | None = None,
) -> NodeContext:
    robot = RobotFacts(
        mode="automatic",
        line_fresh_s=300,
        reply_fresh_s=180,
        owner=owner,
        persona_id="p-1",
        persona_type="service",
        private_address=private_address,
    )
    return NodeContext(
        data=data or context(), now=now, robot=robot, knowledge=Knowledge(lambda facts: rules or []), history=history
    )


def node(key: str, **config: Any) -> Node:
    """A configured node of a registered type."""
    nodes.registry.discover()
    plugin = nodes.registry.get(key)
    return plugin(plugin.Config.load(config))


def graph(*chain: str, edges: list[Mapping[str, Any]] | None = None, config: Mapping[str, Any] | None = None) -> Any:
    """A stored graph of nodes named after their types ("a:type" gives an id), in a chain unless edges are given."""
    pairs = [item.split(":") if ":" in item else [item.replace("_", "-"), item] for item in chain]
    ids = [pair[0] for pair in pairs]
    links = edges
    if links is None:
        links = [{"id": f"e{n}", "source": a, "target": b} for n, (a, b) in enumerate(pairwise(ids))]
    found = [{"id": node_id, "type": kind, "config": (config or {}).get(node_id, {})} for node_id, kind in pairs]
    return {"nodes": found, "edges": [dict(link) for link in links]}
