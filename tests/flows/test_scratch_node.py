"""A deployment's own node: one file in a folder of its own, nothing else edited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from flows import nodes
from flows.engine import knowledge
from flows.models import Flow, FlowVersion
from robots.models import Command, Reason
from tests.flows.conftest import run_of
from tests.monitoring import builders
from tests.planted import clear_caches
from worktool_ai.accounts.models import Role

pytestmark = pytest.mark.django_db(transaction=True)

FILE = '''
from typing import ClassVar

from pydantic import Field

from flows.nodes import Next, Node, NodeContext
from worktool_ai.lib.config import PluginConfig


class Greeting(Node):
    """Greets by name."""

    key: ClassVar[str] = "greeting"
    label: ClassVar[str] = "问候"
    does: ClassVar[str] = "Writes a greeting as the answer."

    class Config(PluginConfig):
        words: str = Field(default="您好", title="Words")

    def run(self, ctx: NodeContext) -> Next:
        return Next(patch={"ai_response": f"{self.config.words}，{ctx.data.user_name}", "reason": "answered"})
'''

GRAPH = {
    "nodes": [
        {"id": "receive", "type": "message_receive"},
        {"id": "greet", "type": "greeting", "config": {"words": "早上好"}},
        {"id": "dispatch", "type": "message_dispatch"},
        {"id": "send", "type": "send_command"},
        {"id": "end", "type": "end"},
    ],
    "edges": [
        {"id": "a", "source": "receive", "target": "greet"},
        {"id": "b", "source": "receive", "port": "silent", "target": "end"},
        {"id": "c", "source": "greet", "target": "dispatch"},
        {"id": "d", "source": "dispatch", "target": "send"},
        {"id": "e", "source": "send", "target": "end"},
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "greeting.py").write_text(FILE, encoding="utf-8")
    return tmp_path / "nodes"


@contextmanager
def known_here(folder: Path) -> Iterator[None]:
    """The folder's nodes in this process, gone again afterwards."""
    known = dict(nodes.registry._plugins)
    nodes.registry.add_folder(folder)
    try:
        yield
    finally:
        nodes.registry._plugins = known
        sys.modules.pop("flows.nodes._extra_greeting", None)
        knowledge.graph_of.cache_clear()
        clear_caches()


@pytest.fixture
def scratch_node(folder) -> Iterator[None]:
    with known_here(folder):
        yield


@pytest.fixture
def graph_file(tmp_path: Path) -> Path:
    file = tmp_path / "greeting.json"
    file.write_text(json.dumps(GRAPH), encoding="utf-8")
    return file


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(builders.person(Role.OWNER))
    return client


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own, on this test's database."""
    name = connection.settings_dict["NAME"]
    address = f"{settings.DATABASE_URL.rpartition('/')[0]}/{name}"
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        env={**os.environ, "DATABASE_URL": address, **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_its_type_and_form_are_shown(scratch_node, owner, db):
    shown = owner.get(reverse("admin:flows_node_types")).content.decode()
    assert 'id="type-greeting"' in shown
    assert "问候" in shown
    assert 'name="greeting-words"' in shown
    listed = owner.get("/api/v1/node-types/").json()["data"]
    assert "greeting" in {kind["key"] for kind in listed}


@pytest.mark.integration
def test_a_command_that_knows_the_folder_publishes_it_and_it_answers(
    seeded, folder, graph_file, owner, scratch_node, say, work
):
    told = manage("publish_flow", str(graph_file), "--flow", "standard", EXTRA_NODE_FOLDERS=str(folder))
    assert told.returncode == 0, told.stderr
    assert "version 2" in told.stdout
    clear_caches()

    line = say("如何退款？")
    work()
    assert Command.objects.get(run_id=run_of(line).pk).text == "早上好，张三"
    assert run_of(line).reason == Reason.ANSWERED

    flow = Flow.objects.get(slug="standard")
    address = reverse("admin:flows_flow_node", args=[flow.pk, "greet"])
    page = owner.get(address)
    assert "早上好" in page.content.decode()
    sent: dict[str, Any] = {"node-name": "", "node-on_error": "port", "config-words": "晚上好"}
    sent |= {f"node-{name}": "0" for name in ("timeout_s", "retries", "retry_wait_s", "deadline_s")}
    assert owner.post(address, sent).status_code == 302
    flow.refresh_from_db()
    assert {node["id"]: node.get("config") for node in flow.draft["nodes"]}["greet"] == {
        "config_version": 1,
        "words": "晚上好",
    }


@pytest.mark.integration
def test_without_the_folder_nothing_is_published(seeded, graph_file):
    told = manage("publish_flow", str(graph_file))
    assert told.returncode != 0
    assert "节点 greet" in told.stderr
    assert FlowVersion.objects.count() == 1


def test_once_the_file_is_gone_its_flow_can_still_be_looked_at(seeded, folder, graph_file, owner):
    with known_here(folder):
        call_command("publish_flow", str(graph_file), verbosity=0, stdout=StringIO())
    flow = Flow.objects.get(slug="standard")
    for address in (
        reverse("admin:flows_flow_change", args=[flow.pk]),
        reverse("admin:flows_flow_node", args=[flow.pk, "greet"]),
        reverse("admin:flows_flowversion_change", args=[flow.active_version_id]),
    ):
        page = owner.get(address)
        assert page.status_code == 200
        assert "greeting" in page.content.decode()
