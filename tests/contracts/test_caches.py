"""Every copy in memory follows a change that another process makes: the changes here are made by one.

The promise is two seconds. No test judges by a clock: each copy asks at most a second apart (looked at as a constant),
and the change is waited for.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from alerts import caches as alert_caches
from alerts.models import AlertRule, Level
from flows import seeds as flow_seeds
from flows.engine import knowledge
from flows.models import FlowVersion
from personas import caches as persona_caches
from personas.budgets import caches as budget_caches
from personas.models import AIModel, BreakerHold, Intent, IntentRule, Persona, PersonaFallback
from robots import caches as robot_caches
from robots import switches
from robots.door import keys
from robots.models import Robot
from templates_lib import caches as template_caches
from templates_lib.models import MessageTemplate, TemplateCategory
from tests.monitoring import builders
from worktool_ai.lib import clock
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.versions import MAX_AGE_S, versions

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_S = 30.0
CHANGE = """
import json, sys, psycopg
told = json.load(sys.stdin)
with psycopg.connect(**told["server"]) as other:
    other.execute(told["sql"])
"""


def elsewhere(sql: str) -> None:
    """Change rows in another process, and commit."""
    known = connection.settings_dict
    server = {"host": known["HOST"], "port": known["PORT"], "dbname": known["NAME"], "user": known["USER"]}
    told = {"server": {**server, "password": known["PASSWORD"]}, "sql": sql}
    subprocess.run([sys.executable, "-c", CHANGE], input=json.dumps(told), text=True, check=True, timeout=PATIENCE_S)


def follows(read: Callable[[], Any], before: Any, sql: str, after: Any) -> None:
    assert read() == before
    elsewhere(sql)
    deadline = time.monotonic() + PATIENCE_S
    while read() != after:
        assert time.monotonic() < deadline, f"still {read()!r}"
        time.sleep(0.02)


def test_each_copy_is_looked_after_every_second() -> None:
    modules = (robot_caches, switches, knowledge, persona_caches, budget_caches, template_caches, alert_caches)
    copies = [held for module in modules for held in vars(module).values() if isinstance(held, VersionedCache)]
    assert len(copies) >= len(modules)
    assert {copy.versions for copy in copies} == {versions}, "one look for all"
    assert max(versions.max_age_s, MAX_AGE_S, keys.EVERY_S) <= 1.0


@pytest.fixture
def robot() -> Robot:
    made = builders.robot()
    robot_caches.forget()
    return made


def test_robots(robot: Robot) -> None:
    sql = "UPDATE robots_robot SET mode = 'assist'"
    follows(lambda: robot_caches.robots_by_id()[robot.pk].mode, "shadow", sql, "assist")


def test_names_of_colleagues(robot: Robot) -> None:
    sql = "UPDATE robots_robot SET staff_names = '{同事小李}'"
    follows(lambda: robot_caches.robots_by_id()[robot.pk].staff_names, frozenset(), sql, {"同事小李"})


def test_stops_of_sending(robot: Robot) -> None:
    sql = """
        INSERT INTO robots_switch (id, scope, why, since, set_by, withdrawn, lifted_by)
        VALUES (gen_random_uuid(), 'all', '试', now(), '别的进程', 0, '')"""
    switches.forget()
    follows(lambda: switches.is_stopped(robot.pk, 203, "群"), False, sql, True)


def test_keys_of_the_door(robot: Robot) -> None:
    async def follow() -> None:
        cache = keys.KeyCache()
        cache.start()
        try:
            await cache.ready()
            assert cache.find("wt-demo", "key-demo")
            await asyncio.to_thread(elsewhere, "UPDATE robots_robot SET callback_key_digest = repeat('0', 64)")
            async with asyncio.timeout(PATIENCE_S):
                while cache.find("wt-demo", "key-demo"):  # noqa: ASYNC110 - polled, as callbacks would
                    await asyncio.sleep(0.02)
        finally:
            await cache.stop()

    asyncio.run(follow())


def test_published_graphs() -> None:
    flow_seeds.seed()
    knowledge.forget()
    first = FlowVersion.objects.get()
    second = "01a20000-0000-7000-8000-000000000002"
    sql = f"""
        INSERT INTO flows_flowversion (id, flow_id, number, graph, note, published_at)
        SELECT '{second}', flow_id, number + 1, graph, '', now() FROM flows_flowversion;
        UPDATE flows_flow SET active_version_id = '{second}'"""
    follows(lambda: str(knowledge.active_version()), str(first.pk), sql, second)
    active = knowledge.active_version()
    assert active
    assert knowledge.graph_of(active).nodes


def test_personas_and_their_prompts() -> None:
    persona = Persona.objects.create(slug="a", name="客服", role_type="service", system_prompt="旧的")
    persona_caches.clear()
    sql = "UPDATE personas_persona SET system_prompt = '新的'"
    follows(lambda: persona_caches.cast().personas[persona.pk].system_prompt, "旧的", sql, "新的")


def test_held_breakers_and_fallbacks() -> None:
    persona = Persona.objects.create(slug="a", name="客服", role_type="service", system_prompt="您好")
    model = AIModel.objects.create(name="云模型", provider="custom")
    BreakerHold.objects.create(model=model, state="open", set_by="owner", set_at=clock.now())
    PersonaFallback.objects.create(persona=persona, model=model, capability="chat")
    persona_caches.clear()
    held: Callable[[], Any] = lambda: persona_caches.cast().models[model.pk].held("chat")  # noqa: E731
    follows(held, "open", "UPDATE personas_breakerhold SET state = 'closed'", "closed")
    named: Callable[[], Any] = lambda: persona_caches.cast().fallbacks[persona.pk][0].capability  # noqa: E731
    follows(named, "chat", "UPDATE personas_personafallback SET capability = 'report'", "report")


def test_budgets() -> None:
    sql = """
        INSERT INTO personas_budget (id, scope, period, amount, is_active, note, created_at, updated_at)
        VALUES (gen_random_uuid(), 'all', 'day', 5, true, '', now(), now())"""

    def amounts() -> list[int]:
        return [int(budget.amount) for budget in budget_caches.matching(None, None, None, None)]

    budget_caches.forget()
    follows(amounts, [], sql, [5])
    follows(amounts, [5], "UPDATE personas_budget SET amount = 6", [6])


def test_intent_rules() -> None:
    intent = Intent.objects.create(key="service", name="服务")
    IntentRule.objects.create(slug="refund", intent=intent, phrases=["退款"], weight=5)
    persona_caches.clear()
    sql = "UPDATE personas_intentrule SET phrases = '{换货}'"
    follows(lambda: persona_caches.recogniser().recognise("我要换货").intent == "service", False, sql, True)


def test_templates() -> None:
    category = TemplateCategory.objects.create(name="问候语")
    MessageTemplate.objects.create(slug="hi", category=category, name="你好", body="旧的")
    template_caches.clear()
    sql = "UPDATE templates_lib_messagetemplate SET body = '新的'"
    follows(lambda: template_caches.templates()[0].body, "旧的", sql, "新的")


def test_alert_rules() -> None:
    AlertRule.objects.create(slug="r", name="规则", condition="intent", level=Level.INFO, code="risk")
    alert_caches.clear()
    sql = "UPDATE alerts_alertrule SET level = 'critical'"
    follows(lambda: alert_caches.rules()[0].level, "info", sql, "critical")
