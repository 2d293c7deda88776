"""Robots: Android phones that read and type for us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from personas.models import Persona
from worktool_ai.lib.crypto import EncryptedTextField
from worktool_ai.lib.ids import uuid7


class Mode(models.TextChoices):
    """How far a robot acts on its own. A new robot starts in shadow: it drafts, and sends nothing."""

    SHADOW = "shadow", _("Shadow: drafts only")
    ASSIST = "assist", _("Assist: a person sends")
    AUTOMATIC = "automatic", _("Automatic")


class StaleReply(models.TextChoices):
    """What becomes of an answer that could not leave while it was fresh."""

    EXPIRE = "expire", _("It is not sent any more")
    APOLOGISE = "apologise", _("It is sent with an apology in front")


class RobotGroup(models.Model):
    """Robots that belong together (a department); a person's scope can name groups."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=80, unique=True)

    class Meta:
        verbose_name = _("robot group")
        verbose_name_plural = _("robot groups")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Robot(models.Model):
    """One robot. Its platform id is a credential: encrypted, found by digest, shown only masked; we use ``slug``.

    A rotated callback key stays valid until ``previous_key_until`` so that the platform's old URL keeps working.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=80, help_text=_("The display name in WeCom: customers @ this name."))
    aliases = ArrayField(
        models.CharField(max_length=80),
        verbose_name=_("other names"),
        default=list,
        blank=True,
        help_text=_("Further names under which its lines appear; lines of these senders are never answered."),
    )
    robot_id = EncryptedTextField(_("robot id"))
    robot_id_digest = models.CharField(max_length=64, unique=True, editable=False)
    robot_key = EncryptedTextField(_("robot key"), blank=True, default="")
    callback_key = EncryptedTextField(_("callback key"))
    callback_key_digest = models.CharField(max_length=64, unique=True, editable=False)
    previous_key_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    previous_key_until = models.DateTimeField(null=True, blank=True, editable=False)
    group = models.ForeignKey(
        RobotGroup,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="robots",
        verbose_name=_("group"),
    )
    robot_type = models.CharField(_("type"), max_length=40, blank=True)
    persona = models.ForeignKey(
        Persona,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="robots",
        verbose_name=_("persona"),
    )
    mode = models.CharField(_("mode"), max_length=16, choices=Mode, default=Mode.SHADOW)
    is_active = models.BooleanField(_("active"), default=True)
    staff_names = ArrayField(
        models.CharField(max_length=80),
        verbose_name=_("colleagues"),
        default=list,
        blank=True,
        help_text=_("Names of colleagues in its groups; their lines are stored and never answered."),
    )
    line_fresh_s = models.PositiveIntegerField(_("a line is fresh for (s)"), default=300)
    reply_fresh_s = models.PositiveIntegerField(_("a reply is fresh for (s)"), default=180)
    stale_reply = models.CharField(
        _("a stale reply"), max_length=10, choices=StaleReply, default=StaleReply.EXPIRE, db_default=StaleReply.EXPIRE
    )
    requests_per_minute = models.PositiveSmallIntegerField(
        _("requests per minute"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("A limit of its own, inside the one that all robots share. Empty: only the shared one."),
    )
    duplicate_window_s = models.PositiveIntegerField(_("duplicate window (s)"), default=10)
    merge_window_s = models.PositiveSmallIntegerField(
        _("merging window (s)"),
        default=0,
        validators=[MaxValueValidator(120)],
        help_text=_(
            "Lines that one person says within so many seconds, or while an answer is being written, get one answer"
            " together. 0 answers each line on its own."
        ),
    )
    merge_limit_s = models.PositiveSmallIntegerField(
        _("merging limit (s)"),
        default=30,
        validators=[MaxValueValidator(600)],
        help_text=_("So long after the first line the answer is begun at the latest, even if the person goes on."),
    )
    watch_from = models.TimeField(
        _("expect lines from"),
        null=True,
        blank=True,
        help_text=_("China time. When nothing is heard for long between these times, the platform's log is read."),
    )
    watch_until = models.TimeField(_("expect lines until"), null=True, blank=True)
    is_online = models.BooleanField(_("online"), null=True, editable=False)
    #: Written with almost every line: no change of what others hold of a robot in memory (worktool_ai.lib.versions).
    volatile_columns: ClassVar[Sequence[str]] = ("last_callback_at",)
    last_callback_at = models.DateTimeField(_("last callback"), null=True, editable=False)
    pace_s = models.FloatField(_("seconds per command"), null=True, editable=False)
    reconciled_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("robot")
        verbose_name_plural = _("robots")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class OnlineChange(models.Model):
    """When a robot went online or offline, and who said so (callback or query)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    robot = models.ForeignKey(Robot, on_delete=models.CASCADE, related_name="online_changes", verbose_name=_("robot"))
    is_online = models.BooleanField(_("online"))
    source = models.CharField(_("source"), max_length=16)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("online change")
        verbose_name_plural = _("online history")
        ordering = ["-at"]
        indexes = [models.Index(fields=["robot", "-at"], name="robots_online_history")]

    def __str__(self) -> str:
        return f"{self.robot} {'online' if self.is_online else 'offline'}"


class GroupQrCode(models.Model):
    """A group's QR code as the platform posted it after creating or editing a group; valid for 7 days."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    robot = models.ForeignKey(Robot, on_delete=models.CASCADE, related_name="qr_codes", verbose_name=_("robot"))
    group_name = models.CharField(_("group"), max_length=200)
    qr_code = models.CharField(_("QR code"), max_length=2000)
    platform_id = models.CharField(_("platform id"), max_length=64, blank=True)
    raw = models.JSONField(_("raw"), default=dict)
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("group QR code")
        verbose_name_plural = _("group QR codes")
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["robot", "-received_at"], name="robots_qrcode_latest")]

    def __str__(self) -> str:
        return self.group_name
