"""The local model: rules and templates. No key, no network, always there."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from personas import local_model
from personas.chain import Chain
from personas.providers import Answer, ChatRequest, Provider
from personas.selection import BUILT_IN
from personas.types import CallScope, GenerateOptions

__all__ = ["LocalProvider"]


class LocalProvider(Provider):
    """Answers the last line by rules and templates; the default on a fresh machine and the end of every chain."""

    key = "local"
    label = _("Local (rules and templates)")
    is_remote = False
    needs_key = False

    def chat(self, request: ChatRequest) -> Answer:
        chain = Chain(CallScope(), request.timeout)
        line = next((m.content for m in reversed(request.messages) if m.role == "user"), "")
        found = local_model.recognise(chain, BUILT_IN, line)
        options = GenerateOptions(intent=found.intent, topic=found.topic, values={"botName": BUILT_IN.name})
        return Answer(local_model.reply(chain, BUILT_IN, line, options).text, model=self.model_id)
