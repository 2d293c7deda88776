"""The AI layer with scripted vendors: what callers get, and what is recorded of each attempt."""

from __future__ import annotations

import json
import time

import pytest

from personas import caches, local_model
from personas import chain as chain_module
from personas.models import AIModel, Intent, IntentRule, Persona
from personas.providers import Answer, ChatMessage, Provider, ProviderError, registry
from personas.service import AIService
from personas.types import AIContext, CallScope, GenerateOptions, ReportOptions
from templates_lib import caches as template_caches
from templates_lib.models import MessageTemplate
from tests.planted import plant_personas
from worktool_ai.lib.crypto import Secret

pytestmark = pytest.mark.django_db

VALUES = {"userName": "张三", "botName": "小助手", "groupName": "客服群"}
GOOD_INTENT = json.dumps({"intent": "service", "topic": "支付问题", "confidence": 0.93, "why": "问退款"})


class ScriptedVendor(Provider):
    """Answers what the test wrote down; the last answer again and again."""

    key = "scripted"
    label = "Scripted"
    needs_key = False

    script: list = []
    asked: list = []

    def chat(self, request):
        type(self).asked.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if callable(step):
            return step(request)
        return Answer(step, "scripted-1", prompt_tokens=11, completion_tokens=5)


@pytest.fixture(autouse=True)
def _planted():
    plant_personas()


@pytest.fixture
def vendor(monkeypatch):
    """A capable, active remote model for every persona."""
    monkeypatch.setattr(chain_module, "FIRST_DELAY_S", 0.01)
    ScriptedVendor.asked = []
    with registry.temporarily(ScriptedVendor):
        model = AIModel.objects.create(
            name="云模型",
            provider="scripted",
            model_id="s1",
            is_active=True,
            capabilities=["intent_recognition", "service_reply", "conversion", "chat", "report"],
        )
        Persona.objects.update(model=model)
        caches.clear()
        yield ScriptedVendor


def service() -> AIService:
    return AIService(CallScope(message_id="0193e7a0-0000-7000-8000-000000000001", node_id="n1"))


def intent(ai: AIService, text: str = "如何退款？", **context):
    return ai.recognize_intent(text, AIContext(**{"persona_type": "service", **context}))


def reply(ai: AIService, text: str = "如何退款？", *, values=VALUES, **options):
    fields = {"persona_type": "service", "intent": "service", "topic": "支付问题", "is_group": True, "seed": "m1"}
    return ai.generate_reply([ChatMessage("user", text)], GenerateOptions(**{**fields, **options, "values": values}))


def kinds(ai: AIService) -> list[tuple[str, str]]:
    return [(call.provider, call.error_kind) for call in ai.scope.calls]


# -- without a vendor ----------------------------------------------------------------------------------------------


def test_on_a_fresh_machine_rules_recognise_and_templates_answer():
    ai = service()

    found = intent(ai)
    answer = reply(ai, topic=found.topic, intent=found.intent)

    assert (found.intent, found.topic, found.provider) == ("service", "支付问题", "local")
    assert "退款" in answer.text
    assert (answer.source, answer.kind) == ("template", "answer")
    assert MessageTemplate.objects.get(slug=answer.template).category.name == "支付问题"


def test_local_calls_are_recorded_with_their_scope_and_cost_nothing():
    ai = service()

    intent(ai)

    (call,) = ai.scope.calls
    assert (call.provider, call.task, call.node_id, call.succeeded) == ("local", "intent", "n1", True)
    assert call.message_id == ai.scope.message_id
    assert (call.prompt_tokens, call.cost) == (None, 0)


def test_the_same_line_gets_the_same_answer_again():
    assert reply(service()).text == reply(service()).text


def test_below_the_threshold_the_intent_is_unclear():
    found = intent(service(), threshold=0.999)

    assert (found.intent, found.topic) == ("unclear", None)
    assert "阈值" in found.why


def test_what_must_reach_a_person_says_so_and_is_answered_calmly():
    ai = service()
    found = intent(ai, "再不处理我就去12315举报你们")

    answer = reply(ai, "再不处理我就去12315举报你们", intent=found.intent, topic=found.topic)

    assert (found.intent, found.needs_human) == ("risk", True)
    assert answer.kind == "hand_over"
    assert "同事" in answer.text
    assert not any(word in answer.text for word in ("标记", "风险", "违规"))


@pytest.mark.parametrize(
    ("kind", "slug"), [("ask_back", "ask-back"), ("ask_for_text", "ask-for-text"), ("hand_over", "human-")]
)
def test_other_kinds_of_answers_come_from_their_own_templates(kind, slug):
    answer = reply(service(), "嗯嗯", kind=kind, intent="unclear", topic=None)

    assert answer.kind == kind
    assert answer.template.startswith(slug)


def test_in_a_private_chat_the_private_wording_is_used():
    private = MessageTemplate.objects.get(slug="welcome-newcomer-general").private_body

    answer = reply(service(), "我是新来的", intent="welcome", topic="欢迎语", is_group=False, values=VALUES)

    assert answer.text == private.replace("{{userName}}", "张三").replace("{{botName}}", "小助手")


def test_a_template_whose_value_is_not_known_is_passed_over():
    MessageTemplate.objects.filter(category__name="会员服务").update(body="{{level}}会员", variants=[], private_body="")
    template_caches.clear()

    answer = reply(service(), "会员有什么权益", topic="会员服务")

    assert "{{" not in answer.text
    assert answer.template not in MessageTemplate.objects.filter(category__name="会员服务").values_list(
        "slug", flat=True
    )


def test_a_forbidden_word_of_an_operator_is_never_sent():
    MessageTemplate.objects.filter(category__name="会员服务").update(body="您已违规", variants=[], private_body="")
    template_caches.clear()

    assert "违规" not in reply(service(), "会员有什么权益", topic="会员服务").text


def test_with_no_template_at_all_there_is_still_an_answer():
    MessageTemplate.objects.all().delete()
    template_caches.clear()

    answer = reply(service())

    assert (answer.text, answer.template, answer.kind) == (local_model.LAST_WORDS, None, "hand_over")


def test_one_broken_rule_does_not_silence_the_others():
    IntentRule.objects.create(slug="broken", intent=Intent.objects.get(key="chat"), patterns=["("])
    caches.clear()

    assert intent(service()).intent == "service"


def test_a_fault_of_the_local_model_itself_is_still_an_answer(monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("boom")

    monkeypatch.setattr(local_model, "rank_templates", broken)
    monkeypatch.setattr(caches, "recogniser", broken)
    ai = service()

    assert intent(ai).intent == "unclear"
    assert reply(ai).text == local_model.LAST_WORDS
    assert kinds(ai) == [("local", "bad_answer"), ("local", "bad_answer")]


# -- with a vendor -------------------------------------------------------------------------------------------------


def test_a_vendors_intent_is_used_and_recorded(vendor):
    vendor.script = [GOOD_INTENT]
    ai = service()

    found = intent(ai)

    assert (found.intent, found.topic, found.confidence, found.provider) == ("service", "支付问题", 0.93, "scripted")
    (call,) = ai.scope.calls
    assert (call.provider, call.model_name, call.prompt_tokens) == ("scripted", "scripted-1", 11)
    assert call.request["parts"] == {"line": "如何退款？"}
    assert vendor.asked[0].messages[-1].content == "<customer_text>如何退款？</customer_text>"


def test_an_intent_that_is_no_json_is_repaired_once(vendor):
    vendor.script = ["我觉得是退款", GOOD_INTENT]
    ai = service()

    assert intent(ai).provider == "scripted"
    assert kinds(ai) == [("scripted", "bad_answer"), ("scripted", "")]
    assert "我觉得是退款" in vendor.asked[1].messages[-2].content


def test_an_intent_that_cannot_be_repaired_is_judged_by_rules(vendor):
    vendor.script = ["不知道"]
    ai = service()

    found = intent(ai)

    assert (found.intent, found.provider) == ("service", "local")
    assert [call.attempt for call in ai.scope.calls] == [1, 2, 3]


def test_a_vendors_reply_is_checked_before_it_is_used(vendor):
    vendor.script = ["您的消息已被标记为风险"]
    ai = service()

    answer = reply(ai)

    assert answer.source == "template"
    assert kinds(ai) == [("scripted", "bad_answer"), ("scripted", "bad_answer"), ("local", "")]
    assert ai.scope.calls[0].response == {"text": "您的消息已被标记为风险", "problem": "forbidden"}
    assert answer.attempts == 3


def test_a_vendor_is_told_once_what_is_wrong_with_its_answer(vendor):
    vendor.script = ["退款 500 元明天到账。", "退款会原路退回，到账时间我请同事确认。"]
    ai = service()

    answer = reply(ai)

    assert answer.text == "退款会原路退回，到账时间我请同事确认。"
    assert [message.content for message in vendor.asked[1].messages[-2:]] == [
        "退款 500 元明天到账。",
        "上面的回答不能发给客户：金额“500 元”没有依据。请重新回答客户最后一句话，只输出可以直接发出的话。",
    ]


def test_a_good_reply_of_a_vendor_is_used_as_it_is(vendor):
    vendor.script = [" 退款会原路退回。\n"]
    ai = service()

    answer = reply(ai)

    assert (answer.text, answer.source, answer.provider) == ("退款会原路退回。", "model", "scripted")
    assert (answer.prompt_tokens, answer.attempts) == (11, 1)
    assert "<hints>" in vendor.asked[0].messages[0].content


@pytest.mark.parametrize("kind", ["overloaded", "timeout", "unreachable", "rate_limit"])
def test_what_may_pass_is_tried_once_more(vendor, kind):
    vendor.script = [ProviderError(kind, "later"), "退款会原路退回。"]
    ai = service()

    assert reply(ai).source == "model"
    assert kinds(ai) == [("scripted", kind), ("scripted", "")]


@pytest.mark.parametrize("kind", ["auth", "quota", "bad_request", "content_policy", "truncated"])
def test_what_cannot_pass_is_not_tried_again(vendor, kind):
    vendor.script = [ProviderError(kind, "no")]
    ai = service()

    assert reply(ai).source == "template"
    assert kinds(ai) == [("scripted", kind), ("local", "")]


def test_never_more_than_two_attempts(vendor):
    vendor.script = [ProviderError("overloaded", "later")]
    ai = service()

    reply(ai)

    assert len(vendor.asked) == 2


def test_a_vendor_that_wants_to_be_left_alone_longer_than_the_deadline_is(vendor):
    vendor.script = [ProviderError("rate_limit", "slow down", retry_after=60.0)]
    ai = service()

    reply(ai)

    assert len(vendor.asked) == 1


def test_no_attempt_is_started_that_the_deadline_does_not_allow(vendor):
    vendor.script = [ProviderError("overloaded", "later")]
    ai = service()
    started = time.monotonic()

    answer = reply(ai, deadline_s=0.3)

    assert answer.source == "template"
    assert not vendor.asked
    assert time.monotonic() - started < 2


def test_a_call_may_take_only_what_is_left_of_the_deadline(vendor):
    vendor.script = ["好的。"]

    reply(service(), deadline_s=4.0)

    assert vendor.asked[0].timeout <= 4.0


def test_a_mistake_in_a_plugin_is_no_mistake_of_the_caller(vendor):
    vendor.script = [lambda _request: 1 / 0]
    ai = service()

    assert reply(ai).source == "template"
    assert "ZeroDivisionError" in ai.scope.calls[0].error


@pytest.mark.parametrize("change", [{"is_active": False}, {"capabilities": ["report"]}, {"provider": "gone"}])
def test_a_model_that_is_off_or_cannot_is_not_asked(vendor, change):
    vendor.script = ["好的。"]
    AIModel.objects.filter(provider="scripted").update(**change)
    caches.clear()

    assert reply(service()).source == "template"
    assert not vendor.asked


def test_settings_that_no_longer_fit_end_in_the_local_model(vendor):
    vendor.script = ["好的。"]
    AIModel.objects.filter(provider="scripted").update(config={"config_version": 1, "unknown": 1})
    caches.clear()
    ai = service()

    assert reply(ai).source == "template"
    assert kinds(ai) == [("scripted", "bad_request"), ("local", "")]


def test_a_key_that_cannot_be_opened_ends_in_the_local_model(vendor):
    vendor.script = ["好的。"]
    AIModel.objects.filter(provider="scripted").update(api_key=Secret.sealed("deadbeef:gone"))
    caches.clear()
    ai = service()

    assert reply(ai).source == "template"
    assert kinds(ai) == [("scripted", "auth"), ("local", "")]


def test_a_reply_needs_a_line():
    with pytest.raises(ValueError, match="line"):
        service().generate_reply([], GenerateOptions())


# -- reports and health --------------------------------------------------------------------------------------------

DATA = {"消息": 12, "意图": {"service": 7}, "问题": ["退款", {"物流": 2}]}


def test_a_report_without_a_model_lists_the_figures():
    text = service().generate_report(DATA, ReportOptions("日报")).text

    assert text.splitlines()[0] == "日报"
    assert "- 消息：12" in text
    assert "  - service：7" in text


def test_a_report_of_a_vendor_is_its_own_words(vendor):
    vendor.script = ["今天共 12 条消息。"]

    assert service().generate_report(DATA, ReportOptions("日报")).text == "今天共 12 条消息。"


def test_health_is_one_real_question(vendor):
    vendor.script = ["我是客服。"]
    model = caches.model_snapshot(AIModel.objects.get(provider="scripted"))

    good = service().health_check(model)
    vendor.script = [ProviderError("auth", "wrong key")]
    bad = service().health_check(model)

    assert (good.ok, good.answer) == (True, "我是客服。")
    assert (bad.ok, bad.error_kind, bad.error) == (False, "auth", "wrong key")
    assert len(vendor.asked) == 2


def test_the_local_model_can_be_tested_like_any_other():
    model = caches.model_snapshot(AIModel.objects.get(provider="local"))

    assert service().health_check(model).ok
