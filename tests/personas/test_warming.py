"""A worker has the SDKs of active models imported before a customer's call needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from celery.signals import worker_ready

from personas import caches, warming
from personas.models import AIModel
from personas.providers import Answer, Provider, ProviderError, registry
from personas.tasks import warming as known_to_workers

pytestmark = pytest.mark.django_db


class SlowToImport(Provider):
    """Counts how often it was warmed up."""

    key = "slow_import"
    label = "Slow"
    needs_key = False
    warmed = 0

    @classmethod
    def warm_up(cls):
        cls.warmed += 1

    def chat(self, request):
        return Answer("好", "s1")


@pytest.fixture
def model():
    SlowToImport.warmed = 0
    with registry.temporarily(SlowToImport):
        yield AIModel.objects.create(name="s", provider="slow_import", is_active=True)


def test_only_models_that_may_be_asked_are_warmed_up_each_provider_once(model):
    AIModel.objects.create(name="s2", provider="slow_import", is_active=True)
    caches.clear()
    warming.warm_up()
    assert SlowToImport.warmed == 1

    AIModel.objects.update(is_active=False)
    caches.clear()
    warming.warm_up()
    assert SlowToImport.warmed == 1


def test_a_worker_starts_all_the_same_when_it_fails(model, monkeypatch):
    def broken():
        raise ProviderError("bad_request", "no such SDK")

    monkeypatch.setattr(SlowToImport, "warm_up", broken)
    caches.clear()

    warming.warm_up()


def test_workers_do_it_when_they_are_ready():
    receivers = [receiver for _key, receiver in worker_ready.receivers]

    assert known_to_workers.warm_up_in_background in receivers


@pytest.mark.parametrize(
    ("module", "provider", "sdk"),
    [
        ("custom", "CustomProvider", "openai"),
        ("claude", "ClaudeProvider", "anthropic"),
        ("aliyun_qwen", "AliyunQwenProvider", "dashscope"),
    ],
)
def test_a_vendors_sdk_is_imported_by_its_warm_up_and_not_before(module, provider, sdk):
    code = f"""
import sys
from django.conf import settings
settings.configure(ENCRYPTION_KEYS=[])
from personas.providers.{module} import {provider}
assert {sdk!r} not in sys.modules
{provider}.warm_up()
assert {sdk!r} in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
