"""What must be noticed: rules, alerts, channels, the people to be told, and what was really delivered."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from robots.models import Command, Message, Robot, Room
from worktool_ai.accounts.models import User
from worktool_ai.lib.config_fields import ConfigJSONField
from worktool_ai.lib.ids import uuid7


class Level(models.TextChoices):
    CRITICAL = "critical", _("critical")
    WARNING = "warning", _("warning")
    INFO = "info", _("info")


class Recipient(models.Model):
    """Somebody to be told: by a robot (name of a private chat or group), in the panel (a person of ours), or both."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=80, unique=True)
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="recipients", verbose_name=_("person")
    )
    chat_name = models.CharField(
        _("name in WeCom"), max_length=200, blank=True, help_text=_("The private chat or group a robot writes to.")
    )
    chat_is_group = models.BooleanField(_("is a group"), default=False)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class NotificationChannel(models.Model):
    """A way to tell: ``kind`` is a plugin key, ``config`` that plugin's own fields (secrets sealed)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=40)
    config = ConfigJSONField(_("configuration"), default=dict, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("notification channel")
        verbose_name_plural = _("notification channels")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """When a condition holds: which level, which code, whom to tell, how often at most."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    name = models.CharField(_("name"), max_length=120)
    condition = models.CharField(_("condition"), max_length=40)
    config = ConfigJSONField(_("condition's fields"), default=dict, blank=True)
    level = models.CharField(_("level"), max_length=10, choices=Level, default=Level.WARNING)
    code = models.CharField(_("alert code"), max_length=60)
    cooldown_s = models.PositiveIntegerField(_("told again after (s)"), default=300)
    channels = models.ManyToManyField(NotificationChannel, blank=True, verbose_name=_("channels"))
    recipients = models.ManyToManyField(Recipient, blank=True, verbose_name=_("recipients"))
    order = models.PositiveSmallIntegerField(_("order"), default=100)
    is_active = models.BooleanField(_("active"), default=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering = ["order", "slug"]

    def __str__(self) -> str:
        return self.name


class AlertState(models.TextChoices):
    """open -> acknowledged -> resolved; open -> resolved."""

    OPEN = "open", _("open")
    ACKNOWLEDGED = "acknowledged", _("acknowledged")
    RESOLVED = "resolved", _("resolved")


class Alert(models.Model):
    """Something that must be noticed. Equal ones count up one open alert instead of opening another."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(_("code"), max_length=60)
    level = models.CharField(_("level"), max_length=10, choices=Level, default=Level.WARNING)
    title = models.CharField(_("title"), max_length=200)
    fingerprint = models.CharField(max_length=200, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=AlertState, default=AlertState.OPEN)
    count = models.PositiveIntegerField(_("times"), default=1)
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))
    notified_at = models.DateTimeField(_("told at"), null=True, blank=True)
    robot = models.ForeignKey(
        Robot, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts", verbose_name=_("robot")
    )
    room = models.ForeignKey(
        Room, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts", verbose_name=_("room")
    )
    message = models.ForeignKey(
        Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts", verbose_name=_("last line")
    )
    rule = models.ForeignKey(
        AlertRule, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts", verbose_name=_("rule")
    )
    run_id = models.UUIDField(_("run"), null=True, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True)
    acknowledged_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("acknowledged by")
    )
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=~models.Q(state="resolved"), name="alerts_alert_one_open"
            ),
        ]
        indexes = [models.Index(fields=["state", "-last_at"], name="alerts_alert_board")]

    def __str__(self) -> str:
        return self.title


class DeliveryState(models.TextChoices):
    """
    ::

        queued -> sending -> sent | failed | not_configured
                     '-> queued (retry with a deadline)
    """

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    NOT_CONFIGURED = "not_configured", _("channel not configured")


class Delivery(models.Model):
    """One telling of one alert over one channel to one recipient (or to the channel's own address)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="deliveries", verbose_name=_("alert"))
    channel = models.ForeignKey(
        NotificationChannel, on_delete=models.PROTECT, related_name="deliveries", verbose_name=_("channel")
    )
    recipient = models.ForeignKey(
        Recipient,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="deliveries",
        verbose_name=_("recipient"),
    )
    state = models.CharField(_("state"), max_length=16, choices=DeliveryState, default=DeliveryState.QUEUED)
    text = models.TextField(_("text"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due at"))
    deadline_at = models.DateTimeField(_("given up at"))
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    error = models.CharField(_("error"), max_length=500, blank=True)
    command = models.ForeignKey(
        Command, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("command")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-created_at"]
        indexes = [
            # the deliverer: what is due, and what a dead deliverer left behind
            models.Index(
                fields=["due_at"], condition=models.Q(state__in=["queued", "sending"]), name="alerts_delivery_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.state}"
