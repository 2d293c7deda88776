"""Flows and their runs.

::

    Flow --publishes--> FlowVersion (immutable) <--pinned by-- Run --has--> Step, Effect, Wait
    Conversation --has--> ConversationLease (who may advance it, until when, under which epoch)
"""

from __future__ import annotations

from django.db import models
from django.db.models import Func, Value
from django.utils.translation import gettext_lazy as _

from robots.models import Conversation, Message, Reason
from worktool_ai.accounts.models import User
from worktool_ai.lib.config_fields import ConfigJSONField
from worktool_ai.lib.ids import uuid7


class Flow(models.Model):
    """A flow that operators edit; customers meet only its published versions."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    draft = ConfigJSONField(_("draft"), default=dict, blank=True)
    active_version = models.ForeignKey(
        "FlowVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("active version"),
    )
    is_default = models.BooleanField(_("serves every robot"), default=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("flow")
        verbose_name_plural = _("flows")
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=models.Q(is_default=True), name="flows_flow_one_default"
            )
        ]

    def __str__(self) -> str:
        return self.name


class FlowVersion(models.Model):
    """A published graph. Never changed (a trigger refuses it): runs keep the version that they started with."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="versions", verbose_name=_("flow"))
    number = models.PositiveIntegerField(_("number"))
    graph = ConfigJSONField(_("graph"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    published_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("published by"),
    )
    published_at = models.DateTimeField(_("published at"), auto_now_add=True)

    class Meta:
        verbose_name = _("flow version")
        verbose_name_plural = _("flow versions")
        ordering = ["-published_at"]
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="flows_version_number")]

    def __str__(self) -> str:
        return f"{self.flow} v{self.number}"


class ConversationLease(models.Model):
    """Who may advance a conversation. Claimed with SKIP LOCKED; every claim raises ``epoch``, and every later write of
    the claimed run carries it: a worker that lost its lease writes nothing.

    ``queued`` counts runs that want a worker; ``due_at`` is set while there are any. Plain columns, so that the
    consumer that adds a run and the worker that finishes one meet on this row's lock and neither misses the other.
    """

    conversation = models.OneToOneField(
        Conversation,
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="lease",
        verbose_name=_("conversation"),
    )
    queued = models.PositiveIntegerField(_("queued runs"), default=0)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    epoch = models.BigIntegerField(_("epoch"), default=0)
    until = models.DateTimeField(_("leased until"), null=True, blank=True)
    holder = models.CharField(_("held by"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("conversation lease")
        verbose_name_plural = _("conversation leases")
        indexes = [
            # claim: due conversations, oldest first
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="flows_lease_due"),
            # renewal of one process, and readiness
            models.Index(fields=["holder"], condition=~models.Q(holder=""), name="flows_lease_holder"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} @{self.epoch}"


class RunState(models.TextChoices):
    """
    ::

        queued -> active -> done | failed | stopped
                    |  '-> settling -> queued     (only waits for results; frees the conversation)
                    |'-> parked -> queued         (a long wait)
                    '--> paused -> queued | stopped   (broke off too often: people decide)

    A walk that broke off goes back from active to queued.
    """

    QUEUED = "queued", _("queued")
    ACTIVE = "active", _("active")
    SETTLING = "settling", _("waiting for results")
    PARKED = "parked", _("waiting")
    PAUSED = "paused", _("paused after interruptions")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    STOPPED = "stopped", _("stopped")


#: A run in one of these wants a worker.
RUNNABLE = (RunState.QUEUED, RunState.ACTIVE)
ENDED = (RunState.DONE, RunState.FAILED, RunState.STOPPED)


class Run(models.Model):
    """One walk of one line through one version. ``input`` is the context at its start; steps hold patches to it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    seq = models.BigIntegerField(
        editable=False,
        db_default=Func(Value("flows_run_seq"), function="nextval", output_field=models.BigIntegerField()),
    )
    conversation = models.ForeignKey(
        Conversation, on_delete=models.PROTECT, related_name="runs", verbose_name=_("conversation")
    )
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="runs", verbose_name=_("line"))
    version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="runs", verbose_name=_("version"))
    state = models.CharField(_("state"), max_length=10, choices=RunState, default=RunState.QUEUED)
    outcome = models.CharField(_("outcome"), max_length=32, blank=True)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason, blank=True)
    input = models.JSONField(_("input"), default=dict)
    edges = models.JSONField(_("edges"), default=dict, help_text=_("taken or skipped, by edge id"))
    recoveries = models.PositiveSmallIntegerField(
        _("recoveries"),
        default=0,
        help_text=_("How often its walk broke off. An outage of infrastructure counts nothing."),
    )
    flush_at = models.DateTimeField(
        _("not before"),
        null=True,
        blank=True,
        help_text=_("Until then further lines are merged into it, or it rests after an interruption."),
    )
    error = models.TextField(_("error"), blank=True)
    origin_run = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="retries",
        verbose_name=_("retry of"),
    )
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-seq"]
        constraints = [
            # the belt: whatever the code does, two runs of one conversation are never active together
            models.UniqueConstraint(
                fields=["conversation"], condition=models.Q(state="active"), name="flows_run_one_active"
            ),
        ]
        indexes = [
            # claim: the head run of a conversation
            models.Index(
                fields=["conversation", "seq"],
                condition=models.Q(state__in=["queued", "active"]),
                name="flows_run_head",
            ),
            models.Index(fields=["message"], name="flows_run_message"),
            models.Index(fields=["-seq"], name="flows_run_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.version} · {self.get_state_display()}"


class StepState(models.TextChoices):
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class Step(models.Model):
    """One node that ran: the port it left by and the patch it made to the context. A skipped node has no step."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps", verbose_name=_("run"))
    ordinal = models.PositiveSmallIntegerField(_("position"))
    node_id = models.CharField(_("node"), max_length=60)
    node_type = models.CharField(_("node type"), max_length=60)
    state = models.CharField(_("state"), max_length=8, choices=StepState, default=StepState.DONE)
    port = models.CharField(_("port"), max_length=60, blank=True)
    patch = models.JSONField(_("patch"), default=dict)
    detail = models.JSONField(_("detail"), default=dict, help_text=_("What explains the result: wanted and actual."))
    logs = models.JSONField(_("log lines"), default=list)
    error = models.TextField(_("error"), blank=True)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"))

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["run", "ordinal"]
        constraints = [models.UniqueConstraint(fields=["run", "node_id"], name="flows_step_node_once")]

    def __str__(self) -> str:
        return f"{self.node_id} → {self.port}"


class Effect(models.Model):
    """An effect that a node asked for: its intent before, its outcome after. A stored outcome is replayed, never
    performed again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="effects", verbose_name=_("run"))
    node_id = models.CharField(_("node"), max_length=60)
    ordinal = models.PositiveSmallIntegerField(_("position"))
    kind = models.CharField(_("kind"), max_length=24)
    intent = models.JSONField(_("intent"), default=dict)
    outcome = models.JSONField(_("outcome"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    class Meta:
        verbose_name = _("effect")
        verbose_name_plural = _("effects")
        ordering = ["run", "created_at"]
        constraints = [models.UniqueConstraint(fields=["run", "node_id", "ordinal"], name="flows_effect_once")]

    def __str__(self) -> str:
        return f"{self.kind} by {self.node_id}"


class WaitState(models.TextChoices):
    OPEN = "open", _("open")
    WOKEN = "woken", _("woken")
    EXPIRED = "expired", _("expired")


class Wait(models.Model):
    """A durable wait: until ``due_at``, or until something named by ``key`` (a command) happens before then."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="waits", verbose_name=_("run"))
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="+")
    node_id = models.CharField(_("node"), max_length=60)
    ordinal = models.PositiveSmallIntegerField(_("position"))
    key = models.UUIDField(_("waits for"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=WaitState, default=WaitState.OPEN)
    due_at = models.DateTimeField(_("at the latest"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("wait")
        verbose_name_plural = _("waits")
        ordering = ["due_at"]
        constraints = [models.UniqueConstraint(fields=["run", "node_id", "ordinal"], name="flows_wait_once")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state="open"), name="flows_wait_due"),
            models.Index(fields=["key"], condition=models.Q(state="open"), name="flows_wait_key"),
        ]

    def __str__(self) -> str:
        return f"{self.node_id} until {self.due_at}"
