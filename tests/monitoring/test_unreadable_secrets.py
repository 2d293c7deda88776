"""A wrong or missing key: the rows are named, their pages say what to do, and everything else works."""

from __future__ import annotations

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from alerts import caches as alert_caches
from alerts.channels import NotConfigured
from alerts.deliveries import build_channel, deliver_due
from alerts.models import Alert, NotificationChannel
from monitoring import unreadable_secrets
from personas.chain import build_provider
from personas.models import AIModel
from personas.providers import ProviderError
from personas.selection import ModelSnapshot
from robots import caches as robot_caches
from robots import services
from robots.client import NoCredentials, platform
from robots.models import Mode, Robot
from tests.monitoring import builders
from worktool_ai.accounts.models import Role
from worktool_ai.lib import crypto, keyring

pytestmark = pytest.mark.django_db

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRETS = ("sk-planted-model-key", "wt-planted-robot-id", "planted-callback-key", "planted-channel-secret")


@pytest.fixture(autouse=True)
def rows(settings) -> dict[str, object]:
    alert_caches.clear()
    robot_caches.forget()
    settings.ENCRYPTION_KEYS = [OLD]
    settings.LANGUAGE_CODE = "en"
    AIModel.objects.all().delete()
    NotificationChannel.objects.all().delete()
    Robot.objects.all().delete()
    sealed = {"sealed": crypto.encrypt(SECRETS[3])}
    made: dict[str, object] = {
        "model": AIModel.objects.create(name="豆包", provider="doubao", model_id="m", api_key=SECRETS[0]),
        "robot": services.create_robot(
            slug="r", name="一号", robot_id=SECRETS[1], callback_key=SECRETS[2], actor="t", mode=Mode.AUTOMATIC
        ),
        "channel": NotificationChannel.objects.create(
            name="群机器人", kind="webhook", config={"url": "https://a.example", "secret": sealed}
        ),
    }
    settings.ENCRYPTION_KEYS = [NEW]
    robot_caches.forget()
    return made


def owner() -> Client:
    client = Client()
    client.force_login(builders.person(Role.OWNER, language="en"))
    return client


def change_page(row) -> str:
    answer = owner().get(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_start_names_each_row_and_goes_on(rows):
    builders.person(Role.OWNER)
    err = StringIO()
    call_command("prepare", stdout=StringIO(), stderr=err)
    told = err.getvalue()
    lost = keyring.id_of(OLD)
    for line in (
        f"alerts.NotificationChannel “群机器人” ({rows['channel'].pk}), config.secret: secret under key {lost}",
        f"personas.AIModel “豆包” ({rows['model'].pk}), api_key: secret under key {lost}",
        f"robots.Robot “一号” ({rows['robot'].pk}), robot_id: secret under key {lost}",
        f"robots.Robot “一号” ({rows['robot'].pk}), callback_key: secret under key {lost}",
    ):
        assert line in told
    assert not any(secret in told for secret in (*SECRETS, OLD, NEW))


def test_one_alert_tells_of_it_and_closes_once_the_key_is_back(settings):
    unreadable_secrets.watch()
    unreadable_secrets.watch()
    (alert,) = Alert.objects.filter(code="unreadable_secrets")
    assert (alert.level, alert.state, alert.count) == ("critical", "open", 2)
    assert alert.title.startswith("4 项密钥")
    assert "豆包：api_key" in alert.data["text"]

    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert unreadable_secrets.watch() == []
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_the_pages_of_the_rows_say_what_to_do(rows):
    lost = keyring.id_of(OLD)
    for row, field in (("model", "API key"), ("robot", "Robot id"), ("channel", "Configuration (secret)")):
        shown = change_page(rows[row])
        assert f"{field} cannot be decrypted: its key {lost} is not in ENCRYPTION_KEYS. Enter it again here." in shown
    assert "Make a new one on the page" in change_page(rows["robot"])
    listed = owner().get(reverse("admin:personas_aimodel_changelist")).content.decode()
    assert "Secrets of these rows cannot be decrypted; their pages say what to do: 豆包" in listed


def test_pages_say_nothing_where_all_can_be_read(rows, settings):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert all("cannot be decrypted" not in change_page(row) for row in rows.values())


def test_every_page_about_the_robot_still_opens(rows):
    client = owner()
    for name in ("admin:robots_robot_changelist", "admin:robots_connect"):
        assert client.get(reverse(name)).status_code == 200
    assert client.get(reverse("admin:robots_robot_connect", args=[rows["robot"].pk])).status_code == 200


def test_a_row_is_saved_and_its_secret_entered_again(rows):
    model = AIModel.objects.get(pk=rows["model"].pk)
    model.note = "edited while its key was lost"
    model.save()
    assert crypto.key_id_of(AIModel.objects.get(pk=model.pk).api_key.token) == keyring.id_of(OLD), "nothing is lost"
    services.set_robot_key(rows["robot"], "rk", "test")
    services.change_platform_id(rows["robot"], "wt-entered-again", "test")
    services.rotate_callback_key(rows["robot"], "test")
    model.api_key = "sk-entered-again"
    model.save()
    assert not [line for line in unreadable_secrets.watch() if "Robot" in line or "AIModel" in line]


def test_whoever_needs_a_lost_secret_is_told_so_and_nothing_is_sent(rows):
    row = rows["model"]
    model = ModelSnapshot(
        id=row.pk,
        name=row.name,
        provider=row.provider,
        model_id=row.model_id,
        capabilities=frozenset(),
        is_active=True,
        endpoint="",
        api_key=AIModel.objects.get(pk=row.pk).api_key,
        config=row.config,
    )
    with pytest.raises(ProviderError) as refused:
        build_provider(model)
    assert refused.value.kind == "auth"
    robot = Robot.objects.get()
    with pytest.raises(NoCredentials):
        platform(lambda robot: None).robot_info(robot)
    with pytest.raises(NoCredentials):
        services.callback_url(robot, "message")
    with pytest.raises(NotConfigured):
        build_channel(NotificationChannel.objects.get(pk=rows["channel"].pk))
    assert deliver_due() == 0
