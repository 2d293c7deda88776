"""The judge, with ledgers made by hand: each kind of finding once, and what must not be one."""

from __future__ import annotations

from typing import Any

from tests.chaos.judge import Disturbance, Said, Send, Verdict, judge, recovery_s, sends_of

ROOM, PERSON = "客服群", "张三"
WEB = Disturbance("web", "killed", at=100.0, until=103.0)
WORKER = Disturbance("worker", "killed", at=100.0, until=103.0)


def line(number: int, at: float = 0.0, **more: Any) -> Said:
    more.setdefault("faults", frozenset())
    return Said(f"#m{number}", more.pop("chat", ROOM), more.pop("sender", PERSON), at, **more)


def answer(number: int, seq: int = 0, executed: tuple[float, ...] = (5.0,), **more: Any) -> Send:
    """An accepted send that answers line ``number``; ``seq`` defaults to its number."""
    seq = seq or number
    fields = {"at": 4.0, "chat": ROOM, "status": 200, "message_id": seq, "results": 1} | more
    return Send(seq=seq, markers=(f"#m{number}",), executed=executed, **fields)


def unanswered(number: int, at: float, status: int | None = None) -> Send:
    return answer(number, executed=(), at=at, status=status, message_id=None, results=0)


def markers(findings: list[Any]) -> list[str]:
    return [finding.line.marker for finding in findings]


def assert_only(verdict: Verdict, *names: str) -> None:
    """No list of the verdict has anything in it but those named."""
    lists = {"open", "unknown", "lost", "doubled", "disordered", "stray"}
    assert {name for name in lists if getattr(verdict, name)} == set(names)


def test_answered_once_and_in_order_is_nothing_to_report() -> None:
    said = [line(1), line(2, at=1.0)]
    verdict = judge(said, [answer(1), answer(2, executed=(6.0,))], [WEB])
    assert (verdict.said, verdict.answered) == (2, 2)
    assert_only(verdict)


def test_a_line_without_any_send_and_without_a_cause_is_lost() -> None:
    verdict = judge([line(1, at=101.0)], [], [WEB])
    assert markers(verdict.lost) == ["#m1"]
    assert_only(verdict, "lost")


def test_a_line_whose_callback_the_platform_lost_is_open() -> None:
    verdict = judge([line(1, delivered=False, faults=frozenset({"callback_loss"}))], [], [])
    assert [finding.why for finding in verdict.open] == ["callback_loss"]
    assert_only(verdict, "open")


def test_a_line_that_a_killed_door_did_not_take_is_open_with_that_kill() -> None:
    verdict = judge([line(1, at=101.0, delivered=False)], [], [WEB])
    assert "web killed" in verdict.open[0].why
    assert_only(verdict, "open")


def test_a_line_that_the_door_did_not_take_is_lost_where_no_kill_explains_it() -> None:
    worker_killed = judge([line(1, at=101.0, delivered=False)], [], [WORKER])
    long_after = judge([line(1, at=110.0, delivered=False)], [], [WEB])
    assert_only(worker_killed, "lost")
    assert_only(long_after, "lost")


def test_a_delayed_callback_that_found_a_dead_door_is_open() -> None:
    late = line(1, at=97.0, delivered=False, faults=frozenset({"callback_delay"}))
    assert_only(judge([late], [], [WEB]), "open")


def test_a_call_whose_end_was_hidden_by_a_fault_is_unknown_with_that_fault() -> None:
    verdict = judge([line(1, faults=frozenset({"timeout_before"}))], [unanswered(1, at=4.0)], [])
    assert [finding.why for finding in verdict.unknown] == ["timeout_before"]
    assert_only(verdict, "unknown")


def test_a_call_that_a_kill_cut_off_is_unknown_with_that_kill() -> None:
    verdict = judge([line(1)], [unanswered(1, at=99.0)], [WORKER])
    assert "worker killed" in verdict.unknown[0].why
    assert_only(verdict, "unknown")


def test_a_send_that_nothing_disturbed_and_that_was_never_executed_is_lost() -> None:
    refused = judge([line(1)], [unanswered(1, at=4.0, status=400)], [WORKER])
    accepted = judge([line(1)], [answer(1, executed=())], [WORKER])
    undisturbed = judge([line(1)], [unanswered(1, at=50.0)], [WORKER])
    for verdict in (refused, accepted, undisturbed):
        assert_only(verdict, "lost")


def test_a_call_that_was_repeated_and_executed_is_answered() -> None:
    said = [line(1, faults=frozenset({"timeout_before"}))]
    verdict = judge(said, [unanswered(1, at=4.0), answer(1, seq=9, executed=(70.0,))], [])
    assert verdict.answered == 1
    assert_only(verdict)


def test_two_executions_are_doubled_whether_in_one_send_or_in_two() -> None:
    once = judge([line(1)], [answer(1, executed=(5.0, 6.0))], [])
    twice = judge([line(1)], [answer(1), answer(1, seq=2, executed=(6.0,))], [])
    for verdict in (once, twice):
        assert markers(verdict.doubled) == ["#m1"]
        assert_only(verdict, "doubled")


def test_execute_twice_allows_two_executions_but_not_three() -> None:
    said = [line(1, faults=frozenset({"execute_twice"}))]
    assert_only(judge(said, [answer(1, executed=(5.0, 6.0))], []))
    assert_only(judge(said, [answer(1, executed=(5.0, 6.0)), answer(1, seq=2, executed=(7.0,))], []), "doubled")


def test_two_lines_of_one_person_answered_the_wrong_way_round_are_disordered() -> None:
    said = [line(1), line(2, at=1.0)]
    verdict = judge(said, [answer(2, seq=1, executed=(5.0,)), answer(1, seq=2, executed=(6.0,))], [])
    assert markers(verdict.disordered) == ["#m1"]
    assert "after #m2" in verdict.disordered[0].why
    assert_only(verdict, "disordered")


def test_each_line_that_was_overtaken_is_found_and_no_other() -> None:
    said = [line(number, at=float(number)) for number in (1, 2, 3, 4)]
    moments = {1: 10.0, 2: 5.0, 3: 7.0, 4: 6.0}
    sends = [answer(n, seq=int(at), executed=(at,), message_id=int(at)) for n, at in moments.items()]
    verdict = judge(said, sends, [])
    assert markers(verdict.disordered) == ["#m1", "#m3"]
    assert_only(verdict, "disordered")


def test_people_and_rooms_may_overtake_each_other() -> None:
    said = [line(1), line(2, at=1.0, sender="李四"), line(3, at=2.0, chat="别的群")]
    sends = [answer(3, seq=1, chat="别的群"), answer(2, seq=2, executed=(6.0,)), answer(1, seq=3, executed=(7.0,))]
    assert_only(judge(said, sends, []))


def test_lines_that_came_in_another_order_than_they_were_said_are_not_disordered() -> None:
    sends = [answer(2, seq=1, executed=(5.0,)), answer(1, seq=2, executed=(6.0,))]
    delayed = line(1, faults=frozenset({"callback_delay"}), delivered=False)
    recovered = line(1, delivered=False)
    assert_only(judge([delayed, line(2, at=1.0)], sends, []))
    assert_only(judge([recovered, line(2, at=1.0)], sends, []))


def test_a_command_that_overtook_an_earlier_one_of_its_room_is_disordered() -> None:
    said = [line(1), line(2, at=1.0, sender="李四")]
    sends = [answer(1, message_id=8, executed=(9.0,)), answer(2, message_id=7, executed=(8.0,))]
    verdict = judge(said, sends, [])
    assert markers(verdict.disordered) == ["#m1"]
    assert_only(verdict, "disordered")


def test_an_answer_whose_marker_nobody_said_is_stray() -> None:
    verdict = judge([line(1)], [answer(1), answer(7, seq=3, chat="别的群")], [])
    assert [send.seq for send in verdict.stray] == [3]
    assert_only(verdict, "stray")


def test_the_ledger_is_read_command_by_command() -> None:
    entry = {
        "seq": 4, "at": "2026-11-22T08:00:00.500+08:00", "path": "/wework/sendRawMessage", "status": 200,
        "messageId": "17",
        "commands": [
            {"type": 203, "titleList": [ROOM], "receivedContent": "您好 #m1"},
            {"type": 203, "titleList": ["别的群"], "receivedContent": "您好 #m2"},
        ],
        "executions": [
            {"index": 0, "at": "2026-11-22T08:00:01+08:00", "errorCode": 201101},
            {"index": 1, "at": "2026-11-22T08:00:02+08:00", "errorCode": 0},
        ],
        "results": [],
    }  # fmt: skip
    first, second = sends_of([{"path": "/robot/robotInfo/online"}, entry])
    assert (first.chat, first.markers, first.executed, first.message_id) == (ROOM, ("#m1",), (), 17)
    assert (second.chat, second.executed, second.at) == ("别的群", (1795305602.0,), 1795305600.5)
    assert first.is_held


def test_a_send_is_held_until_its_answer_and_its_result_are_there() -> None:
    assert unanswered(1, at=4.0).is_held
    assert answer(1, results=0).is_held
    assert answer(1, status=None).is_held
    assert not answer(1).is_held


# -- recovery ----------------------------------------------------------------------------------------------------------


def test_recovery_is_the_first_answer_to_a_line_said_after_the_kill() -> None:
    said = [line(1, at=99.0), line(2, at=101.0), line(3, at=102.0)]
    sends = [answer(1, executed=(100.5,)), answer(2, executed=(108.0,)), answer(3, executed=(107.0,))]
    assert recovery_s(100.0, said, sends, killed_at=100.0, asked_since=100.0) == 7.0


def test_recovery_of_a_restart_counts_from_the_restart_and_takes_any_answer() -> None:
    """Nothing was on its way while everything was down."""
    said, sends = [line(1, at=99.0)], [answer(1, executed=(134.0,))]
    assert recovery_s(130.0, said, sends, killed_at=100.0, asked_since=0.0) == 4.0


def test_there_is_no_recovery_without_an_answer_nor_by_a_room_that_waits_for_an_unknown() -> None:
    said = [line(1, at=99.0), line(2, at=101.0)]
    assert recovery_s(100.0, said, [answer(1, executed=(100.5,))], killed_at=100.0, asked_since=100.0) is None
    waiting = [unanswered(1, at=99.0), answer(2, executed=(101.0,))]
    assert recovery_s(100.0, said, waiting, killed_at=100.0, asked_since=100.0) is None
