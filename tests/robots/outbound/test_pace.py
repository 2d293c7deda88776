"""The pace of a phone is learned from what it did, and says how long a new command will wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from robots import pace
from robots.models import Command, Robot
from tests.robots.outbound.conftest import Queue, ago
from tests.robots.outbound.test_admin import page, signed_in
from worktool_ai.lib.clock import now


def ended(queue: Queue, count: int, each_s: float, *, outlier_s: float = 0.0) -> None:
    """So many commands accepted together, which the phone did one after another."""
    accepted = now() - timedelta(minutes=5)
    for number in range(count):
        final = accepted + timedelta(seconds=each_s * (number + 1) + (outlier_s if number == count - 1 else 0))
        Command.objects.filter(pk=queue(f"{number}", room=f"群{number}").pk).update(
            state="done", sending_at=accepted, accepted_at=accepted, final_at=final
        )


@pytest.mark.parametrize(("count", "found"), [(4, None), (5, 6.0), (9, 6.0)])
def test_waiting_for_others_is_not_the_phones_pace(queue: Queue, robot: Robot, count: int, found: float) -> None:
    ended(queue, count, 6.0)
    assert pace.learn() == (found is not None)
    robot.refresh_from_db()
    assert robot.pace_s == found


def test_one_that_took_for_ever_does_not_spoil_it(queue: Queue, robot: Robot) -> None:
    ended(queue, 7, 4.0, outlier_s=200)
    pace.learn()
    robot.refresh_from_db()
    assert robot.pace_s == 4.0


def test_the_row_is_written_only_when_it_has_changed(queue: Queue, robot: Robot) -> None:
    ended(queue, 6, 4.0)
    assert (pace.learn(), pace.learn()) == (1, 0)
    Robot.objects.update(pace_s=4.2)
    assert pace.learn() == 0


def test_the_wait_is_what_is_before_it_times_the_pace(queue: Queue, robot: Robot) -> None:
    assert pace.waits([robot])[robot.pk].seconds is None
    robot.pace_s = 6.0
    robot.save()
    for number, fields in enumerate(
        [
            {},
            {"state": "accepted", "accepted_at": ago(9)},
            {"state": "accepted", "accepted_at": ago(7200)},
            {"state": "done"},
        ]
    ):
        Command.objects.filter(pk=queue(f"{number}", room=f"群{number}").pk).update(sending_at=ago(9), **fields)
    wait = pace.waits([robot])[robot.pk]
    assert (wait.commands, wait.seconds) == (2, 12.0)
    owner = signed_in()
    assert "× 6.0 s each = 12 s" in page(owner, "robots_robot_change", robot.pk)
    assert "× 6.0 s each = 12 s" in page(owner, "robots_room_change", robot.rooms.first().pk)
