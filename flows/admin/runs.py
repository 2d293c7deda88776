"""Runs and what the engine keeps beside them: newest first, and nothing is edited. A run can be resumed or stopped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from flows import run_services
from flows.admin.graphs import view_of
from flows.admin.timeline import seconds, timeline_of
from flows.models import ConversationLease, Effect, Run, RunState, Step, StepState, Wait, WaitState
from robots.admin.colours import LINE_COLOURS
from robots.admin.common import (
    ChoicesDropdownFilter,
    IdSearchMixin,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    person,
    shown_json,
)
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.lib.text import shorten

__all__ = ["RunAdmin"]

_STATES = {
    RunState.QUEUED: "info",
    RunState.ACTIVE: "info",
    RunState.SETTLING: "info",
    RunState.PARKED: "warning",
    RunState.PAUSED: "danger",
    RunState.DONE: "success",
    RunState.FAILED: "danger",
    RunState.STOPPED: "warning",
}
_OUTCOMES = {"answered": _("answered"), "handed_over": _("handed over"), "silent": _("silent")}
_STEP_STATES = {StepState.DONE: "success", StepState.FAILED: "danger"}
_WAIT_STATES = {WaitState.OPEN: "info", WaitState.WOKEN: "success", WaitState.EXPIRED: "warning"}


@admin.register(Run)
class RunAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    """One line's way through its flow."""

    scope_path = "conversation__robot"
    uuid_fields = ("id", "message_id", "conversation_id")
    list_display = (
        *("created_at", "shown_state", "shown_reason", "shown_outcome", "person", "room", "robot", "shown_line"),
        *("duration", "version"),
    )
    list_filter = (
        ("created_at", RangeDateTimeFilter),
        ("state", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("conversation__robot", RelatedDropdownFilter),
        ("version", RelatedDropdownFilter),
    )
    list_filter_submit = True
    list_select_related = ("conversation__robot", "conversation__room", "message", "version__flow")
    search_fields = ("conversation__sender_name", "message__text")
    search_help_text = _("Id of a run, line or conversation; a person; words of the line.")
    fields = (
        ("shown_state", "shown_reason"),
        ("robot", "person"),
        ("room", "version"),
        ("created_at", "started_at"),
        ("ended_at", "duration"),
        ("shown_outcome", "recoveries"),
        ("flush_at", "origin_run"),
        "error",
    )
    readonly_fields = ("shown_state", "shown_reason", "shown_outcome", "robot", "room", "person", "duration")
    change_form_outer_after_template = "flows/run.html"
    actions: ClassVar[list[str]] = ["resume", "stop"]

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("flows/graph.css",)}

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("flows.change_run")

    @admin.action(description=_("Resume paused runs"), permissions=["decide"])
    def resume(self, request: HttpRequest, runs: QuerySet[Run]) -> None:
        """Let the chosen paused runs go on where they broke off."""
        done = [run_services.resume(run.pk, person(request), request) for run in runs]
        self._tell(request, done, _("%(count)d runs go on."), _("%(count)d were not paused."))

    @admin.action(description=_("Stop runs for good"), permissions=["decide"])
    def stop(self, request: HttpRequest, runs: QuerySet[Run]) -> None:
        """End the chosen runs; what they have queued is withdrawn."""
        done = [run_services.stop(run.pk, person(request), request) for run in runs]
        self._tell(request, done, _("%(count)d runs were stopped."), _("%(count)d had ended already."))

    def _tell(self, request: HttpRequest, done: list[bool], text: Any, otherwise: Any) -> None:
        if any(done):
            self.message_user(request, text % {"count": sum(done)})
        if not all(done):
            self.message_user(request, otherwise % {"count": len(done) - sum(done)}, messages.WARNING)

    @display(description=_("state"), label=_STATES, ordering="state")
    def shown_state(self, run: Run) -> tuple[str, str]:
        return run.state, run.get_state_display()

    @display(description=_("reason"), label=LINE_COLOURS, ordering="reason")
    def shown_reason(self, run: Run) -> tuple[str, Any]:
        return (run.reason, run.get_reason_display()) if run.reason else ("", "—")

    @display(description=_("outcome"), ordering="outcome")
    def shown_outcome(self, run: Run) -> str:
        return str(_OUTCOMES.get(run.outcome, run.outcome or "—"))

    @display(description=_("person"), ordering="conversation__sender_name")
    def person(self, run: Run) -> str:
        return run.conversation.sender_name

    @display(description=_("room"), ordering="conversation__room__name")
    def room(self, run: Run) -> str:
        return str(run.conversation.room)

    @display(description=_("robot"), ordering="conversation__robot__name")
    def robot(self, run: Run) -> str:
        return str(run.conversation.robot)

    @display(description=_("line"))
    def shown_line(self, run: Run) -> str:
        return shorten(run.message.shown_text, 40) or "—"

    @display(description=_("duration"))
    def duration(self, run: Run) -> str:
        """How long it ran, waiting included; unknown until it has ended."""
        return seconds(run.ended_at - run.started_at if run.ended_at and run.started_at else None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run: Run | None = self.get_object(request, object_id)
        shown: dict[str, Any] = {"is_fullwidth": "1"}
        if run is not None and self.has_view_permission(request, run):
            states = dict(run.steps.values_list("node_id", "state"))
            shown["run"] = run
            shown["timeline"] = timeline_of(run, request.user)
            shown["graph"] = view_of(run.version.graph, _anchor, states=states, edges=run.edges)
        response: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})
        return response


def _anchor(node_id: str) -> str:
    """In a run's picture a node leads to its step on the same page."""
    return f"#step-{node_id}"


class PartOfRunAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    """What belongs to a run, for looking across runs; a single run is better read on its own page."""

    scope_path = "run__conversation__robot"
    uuid_fields: ClassVar[tuple[str, ...]] = ("id", "run_id")
    list_select_related: ClassVar[Iterable[str]] = ("run__conversation__robot",)
    search_help_text = _("Id of a run, or a node's id.")
    search_fields: ClassVar[tuple[str, ...]] = ("node_id",)

    @display(description=_("robot"))
    def robot(self, row: Any) -> str:
        return str(row.run.conversation.robot)


@admin.register(Step)
class StepAdmin(PartOfRunAdmin):
    list_display = ("started_at", "node_id", "node_type", "shown_state", "port", "took", "robot", "error")
    list_filter = ("node_type", "state", ("started_at", RangeDateTimeFilter))
    list_filter_submit = True
    ordering = ("-pk",)
    fields = (
        *("run", "ordinal", "node_id", "node_type", "shown_state", "port", "started_at", "took", "error"),
        *("shown_patch", "shown_detail", "shown_logs"),
    )
    readonly_fields = ("shown_state", "took", "shown_patch", "shown_detail", "shown_logs")

    @display(description=_("state"), label=_STEP_STATES, ordering="state")
    def shown_state(self, step: Step) -> tuple[str, str]:
        return step.state, step.get_state_display()

    @display(description=_("duration"))
    def took(self, step: Step) -> str:
        return seconds(step.ended_at - step.started_at)

    @display(description=_("patch"))
    def shown_patch(self, step: Step) -> SafeString:
        return shown_json(step.patch)

    @display(description=_("detail"))
    def shown_detail(self, step: Step) -> SafeString:
        return shown_json(step.detail)

    @display(description=_("log lines"))
    def shown_logs(self, step: Step) -> SafeString:
        return shown_json(step.logs)


@admin.register(Effect)
class EffectAdmin(PartOfRunAdmin):
    list_display = ("created_at", "kind", "node_id", "shown_done", "took", "robot")
    list_filter = ("kind", ("created_at", RangeDateTimeFilter))
    list_filter_submit = True
    ordering = ("-pk",)
    fields = ("run", "node_id", "ordinal", "kind", "created_at", "took", "shown_intent", "shown_outcome")
    readonly_fields = ("took", "shown_intent", "shown_outcome")

    @display(description=_("outcome"), label={"done": "success", "open": "info"})
    def shown_done(self, effect: Effect) -> tuple[str, Any]:
        return ("open", _("under way")) if effect.outcome is None else ("done", _("stored"))

    @display(description=_("duration"))
    def took(self, effect: Effect) -> str:
        return seconds(effect.done_at - effect.created_at if effect.done_at else None)

    @display(description=_("intent"))
    def shown_intent(self, effect: Effect) -> SafeString:
        return shown_json(effect.intent)

    @display(description=_("outcome"))
    def shown_outcome(self, effect: Effect) -> SafeString:
        return shown_json(effect.outcome)


@admin.register(Wait)
class WaitAdmin(PartOfRunAdmin):
    uuid_fields: ClassVar[tuple[str, ...]] = ("id", "run_id", "key")
    list_display = ("created_at", "node_id", "key", "shown_state", "due_at", "robot")
    list_filter = ("state", ("due_at", RangeDateTimeFilter))
    list_filter_submit = True
    ordering = ("-pk",)

    @display(description=_("state"), label=_WAIT_STATES, ordering="state")
    def shown_state(self, wait: Wait) -> tuple[str, str]:
        return wait.state, wait.get_state_display()


@admin.register(ConversationLease)
class ConversationLeaseAdmin(IdSearchMixin, ReadOnlyModelAdmin):
    """Which worker advances which conversation now; empty when the engine is idle."""

    scope_path = "conversation__robot"
    uuid_fields = ("conversation_id",)
    list_display = ("conversation", "robot", "queued", "due_at", "holder", "until", "epoch")
    list_filter = (("due_at", admin.EmptyFieldListFilter),)
    list_select_related = ("conversation__robot", "conversation__room")
    search_fields = ("conversation__sender_name", "holder")
    ordering = ("due_at",)

    @display(description=_("robot"))
    def robot(self, lease: ConversationLease) -> str:
        return str(lease.conversation.robot)
