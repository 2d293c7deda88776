"""The picture of a graph: layered left to right, computed here and rendered as SVG by a template.

Pure and tolerant: a draft may be wrong in every way that validation reports and must still be seen. An edge that closes
a circle is drawn backwards; one without both ends is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import Any

from flows import nodes
from flows.graph import EdgeSpec, GraphSpec, NodeSpec
from worktool_ai.lib.text import shorten

__all__ = ["Box", "Line", "Picture", "Port", "draw", "ports_of", "type_label"]

BOX_WIDTH = 132
HEADER = 46
PORT_HEIGHT = 20
COLUMN_GAP = 40
ROW_GAP = 18
#: What a line takes where it passes a column between the boxes.
LANE = 8
MARGIN = 16
SWEEPS = 4


@dataclass(slots=True)
class Port:
    """A way out at the right side of a box; ``y`` is its middle. ``is_open``: it leads nowhere."""

    name: str
    y: float
    is_open: bool


@dataclass(slots=True)
class Box:
    """A node. ``state`` is what became of it in a run (done, failed, skipped), or empty."""

    id: str
    name: str
    title: str
    type: str
    x: float
    y: float
    height: float
    state: str = ""
    ports: list[Port] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return self.y + HEADER / 2

    @property
    def right(self) -> float:
        return self.x + BOX_WIDTH


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as an SVG path; ``title`` is told when the pointer rests on it."""

    path: str
    title: str
    has_condition: bool
    state: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that the template draws; sizes in pixels."""

    width: float
    height: float
    boxes: Sequence[Box]
    lines: Sequence[Line]
    box_width: int = BOX_WIDTH


def type_label(key: str) -> str:
    """Return a node type's label; of a type that is not registered its key."""
    return str(nodes.registry.get(key).label) if key in nodes.registry else key


def ports_of(node: NodeSpec, edges: Sequence[EdgeSpec]) -> list[str]:
    """Return the ways out that a node has by its configuration, then those that only edges name."""
    named = dict.fromkeys(edge.port for edge in edges if edge.source == node.id)
    try:
        plugin = nodes.registry.get(node.type)
        own = plugin.ports_for(plugin.Config.load(node.config))
    except (KeyError, ValueError):
        own = ()  # reported by validation
    # a node without a single edge ends the run: its ports are no ways out
    return list(dict.fromkeys([*own, *named])) if named else []


def draw(spec: GraphSpec, states: Mapping[str, str] | None = None, edges: Mapping[str, str] | None = None) -> Picture:
    """Lay a graph out. ``states`` by node and ``edges`` (taken or skipped) by edge show how a run went."""
    drawable = _Layout(spec)
    drawable.place()
    boxes = drawable.boxes()
    for box in boxes.values():
        box.state = (states or {}).get(box.id, "skipped" if states is not None else "")
    lines = [drawable.line(edge, boxes, (edges or {}).get(edge.id, "")) for edge in drawable.edges]
    height = max([place.y + place.height for place in drawable.places.values()], default=0) + MARGIN
    width = max([box.right for box in boxes.values()], default=0) + MARGIN
    return Picture(width, height, list(boxes.values()), lines)


@dataclass(slots=True)
class _Place:
    """Where something stands: a node, or a lane in which a long edge passes a column."""

    column: int
    height: float
    y: float = 0.0
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


class _Layout:
    """Columns by longest way, order within a column by the neighbours' middle, heights by the neighbours' heights."""

    def __init__(self, spec: GraphSpec) -> None:
        self.nodes = {node.id: node for node in spec.nodes}
        self.edges = [edge for edge in spec.edges if edge.source in self.nodes and edge.target in self.nodes]
        self.ports = {node.id: ports_of(node, spec.edges) for node in spec.nodes}
        self.places: dict[str, _Place] = {}
        self.lanes: dict[str, list[str]] = {}
        self.columns: list[list[str]] = []

    def place(self) -> None:
        column_of = self._columns()
        for node_id in self.nodes:
            height = HEADER + PORT_HEIGHT * len(self.ports[node_id])
            self.places[node_id] = _Place(column_of[node_id], height)
        for edge in self.edges:
            self._route(edge)
        self.columns = [[] for _ in range(1 + max(column_of.values(), default=-1))]
        for key, place in self.places.items():
            self.columns[place.column].append(key)
        for _ in range(SWEEPS):
            self._sort(self.columns, "before")
            self._sort(reversed(self.columns), "after")
        self._settle()

    def _columns(self) -> dict[str, int]:
        """Return each node's column: one more than its furthest predecessor's, circles cut where they close."""
        into: dict[str, list[str]] = {node_id: [] for node_id in self.nodes}
        for edge in self.edges:
            into[edge.target].append(edge.source)
        found: dict[str, int] = {}
        open_now: set[str] = set()

        def column(node_id: str) -> int:
            if node_id not in found:
                open_now.add(node_id)
                found[node_id] = max([1 + column(one) for one in into[node_id] if one not in open_now], default=0)
                open_now.discard(node_id)
            return found[node_id]

        for node_id in self.nodes:
            column(node_id)
        return found

    def _route(self, edge: EdgeSpec) -> None:
        """Give an edge that is longer than one column a lane in each column that it passes."""
        first, last = self.places[edge.source].column, self.places[edge.target].column
        lanes = [f"{edge.id}\0{column}" for column in range(first + 1, last)]
        for lane, column in zip(lanes, range(first + 1, last), strict=True):
            self.places[lane] = _Place(column, LANE)
        self.lanes[edge.id] = lanes
        if last > first:
            chain = [edge.source, *lanes, edge.target]
            for left, right in pairwise(chain):
                self.places[left].after.append(right)
                self.places[right].before.append(left)

    def _sort(self, columns: Any, side: str) -> None:
        for column in columns:
            rank = {key: index for group in self.columns for index, key in enumerate(group)}

            def middle(key: str, rank: Mapping[str, int] = rank) -> float:
                beside = getattr(self.places[key], side)
                return fmean(rank[one] for one in beside) if beside else rank[key]

            column.sort(key=middle)

    def _settle(self) -> None:
        """Give every place its height on the page: near its neighbours, in order, never over another."""
        for column in self.columns:
            self._stack(column, dict.fromkeys(column, 0.0))
        for side in ("before", "after", "before"):
            for column in self.columns if side == "before" else reversed(self.columns):
                self._stack(column, {key: self._wanted(key, side) for key in column})
        top = min([place.y for place in self.places.values()], default=0.0)
        for place in self.places.values():
            place.y += MARGIN - top

    def _wanted(self, key: str, side: str) -> float:
        place = self.places[key]
        beside = [self.places[one] for one in getattr(place, side)]
        return fmean(one.y + _anchor(one) for one in beside) - _anchor(place) if beside else place.y

    def _stack(self, column: list[str], wanted: Mapping[str, float]) -> None:
        """Push overlapping ones down, then shift the whole column back by the mean of what was pushed."""
        bottom = float("-inf")
        pushed = []
        for key in column:
            place = self.places[key]
            place.y = max(wanted[key], bottom)
            pushed.append(place.y - wanted[key])
            bottom = place.y + place.height + ROW_GAP
        back = fmean(pushed) if pushed else 0.0
        for key in column:
            self.places[key].y -= back

    def boxes(self) -> dict[str, Box]:
        connected = {(edge.source, edge.port) for edge in self.edges}
        found = {}
        for node_id, node in self.nodes.items():
            place = self.places[node_id]
            title = node.name or type_label(node.type)
            box = Box(
                id=node_id,
                name=shorten(title, 8),
                title=title,
                type=shorten(type_label(node.type), 9),
                x=MARGIN + place.column * (BOX_WIDTH + COLUMN_GAP),
                y=place.y,
                height=place.height,
            )
            for index, name in enumerate(self.ports[node_id]):
                y = place.y + HEADER + PORT_HEIGHT * (index + 0.5) - 4
                box.ports.append(Port(name, y, (node_id, name) not in connected))
            found[node_id] = box
        return found

    def line(self, edge: EdgeSpec, boxes: Mapping[str, Box], state: str) -> Line:
        source, target = boxes[edge.source], boxes[edge.target]
        start = next((port.y for port in source.ports if port.name == edge.port), source.middle)
        points = [(source.right, start)]
        for lane in self.lanes[edge.id]:
            place = self.places[lane]
            left = MARGIN + place.column * (BOX_WIDTH + COLUMN_GAP)
            points += [(left, place.y + LANE / 2), (left + BOX_WIDTH, place.y + LANE / 2)]
        points.append((target.x, target.middle))
        told = f"{source.title} · {edge.port} → {target.title}"
        title = f"{told}\n{edge.condition}" if edge.condition else told
        return Line(_path(points), title, bool(edge.condition), state)


def _anchor(place: _Place) -> float:
    """Where lines meet a place, below its upper edge."""
    return min(place.height, HEADER) / 2


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A curve between columns, straight within one."""
    (x, y), *rest = points
    parts = [f"M{x:.0f} {y:.0f}"]
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2:
            parts.append(f"L{to_x:.0f} {to_y:.0f}")
        else:
            bend = max(abs(to_x - x) / 2, 16)
            parts.append(f"C{x + bend:.0f} {y:.0f} {to_x - bend:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
    return " ".join(parts)
