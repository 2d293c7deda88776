"""Every call to a model, with what was asked and answered."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter

from personas.budgets.prices import shown
from personas.models import AICall
from personas.rebuilding import rebuilt_prompt
from personas.resilience.hops import Hop
from personas.voices import hop_text
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.lib import links


@admin.register(AICall)
class AICallAdmin(ReadOnlyModelAdmin):
    """Every call to a model, also the failed ones, with what was asked and answered."""

    list_display = (
        *("created_at", "task", "shown_model", "persona", "shown_outcome", "duration_ms"),
        *("shown_tokens", "shown_cost"),
    )
    list_filter = (("created_at", RangeDateTimeFilter), "task", "provider", "succeeded", "error_kind", "is_test")
    list_filter_submit = True
    list_select_related = ("persona", "model", "prompt_version__persona")
    search_fields = ("run_id", "message_id", "conversation_id", "model_name", "error")
    search_help_text = _("Id of a run, message or conversation, name of a model, or words of an error")
    show_full_result_count = False
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    "created_at",
                    "task",
                    "provider",
                    "model",
                    "model_name",
                    "persona",
                    "prompt_version",
                    "attempt",
                    "is_test",
                )
            },
        ),
        (
            _("Outcome"),
            {
                "fields": (
                    "succeeded",
                    "error_kind",
                    "error",
                    "duration_ms",
                    "prompt_tokens",
                    "completion_tokens",
                    "shown_cost",
                    "shown_estimate",
                )
            },
        ),
        (
            _("Whose call"),
            {"fields": ("run_id", "node_id", "message_id", "conversation_id", "room_id", "robot_id", "shown_links")},
        ),
        (_("Asked and answered"), {"fields": ("shown_passed", "shown_prompt", "shown_request", "shown_response")}),
    )

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("personas/prompts.css",)}

    @display(description=_("model"))
    def shown_model(self, call: AICall) -> str:
        return call.model_name or call.provider

    @display(description=_("outcome"), label={"ok": "success", "failed": "danger"})
    def shown_outcome(self, call: AICall) -> tuple[str, Any]:
        return ("ok", _("ok")) if call.succeeded else ("failed", call.error_kind or _("failed"))

    @display(description=_("tokens"))
    def shown_tokens(self, call: AICall) -> str:
        return f"{_or_dash(call.prompt_tokens)} + {_or_dash(call.completion_tokens)}"

    @display(description=_("cost"))
    def shown_cost(self, call: AICall) -> str:
        return shown(call.cost)

    @display(description=_("set aside for it in budgets"))
    def shown_estimate(self, call: AICall) -> str:
        """Only where the cost is unknown."""
        return shown(call.estimate)

    @display(description=_("links"))
    def shown_links(self, call: AICall) -> SafeString:
        found = ((address, title) for title, address in links.for_row(call))
        return format_html_join(" · ", '<a href="{}">{}</a>', found)

    @display(description=_("full prompt"))
    def shown_prompt(self, call: AICall) -> SafeString | str:
        """The messages as the model got them, built again of prompt version and parts."""
        prompt = rebuilt_prompt(call)
        return render_to_string("personas/prompt.html", {"prompt": prompt}) if prompt else "—"

    @display(description=_("passed over before it"))
    def shown_passed(self, call: AICall) -> str:
        hops = [Hop.from_json(told) for told in call.request.get("passed_over", ())]
        return "；".join(hop_text(hop) for hop in hops) or "—"

    @display(description=_("request"))
    def shown_request(self, call: AICall) -> SafeString:
        return _json(call.request)

    @display(description=_("response"))
    def shown_response(self, call: AICall) -> SafeString:
        return _json(call.response)


def _or_dash(value: int | None) -> str:
    return "—" if value is None else str(value)


def _json(document: Any) -> SafeString:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)
