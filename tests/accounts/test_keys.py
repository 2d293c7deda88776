"""Rotating the keyring: every stored secret of every app, whatever happens meanwhile."""

from __future__ import annotations

import json
import threading
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from alerts.models import NotificationChannel
from flows.models import Flow, FlowVersion
from personas.models import AIModel
from robots.models import Robot
from robots.services import create_robot
from worktool_ai.accounts import keys
from worktool_ai.accounts.models import AuditEntry
from worktool_ai.lib import crypto, heartbeats, keyring, sealed_rows
from worktool_ai.lib.sealed_rows import columns, columns_of
from worktool_ai.supervisor.layout import Credentials, new_encryption_key

pytestmark = pytest.mark.django_db

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def key_id(key: str) -> str:
    return keyring.id_of(key)


@pytest.fixture(autouse=True)
def _old_key(settings):
    settings.ENCRYPTION_KEYS = [OLD]


@pytest.fixture
def planted() -> dict[str, str]:
    """One secret in each shape, by the column that holds it."""
    AIModel.objects.all().delete()
    AIModel.objects.create(name="m", provider="openai", api_key="sk-model")
    create_robot(slug="r", name="r", robot_id="wt-robot", callback_key="cb-key", robot_key="rk", actor="test")
    channel_config = {"url": "https://a", "secret": {"sealed": crypto.encrypt("hook")}, "n": 1.10}
    NotificationChannel.objects.create(name="c", kind="webhook", config=channel_config)
    graph = {"nodes": [{"id": "a", "config": {"token": {"sealed": crypto.encrypt("node")}}}]}
    flow = Flow.objects.create(slug="f", name="f", draft=graph)
    FlowVersion.objects.create(flow=flow, number=1, graph=graph)
    return {
        "personas.AIModel.api_key": "sk-model",
        "robots.Robot.robot_id": "wt-robot",
        "robots.Robot.robot_key": "rk",
        "robots.Robot.callback_key": "cb-key",
        "alerts.NotificationChannel.config": "hook",
        "flows.Flow.draft": "node",
        "flows.FlowVersion.graph": "node",
    }


def stored() -> dict[str, list[tuple[str, str]]]:
    """Return ``(key id, text)`` of every stored secret by its column."""
    found = {}
    for column in columns():
        tokens = [token for page in sealed_rows.rows(column) for row in page for _place, token in row.tokens()]
        if tokens:
            found[column.name] = [(crypto.key_id_of(token), crypto.decrypt(token)) for token in tokens]
    return found


def under(key: str, planted: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    return {name: [(key_id(key), text)] for name, text in planted.items()}


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_every_secret_of_every_app_moves_to_the_key_in_front(planted, settings):
    assert stored() == under(OLD, planted)
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    told = run()

    assert stored() == under(NEW, planted)
    assert f"Nothing stored is encrypted with key {key_id(OLD)}" in told
    settings.ENCRYPTION_KEYS = [NEW]
    assert AIModel.objects.get().api_key.reveal() == "sk-model"
    assert Robot.objects.get().callback_key.reveal() == "cb-key"


def test_the_rest_of_a_document_stays_to_the_letter(planted, settings):
    def text() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT config::text FROM alerts_notificationchannel")
            return str(cursor.fetchone()[0])

    before = text()
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    run()
    old, new = (json.loads(one)["secret"]["sealed"] for one in (before, text()))
    assert text() == before.replace(old, new)
    assert old != new


def test_a_dry_run_counts_and_changes_nothing(planted, settings):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    told = run("--dry-run")
    assert stored() == under(OLD, planted)
    assert not AuditEntry.objects.filter(action="keys.rotate").exists()
    assert "personas.AIModel.api_key                            1        0        1          0          0" in told
    assert "Nothing stored" not in told


def test_it_is_in_the_audit_log_without_any_key(planted, settings):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    run()
    entries = {entry.target_name: entry for entry in AuditEntry.objects.filter(action="keys.rotate")}
    assert set(entries) == set(planted)
    entry = entries["personas.AIModel.api_key"]
    assert (entry.before, entry.after) == ({"under": {key_id(OLD): 1}}, {"under": {key_id(NEW): 1}})


def test_an_interrupted_rotation_goes_on_where_it_ended(settings):
    AIModel.objects.all().delete()
    for number in range(7):
        AIModel.objects.create(name=f"m{number}", provider="openai", api_key=f"sk-{number}")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    (column,) = [column for column in columns_of(AIModel) if not column.is_document]

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keys.rotate(column, "test", batch=3, after_batch=stop)
    halfway = keys.tally(column)
    assert halfway.by_key == {key_id(NEW): 3, key_id(OLD): 4}

    finished = keys.rotate(column, "test", batch=3)
    assert (finished.rotated, finished.due) == (4, 0)
    assert [row.api_key.reveal() for row in AIModel.objects.order_by("name")] == [f"sk-{n}" for n in range(7)]
    assert keys.rotate(column, "test").rotated == 0


@pytest.mark.django_db(transaction=True)
def test_what_somebody_enters_meanwhile_is_kept(settings, monkeypatch):
    row = AIModel.objects.create(name="m", provider="openai", api_key="sk-before")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    (column,) = [column for column in columns_of(AIModel) if not column.is_document]
    real = sealed_rows.replace
    entered: list[str] = []

    def enter() -> None:
        settings.ENCRYPTION_KEYS = [OLD, NEW]  # a process that has not been restarted yet
        AIModel.objects.filter(pk=row.pk).update(api_key="sk-entered-meanwhile")
        settings.ENCRYPTION_KEYS = [NEW, OLD]
        connection.close()

    def replace_after_an_edit(*arguments):
        if not entered:
            entered.append("once")
            person = threading.Thread(target=enter)
            person.start()
            person.join()
        return real(*arguments)

    monkeypatch.setattr(keys, "replace", replace_after_an_edit)
    done = keys.rotate(column, "test")

    row.refresh_from_db()
    assert row.api_key.reveal() == "sk-entered-meanwhile"
    assert crypto.key_id_of(row.api_key.token) == key_id(NEW)
    assert (done.changed_meanwhile, done.rotated, done.due) == (1, 1, 0)


def test_what_no_key_opens_is_left_alone_named_and_fails_the_command(planted, settings):
    AIModel.objects.create(name="另一个", provider="openai", api_key="sk-lost")
    token = AIModel.objects.get(name="另一个").api_key.token
    AIModel.objects.filter(name="另一个").update(api_key=crypto.Secret.sealed(f"00000000:{token[9:]}"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    with pytest.raises(CommandError, match="1 secrets cannot be opened"):
        run()
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("check_secrets", stdout=out)

    (line,) = out.getvalue().splitlines()
    lost = AIModel.objects.get(name="另一个")
    assert line == (
        f"personas.AIModel “另一个” ({lost.pk}), api_key: secret under key 00000000: that key is not in ENCRYPTION_KEYS"
    )
    assert lost.api_key.token == f"00000000:{token[9:]}"
    assert AIModel.objects.get(name="m").api_key.reveal() == "sk-model"


def test_a_secret_in_clear_that_stands_in_a_column_is_never_quoted():
    AIModel.objects.create(name="odd", provider="openai")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE personas_aimodel SET api_key_encrypted = 'sk-by-hand' WHERE name = 'odd'")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("check_secrets", stdout=out)
    assert "odd" in out.getvalue()
    assert "sk-by-hand" not in out.getvalue()


def test_it_refuses_while_a_process_runs_that_does_not_know_the_key(planted, settings):
    heartbeats._say("worker", "", 0, tidy=False)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="worker"):
        run()
    assert stored() == under(OLD, planted)
    heartbeats._say("worker", "", 0, tidy=False)  # restarted
    run()
    assert stored() == under(NEW, planted)


def test_a_published_version_still_changes_in_nothing_else(planted):
    graph = {"nodes": [{"id": "b", "config": {"token": {"sealed": crypto.encrypt("node")}}}]}
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        FlowVersion.objects.update(graph=graph)


# -- keys ----------------------------------------------------------------------------------------------------------


def test_a_new_key_of_ones_own_installation_is_only_printed(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    key = run("--new-key").splitlines()[1]
    Fernet(key)
    assert not list(tmp_path.iterdir())


def test_the_embedded_key_is_added_and_encrypts_from_the_next_start_on(settings, tmp_path):
    path = tmp_path / "secrets"
    settings.DATA_DIR = tmp_path
    first = Credentials.load(path)
    settings.ENCRYPTION_KEYS = first.encryption_keys

    run("--new-key")
    added = Credentials.load(path)
    assert added.encryption_keys == [first.encryption_key, added.next_encryption_key]
    run("--new-key")
    assert Credentials.load(path) == added, "a key that waits for the next start is not replaced"

    started = added.with_next_encryption_key()  # by the supervisor
    assert started.encryption_keys == [added.next_encryption_key, first.encryption_key]


def test_old_keys_are_dropped_once_nothing_needs_them(settings, tmp_path):
    path = tmp_path / "secrets"
    settings.DATA_DIR = tmp_path
    Credentials.load(path).with_new_encryption_key().with_next_encryption_key().store(path)
    known = Credentials.load(path)
    settings.ENCRYPTION_KEYS = [known.old_encryption_keys]
    AIModel.objects.all().delete()
    AIModel.objects.create(name="m", provider="openai", api_key="sk-model")
    settings.ENCRYPTION_KEYS = known.encryption_keys

    run("--drop-old-keys")

    assert Credentials.load(path).encryption_keys == [known.encryption_key]
    settings.ENCRYPTION_KEYS = [known.encryption_key]
    assert AIModel.objects.get().api_key.reveal() == "sk-model"


def test_generated_keys_are_fernet_keys():
    Fernet(new_encryption_key())
