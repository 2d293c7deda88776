"""One planted secret of each kind is found nowhere: neither itself, nor encoded, nor its first 12 characters."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator

import pytest
import redis
from django.test import Client
from django.urls import reverse

from alerts import caches as alert_caches
from robots import caches as robot_caches
from robots import services
from robots.models import Mode, Robot
from tests.flows.conftest import seeded, work  # noqa: F401 - fixtures
from tests.monitoring import builders
from tests.secrets import driving, surfaces
from tests.secrets.planted import API_KEY, SECRETS, Needle, kinds, needles, of_the_settings
from tests.wire import WireServer, running_wire_server
from worktool_ai.accounts import api_keys
from worktool_ai.accounts.models import ApiKey, Role, User
from worktool_ai.lib import logs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]


def test_each_kind_has_a_planted_secret():
    assert set(SECRETS) | {API_KEY} == kinds(), "plant a secret of the new kind, and drive what could show it"


@pytest.fixture
def wire() -> Iterator[WireServer]:
    """Vendors, platform and receivers in one."""
    with running_wire_server() as server:
        yield server


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, as the product writes it to stderr."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "INFO")
    for handler in root.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def robot(settings, wire, seeded) -> Robot:  # noqa: F811
    settings.WORKTOOL_BASE_URL = wire.url
    settings.WORKTOOL_TIMEOUT_S = 2.0
    made = services.create_robot(
        slug="planted",
        name="一号",
        robot_id=SECRETS["robots.Robot.robot_id"],
        robot_key=SECRETS["robots.Robot.robot_key"],
        callback_key=SECRETS["robots.Robot.callback_key before the last"],
        mode=Mode.AUTOMATIC,
        actor="test",
    )
    rotated = services.rotate_callback_key(made, "test")
    services.set_callback_key(rotated, SECRETS["robots.Robot.callback_key"])
    rotated.save()
    robot_caches.forget()
    alert_caches.clear()
    return rotated


@pytest.fixture
def owner() -> User:
    return builders.person(Role.OWNER, username="owner", password=SECRETS["accounts.User.password"], is_superuser=True)


@pytest.fixture
def client(owner) -> Client:
    """Signed in by the form, so that the password passes through everything that a login passes."""
    signed_in = Client()
    for password in (SECRETS["accounts.User.password"] + "wrong", SECRETS["accounts.User.password"]):
        data = {"username": "owner", "password": password}
        answer = signed_in.post(reverse("admin:login"), data)
    assert answer.status_code == 302
    return signed_in


def test_no_secret_is_found_anywhere(
    client: Client,
    owner: User,
    robot: Robot,
    wire: WireServer,
    log: io.StringIO,
    durable_redis: redis.Redis,
    broker_redis: redis.Redis,
    work: Callable[[], int],  # noqa: F811
) -> None:
    key = api_keys.issue(ApiKey(name="planted", role=Role.OWNER), owner)
    driving.ask_models(client, wire)
    driving.send(robot, wire)
    driving.connect(client, robot, wire)
    driving.tell(wire)
    driving.call_the_door(robot)
    driving.answer(work, wire)
    driving.edit(client, robot)
    driving.fail_with_a_traceback()
    driving.relay()

    wanted = [
        needle
        for kind, text in {**SECRETS, API_KEY: key, **of_the_settings()}.items()
        for needle in needles(kind, text)
    ]
    stores = (durable_redis, broker_redis)
    found = sorted(_found(wanted, surfaces.everything(client, key, log, *stores)))
    assert not found, "\n".join(found)


def test_a_leak_would_be_found():
    text = SECRETS["personas.AIModel.api_key"]
    wanted = list(needles("key", text))
    assert {line.split(": ")[-1] for line in _found(wanted, [("log", f"refused: {text}")])} == {"itself", "first 12"}


def _found(wanted: list[Needle], places: Iterable[tuple[str, str]]) -> Iterator[str]:
    for place, text in places:
        for needle in wanted:
            if needle.text in text:
                yield f"{place}: {needle.kind}: {needle.form}"
