"""Runs whose walk breaks off: what counts, what rests, what is paused, and what people decide about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.db import OperationalError

from alerts.models import Alert, Delivery
from flows import nodes, run_services
from flows.engine import claims, interruptions, knowledge, runner, store, waits
from flows.models import ConversationLease, Flow, Run, RunState, Step, Wait
from flows.nodes import AskModel, Effect, Next, Node, NodeContext, NodeError
from flows.services import publish
from robots.models import Command, CommandState, Message
from tests.flows.conftest import lease_of, run_of
from worktool_ai.accounts.models import AuditEntry
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]

#: What the node does each time that it is tried; the last one for ever.
Script = list[Callable[[], Any]]


class Flaky(Node):
    """Does what its script says: returns, or raises."""

    key: ClassVar[str] = "flaky"
    label: ClassVar[str] = "flaky"
    ports: ClassVar[tuple[str, ...]] = ("next",)
    script: ClassVar[Script] = []

    def run(self, ctx: NodeContext) -> Next | Effect:
        if ctx.data.original_message.startswith("好"):
            return Next(patch={"ai_response": "好的"})
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step() or Next(patch={"ai_response": "好的"})


def raises(error: Exception) -> Callable[[], Any]:
    def step() -> Any:
        raise error

    return step


@pytest.fixture
def flow(seeded) -> Iterator[Callable[..., None]]:
    """Publish: receive, the flaky node with this policy, send, end."""
    with nodes.registry.temporarily(Flaky):

        def _publish(*script: Callable[[], Any], **policy: Any) -> None:
            Flaky.script = list(script)
            chain = ["message_receive", "flaky", "send_command", "command_status", "end"]
            graph = {
                "nodes": [{"id": kind, "type": kind, **(policy if kind == "flaky" else {})} for kind in chain],
                "edges": [
                    {"id": f"e{number}", "source": chain[number], "target": chain[number + 1]} for number in range(4)
                ]
                + [{"id": "silent", "source": "message_receive", "port": "silent", "target": "end"}],
            }
            publish(Flow.objects.get(slug="standard"), graph, actor=None)
            knowledge.forget()

        yield _publish
        knowledge.graph_of.cache_clear()


def after_its_rest(line: Any) -> None:
    Run.objects.filter(message_id=line.message_id).update(flush_at=now())
    ConversationLease.objects.filter(conversation_id=line.conversation_id).update(due_at=now())


def die_here(_seconds: float) -> None:
    raise SystemExit


def die(line: Any) -> None:
    """A worker takes the run up and is killed; its lease runs out."""
    (claimed,) = claims.claim(1)
    claims.head_runs([claimed])
    ConversationLease.objects.update(until=now() - timedelta(seconds=1))


def test_a_walk_that_raises_rests_longer_each_time_and_is_then_paused(flow, say, work, admin_user):
    flow(raises(KeyError("poison")))
    line, rests = say("有毒"), []
    behind = say("好吗")
    for recoveries in range(1, 7):
        assert work() == 1, "not again at once"
        run = run_of(line)
        assert (run.state, run.recoveries, run.error) == (RunState.QUEUED, recoveries, "KeyError: 'poison'")
        assert run_of(behind).state == RunState.QUEUED, "in order: the next line waits for a rest of seconds"
        lease = lease_of(line)
        assert (lease.due_at, lease.until, lease.queued) == (run.flush_at, None, 2)
        rests.append(round((run.flush_at - now()).total_seconds()))
        after_its_rest(line)
    assert rests == [1, 2, 4, 8, 16, 32]
    work()
    run = run_of(line)
    assert (run.state, run.reason, run.ended_at) == (RunState.PAUSED, "flow_failed", None)
    assert run.error == "interrupted 6 times; the last time by KeyError: 'poison'"
    assert Message.objects.get(pk=line.message_id).reason == "flow_failed"
    assert Command.objects.get().run_id == run_of(behind).pk, "the conversation goes on with its next run"
    alert = Alert.objects.get()
    assert (alert.code, alert.level, alert.run_id) == ("run_paused", "warning", run.pk)
    assert Delivery.objects.filter(alert=alert).exists()

    Flaky.script = [lambda: None]
    assert run_services.resume(run.pk, admin_user)
    assert not run_services.resume(run.pk, admin_user), "it is not paused any more"
    work()
    run.refresh_from_db()
    assert (run.state, run.recoveries) == (RunState.SETTLING, 0)
    assert Message.objects.get(pk=line.message_id).reason == "answered"
    entry = AuditEntry.objects.get(action="run.resume")
    assert entry.before["state"] == "paused"


def test_a_run_survives_as_many_dead_workers_as_the_setting_says(flow, say, work, settings):
    settings.RUN_MAX_RECOVERIES = 2
    flow(lambda: None)
    line = say("你好")
    for _ in range(2):
        die(line)
    (claimed,) = claims.claim(1)
    assert claims.head_runs([claimed])[0].recoveries == 2
    ConversationLease.objects.update(until=now() - timedelta(seconds=1))
    work()
    run = run_of(line)
    assert (run.state, run.error) == (RunState.PAUSED, "interrupted 3 times")
    assert not Command.objects.exists()


def test_an_outage_counts_nothing_and_is_waited_for(flow, say, work, monkeypatch):
    flow(lambda: None)
    line, away = say("你好"), [3, 3]

    def unless_away(real: Callable[..., Any], place: int) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if away[place]:
                away[place] -= 1
                raise OperationalError("the connection is lost")
            return real(*args, **kwargs)

        return call

    monkeypatch.setattr(store, "write", unless_away(store.write, 0))
    monkeypatch.setattr(interruptions, "_hand_back", unless_away(interruptions._hand_back, 1))
    monkeypatch.setattr(interruptions, "_FIRST_WAIT_S", 0.001)
    work()
    run = run_of(line)
    assert away == [0, 0]
    assert (run.state, run.recoveries, run.error) == (RunState.SETTLING, 0, "")
    assert Command.objects.count() == 1


def test_an_outage_longer_than_the_lease_is_taken_back_from_the_count(flow, say):
    flow(lambda: None)
    say("你好")
    (mine,) = claims.claim(1)
    (head,) = claims.head_runs([mine])
    ConversationLease.objects.update(until=now() - timedelta(seconds=1))
    (theirs,) = claims.claim(1)
    assert claims.head_runs([theirs])[0].recoveries == 1, "they cannot know why the lease ran out"
    interruptions.set_aside(head, OperationalError("the connection is lost"))
    run = Run.objects.get()
    assert (run.recoveries, run.state) == (0, RunState.ACTIVE), "and the run stays theirs"
    assert ConversationLease.objects.get().epoch == theirs.epoch


def test_who_lost_the_lease_changes_nothing_by_an_error_of_its_own(flow, say):
    flow(lambda: None)
    say("你好")
    (mine,) = claims.claim(1)
    (head,) = claims.head_runs([mine])
    ConversationLease.objects.update(until=now() - timedelta(seconds=1))
    claims.claim(1)
    assert claims.head_runs([mine]) == [], "an old claim takes nothing up"
    interruptions.set_aside(head, KeyError("x"))
    run = Run.objects.get()
    assert (run.state, run.recoveries, run.error) == (RunState.ACTIVE, 0, "")


def test_a_long_pause_before_an_attempt_parks_the_run_and_lets_the_next_line_pass(flow, say, work):
    flow(raises(NodeError("busy")), lambda: None, retries=1, retry_wait_s=60)
    line, behind = say("等等"), say("好吗")
    work()
    assert run_of(line).state == RunState.PARKED
    assert Command.objects.get().run_id == run_of(behind).pk
    assert Message.objects.get(pk=line.message_id).reason == ""
    Wait.objects.filter(run=run_of(line)).update(due_at=now() - timedelta(seconds=1))
    assert waits.wake_due() == 1
    knowledge.graph_of.cache_clear()
    work()
    assert Command.objects.filter(run_id=run_of(line).pk).count() == 1
    step = Step.objects.get(run=run_of(line), node_type="flaky")
    assert (step.error, step.detail) == ("", {"attempts": 2, "errors": ["busy"]})


def test_a_short_pause_keeps_the_lease(flow, say, work, monkeypatch):
    flow(raises(NodeError("busy")), raises(NodeError("still busy")), lambda: None, retries=2, retry_wait_s=1)
    slept: list[float] = []
    monkeypatch.setattr(runner, "time", SimpleNamespace(sleep=slept.append))
    line = say("等等")
    assert work() == 1
    assert run_of(line).state == RunState.SETTLING
    assert [0 < pause <= 2 for pause in slept] == [True, True]
    step = Step.objects.get(run=run_of(line), node_type="flaky")
    assert step.detail["errors"] == ["busy", "still busy"]


def test_a_worker_that_dies_between_two_attempts_repeats_none(flow, say, work, monkeypatch):
    asked: list[str] = []
    flow(lambda: AskModel(task="reply", text="x"), retries=2, retry_wait_s=0)

    def refuse(effect: Any, head: Any, node_id: str) -> Any:
        asked.append(effect.text)
        return runner.Performed({"text": ""}, is_costly=True)

    def resume(self: Any, ctx: Any, effect: Any, outcome: Any) -> Any:
        raise NodeError("nothing said")

    monkeypatch.setattr(runner.performers, "ask_model", refuse)
    monkeypatch.setattr(Flaky, "resume", resume)
    monkeypatch.setattr(runner, "time", SimpleNamespace(sleep=die_here))
    line = say("等等")
    with pytest.raises(SystemExit):
        work()
    ConversationLease.objects.update(until=now() - timedelta(seconds=1))
    monkeypatch.setattr(runner, "time", SimpleNamespace(sleep=lambda _: None))
    work()
    assert len(asked) == 3
    assert run_of(line).error == "nothing said"


def test_a_run_whose_node_type_has_gone_fails_with_its_reason(flow, say, work, monkeypatch):
    flow(lambda: None)
    line = say("你好")
    with monkeypatch.context() as patch:
        patch.delitem(nodes.registry._plugins, "flaky")
        knowledge.graph_of.cache_clear()
        work()
        run = run_of(line)
        assert (run.state, run.reason) == (RunState.FAILED, "flow_failed")
        assert "'flaky' has been removed" in run.error
    assert Message.objects.get(pk=line.message_id).reason == "flow_failed"


def test_a_version_that_cannot_be_read_at_all_fails_its_runs_only(flow, say, work, monkeypatch):
    flow(lambda: None)
    line = say("你好")

    def unreadable(version: Any) -> Any:
        raise runner.GraphError([])

    monkeypatch.setattr(runner, "graph_of", unreadable)
    work()
    run = run_of(line)
    assert (run.state, run.reason, lease_of(line).queued) == (RunState.FAILED, "flow_failed", 0)


def test_a_failure_that_stops_the_run_withdraws_what_it_has_queued(seeded, say, work):
    with nodes.registry.temporarily(Flaky):
        Flaky.script = [raises(NodeError("broken"))]
        graph = {
            "nodes": [
                {"id": "receive", "type": "message_receive"},
                {"id": "send", "type": "send_command", "config": {"fixed_text": "好的"}},
                {"id": "flaky", "type": "flaky", "on_error": "stop"},
                {"id": "status", "type": "command_status"},
                {"id": "end", "type": "end"},
            ],
            "edges": [
                {"id": "a", "source": "receive", "target": "send"},
                {"id": "b", "source": "receive", "target": "flaky"},
                {"id": "c", "source": "receive", "port": "silent", "target": "end"},
                {"id": "d", "source": "send", "target": "status"},
                {"id": "e", "source": "status", "target": "end"},
                {"id": "f", "source": "flaky", "target": "end"},
            ],
        }
        publish(Flow.objects.get(slug="standard"), graph, actor=None)
        line = say("你好")
        work()
    run = run_of(line)
    assert (run.state, run.reason, run.error) == (RunState.FAILED, "flow_failed", "broken")
    assert Command.objects.get().state == CommandState.WITHDRAWN
    assert Message.objects.get(pk=line.message_id).reason == "flow_failed"
    nodes_run = set(Step.objects.filter(run=run).values_list("node_id", flat=True))
    assert nodes_run == {"receive", "send", "flaky", "status", "end"}, "siblings finish"


@pytest.mark.parametrize("state", ["active", "queued", "settling"])
def test_stopping_a_run_ends_it_whoever_walks_it(flow, say, work, admin_user, state):
    flow(lambda: None)
    line, heads = say("你好"), []
    if state == "active":
        (claimed,) = claims.claim(1)
        heads = claims.head_runs([claimed])
    elif state == "settling":
        work()
    behind = say("好吗")
    assert run_services.stop(run_of(line).pk, admin_user)
    for head in heads:
        runner.advance_conversation(head)
    assert not run_services.stop(run_of(line).pk, admin_user), "it has ended already"
    run = run_of(line)
    assert (run.state, run.ended_at is None) == (RunState.STOPPED, False)
    assert not Command.objects.filter(run_id=run.pk).exclude(state=CommandState.WITHDRAWN).exists()
    assert Message.objects.get(pk=line.message_id).reason == ("withdrawn" if state == "settling" else "flow_failed")
    assert AuditEntry.objects.filter(action="run.stop").count() == 1
    work()
    assert Command.objects.filter(run_id=run_of(behind).pk).count() == 1, "the conversation goes on"
