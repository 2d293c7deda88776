"""Outages: spans of time in which callbacks may not have reached us, and what the platform's log had of them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from robots.models.messages import Message
from robots.models.robots import Robot
from worktool_ai.lib.ids import uuid7


class GapCause(models.TextChoices):
    DOWNTIME = "downtime", _("Our door did not answer")
    REFUSED = "refused", _("Our door refused, no store was there")
    SILENCE = "silence", _("Nothing was heard for long")
    ASKED = "asked", _("Somebody asked for it")


class GapState(models.TextChoices):
    OPEN = "open", _("being looked into")
    DONE = "done", _("done")
    GAVE_UP = "gave_up", _("given up: the log could not be read in time")


class CallbackGap(models.Model):
    """One robot's outage: the platform's callback log is read for it, and lines that we never stored are taken in.

    open --(last look)--> done
         \\--(24 h without an answer)--> gave_up
    ``due_at`` is also the lease: whoever looks moves it ahead first, and every later write asks whether it still
    stands there. ``read_until`` is how far the present look has come; None before its first answer.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    robot = models.ForeignKey(Robot, on_delete=models.CASCADE, related_name="gaps", verbose_name=_("robot"))
    cause = models.CharField(_("cause"), max_length=8, choices=GapCause)
    since = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("to"))
    state = models.CharField(_("state"), max_length=8, choices=GapState, default=GapState.OPEN)
    looks = models.PositiveSmallIntegerField(_("looks"), default=0)
    found = models.PositiveIntegerField(_("lines in the platform's log"), default=0)
    taken_in = models.PositiveIntegerField(_("lines taken in"), default=0)
    attempts = models.PositiveIntegerField(_("failed attempts"), default=0)
    due_at = models.DateTimeField(_("next look"))
    read_until = models.DateTimeField(null=True, editable=False)
    error = models.CharField(_("last problem"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("noticed at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)

    class Meta:
        verbose_name = _("outage")
        verbose_name_plural = _("outages")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["robot", "cause", "since"], name="robots_gap_once")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state=GapState.OPEN), name="robots_gap_due"),
        ]

    def __str__(self) -> str:
        return f"{self.robot} {self.since:%Y-%m-%d %H:%M:%S} – {self.until:%H:%M:%S}"


class DoorMark(models.Model):
    """When a process that serves the door was last alive. Whoever finds an old mark removes it and opens the gap."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("mark of the door")
        verbose_name_plural = _("marks of the door")

    def __str__(self) -> str:
        return f"{self.seen_at:%Y-%m-%d %H:%M:%S}"


class OpenQuestion(Message):
    """A customer's line that nobody has answered and that the robot may not answer any more (:mod:`robots.questions`).

    A view of messages, with rights of its own.
    """

    class Meta:
        proxy = True
        verbose_name = _("unanswered question")
        verbose_name_plural = _("unanswered questions")
