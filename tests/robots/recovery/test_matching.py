"""Each stored line accounts for one row of the log; what is left was never stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from robots.recovery.log import Remark, lines_of
from robots.recovery.matching import Stored, missing
from worktool_ai.lib.ids import uuid7

ROBOT = uuid7()
AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # 10:00:00 in China
WINDOW = {ROBOT: timedelta(seconds=10)}


def row(second: float, text: str = "在吗", id_: str | None = None, sender: str = "张三", group: str = "客服群") -> Any:
    at = AT + timedelta(hours=8, seconds=int(second))
    return {
        "startTime": at.strftime("%Y-%m-%d %H:%M:%S"),
        "question": text,
        "rawSpoken": text,
        "receivedName": sender,
        "groupName": group,
        "roomType": 1,
        "textType": 1,
        "atMe": False,
        "messageId": id_,
    }


def stored(second: float, text: str = "在吗", id_: str = "", **fields: Any) -> Stored:
    given = {"sender": "张三", "room_names": frozenset({"客服群"}), "is_duplicate": False, **fields}
    at = AT + timedelta(seconds=second)
    return Stored(at=at, is_group=True, text_type=1, text=text, platform_id=id_, **given)


def left(rows: list[Any], *known: Stored, until: float = 60) -> list[tuple[int, str]]:
    lines = lines_of(ROBOT, rows[::-1], [])
    found = missing(lines, known, until=AT + timedelta(seconds=until), windows=WINDOW)
    return [(round((one.at - AT).total_seconds()), one.line.text) for one in found]


@pytest.mark.parametrize(
    ("rows", "known", "expected"),
    [
        ([row(0)], [], [(0, "在吗")]),
        ([row(0)], [stored(0.4)], []),
        ([row(0, "甲"), row(1, "乙")], [stored(1.4, "乙")], [(0, "甲")]),
        # said twice, the second one lost, or the first
        ([row(0), row(20)], [stored(0.3)], [(20, "在吗")]),
        ([row(0), row(20)], [stored(20.3)], [(0, "在吗")]),
        # the door was stopped: both were stored when it went on
        ([row(0), row(20)], [stored(58.1), stored(58.2)], []),
        ([row(0)], [stored(59)], []),
        # said again just after the outage
        ([row(50), row(63)], [stored(63.2)], [(50, "在吗")]),
        # the platform's clock is off by half a minute
        ([row(25, "甲"), row(26, "乙")], [stored(0, "甲"), stored(1, "乙")], []),
        # equal id and text is one line at any distance; another id is another line
        ([row(0, id_="7")], [stored(500, id_="7")], []),
        ([row(0, id_="7"), row(1, id_="8")], [stored(0.2, id_="7")], [(1, "在吗")]),
        ([row(0, id_="7"), row(0, "别的", id_="7")], [stored(0.2, id_="7")], [(0, "别的")]),
        # delivered twice, first without an id: one line, whichever copy we have
        ([row(0), row(2, id_="7")], [], [(0, "在吗")]),
        ([row(0), row(2, id_="7")], [stored(0.2)], []),
        ([row(0), row(2, id_="7")], [stored(2.2, id_="7")], []),
        ([row(0), row(2, id_="7")], [stored(0.2), stored(2.2, id_="7", is_duplicate=True)], []),
        # a copy that we know to be one does not account for a line of its own
        ([row(0), row(15)], [stored(0.2), stored(0.3, is_duplicate=True)], [(15, "在吗")]),
        # same words of somebody else, and elsewhere
        ([row(0)], [stored(0.2, sender="李四")], [(0, "在吗")]),
        ([row(0)], [stored(0.2, room_names=frozenset({"别的群"}))], [(0, "在吗")]),
    ],
)
def test_each_stored_line_accounts_for_one_row(rows, known, expected):
    assert left(rows, *known) == expected


def test_a_row_has_the_same_id_whenever_it_is_read_and_rows_of_one_second_keep_their_order():
    rows = [row(0, f"第{number}句") for number in range(20)] + [row(1, "后来")]
    first = lines_of(ROBOT, rows[::-1], [])
    again = lines_of(ROBOT, rows[:5][::-1], [])
    assert [one.line.text for one in first] == [one["question"] for one in rows]
    assert [one.line.id for one in first][:5] == [one.line.id for one in again]
    assert {one.line.id.version for one in first} == {7}
    assert first[0].at == AT
    assert lines_of(UUID(int=1), rows[:1], [])[0].line.id != first[0].line.id


def test_rows_that_are_no_lines_are_left_out():
    sample = row(0, "欢迎使用", sender="WorkTool", group="WorkTool")
    nested: Any = []
    for _level in range(40):
        nested = [nested]
    odd = [{**row(0), "startTime": "gestern"}, {"startTime": "2026-11-22 10:00:00"}, {**row(0), "question": nested}]
    assert lines_of(ROBOT, [sample, *odd], []) == []


def test_a_group_is_addressed_by_its_remark_where_that_can_be_told():
    one = Remark("答疑群", "A03", frozenset({"张三"}))
    other = Remark("答疑群", "B04", frozenset({"李四"}))

    def address(*remarks: Remark, sender: str = "张三") -> str:
        return lines_of(ROBOT, [row(0, group="答疑群", sender=sender)], remarks)[0].line.room_address

    assert (address(one), address(one, other), address(one, other, sender="李四")) == ("A03", "A03", "B04")
    assert (address(one, other, sender="王五"), address()) == ("答疑群", "答疑群")
