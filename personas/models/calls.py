"""Every call to a model."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from personas.models.vendors import AIModel
from personas.models.voices import Persona, PromptVersion
from worktool_ai.lib.ids import uuid7

__all__ = ["AICall", "AITask"]


class AITask(models.TextChoices):
    INTENT = "intent", _("Intent")
    REPLY = "reply", _("Reply")
    REPORT = "report", _("Report")
    HEALTH = "health", _("Health check")
    PICTURE = "picture", _("Picture")


class AICall(models.Model):
    """One call to a model, successful or not. Ids of upper apps are plain UUIDs from the caller (CallScope)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.CharField(_("task"), max_length=16, choices=AITask)
    provider = models.CharField(_("provider"), max_length=40)
    model = models.ForeignKey(
        AIModel, null=True, on_delete=models.SET_NULL, related_name="calls", verbose_name=_("model")
    )
    model_name = models.CharField(_("model name"), max_length=255, blank=True)
    persona = models.ForeignKey(
        Persona, null=True, on_delete=models.SET_NULL, related_name="calls", verbose_name=_("persona")
    )
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, on_delete=models.SET_NULL, related_name="calls", verbose_name=_("prompt version")
    )
    is_test = models.BooleanField(_("test"), default=False, db_default=False)
    robot_id = models.UUIDField(null=True)
    room_id = models.UUIDField(null=True)
    conversation_id = models.UUIDField(null=True)
    message_id = models.UUIDField(_("message"), null=True)
    run_id = models.UUIDField(_("run"), null=True)
    node_id = models.CharField(_("node"), max_length=60, blank=True)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    succeeded = models.BooleanField(_("succeeded"))
    error_kind = models.CharField(_("error kind"), max_length=32, blank=True)
    error = models.TextField(_("error"), blank=True)
    request = models.JSONField(_("request"), default=dict)
    response = models.JSONField(_("response"), default=dict)
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), null=True)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), null=True)
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=6, null=True, help_text=_("Empty = unknown."))
    estimate = models.DecimalField(
        _("estimated cost"),
        max_digits=12,
        decimal_places=6,
        null=True,
        help_text=_("What counts in budgets while the cost is unknown: what was set aside for the call."),
    )
    duration_ms = models.PositiveIntegerField(_("duration (ms)"))
    created_at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("AI call")
        verbose_name_plural = _("AI calls")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"], name="personas_aicall_recent"),
            # all calls of a run, for the AI panel and for "never asked again"
            models.Index(fields=["run_id"], name="personas_aicall_run"),
            # a model's last test, and what today's probes have cost
            models.Index(
                fields=["model", "-created_at"], name="personas_aicall_health", condition=models.Q(task="health")
            ),
            # a model's last errors
            models.Index(
                fields=["model", "-created_at"], name="personas_aicall_failed", condition=models.Q(succeeded=False)
            ),
            # spending of a day or month, by whatever it is asked, from the index alone
            models.Index(
                fields=["created_at"],
                include=["cost", "estimate", "model", "persona", "robot_id", "room_id", "error_kind"],
                condition=~models.Q(provider="local"),
                name="personas_aicall_spend",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.model_name or self.provider}"
