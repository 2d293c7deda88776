from __future__ import annotations

import pytest

from alerts.channels import ChannelError, NotConfigured
from alerts.channels.robot import RobotChannel, RobotConfig
from robots.models import Command, CommandState, Mode
from robots.models.commands import Priority
from tests.alerts.builders import make_robot
from tests.alerts.channels.builders import notification

pytestmark = pytest.mark.django_db


def send(told, **config):
    return RobotChannel(RobotConfig(**config)).send(told)


def test_a_command_of_the_highest_priority_goes_to_the_recipients_chat():
    robot = make_robot()
    told = notification(robot_id=robot.id)

    receipt = send(told)

    command = Command.objects.get()
    assert receipt.command_id == command.id == told.delivery_id
    assert (command.robot, command.target, command.state) == (robot, "值班主管", CommandState.QUEUED)
    assert command.priority == Priority.ALERT
    assert command.payload == {"type": 203, "titleList": ["值班主管"], "receivedContent": told.text}


def test_the_same_delivery_queues_one_command():
    make_robot()
    told = notification()

    send(told)
    send(told)

    assert Command.objects.count() == 1


def test_the_robot_of_the_chat_writes_unless_it_is_known_to_be_offline():
    other, own = make_robot("a-other"), make_robot("own")
    send(notification(robot_id=own.id))
    own.__class__.objects.filter(pk=own.pk).update(is_online=False)
    send(notification(robot_id=own.id))

    assert list(Command.objects.order_by("created_at").values_list("robot_id", flat=True)) == [own.id, other.id]


def test_a_robot_can_be_named():
    make_robot("a")
    named = make_robot("named")

    send(notification(), robot_slug="named")

    assert Command.objects.get().robot == named


@pytest.mark.parametrize("fields", [{"mode": Mode.SHADOW}, {"is_active": False}, {"is_online": False}])
def test_without_a_robot_that_can_write_it_fails_honestly(fields):
    make_robot(**fields)

    with pytest.raises(ChannelError) as caught:
        send(notification())

    assert not caught.value.permanent
    assert not Command.objects.exists()


def test_a_recipient_without_a_name_in_wecom_is_not_configured():
    make_robot()

    with pytest.raises(NotConfigured):
        send(notification(chat_name=""))
