"""The flow pages: what each role sees, changing a draft without typing JSON, publishing and going back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from flows import drafts, nodes
from flows.engine import knowledge
from flows.models import Flow, FlowVersion
from flows.seeds import standard_graph
from flows.services import publish
from tests.monitoring import builders
from worktool_ai.accounts.models import AuditEntry, Role

pytestmark = pytest.mark.django_db


def signed_in(role: str = Role.OWNER, **fields: Any) -> Client:
    client = Client()
    client.force_login(builders.person(role, **fields))
    return client


@pytest.fixture
def owner() -> Client:
    return signed_in()


@pytest.fixture
def flow(seeded) -> Flow:
    return Flow.objects.get(slug="standard")


def page(flow: Flow) -> str:
    return reverse("admin:flows_flow_change", args=[flow.pk])


def node_page(flow: Flow, node_id: str) -> str:
    return reverse("admin:flows_flow_node", args=[flow.pk, node_id])


def text_of(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


def typed(client: Client, address: str) -> dict[str, str]:
    """What a browser would send of a node's page as it stands."""
    form = client.get(address).context["form"]
    return {name: value for part in (form.settings, form.config) for name, value in _inputs(part)}


def _inputs(form: Any) -> Any:
    for field in form:
        rows = getattr(field.field, "mode", None)
        if rows is None:
            value = field.value()
            if value is True:
                yield field.html_name, "on"
            elif value is not None and value is not False:
                yield field.html_name, str(value)
        else:
            for row in field.field.widget._unbound(field.html_name):
                yield f"{row.form.prefix}-origin", row.origin
                yield from _inputs(row.form)


class TestPages:
    @pytest.mark.parametrize("model", ["flow", "flowversion", "run", "step", "effect", "wait", "conversationlease"])
    def test_every_list_opens(self, owner, flow, model):
        text_of(owner.get(reverse(f"admin:flows_{model}_changelist")))

    @pytest.mark.parametrize("role", [Role.OWNER, Role.ENGINEER, Role.OPERATOR, Role.VIEWER])
    def test_everybody_reads_a_flow_its_nodes_and_versions(self, flow, role):
        client = signed_in(role)
        addresses = [
            page(flow),
            node_page(flow, "decision"),
            reverse("admin:flows_node_types"),
            reverse("admin:flows_flow_changelist"),
            reverse("admin:flows_flowversion_change", args=[flow.active_version_id]),
        ]
        for address in addresses:
            text_of(client.get(address))

    def test_the_draft_is_drawn_with_every_node_a_link(self, owner, flow):
        shown = text_of(owner.get(page(flow)))
        for node in standard_graph()["nodes"]:
            assert f'href="{node_page(flow, node["id"])}"' in shown
            assert node["name"] in shown
        assert "!isGroup || atMe" in shown

    def test_a_broken_draft_is_shown_with_what_is_wrong(self, owner, flow):
        graph = standard_graph()
        graph["edges"] = [edge for edge in graph["edges"] if edge["id"] != "way-unclear"]
        graph["edges"].append({"id": "back", "source": "reply", "port": "next", "target": "receive"})
        drafts.import_graph(flow, graph, actor=None)
        shown = text_of(owner.get(page(flow)))
        assert "连线形成了环" in shown
        assert "反问" in shown

    def test_a_new_flow_starts_with_an_empty_draft(self, owner, flow):
        form = {"name": "试用", "slug": "trial", "description": ""}
        owner.post(reverse("admin:flows_flow_add"), form)
        made = Flow.objects.get(slug="trial")
        shown = owner.get(page(made))
        assert shown.status_code == 200
        assert shown.context["graph"].picture is None
        assert AuditEntry.objects.filter(action="flow.add").exists()

    def test_only_one_flow_serves_every_robot(self, owner, flow):
        form = {"name": "试用", "slug": "trial", "description": "", "is_default": "on"}
        assert flow.name in text_of(owner.post(reverse("admin:flows_flow_add"), form))
        assert not Flow.objects.filter(slug="trial").exists()

    def test_every_node_type_shows_its_form(self, owner, flow):
        shown = text_of(owner.get(reverse("admin:flows_node_types")))
        for plugin in nodes.registry:
            assert plugin.label in shown
            assert f'id="type-{plugin.key}"' in shown
        assert 'name="intent-confidence_threshold"' in shown


class TestNode:
    def test_saves_into_the_draft_and_not_into_the_active_version(self, owner, flow):
        address = node_page(flow, "intent")
        data = {**typed(owner, address), "config-confidence_threshold": "0.7", "node-name": "意图"}
        assert owner.post(address, data).status_code == 302
        flow.refresh_from_db()
        node = drafts.node_of(flow, "intent")
        assert (node["config"]["confidence_threshold"], node["name"]) == (0.7, "意图")
        active = FlowVersion.objects.get(pk=flow.active_version_id)
        assert active.graph == standard_graph()
        assert knowledge.graph_of(active.pk).nodes["intent"].plugin.config.confidence_threshold == 0.5

    def test_leaves_who_changed_what(self, owner, flow):
        address = node_page(flow, "intent")
        owner.post(address, {**typed(owner, address), "config-confidence_threshold": "0.7"})
        entry = AuditEntry.objects.get(action="flow.change_node")
        assert entry.actor is not None
        assert entry.after["node"] == "intent"
        assert entry.after["config"]["confidence_threshold"] == 0.7
        assert entry.before["config"] == {"confidence_threshold": 0.5}

    def test_a_saved_node_still_publishes(self, owner, flow):
        for node_id in ("receive", "decision", "notify", "reply", "send", "status", "end"):
            address = node_page(flow, node_id)
            answer = owner.post(address, typed(owner, address))
            assert answer.status_code == 302, node_id
        flow.refresh_from_db()
        assert drafts.publish(flow, actor=None).number == 2

    @pytest.mark.parametrize(
        ("node_id", "typed_in"),
        [
            ("intent", {"config-confidence_threshold": "7"}),
            ("decision", {"config-rules-0-condition": "intent =="}),
            ("decision", {"config-rules-0-port": "Großes Tor"}),
            ("intent", {"node-defaults-0-origin": "", "node-defaults-0-field": "intent_confidence",
                        "node-defaults-0-value": "viel"}),
        ],
    )  # fmt: skip
    def test_a_problem_is_shown_and_nothing_saved(self, owner, flow, node_id, typed_in):
        address = node_page(flow, node_id)
        answer = owner.post(address, {**typed(owner, address), **typed_in})
        assert 'class="errors' in text_of(answer) or "text-red" in text_of(answer)
        flow.refresh_from_db()
        assert flow.draft == standard_graph()

    def test_default_values_are_stored_in_their_own_type(self, owner, flow):
        address = node_page(flow, "intent")
        data = {
            **typed(owner, address),
            "node-on_error": "default",
            "node-defaults-0-origin": "",
            "node-defaults-0-field": "intent_confidence",
            "node-defaults-0-value": "0.2",
        }
        assert owner.post(address, data).status_code == 302
        flow.refresh_from_db()
        assert drafts.node_of(flow, "intent")["default"] == {"intent_confidence": 0.2}

    def test_a_node_of_a_removed_type_can_be_looked_at(self, owner, flow):
        graph = standard_graph()
        graph["nodes"].append({"id": "gone", "type": "carrier_pigeon", "config": {"speed": 3}})
        drafts.import_graph(flow, graph, actor=None)
        assert "speed" in text_of(owner.get(node_page(flow, "gone")))

    def test_an_unknown_node_is_not_found(self, owner, flow):
        assert owner.get(node_page(flow, "nowhere")).status_code == 404


class TestPublishing:
    def test_a_broken_graph_is_refused_naming_the_place(self, owner, flow):
        graph = standard_graph()
        graph["edges"] = [edge for edge in graph["edges"] if edge["id"] != "receive-silent"]
        drafts.import_graph(flow, graph, actor=None)
        answer = owner.post(reverse("admin:flows_flow_publish", args=[flow.pk]), {"publish-note": ""}, follow=True)
        told = [str(message) for message in answer.context["messages"]]
        assert any("节点 receive" in text and "“silent”" in text for text in told)
        assert FlowVersion.objects.filter(flow=flow).count() == 1

    def test_a_sound_draft_becomes_the_active_version(self, owner, flow):
        drafts.change_node(flow, "reply", {"name": "客服"}, actor=None)
        answer = owner.post(reverse("admin:flows_flow_publish", args=[flow.pk]), {"publish-note": "改名"}, follow=True)
        assert answer.status_code == 200
        flow.refresh_from_db()
        assert (flow.active_version.number, flow.active_version.note) == (2, "改名")
        assert flow.active_version.published_by is not None
        assert AuditEntry.objects.filter(action="flow.publish", actor__isnull=False).count() == 1

    def test_a_discarded_draft_is_the_active_graph_again(self, owner, flow):
        drafts.change_node(flow, "reply", {"name": "客服"}, actor=None)
        owner.post(reverse("admin:flows_flow_discard", args=[flow.pk]))
        flow.refresh_from_db()
        assert flow.draft == standard_graph()

    def test_a_file_comes_in_as_draft_and_goes_out_unchanged(self, owner, flow):
        graph = standard_graph()
        graph["nodes"][0]["name"] = "收消息"
        file = SimpleUploadedFile("graph.json", json.dumps(graph).encode())
        owner.post(reverse("admin:flows_flow_import_graph", args=[flow.pk]), {"import_graph-file": file})
        answer = owner.get(reverse("admin:flows_flow_export", args=[flow.pk]))
        assert "standard-draft.json" in answer["Content-Disposition"]
        assert "收消息" in answer.content.decode()
        assert json.loads(answer.content) == graph

    @pytest.mark.parametrize("content", [b"{", b"[1]", b'{"nodes": 3}', b"\xff"])
    def test_a_file_that_is_no_graph_changes_nothing(self, owner, flow, content):
        file = SimpleUploadedFile("graph.json", content)
        answer = owner.post(
            reverse("admin:flows_flow_import_graph", args=[flow.pk]), {"import_graph-file": file}, follow=True
        )
        assert list(answer.context["messages"])
        flow.refresh_from_db()
        assert flow.draft == standard_graph()

    def test_an_earlier_version_is_restored_or_made_active_again(self, owner, flow):
        first = flow.active_version
        graph = standard_graph()
        graph["nodes"][0]["name"] = "收消息"
        publish(flow, graph, actor=None)
        owner.post(reverse("admin:flows_flowversion_restore", args=[first.pk]))
        flow.refresh_from_db()
        assert (flow.draft, flow.active_version.number) == (standard_graph(), 2)
        owner.post(reverse("admin:flows_flowversion_activate", args=[first.pk]))
        assert knowledge.active_version() == first.pk
        assert set(AuditEntry.objects.filter(actor__isnull=False).values_list("action", flat=True)) == {
            "flow.restore_draft",
            "flow.activate",
        }

    def test_a_version_that_can_no_longer_run_is_not_activated(self, owner, flow):
        old = FlowVersion.objects.create(
            flow=flow, number=9, graph={"nodes": [{"id": "a", "type": "carrier_pigeon"}], "edges": []}
        )
        answer = owner.post(reverse("admin:flows_flowversion_activate", args=[old.pk]), follow=True)
        assert any("carrier_pigeon" in str(message) for message in answer.context["messages"])
        flow.refresh_from_db()
        assert flow.active_version_id != old.pk

    def test_a_version_goes_out_as_a_file(self, owner, flow):
        answer = owner.get(reverse("admin:flows_flowversion_export", args=[flow.active_version_id]))
        assert json.loads(answer.content) == standard_graph()


class TestWhoMayNot:
    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
    def test_readers_change_nothing(self, flow, role):
        drafts.change_node(flow, "reply", {"name": "客服"}, actor=None)
        client = signed_in(role)
        of_flow, of_version = ("publish", "discard", "import_graph"), ("restore", "activate")
        refused = [
            node_page(flow, "reply"),
            page(flow),
            reverse("admin:flows_flow_add"),
            *(reverse(f"admin:flows_flow_{name}", args=[flow.pk]) for name in of_flow),
            *(reverse(f"admin:flows_flowversion_{name}", args=[flow.active_version_id]) for name in of_version),
        ]
        for address in refused:
            assert client.post(address, {"name": "x", "slug": "x"}).status_code == 403, address
        shown = text_of(client.get(page(flow)))
        assert 'action="/admin/flows/' not in shown
        assert "disabled" in text_of(client.get(node_page(flow, "reply")))

    def test_a_viewer_exports_nothing(self, flow):
        client = signed_in(Role.VIEWER)
        assert client.get(reverse("admin:flows_flow_export", args=[flow.pk])).status_code == 403
        version = reverse("admin:flows_flowversion_export", args=[flow.active_version_id])
        assert client.get(version).status_code == 403

    def test_versions_are_never_edited_even_by_the_owner(self, owner, flow):
        address = reverse("admin:flows_flowversion_change", args=[flow.active_version_id])
        assert owner.post(address, {"note": "x"}).status_code == 403
        assert owner.post(reverse("admin:flows_flowversion_add")).status_code == 403
