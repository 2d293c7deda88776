"""What stands between the door and the stored line: the fallback inbox, fingerprints, media, dead letters."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from robots.models.robots import Robot
from worktool_ai.lib.ids import uuid7


class CallbackKind(models.TextChoices):
    """The platform's five, and what was fetched from its log afterwards: no caller may name that one."""

    MESSAGE = "message", _("message")
    RESULT = "result", _("command result")
    QRCODE = "qrcode", _("group QR code")
    ONLINE = "online", _("online")
    OFFLINE = "offline", _("offline")
    BACKFILL = "backfill", _("message fetched afterwards")


class InboxEntry(models.Model):
    """A callback that the door stored here because Redis was away, or because its body is large.

    The id is the door's: a callback that landed in both stores is recognised by it. Consumers take entries with ids
    smaller than their batch's first, so order is kept. A handled entry is deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    partition = models.PositiveSmallIntegerField(_("partition"))
    robot_id = models.UUIDField(_("robot"))
    kind = models.CharField(_("kind"), max_length=8, choices=CallbackKind)
    content_type = models.CharField(max_length=120, blank=True)
    body = models.BinaryField()
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("inbox entry")
        verbose_name_plural = _("inbox")
        ordering = ["id"]
        indexes = [models.Index(fields=["partition", "id"], name="robots_inbox_partition")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Fingerprint(models.Model):
    """One row per fingerprint (robot, room type, room, sender, type, text): decides on door times what is a duplicate.

    ``message_id`` is the line kept last and ``last_at`` its door time. A line with a platform id has a second row whose
    digest includes that id, so that its redelivery is recognised at any distance.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    message_id = models.UUIDField()
    platform_id = models.CharField(max_length=64, blank=True)
    last_at = models.DateTimeField()

    class Meta:
        verbose_name = _("fingerprint")
        verbose_name_plural = _("fingerprints")
        indexes = [models.Index(fields=["last_at"], name="robots_fingerprint_age")]  # retention

    def __str__(self) -> str:
        return self.digest[:12]


class Media(models.Model):
    """A picture or large body, stored once by hash and referenced. Never travels through Redis or a context."""

    digest = models.CharField(max_length=64, primary_key=True)
    content_type = models.CharField(_("content type"), max_length=80)
    size = models.PositiveIntegerField(_("size (bytes)"))
    content = models.BinaryField()
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("media")
        verbose_name_plural = _("media")

    def __str__(self) -> str:
        return f"{self.content_type} {self.digest[:12]}"


class DeadLetter(models.Model):
    """A callback that could not be processed because of its data. Infrastructure errors never end here: they retry."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    robot = models.ForeignKey(
        Robot, null=True, on_delete=models.SET_NULL, related_name="dead_letters", verbose_name=_("robot")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=CallbackKind)
    content_type = models.CharField(max_length=120, blank=True)
    body = models.BinaryField(_("body"))
    error = models.TextField(_("error"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    received_at = models.DateTimeField(_("received at"))
    created_at = models.DateTimeField(_("set aside at"), auto_now_add=True)
    redriven_at = models.DateTimeField(_("handled again at"), null=True, blank=True)

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind}: {self.error[:60]}"

    @property
    def body_text(self) -> str:
        """The body for reading; bytes that are no UTF-8 are shown as replacement characters."""
        return bytes(self.body).decode("utf-8", "replace")
