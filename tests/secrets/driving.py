"""What can give secrets away: each is done with the planted ones, against partners that refuse and quote them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from django.urls import reverse

from alerts import caches as alert_caches
from alerts import services as alerts
from alerts.channels.webhook import WebhookConfig
from alerts.deliveries import deliver_due
from alerts.models import AlertRule, Delivery, NotificationChannel
from alerts.tasks import deliver_due as deliver_task
from flows.consumer import Consumer
from flows.models import Run
from flows.services import start_runs
from personas import caches as persona_caches
from personas.models import AICall, AIModel, Persona
from personas.providers import registry as providers
from personas.providers._remote import RemoteProvider
from robots import caches as robot_caches
from robots import outbox, services
from robots.connecting.fixes import FIXES, apply
from robots.hotpath import NewCommand, insert_commands
from robots.models import Command, Message, Robot
from tests.robots.door.client import open_door
from tests.robots.inbound.builders import line
from tests.secrets.planted import SECRETS, quoted
from tests.wire import Scripted, WireServer
from worktool_ai.events.relay import Relay
from worktool_ai.lib import clock, crypto, logs
from worktool_ai.lib.ids import uuid7

MODEL_KEY = "personas.AIModel.api_key"
ROBOT_ID, ROBOT_KEY = "robots.Robot.robot_id", "robots.Robot.robot_key"
CALLBACK_KEY, OLD_CALLBACK_KEY = "robots.Robot.callback_key", "robots.Robot.callback_key before the last"
WEBHOOK_URL, WEBHOOK_SECRET = "notification channel webhook.url", "notification channel webhook.secret"


def refuse_and_quote(wire: WireServer, *names: str) -> None:
    """Have every call refused, in words that quote what it was called with."""
    said = quoted(*(SECRETS[name] for name in names))
    error = {"message": said, "type": "invalid_request_error", "code": "invalid_api_key"}
    wire.answers(Scripted({"error": error, "code": 500001, "message": said, "msg": said, "data": said}, 401))


def ask_models(client: Client, wire: WireServer) -> None:
    """Every provider with a network is called, and told that its key is refused."""
    refuse_and_quote(wire, MODEL_KEY)
    remote = [plugin for plugin in providers if issubclass(plugin, RemoteProvider)]
    assert len(remote) >= 6
    for plugin in remote:
        row = _model(f"planted {plugin.key}", plugin.key, wire)
        asked = len(wire.asked)
        assert client.post(reverse("admin:personas_aimodel_test", args=[row.pk])).status_code == 302
        assert len(wire.asked) > asked, f"{plugin.key} was not called"
    assert AICall.objects.filter(succeeded=False).count() >= len(remote)


def _model(name: str, provider: str, wire: WireServer) -> AIModel:
    return AIModel.objects.create(
        name=name,
        provider=provider,
        model_id="m",
        api_endpoint=f"{wire.url}/v1",
        api_key=SECRETS[MODEL_KEY],
        config={"allow_private": True},
        capabilities=["intent_recognition", "service_reply", "conversion", "chat"],
        is_active=True,
    )


def send(robot: Robot, wire: WireServer) -> None:
    """A send is refused."""
    refuse_and_quote(wire, ROBOT_ID, ROBOT_KEY)
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


def connect(client: Client, robot: Robot, wire: WireServer) -> None:
    """The buttons of the connect page are pressed and refused; then the platform says what it has stored."""
    refuse_and_quote(wire, ROBOT_ID, ROBOT_KEY, CALLBACK_KEY)
    asked = len(wire.asked)
    for name in ("connect", "message_url", "hear_everything", "look"):
        apply(FIXES[name], robot, "", "test")
    assert len(wire.asked) > asked + 5
    _look(client, robot)
    url = services.callback_url(robot, "message")
    told = {"robotId": SECRETS[ROBOT_ID], "name": "一号", "callbackUrl": url, "openCallback": 1}
    wire.answers(
        Scripted({"code": 200, "data": told}), Scripted({"code": 200, "data": [{"type": 1, "callBackUrl": url}]})
    )
    apply(FIXES["look"], robot, "", "test")
    _look(client, robot)


def _look(client: Client, robot: Robot) -> None:
    for url in (
        reverse("admin:robots_robot_connect", args=[robot.pk]),
        reverse("api:robot-checks", args=[robot.slug]),
        reverse("admin:robots_raw_bodies"),
    ):
        assert client.get(url).status_code == 200


def tell(wire: WireServer) -> None:
    """A receiver refuses, and quotes the secret and the address with its token; so does one that is not there."""
    refuse_and_quote(wire, WEBHOOK_SECRET, WEBHOOK_URL)
    token = SECRETS[WEBHOOK_URL].replace("/", "%2F")
    addresses = {"planted": f"{wire.url}/{token}", "gone": f"http://127.0.0.1:9/{token}"}
    made = []
    for name, url in addresses.items():
        fields = {"url": url, "secret": SECRETS[WEBHOOK_SECRET], "allow_private": True}
        made.append(NotificationChannel.objects.create(name=name, kind="webhook", config=fields))
    assert alerts.seal_channels() == len(made)
    rule = AlertRule.objects.create(
        slug="planted", name="planted", condition="intent", config={"intents": ["risk"]}, level="critical", code="risk"
    )
    rule.channels.set(made)
    alert_caches.clear()
    draft = alerts.AlertDraft(code="risk", level="critical", title="t", fingerprint="planted", data={})
    alerts.notify(alerts.raise_alert(draft).id, rules=["planted"], level="critical")
    deliver_due()
    assert Delivery.objects.filter(channel__in=made).exclude(error="").count() == len(made)
    deliver_task.delay()


def call_the_door(robot: Robot) -> None:
    """The platform posts with the right key, the previous one and a wrong one, and repeats them in its body."""
    robot_id = SECRETS[ROBOT_ID]

    async def post() -> None:
        async with open_door() as door:
            for name, status in ((CALLBACK_KEY, 200), (OLD_CALLBACK_KEY, 200), (ROBOT_KEY, 403)):
                body = line("如何退款？", name[-8:], atMe="true", robotId=robot_id, key=SECRETS[name])
                assert (await door.post("message", body, robot_id=robot_id, key=SECRETS[name])).status == status

    async_to_sync(post)()


def answer(work: Callable[[], int], wire: WireServer) -> None:
    """What came is stored and answered: by the local model, after the personas' own has refused."""
    refuse_and_quote(wire, MODEL_KEY)
    model = _model("planted for personas", "openai", wire)
    Persona.objects.update(model=model)
    persona_caches.clear()
    consumer = Consumer(start_runs, lambda _due: None, block_ms=1)
    while Message.objects.count() < 2:
        consumer.step()
    work()
    assert set(Run.objects.values_list("reason", flat=True)) == {"answered"}
    assert AICall.objects.filter(model=model, succeeded=False, run_id__isnull=False).exists()


def edit(client: Client, robot: Robot) -> None:
    """A person enters the secrets in forms, once with a mistake beside them, so that the form comes back."""
    url = reverse("admin:personas_aimodel_add")
    for name in ("", "entered"):
        entered = {"name": name, "provider": "openai", "api_key": SECRETS[MODEL_KEY]}
        client.post(f"{url}?provider=openai", entered)
    entered = {"name": "", "robot_id": SECRETS[ROBOT_ID], "robot_key": SECRETS[ROBOT_KEY]}
    assert client.post(reverse("admin:robots_connect"), entered).status_code == 200
    services.set_robot_key(robot, SECRETS[ROBOT_KEY], "test")


def fail_with_a_traceback() -> None:
    """Something of ours breaks where a secret is at hand."""
    model, robot, channel = (
        AIModel.objects.get(name="planted openai"),
        Robot.objects.get(),
        NotificationChannel.objects.get(name="planted"),
    )
    config = crypto.load_config(WebhookConfig, channel.config)
    try:
        raise RuntimeError(
            f"{model.api_key} {model.__dict__} {robot.__dict__} {robot_caches.robots_by_id()} {config!r}"
        )
    except RuntimeError:
        logs.get_logger("tests").exception(
            "broken", model=model, secret=model.api_key, config=config, row=dict(channel.__dict__)
        )


def relay() -> None:
    """All events go to the stream that panels and other programs read."""
    relay = Relay()
    assert relay.lock()
    while relay.step():
        pass
    relay.close()
