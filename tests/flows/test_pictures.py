"""A customer's picture: looked at once by a model that sees, what is on it answered; else the robot asks for text."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.urls import reverse

from flows.engine import claims, runner, store
from flows.models import ConversationLease, Effect, Step
from personas import caches
from personas.models import AICall, AIModel, Persona
from personas.providers import TEXT_AND_IMAGES, Answer, ChatRequest, Provider, ProviderError, registry
from robots.models import Command, Media, Message
from tests.flows.conftest import Say, run_of
from tests.templates_lib import samples
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]

SEEN = "手机截图，上面写着：密码错误，无法登录账号"
PNG = base64.b64encode(samples.PNG).decode()


class SeeingVendor(Provider):
    """Describes every picture with the same words and remembers what it was asked; the local model does the rest."""

    key = "seeing"
    label = "Seeing"
    needs_key = False
    offers = TEXT_AND_IMAGES
    asked: ClassVar[list[ChatRequest]] = []
    error: ClassVar[ProviderError | None] = None

    def chat(self, request: ChatRequest) -> Answer:
        self.asked.append(request)
        if self.error:
            raise self.error
        return Answer(SEEN, "seeing-1", 900, 30)


@pytest.fixture
def vendor(seeded: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[SeeingVendor]]:
    monkeypatch.setattr(SeeingVendor, "asked", [])
    monkeypatch.setattr(SeeingVendor, "error", None)
    with registry.temporarily(SeeingVendor):
        model = AIModel.objects.create(
            name="看图", provider="seeing", model_id="seeing-1", is_active=True, capabilities=["image_analysis"]
        )
        Persona.objects.update(model=model)
        caches.clear()
        yield SeeingVendor
    caches.clear()


@pytest.fixture
def send(say: Say) -> Callable[..., Any]:
    """Send a picture as the inbound half stores it."""

    def _send(
        content: bytes = samples.PNG, content_type: str = "image/png", size: int | None = None, **fields: Any
    ) -> Any:
        digest = hashlib.sha256(content).hexdigest()
        values = {"content_type": content_type, "size": size or len(content), "content": content}
        Media.objects.get_or_create(digest=digest, defaults=values)
        return say(fields.pop("text", ""), media_digest=digest, **{"text_type": 2, "room": None, **fields})

    return _send


def patch_of(line: Any, node: str = "message_receive") -> dict[str, Any]:
    patch: dict[str, Any] = Step.objects.get(run=run_of(line), node_type=node).patch
    return patch


def test_a_picture_is_looked_at_and_answered_by_what_is_on_it(vendor, send, work):
    line = send()
    work()

    message = Message.objects.get(pk=line.message_id)
    assert (message.intent, message.topic, message.reason) == ("service", "账号问题", "answered")
    assert message.picture_text == SEEN
    assert patch_of(line)["picture_text"] == SEEN
    assert Command.objects.get().text
    (request,) = vendor.asked
    assert [image.data for message in request.messages for image in message.images] == [PNG]


def test_the_bytes_stand_nowhere_but_in_the_media(vendor, send, work):
    line = send()
    work()

    call = AICall.objects.get(task="picture")
    assert (call.succeeded, call.prompt_tokens, call.run_id) == (True, 900, run_of(line).pk)
    kept = [list(table.objects.values()) for table in (AICall, Effect, Step, Message, Command)]
    assert PNG not in json.dumps([kept, run_of(line).input], ensure_ascii=False, default=str)


def test_a_picture_is_looked_at_once_however_often_the_worker_dies(vendor, send, work, monkeypatch):
    line = send()
    committed = store.write

    def dies_after(group: Any) -> Any:
        committed(group)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", dies_after)
        (claimed,) = claims.claim(1)
        (head,) = claims.head_runs([claimed])
        with pytest.raises(SystemExit):
            runner.advance_conversation(head)
    assert Effect.objects.get().outcome == {"text": SEEN, "source": "seeing", "model": "seeing-1"}
    ConversationLease.objects.update(until=now() - timedelta(seconds=1))
    work()

    assert len(vendor.asked) == 1
    assert (run_of(line).recoveries, Message.objects.get(pk=line.message_id).reason) == (1, "answered")


def test_the_pages_of_line_and_run_tell_what_was_seen_or_why_not(vendor, send, say, work, admin_client):
    seen, missing = send(), say("", text_type=2, room=None, sender="李四")
    work()

    def page(row: Any) -> str:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        shown: str = admin_client.get(address).content.decode()
        return shown

    assert f"图片：{SEEN}" in page(run_of(seen))
    assert SEEN in page(Message.objects.get(pk=seen.message_id))
    assert "平台没有传来图片的内容。" in page(run_of(missing))


def test_the_next_line_is_answered_knowing_the_picture(vendor, send, say, work):
    send()
    work()
    say("这个怎么办", room=None)
    (claimed,) = claims.claim(1)
    (head,) = claims.head_runs([claimed])

    assert head.history[0].text == f"「图片：{SEEN}」"


def test_in_a_group_nobody_has_to_be_mentioned_for_a_picture_that_asks_something(vendor, send, work):
    line = send(room="客服群")
    work()
    assert Message.objects.get(pk=line.message_id).reason == "answered"


@pytest.mark.parametrize(
    ("picture", "problem"),
    [
        ({"content": b"BM" + bytes(20), "content_type": "image/bmp"}, "type"),
        ({"size": 8_000_000}, "too_large"),
    ],
)
def test_what_no_model_takes_is_never_shown_to_one(vendor, send, work, picture, problem):
    line = send(**picture)
    work()
    assert patch_of(line)["picture_problem"] == problem
    assert Message.objects.get(pk=line.message_id).reason == "asked_back"
    assert not vendor.asked


def test_a_picture_whose_content_did_not_come_is_asked_for_as_text(vendor, say, work):
    line = say("", text_type=2, room=None)
    work()
    assert patch_of(line)["picture_problem"] == "not_delivered"
    assert Message.objects.get(pk=line.message_id).reason == "asked_back"


def test_without_a_model_that_sees_the_customer_is_asked_for_text_and_nothing_is_asked(vendor, send, work):
    AIModel.objects.update(is_active=False)
    caches.clear()
    line, in_group = send(), send(room="客服群")
    work()
    assert patch_of(line)["picture_problem"] == patch_of(in_group)["picture_problem"] == "no_model"
    assert Message.objects.get(pk=line.message_id).reason == "asked_back"
    assert Message.objects.get(pk=in_group.message_id).reason == "unsupported_type"
    assert not AICall.objects.filter(task="picture").exists()


def test_a_model_that_fails_leaves_asking_for_text_with_its_error_on_record(vendor, send, work, monkeypatch):
    monkeypatch.setattr(vendor, "error", ProviderError("content_policy", "refused"))
    line = send()
    work()
    assert patch_of(line)["picture_problem"] == "failed"
    assert Message.objects.get(pk=line.message_id).reason == "asked_back"
    assert AICall.objects.get(task="picture").error_kind == "content_policy"


def test_a_long_text_that_is_kept_as_a_file_is_no_picture(vendor, send, work):
    line = send(b"...", "text/plain; charset=utf-8", text="如何退款？", text_type=1)
    work()
    assert not {"picture_text", "picture_problem"} & patch_of(line).keys()
    assert Message.objects.get(pk=line.message_id).reason == "answered"
    assert not vendor.asked
