from __future__ import annotations

import pydantic
import pytest

from alerts.channels import ChannelError, NotConfigured
from alerts.channels.webhook import WebhookChannel, WebhookConfig, signature
from tests.alerts.channels.builders import notification
from tests.wire import Scripted, running_wire_server


@pytest.fixture
def wire():
    with running_wire_server() as server:
        yield server


def send(wire, told=None, **config):
    fields = {"url": f"{wire.url}/hook", "allow_private": True, **config}
    return WebhookChannel(WebhookConfig(**fields)).send(told or notification())


def failure(wire, **config) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        send(wire, **config)
    return caught.value


def test_the_notification_is_posted_as_json(wire):
    told = notification()

    receipt = send(wire, told)

    (asked,) = wire.asked
    assert (asked.method, asked.path) == ("POST", "/hook")
    assert asked.headers["x-worktool-delivery"] == str(told.delivery_id)
    assert asked.json()["text"] == told.text
    assert asked.json()["deliveryId"] == str(told.delivery_id)
    assert receipt.detail == "HTTP 200"


def test_the_receiver_can_check_that_it_was_us(wire):
    send(wire, secret="s3cret")

    (asked,) = wire.asked
    expected = signature("s3cret", asked.headers["x-worktool-timestamp"], asked.body)
    assert asked.headers["x-worktool-signature"] == expected
    assert expected != signature("other", asked.headers["x-worktool-timestamp"], asked.body)


def test_without_a_secret_nothing_is_signed(wire):
    send(wire)

    assert "x-worktool-signature" not in wire.asked[0].headers


@pytest.mark.parametrize(("status", "final"), [(500, False), (503, False), (429, False), (408, False), (404, True)])
def test_another_attempt_is_made_only_where_it_can_help(wire, status, final):
    wire.answers(Scripted("no", status))

    error = failure(wire)

    assert error.permanent is final
    assert str(status) in str(error)


def test_a_redirect_is_not_followed(wire):
    wire.answers(Scripted("", 302, {"Location": f"{wire.url}/elsewhere"}))

    assert failure(wire).permanent
    assert len(wire.asked) == 1


def test_a_private_address_is_refused_unless_allowed(wire):
    assert failure(wire, allow_private=False).permanent
    assert not wire.asked


def test_nobody_listening_may_be_there_later():
    with running_wire_server() as gone:
        pass

    assert not failure(gone).permanent


def test_without_an_address_it_is_not_configured():
    with pytest.raises(NotConfigured):
        WebhookChannel(WebhookConfig()).send(notification())


def test_only_web_addresses_are_taken():
    with pytest.raises(pydantic.ValidationError):
        WebhookConfig(url="file:///etc/passwd")
