"""Batches of callbacks become rows: rooms, conversations, lines, duplicates, media, results, presence."""

from __future__ import annotations

import base64
import random
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from robots.inbound.rows import UnknownRobotError
from robots.inbound.store import StoredBatch, store_batch
from robots.models import (
    CommandResult,
    Conversation,
    Fingerprint,
    GroupQrCode,
    Media,
    Message,
    OnlineChange,
    Robot,
    Room,
)
from robots.stream import Callback
from tests.robots.inbound.builders import AT, callback, contract, line, make_robot
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


@pytest.fixture
def robot() -> Robot:
    return make_robot()


def store(*callbacks: Callback) -> StoredBatch:
    with transaction.atomic():
        return store_batch(callbacks)


def kept_texts() -> list[str]:
    return list(Message.objects.filter(reason="").order_by("id").values_list("text", flat=True))


def test_a_line_is_stored_with_room_conversation_and_event(robot):
    batch = store(callback(robot.id, line(messageId="19", roomType=3, groupRemark="A群")))
    message = Message.objects.select_related("room", "conversation").get()
    assert (message.room.address, message.room.name, message.room.room_type) == ("A群", "客服群", 3)
    assert message.conversation.sender_name == "张三"
    assert (message.direction, message.platform_id, message.reason, message.settled_at) == ("in", "19", "", None)
    assert message.received_at == AT
    (stored,) = batch.lines
    assert (stored.message_id, stored.conversation_id) == (message.pk, message.conversation_id)
    assert (stored.room_id, stored.room_address, stored.is_group) == (message.room_id, "A群", True)
    (event,) = EventBatch.objects.get().items
    assert (event["type"], event["robot"], event["group"]) == ("message_received", "demo", "客服部")
    assert event["data"]["content"] == "如何退款？"
    robot.refresh_from_db()
    assert robot.last_callback_at == AT


def test_rooms_and_conversations_are_created_once(robot):
    store(*(callback(robot.id, line(f"第{n}句", sender=f"客户{n % 3}"), after=n) for n in range(9)))
    store(callback(robot.id, line("又一句", sender="客户1"), after=20))
    assert Room.objects.count() == 1
    assert Conversation.objects.count() == 3
    assert Message.objects.count() == 10


def test_equal_names_are_two_rooms_when_one_is_a_group(robot):
    store(
        callback(robot.id, line(groupName="张三", roomType=1)),
        callback(robot.id, line(groupName="", roomType=2)),
    )
    assert sorted(Room.objects.values_list("is_group", "address")) == [(False, "张三"), (True, "张三")]


def test_a_renamed_group_keeps_its_room_under_the_remark(robot):
    store(callback(robot.id, line(groupName="旧名", groupRemark="A群", roomType=0)))
    store(callback(robot.id, line("又", groupName="新名", groupRemark="A群", roomType=1)))
    room = Room.objects.get()
    assert (room.name, room.room_type) == ("新名", 1)


def test_a_robot_that_was_removed_is_an_error_of_the_data(robot):
    with pytest.raises(UnknownRobotError):
        store(callback(uuid7(), line()))


# -- duplicates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("copies", "kept"),
    [
        ([(0, ""), (3, ""), (9, "")], 1),  # three equal ones without ids in the window
        ([(0, ""), (4, "a")], 1),  # first without id, seconds later again with one
        ([(0, "a"), (4, "")], 1),
        ([(0, ""), (11, "")], 2),  # said twice, outside the window
        ([(0, "a"), (4, "b")], 2),  # two ids: two lines, however near
        ([(0, "a"), (4000, "a")], 1),  # equal id and text, at any distance
        ([(0, "a"), (20, "b"), (40, "a")], 2),  # also after another line with that text
        ([(0, ""), (3, "a"), (6, "b")], 2),  # the id that was learned tells the third apart
        ([(0, ""), (9, ""), (12, "")], 2),  # the window counts from the line that was kept
        ([(5, ""), (0, "")], 1),  # on door times, also when they come in disorder
    ],
)
def test_duplicates(robot, copies, kept, together):
    callbacks = [callback(robot.id, line(messageId=platform_id), after=after) for after, platform_id in copies]
    if together:
        store(*callbacks)
    else:
        for one in callbacks:
            store(one)
    assert len(kept_texts()) == kept
    repeated = Message.objects.filter(reason="duplicate")
    assert repeated.count() == len(copies) - kept
    for message in repeated.select_related("duplicate_of"):
        assert message.duplicate_of is not None
        assert message.duplicate_of.reason == ""
        assert message.settled_at is not None


@pytest.mark.parametrize(
    "other",
    [
        {"sender": "李四"},
        {"text": "如何退货？"},
        {"groupName": "另一个群"},
        {"groupName": "", "roomType": 2},
        {"textType": 15},
    ],
)
def test_what_differs_is_no_duplicate(robot, other):
    store(callback(robot.id, line()), callback(robot.id, line(**other), after=1))
    assert len(kept_texts()) == 2


def test_the_window_is_the_robots_own():
    robot = make_robot(duplicate_window_s=2)
    store(callback(robot.id, line()), callback(robot.id, line(), after=3))
    assert len(kept_texts()) == 2


def test_one_platform_id_shared_by_different_texts_is_no_duplicate(robot):
    store(callback(robot.id, line("甲", messageId="1")), callback(robot.id, line("乙", messageId="1"), after=1))
    assert kept_texts() == ["甲", "乙"]


def test_random_deliveries_keep_each_line_once(robot):
    """Copies within the window, shuffled and cut into batches at random: one of each text is kept."""
    chance = random.Random(7)
    said = [callback(robot.id, line(f"第{n}句"), after=chance.random() * 5) for n in range(30) for _copy in range(3)]
    chance.shuffle(said)
    while said:
        size = chance.randint(1, 12)
        store(*said[:size])
        del said[:size]
    assert len(kept_texts()) == len(set(kept_texts())) == 30
    assert Message.objects.filter(reason="duplicate").count() == 60


def test_a_forgotten_original_does_not_keep_its_repetition_from_being_stored(robot):
    store(callback(robot.id, line(messageId="a")))
    Message.objects.all().delete()
    store(callback(robot.id, line(messageId="a"), after=5))
    message = Message.objects.get()
    assert (message.reason, message.duplicate_of_id) == ("duplicate", None)


# -- the same callback again -------------------------------------------------------------------------------------------


def test_taking_a_batch_twice_changes_nothing(robot):
    batch = [callback(robot.id, line("一")), callback(robot.id, line("一"), after=2), callback(robot.id, line("二"))]
    store(*batch)
    before = list(Message.objects.order_by("id").values()), list(Fingerprint.objects.order_by("digest").values())
    again = store(*batch, batch[0])
    assert (again.lines, again.known) == ([], 3)
    assert before == (
        list(Message.objects.order_by("id").values()),
        list(Fingerprint.objects.order_by("digest").values()),
    )
    assert EventBatch.objects.count() == 1


def test_a_callback_that_is_twice_in_one_batch_is_one_line(robot):
    one = callback(robot.id, line())
    assert len(store(one, one).lines) == 1
    assert len(kept_texts()) == 1


# -- lines that start no run -------------------------------------------------------------------------------------------


def test_system_lines_are_stored_with_their_reason(robot):
    batch = store(
        callback(robot.id, contract("message_callbacks")["new_friend"]["body"]),
        callback(robot.id, line("张三加入了群聊", textType=10)),
    )
    assert batch.lines == []
    assert set(Message.objects.values_list("reason", flat=True)) == {"system_line"}


def test_a_group_line_without_the_groups_name_cannot_be_answered(robot):
    batch = store(callback(robot.id, line(groupName="", roomType=1)))
    assert batch.lines == []
    assert Message.objects.get().reason == "unsupported_type"


def test_lines_of_a_robot_that_is_switched_off_are_stored_only():
    robot = make_robot(is_active=False)
    assert store(callback(robot.id, line())).lines == []
    assert Message.objects.get().reason == "stopped_by_switch"


# -- media -------------------------------------------------------------------------------------------------------------


def test_a_picture_is_stored_once_and_referenced(robot):
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 100).decode()
    first, second = (
        callback(robot.id, line("", sender=sender, textType=2, fileBase64=picture)) for sender in ("张三", "李四")
    )
    batch = store(first, second)
    media = Media.objects.get()
    assert (media.content_type, media.size) == ("image/png", 108)
    assert [one.media_digest for one in batch.lines] == [media.digest, media.digest]
    assert set(Message.objects.values_list("media", flat=True)) == {media.digest}
    assert "fileBase64" not in Message.objects.earliest("id").extra


# -- other kinds -------------------------------------------------------------------------------------------------------


def test_a_result_is_recorded_once(robot):
    body = contract("result_callbacks")
    one = callback(robot.id, next(iter(body.values()))["body"], kind="result")
    assert store(one).results == 1
    assert store(one).results == 0
    assert CommandResult.objects.get().pk == one.id


def test_qr_codes_and_presence(robot):
    bodies = contract("other_callbacks")
    batch = [
        callback(robot.id, bodies["qr_code"]["body"], kind="qrcode"),
        callback(robot.id, bodies["online"]["body"], kind="online", after=1),
        callback(robot.id, b"anything at all=1", kind="offline", after=2, content_type="text/plain"),
    ]
    store(*batch)
    store(*batch[:2])
    assert GroupQrCode.objects.get().qr_code == bodies["qr_code"]["body"]["qrCode"]
    assert list(OnlineChange.objects.order_by("at").values_list("is_online", flat=True)) == [True, False]
    robot.refresh_from_db()
    assert robot.is_online is False  # an older "online" that comes late does not win


def test_last_callback_is_noted_every_few_seconds_only(robot):
    for after in (0, 1, 4, 7):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            store(callback(robot.id, line(f"{after}"), after=after))
        written = any("last_callback_at" in query["sql"] for query in queries)
        assert written is (after in {0, 7})
    robot.refresh_from_db()
    assert robot.last_callback_at == AT + timedelta(seconds=7)


# -- cost --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 100])
def test_a_batch_of_any_size_takes_the_same_few_statements(robot, count):
    store(callback(robot.id, line("先来一句")))
    batch = [callback(robot.id, line(f"第{n}句", sender=f"客户{n % 20}"), after=1) for n in range(count)]
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        store_batch(batch)
    statements = [query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(statements) <= 4, statements
    assert Message.objects.count() == count + 1
