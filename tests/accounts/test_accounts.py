"""API keys, the audit log, the first login and the pause after failed ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from tests.monitoring import builders
from worktool_ai.accounts import api_keys, audit
from worktool_ai.accounts.models import ApiKey, AuditEntry, Role, User
from worktool_ai.accounts.privacy import mask_name, mask_text
from worktool_ai.lib import clock

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough secret 17"


def new_key(**fields) -> tuple[ApiKey, str]:
    row = ApiKey(name="reports", **{"role": Role.VIEWER, **fields})
    return row, api_keys.issue(row, builders.person(Role.OWNER))


def signed_in(role: str = Role.OWNER, **fields) -> tuple[Client, User]:
    client, someone = Client(), builders.person(role, **fields)
    client.force_login(someone)
    return client, someone


class TestApiKeys:
    def test_a_key_opens_the_api_with_its_own_role(self):
        _row, key = new_key()
        answer = Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {key}"}).json()
        assert answer["data"]["kind"] == "api_key"
        assert answer["data"]["role"] == Role.VIEWER

    def test_only_the_digest_is_stored(self):
        row, key = new_key()
        assert key not in str(ApiKey.objects.filter(pk=row.pk).values().get())

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda row: api_keys.revoke(row, row.created_by),
            lambda row: ApiKey.objects.filter(pk=row.pk).update(expires_at=clock.now() - timedelta(seconds=1)),
            lambda row: User.objects.filter(pk=row.created_by_id).update(is_active=False),
        ],
        ids=["revoked", "expired", "maker switched off"],
    )
    def test_a_spoilt_key_is_refused(self, spoil):
        row, key = new_key()
        spoil(row)
        answer = Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 401
        assert answer.json()["details"][0]["way_out"]

    def test_a_revoked_key_is_revoked_once(self):
        row, _key = new_key()
        assert api_keys.revoke(row, row.created_by)
        assert not api_keys.revoke(row, row.created_by)

    def test_the_admin_shows_a_new_key_once(self):
        client, _owner = signed_in()
        form = {"name": "n8n", "role": "viewer", "scope_kind": "all", "scope_values": ""}
        page = client.post(reverse("admin:accounts_apikey_add"), form, follow=True)
        assert page.status_code == 200
        row = ApiKey.objects.get()
        assert f"<code>{row.prefix}" in page.content.decode()
        again = client.get(reverse("admin:accounts_apikey_changelist")).content.decode()
        assert "<code>" not in again
        assert AuditEntry.objects.filter(action="api_key.create").count() == 1

    def test_the_admin_revokes(self):
        client, _owner = signed_in()
        row, key = new_key()
        data = {"action": "revoke_selected", "_selected_action": [str(row.pk)]}
        client.post(reverse("admin:accounts_apikey_changelist"), data)
        assert api_keys.find(key) is None


class TestAudit:
    @pytest.mark.parametrize(
        "change", ["update accounts_auditentry set action = 'x'", "delete from accounts_auditentry"]
    )
    def test_nothing_is_changed_or_deleted(self, change):
        audit.record("test", "thing.change", builders.robot())
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)

    def test_secrets_are_masked_by_name_by_seal_and_by_column(self):
        robot = builders.robot()
        before = audit.snapshot(robot)
        robot.callback_key = "another key"
        robot.name = "新名字"
        old, new = audit.changes(type(robot), before, audit.snapshot(robot))
        entry = audit.record(
            "test", "robot.change", robot, old, {**new, "config": {"token": "t0p", "smtp": {"sealed": "gAAA"}}}
        )
        stored = AuditEntry.objects.get(pk=entry.pk)
        assert stored.after["name"] == "新名字"
        assert stored.before["name"] == "客服机器人"
        assert "callback_key" in stored.after
        text = f"{stored.before} {stored.after}"
        assert all(secret not in text for secret in ("another key", "key-demo", "t0p", "gAAA"))

    def test_an_admin_save_leaves_what_changed(self):
        client, owner = signed_in()
        other = builders.person(Role.VIEWER, username="li")
        form = {
            "username": "li",
            "display_name": "李四",
            "role": "operator",
            "is_active": "on",
            "is_staff": "on",
            "scope_kind": "all",
            "scope_values": "",
            "language": "zh-hans",
        }
        answer = client.post(reverse("admin:accounts_user_change", args=[other.pk]), form)
        assert answer.status_code == 302, answer.context["adminform"].form.errors
        entry = AuditEntry.objects.get(target_id=str(other.pk))
        assert (entry.action, entry.actor) == ("user.change", owner)
        assert entry.before == {"role": "viewer", "display_name": ""}
        assert entry.after == {"role": "operator", "display_name": "李四"}
        assert entry.request_id == answer["X-Request-ID"]

    def test_a_new_password_is_recorded_but_not_shown(self):
        client, _owner = signed_in()
        other = builders.person(Role.VIEWER)
        form = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
        answer = client.post(reverse("admin:auth_user_password_change", args=[other.pk]), form)
        assert answer.status_code == 302
        entry = AuditEntry.objects.get(action="user.password")
        assert PASSWORD not in str(entry.after)

    def test_the_last_owner_stays_owner(self):
        client, owner = signed_in()
        form = {"username": owner.username, "role": "viewer", "is_active": "on", "is_staff": "on", "scope_kind": "all"}
        answer = client.post(reverse("admin:accounts_user_change", args=[owner.pk]), form)
        assert answer.status_code == 200
        owner.refresh_from_db()
        assert owner.role == Role.OWNER


class TestFirstLogin:
    def test_is_made_once_and_never_reset(self, settings):
        settings.ADMIN_USER, settings.ADMIN_PASSWORD = "admin", PASSWORD
        call_command("ensure_admin", verbosity=0)
        assert Client().login(username="admin", password=PASSWORD)
        owner = User.objects.get(username="admin")
        assert owner.role == Role.OWNER
        owner.set_password("changed by a person 9")
        owner.save()
        call_command("ensure_admin", verbosity=0)
        assert Client().login(username="admin", password="changed by a person 9")

    def test_without_a_password_somebody_must_be_there(self, settings):
        settings.ADMIN_PASSWORD = ""
        with pytest.raises(CommandError, match="ADMIN_PASSWORD"):
            call_command("ensure_admin")
        builders.person(Role.OWNER)
        call_command("ensure_admin")


class TestLogin:
    def attempt(self, password: str) -> bool:
        client = Client()
        client.post(reverse("admin:login"), {"username": "wang", "password": password})
        return "_auth_user_id" in client.session

    def test_pauses_after_five_failures_even_for_the_right_password(self):
        builders.person(Role.OPERATOR, username="wang", password=PASSWORD)
        for _ in range(5):
            assert not self.attempt("wrong")
        assert not self.attempt(PASSWORD)

    def test_a_success_starts_anew(self):
        builders.person(Role.OPERATOR, username="wang", password=PASSWORD)
        for _ in range(4):
            self.attempt("wrong")
        assert self.attempt(PASSWORD)
        for _ in range(4):
            self.attempt("wrong")
        assert self.attempt(PASSWORD)

    def test_does_not_depend_on_redis(self, settings):
        settings.REDIS_BROKER_URL = "redis://127.0.0.1:1/0"
        builders.person(Role.OPERATOR, username="wang", password=PASSWORD)
        assert not self.attempt("wrong")
        assert self.attempt(PASSWORD)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_can_open_what_its_menu_shows(role):
    client, _person = signed_in(role)
    index = client.get(reverse("admin:index"))
    assert index.status_code == 200
    for group in index.context["sidebar_navigation"]:
        for item in group["items"]:
            assert client.get(str(item["link"])).status_code == 200, item["title"]


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.OPERATOR, Role.VIEWER])
def test_people_and_the_audit_log_are_the_owners(role):
    client, _person = signed_in(role)
    for name in ("accounts_user", "accounts_apikey", "accounts_auditentry"):
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 403


def test_admin_rows_stay_inside_the_scope():
    builders.robot("mine")
    other = builders.robot("theirs")
    client, _person = signed_in(Role.OPERATOR, robots=["mine"])
    model_admin = admin.site._registry.get(type(other))
    if model_admin is None:
        pytest.skip("robots have no admin page yet")
    page = client.get(reverse("admin:robots_robot_changelist")).content.decode()
    assert "mine" in page
    assert "theirs" not in page
    assert client.get(reverse("admin:robots_robot_change", args=[other.pk])).status_code == 302


def test_names_and_numbers_are_masked():
    assert mask_name("张三") == "张＊"
    assert mask_name("") == ""
    text = "我是张三，电话 138 0013 8000，邮箱 zhang@example.com，订单 20250104，3 件"
    assert mask_text(text, ["张三"]) == "我是张＊，电话 ＊＊＊，邮箱 ＊＊＊，订单 ＊＊＊，3 件"
