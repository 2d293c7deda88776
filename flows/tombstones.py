"""What stands in a published version for a node that can no longer be built: its type was removed, or reads its stored
settings no more. A run that comes to it meets a failure with a clear reason, which the edge rule handles as any other.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn

from flows.nodes import Node, NodeContext, NodeError

__all__ = ["Tombstone"]


class Tombstone(Node):
    """Fails whatever it is asked, saying why. Never registered: no flow can be made of it."""

    key: ClassVar[str] = "tombstone"
    label: ClassVar[str] = "tombstone"

    def __init__(self, reason: str) -> None:
        super().__init__(None)
        self.reason = reason

    def run(self, ctx: NodeContext) -> NoReturn:
        raise NodeError(self.reason)
