"""The picture of a graph: layered, nothing over another, and drawn however broken the graph is."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from flows import nodes
from flows.drawing import BOX_WIDTH, draw
from flows.graph import read
from flows.seeds import standard_graph


@pytest.fixture(autouse=True)
def _registered():
    nodes.registry.discover()


def drawn(document: dict[str, Any]):
    return draw(read(document))


def test_every_edge_leads_to_the_right_and_no_box_covers_another():
    picture = drawn(standard_graph())
    boxes = {box.id: box for box in picture.boxes}
    assert len(boxes) == 12
    for edge in standard_graph()["edges"]:
        assert boxes[edge["source"]].right < boxes[edge["target"]].x
    for one, other in combinations(boxes.values(), 2):
        apart = one.right <= other.x or other.right <= one.x
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y, (one.id, other.id)
    assert all(box.y >= 0 and box.y + box.height <= picture.height for box in picture.boxes)
    assert max(box.x for box in picture.boxes) + BOX_WIDTH <= picture.width


def test_ways_out_stand_at_the_box_and_open_ones_are_marked():
    graph = standard_graph()
    graph["edges"] = [edge for edge in graph["edges"] if edge["id"] != "way-silent"]
    (decision,) = [box for box in drawn(graph).boxes if box.id == "decision"]
    assert {port.name: port.is_open for port in decision.ports} == {
        "alert": False,
        "silent": True,
        "unclear": False,
        "standard": False,
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g["edges"].append({"id": "back", "source": "end", "port": "next", "target": "receive"}),
        lambda g: g["edges"].append({"id": "self", "source": "reply", "port": "next", "target": "reply"}),
        lambda g: g["edges"].append({"id": "lost", "source": "reply", "port": "next", "target": "nowhere"}),
        lambda g: g["nodes"].append({"id": "gone", "type": "carrier_pigeon"}),
        lambda g: g["nodes"].append(g["nodes"][0]),
        lambda g: g["edges"].append(g["edges"][-1]),
        lambda g: g["nodes"][2].update(config={"rules": "nonsense"}),
        lambda g: g.update(edges=[]),
        lambda g: g.update(nodes=[], edges=[]),
    ],
)
def test_a_broken_graph_is_drawn_all_the_same(change):
    graph = standard_graph()
    change(graph)
    picture = drawn(graph)
    assert len(picture.boxes) == len({node["id"] for node in graph["nodes"]})
    assert "nan" not in " ".join(line.path for line in picture.lines)
