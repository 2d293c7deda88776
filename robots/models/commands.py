"""Commands: what a robot is told to do, from our queue to the phone's own word about it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import MD5, Cast, Coalesce
from django.utils.translation import gettext_lazy as _

from robots.models.messages import Conversation, Message, Room
from robots.models.robots import Robot
from worktool_ai.lib.ids import uuid7


class CommandState(models.TextChoices):
    """
    ::

        draft      (shadow mode: the outbox never claims it)
        queued -> sending -> accepted -> done | partial | failed
                     |  \\-> queued        (the connection was never made)
                     |   -> failed         (refused by the platform)
                     '-> unknown -> accepted      (evidence found)
                                 -> not_accepted  (evidence of absence; one re-send if fresh)
        queued -> expired | withdrawn
        queued -> covered                          (an equal one stands in the room, and this one would be stale)
        accepted -> withdrawn_unconfirmed          (a control command 305 was accepted: taken out of the phone's queue)
                 <-                                (the 305 failed after all)
                    withdrawn_unconfirmed -> done | partial | failed   (its own result came: better evidence)
    """

    DRAFT = "draft", _("draft")
    QUEUED = "queued", _("queued")
    SENDING = "sending", _("being sent")
    ACCEPTED = "accepted", _("accepted by the platform")
    DONE = "done", _("done")
    PARTIAL = "partial", _("partly done")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")
    NOT_ACCEPTED = "not_accepted", _("not accepted")
    COVERED = "covered", _("covered by an equal one")
    EXPIRED = "expired", _("expired")
    WITHDRAWN = "withdrawn", _("withdrawn")
    WITHDRAWN_UNCONFIRMED = "withdrawn_unconfirmed", _("withdrawn, not confirmed")
    CLOSED_BY_RESTORE = "closed_by_restore", _("closed by a restore")


#: The API's commandStatus (seed) for each detailed state.
PENDING = frozenset({CommandState.DRAFT, CommandState.QUEUED, CommandState.SENDING})
SENT = frozenset(
    {
        CommandState.ACCEPTED,
        CommandState.DONE,
        CommandState.PARTIAL,
        CommandState.UNKNOWN,
        CommandState.WITHDRAWN_UNCONFIRMED,
    }
)
#: A later command to the same room waits for these.
HOLDS_ROOM = frozenset({CommandState.QUEUED, CommandState.SENDING, CommandState.UNKNOWN})
#: Nothing more will happen to a command in these.
FINAL = frozenset(set(CommandState) - PENDING - {CommandState.ACCEPTED, CommandState.UNKNOWN}) | {CommandState.DRAFT}


#: Stands for the end of a command that has not ended, in the index by which equal ones are found.
STILL_OPEN = datetime(9999, 12, 31, tzinfo=UTC)


def command_status(state: str) -> str:
    """Return the API's coarse word for a detailed state: pending, sent or failed."""
    if state in PENDING:
        return "pending"
    return "sent" if state in SENT else "failed"


class Priority(models.IntegerChoices):
    ALERT = 0, _("alert")
    HUMAN = 1, _("colleague")
    REPLY = 2, _("reply")
    BULK = 3, _("bulk")


class Rewording(models.TextChoices):
    """Why a command says something else than it was queued with."""

    VARIANT = "variant", _("another wording: the phone would have swallowed an equal text")
    APOLOGY = "apology", _("an apology was put in front: it came late")


class Decision(models.TextChoices):
    """What a person, or the deadline, has decided about a command that no rule could decide."""

    SENT = "sent", _("was sent")
    RESENT = "resent", _("sent again")
    UNRESOLVED = "unresolved", _("stays unknown")


class Command(models.Model):
    """One command of one robot. ``id`` is our sendId; ``platform_id`` is the messageId that the platform gave for it.

    The row exists before the HTTP call. ``sending`` is committed on its own just before the call: killed before that
    mark it is simply sent, after it reconciliation decides. Never blindly re-sent.
    """

    id = models.UUIDField(_("sendId"), primary_key=True, default=uuid7, editable=False)
    seq = models.BigIntegerField(
        editable=False,
        db_default=Func(Value("robots_command_seq"), function="nextval", output_field=models.BigIntegerField()),
    )
    robot = models.ForeignKey(Robot, on_delete=models.PROTECT, related_name="commands", verbose_name=_("robot"))
    room = models.ForeignKey(
        Room, null=True, blank=True, on_delete=models.PROTECT, related_name="commands", verbose_name=_("room")
    )
    conversation = models.ForeignKey(
        Conversation,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="commands",
        verbose_name=_("conversation"),
    )
    message = models.OneToOneField(
        Message,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="command",
        verbose_name=_("outbound line"),
    )
    run_id = models.UUIDField(_("run"), null=True, blank=True)
    node_id = models.CharField(_("node"), max_length=60, blank=True)
    kind = models.PositiveSmallIntegerField(_("platform type"), default=203)
    target = models.CharField(_("target"), max_length=200, help_text=_("The address in titleList."))
    text = models.TextField(_("text"), blank=True)
    payload = models.JSONField(_("payload"), help_text=_("The command object as it is sent."))
    priority = models.PositiveSmallIntegerField(_("priority"), choices=Priority, default=Priority.REPLY)
    state = models.CharField(_("state"), max_length=24, choices=CommandState, default=CommandState.QUEUED)
    owner_epoch = models.PositiveIntegerField(null=True, blank=True)
    platform_id = models.CharField(_("platform messageId"), max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    expires_at = models.DateTimeField(_("fresh until"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    sending_at = models.DateTimeField(_("call started at"), null=True, blank=True)
    sender = models.CharField(max_length=80, blank=True, help_text=_("The process that made the call."))
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    final_at = models.DateTimeField(_("final at"), null=True, blank=True)
    error_code = models.IntegerField(_("error code"), null=True, blank=True)
    error_reason = models.CharField(_("error"), max_length=500, blank=True)
    evidence = models.JSONField(_("evidence"), default=list, blank=True)
    resent_as = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="resend_of",
        verbose_name=_("sent again as"),
    )
    cancels = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="cancellation",
        verbose_name=_("cancels"),
        help_text=_("Of a control command 305: the accepted command that it takes out of the phone's queue."),
    )
    recalls = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="recall",
        verbose_name=_("recalls"),
        help_text=_("Of a command 226: the command whose line it takes back from the chat."),
    )
    variants = models.JSONField(
        _("other wordings"), default=list, db_default=Value([], models.JSONField()), blank=True, editable=False
    )
    reworded = models.CharField(_("reworded"), max_length=8, choices=Rewording, blank=True, db_default="")
    covered_by = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="covers",
        db_index=False,
        verbose_name=_("covered by"),
        help_text=_("The equal command that stands in the room instead."),
    )
    #: Equal for what the phone's duplicate filter takes for one and the same.
    fingerprint = models.GeneratedField(
        expression=MD5(Cast("payload", models.TextField())),
        output_field=models.CharField(max_length=32),
        db_persist=True,
    )
    requested_by = models.CharField(_("requested by"), max_length=150, blank=True, db_default="")
    decision = models.CharField(_("decision"), max_length=12, choices=Decision, blank=True, db_default="")
    decided_by = models.CharField(_("decided by"), max_length=150, blank=True, db_default="")
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ["-seq"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state__in=["sending", "accepted", "unknown"]) | models.Q(sending_at__isnull=False),
                name="robots_command_call_started",
            ),
        ]
        indexes = [
            # outbox: what may be claimed next, and "is an earlier one to this room still open?"
            models.Index(
                fields=["robot", "target", "seq"],
                condition=models.Q(state__in=["queued", "sending", "unknown"]),
                name="robots_command_open",
            ),
            # outbox: does the phone have an equal one, or had it a moment ago?
            models.Index(
                "fingerprint",
                Coalesce("final_at", Value(STILL_OPEN)),
                condition=models.Q(sending_at__isnull=False),
                name="robots_command_equal",
            ),
            models.Index(
                fields=["covered_by"], condition=models.Q(covered_by__isnull=False), name="robots_command_covered"
            ),
            # result callbacks and adopted orphans
            models.Index(fields=["platform_id"], condition=~models.Q(platform_id=""), name="robots_command_platform"),
            # accepted ones that still wait for their result
            models.Index(fields=["accepted_at"], condition=models.Q(state="accepted"), name="robots_command_waiting"),
            models.Index(fields=["run_id"], condition=models.Q(run_id__isnull=False), name="robots_command_run"),
            # stops of sending look each second for phones that were told to empty their queues
            models.Index(fields=["created_at"], condition=models.Q(kind=304), name="robots_command_clear_all"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} → {self.target}"


class UnknownSend(Command):
    """A command whose end nobody knows, as the desk of :mod:`robots.unknown_sends` lists it."""

    class Meta:
        proxy = True
        verbose_name = _("unknown send")
        verbose_name_plural = _("unknown sends")


class CommandResult(models.Model):
    """A result callback as it came. Without ``command`` it is an orphan: kept, and matched when its command appears."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    robot = models.ForeignKey(Robot, on_delete=models.PROTECT, related_name="results", verbose_name=_("robot"))
    command = models.ForeignKey(
        Command,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="results",
        verbose_name=_("command"),
    )
    platform_id = models.CharField(_("platform messageId"), max_length=64, blank=True)
    inner_id = models.CharField(_("messageId in rawMsg"), max_length=64, blank=True)
    kind = models.PositiveSmallIntegerField(_("platform type"), null=True)
    error_code = models.IntegerField(_("error code"))
    error_reason = models.CharField(_("error"), max_length=500, blank=True)
    success_list = models.JSONField(_("succeeded"), default=list)
    fail_list = models.JSONField(_("failed"), default=list)
    run_time = models.DateTimeField(_("executed at"), null=True)
    time_cost = models.FloatField(_("time cost (s)"), null=True)
    raw = models.JSONField(_("raw"))
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("command result")
        verbose_name_plural = _("command results")
        ordering = ["-received_at"]
        indexes = [
            # orphans by the id that a command has just been given
            models.Index(fields=["platform_id"], condition=models.Q(command__isnull=True), name="robots_result_orphan"),
            # ... or by the one inside rawMsg
            models.Index(
                fields=["inner_id"],
                condition=models.Q(command__isnull=True) & ~models.Q(inner_id=""),
                name="robots_result_orphan_inner",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.platform_id}: {self.error_code}"
