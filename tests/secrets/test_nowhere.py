"""One planted secret of each kind is found nowhere: neither itself, nor encoded, nor its first 12 characters."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from django.urls import reverse

from alerts import caches as alert_caches
from alerts import services as alerts
from alerts.deliveries import deliver_due
from alerts.models import AlertRule, Delivery, NotificationChannel
from alerts.tasks import deliver_due as deliver_task
from personas.models import AICall, AIModel
from personas.providers import registry as providers
from personas.providers._remote import RemoteProvider
from robots import caches as robot_caches
from robots import outbox, services
from robots.connecting.fixes import FIXES, apply
from robots.hotpath import NewCommand, insert_commands
from robots.models import Command, Mode, Robot
from tests.monitoring import builders
from tests.robots.door.client import open_door
from tests.secrets import surfaces
from tests.secrets.planted import kinds, needles, plant, quoted
from tests.wire import Scripted, WireServer, running_wire_server
from worktool_ai.accounts import api_keys
from worktool_ai.accounts.models import ApiKey, Role, User
from worktool_ai.lib import clock, crypto, logs
from worktool_ai.lib.ids import uuid7

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]

SECRETS = {
    kind: plant(kind)
    for kind in (
        "accounts.User.password",
        "notification channel webhook.secret",
        "personas.AIModel.api_key",
        "robots.Robot.callback_key",
        "robots.Robot.callback_key before the last",
        "robots.Robot.robot_id",
        "robots.Robot.robot_key",
    )
}
API_KEY = "accounts.ApiKey"  # minted by the product, so its text is known only then


def test_each_kind_has_a_planted_secret():
    assert set(SECRETS) | {API_KEY} == kinds(), "plant a secret of the new kind, and drive what could show it"


@pytest.fixture
def wire() -> Iterator[WireServer]:
    """Vendors, platform and receivers in one: all of them fail."""
    with running_wire_server() as server:
        yield server


def quote_back(wire: WireServer, *names: str) -> None:
    """Have every call refused, in words that quote what it was called with."""
    said = quoted(*(SECRETS[name] for name in names))
    error = {"message": said, "type": "invalid_request_error", "code": "invalid_api_key"}
    wire.answers(Scripted({"error": error, "code": 500001, "message": said, "msg": said, "data": said}, 401))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, as it is written to stderr."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "INFO")  # what the product runs with
    for handler in root.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def robot(settings, wire) -> Robot:
    settings.WORKTOOL_BASE_URL = wire.url
    settings.WORKTOOL_TIMEOUT_S = 2.0
    robot_caches.forget()
    alert_caches.clear()
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


# -- what can leak them ------------------------------------------------------------------------------------------------


def ask_models(client: Client, wire: WireServer) -> None:
    """Every provider with a network is called, and told that its key is refused."""
    quote_back(wire, "personas.AIModel.api_key")
    remote = [plugin for plugin in providers if issubclass(plugin, RemoteProvider)]
    assert len(remote) >= 6
    for plugin in remote:
        row = AIModel.objects.create(
            name=f"planted {plugin.key}",
            provider=plugin.key,
            model_id="m",
            api_endpoint=f"{wire.url}/v1",
            api_key=SECRETS["personas.AIModel.api_key"],
            config={"allow_private": True},
            is_active=True,
        )
        asked = len(wire.asked)
        assert client.post(reverse("admin:personas_aimodel_test", args=[row.pk])).status_code == 302
        assert len(wire.asked) > asked, f"{plugin.key} was not called"
    assert AICall.objects.filter(succeeded=False).count() >= len(remote)


def send_and_connect(client: Client, robot: Robot, wire: WireServer) -> None:
    """A send fails, every button of the connect page is pressed, and the page shown."""
    quote_back(wire, "robots.Robot.robot_id", "robots.Robot.robot_key", "robots.Robot.callback_key")
    asked = len(wire.asked)
    moment = clock.now()
    payload = {"type": 203, "titleList": ["群"], "receivedContent": "您好"}
    command = NewCommand(
        id=uuid7(), robot_id=robot.pk, kind=203, target="群", text="您好", payload=payload, priority=10,
        expires_at=moment + timedelta(minutes=3), created_at=moment,
    )  # fmt: skip
    with connection.cursor() as cursor:
        insert_commands(cursor, [command])
    outbox.drain()
    assert Command.objects.get().state == "failed"
    for name in ("connect", "message_url", "hear_everything", "look"):
        apply(FIXES[name], robot, "", "test")
    assert len(wire.asked) > asked + 5
    for url in (
        reverse("admin:robots_robot_connect", args=[robot.pk]),
        reverse("api:robot-checks", args=[robot.slug]),
        reverse("admin:robots_raw_bodies"),
    ):
        assert client.get(url).status_code == 200


def tell(wire: WireServer) -> None:
    """Each channel with a secret fails with a receiver that quotes it."""
    quote_back(wire, "notification channel webhook.secret")
    sealed = {"sealed": crypto.encrypt(SECRETS["notification channel webhook.secret"])}
    config = {"url": f"{wire.url}/hook", "secret": sealed, "allow_private": True}
    channel = NotificationChannel.objects.create(name="planted", kind="webhook", config=config)
    rule = AlertRule.objects.create(
        slug="planted", name="planted", condition="intent", config={"intents": ["risk"]}, level="critical", code="risk"
    )
    rule.channels.set([channel])
    alert_caches.clear()
    draft = alerts.AlertDraft(code="risk", level="critical", title="t", fingerprint="planted", data={})
    alerts.notify(alerts.raise_alert(draft).id, rules=["planted"], level="critical")
    deliver_due()
    assert Delivery.objects.get(channel=channel).error
    deliver_task.delay()


def call_the_door(robot: Robot) -> None:
    """The platform posts with the right key, the previous one and wrong ones, and repeats them in its body."""
    robot_id = SECRETS["robots.Robot.robot_id"]
    body = {"spoken": "您好", "robotId": robot_id, "key": SECRETS["robots.Robot.callback_key"]}

    async def post() -> None:
        async with open_door() as door:
            for name in ("robots.Robot.callback_key", "robots.Robot.callback_key before the last"):
                assert (await door.post("message", body, robot_id=robot_id, key=SECRETS[name])).status in (200, 400)
            assert (
                await door.post("message", body, robot_id=robot_id, key=SECRETS["robots.Robot.robot_key"])
            ).status == 403

    async_to_sync(post)()


def edit(client: Client, robot: Robot) -> None:
    """A person enters the secrets in forms, once with a mistake beside them, so that the form comes back."""
    url = reverse("admin:personas_aimodel_add")
    for name in ("", "entered"):
        client.post(
            f"{url}?provider=openai", {"name": name, "provider": "openai", "api_key": plant("personas.AIModel.api_key")}
        )
    client.post(
        reverse("admin:robots_connect"), {"name": "", "robot_id": SECRETS["robots.Robot.robot_id"], "robot_key": ""}
    )
    services.set_robot_key(robot, SECRETS["robots.Robot.robot_key"], "test")


def fail_with_a_traceback() -> None:
    """Something of ours breaks where a secret is at hand."""
    model = AIModel.objects.filter(provider="openai").first()
    assert model is not None
    robot = robot_caches.robots_by_id()
    try:
        raise RuntimeError(f"{model.api_key} {model.api_key!r} {model.__dict__} {robot} {Robot.objects.get().__dict__}")
    except RuntimeError:
        logs.get_logger("tests").exception("broken", model=model, secret=model.api_key, config=dict(model.__dict__))


# -- and what they leave behind ----------------------------------------------------------------------------------------


def test_no_secret_is_found_anywhere(
    client: Client,
    owner: User,
    robot: Robot,
    wire: WireServer,
    log: io.StringIO,
    durable_redis: redis.Redis,
    broker_redis: redis.Redis,
) -> None:
    key = api_keys.issue(ApiKey(name="planted", role=Role.OWNER), owner)
    ask_models(client, wire)
    send_and_connect(client, robot, wire)
    tell(wire)
    call_the_door(robot)
    edit(client, robot)
    fail_with_a_traceback()

    wanted = [needle for kind, text in {**SECRETS, API_KEY: key}.items() for needle in needles(kind, text)]
    found = set()
    looked_at = 0
    for place, text in _everything(client, key, log, durable_redis, broker_redis):
        looked_at += 1
        found |= {(place, needle.kind, needle.form) for needle in wanted if needle.text in text}
    print(f"{len(SECRETS) + 1} secrets, {len(wanted)} forms, {looked_at} places")

    assert not found, "\n".join(map(str, sorted(found)))


def _everything(client, key, log, durable_redis, broker_redis) -> Iterator[tuple[str, str]]:
    yield from surfaces.pages(client)
    yield from surfaces.api(Client(), Authorization=f"Bearer {key}")
    yield from surfaces.exports()
    yield from surfaces.database()
    yield from surfaces.redis_keys("durable", durable_redis)
    yield from surfaces.redis_keys("broker", broker_redis)
    yield from (("log", line) for line in log.getvalue().splitlines())
