"""AI models, who holds their breakers, and what looks at their health found."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from personas.budgets.prices import Price
from personas.providers import registry
from worktool_ai.lib.config_fields import ConfigJSONField
from worktool_ai.lib.crypto import EncryptedTextField
from worktool_ai.lib.ids import uuid7

__all__ = ["AIModel", "AIModelHealthCheck", "BreakerHold", "Capability", "HealthSource", "HealthStatus"]


class Capability(models.TextChoices):
    """What a model can be asked for (seed §1.2)."""

    INTENT_RECOGNITION = "intent_recognition", _("Intent recognition")
    SERVICE_REPLY = "service_reply", _("Service reply")
    CONVERSION = "conversion", _("Conversion")
    REPORT = "report", _("Report")
    CHAT = "chat", _("Chat")
    IMAGE_ANALYSIS = "image_analysis", _("Image analysis")
    VOICE_PROCESSING = "voice_processing", _("Voice processing")


#: Per million tokens; no vendor asks for as much as this.
_HIGHEST_PRICE = Decimal(100_000)


def _price_field(name: Any) -> models.DecimalField[Any, Any]:
    return models.DecimalField(
        name,
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(_HIGHEST_PRICE)],
        help_text=_("In the currency of this installation. Empty = unknown."),
    )


class AIModel(models.Model):
    """One model of one provider. ``provider`` is a plugin key, ``config`` that plugin's own fields."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120, unique=True)
    provider = models.CharField(_("provider"), max_length=40)
    model_id = models.CharField(_("model"), max_length=255, blank=True)
    model_type = models.CharField(_("model type"), max_length=50, default="chat")
    capabilities = ArrayField(
        models.CharField(max_length=32, choices=Capability), verbose_name=_("capabilities"), default=list, blank=True
    )
    is_active = models.BooleanField(_("active"), default=False)
    api_endpoint = models.URLField(_("endpoint"), max_length=500, blank=True)
    api_key = EncryptedTextField(_("API key"), blank=True, default="", db_column="api_key_encrypted")
    config = ConfigJSONField(_("configuration"), default=dict, blank=True)
    requests_per_minute = models.PositiveIntegerField(
        _("requests per minute"),
        null=True,
        blank=True,
        help_text=_("Empty = no limit."),
        validators=[MinValueValidator(1)],
    )
    tokens_per_minute = models.PositiveIntegerField(
        _("tokens per minute"),
        null=True,
        blank=True,
        help_text=_("Empty = no limit."),
        validators=[MinValueValidator(1)],
    )
    input_price = _price_field(_("price of a million tokens read"))
    output_price = _price_field(_("price of a million tokens written"))
    note = models.CharField(_("note"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("AI model")
        verbose_name_plural = _("AI models")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> Price | None:
        """None while it is not known."""
        if self.input_price is None or self.output_price is None:
            return None
        return Price(self.input_price, self.output_price)

    def clean(self) -> None:
        """Refuse half a price, and what no model of the provider can do."""
        if (self.input_price is None) != (self.output_price is None):
            missing = "input_price" if self.input_price is None else "output_price"
            raise ValidationError({missing: _("Enter both prices, or none: half a price says nothing.")})
        if self.provider not in registry:
            return
        beyond = set(self.capabilities) - registry.get(self.provider).offers
        if names := "、".join(str(capability.label) for capability in Capability if capability in beyond):
            problem = _("Models of this provider cannot do this: %(names)s.") % {"names": names}
            raise ValidationError({"capabilities": problem})


class BreakerHold(models.Model):
    """A breaker that a person holds open or closed, until somebody gives it back to its own judgement."""

    class State(models.TextChoices):
        OPEN = "open", _("open: never asked")
        CLOSED = "closed", _("closed: always asked")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(AIModel, on_delete=models.CASCADE, related_name="holds", verbose_name=_("model"))
    capability = models.CharField(
        _("capability"), max_length=32, choices=Capability, blank=True, help_text=_("Empty = all.")
    )
    state = models.CharField(_("state"), max_length=8, choices=State)
    why = models.CharField(_("why"), max_length=200, blank=True)
    set_by = models.CharField(_("set by"), max_length=120)
    set_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("held breaker")
        verbose_name_plural = _("held breakers")
        ordering = ["set_at"]
        constraints = [models.UniqueConstraint(fields=["model", "capability"], name="personas_breakerhold_once")]

    def __str__(self) -> str:
        return f"{self.model}: {self.capability or '*'} {self.state}"


class HealthStatus(models.TextChoices):
    HEALTHY = "healthy", _("healthy")
    DEGRADED = "degraded", _("degraded")
    DOWN = "down", _("down")


class HealthSource(models.TextChoices):
    TRAFFIC = "traffic", _("from traffic")
    PROBE = "probe", _("by a probe")
    TEST = "test", _("by a test")


class AIModelHealthCheck(models.Model):
    """One look at a model's health; ``response_time`` in milliseconds."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(AIModel, on_delete=models.CASCADE, related_name="health_checks", verbose_name=_("model"))
    status = models.CharField(_("status"), max_length=20, choices=HealthStatus)
    source = models.CharField(_("how"), max_length=8, choices=HealthSource, default=HealthSource.TEST)
    response_time = models.PositiveIntegerField(_("response time (ms)"), null=True, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    checked_at = models.DateTimeField(_("checked at"), auto_now_add=True)

    class Meta:
        verbose_name = _("health check")
        verbose_name_plural = _("health checks")
        ordering = ["-checked_at"]
        indexes = [models.Index(fields=["model", "-checked_at"], name="personas_health_latest")]

    def __str__(self) -> str:
        return f"{self.model}: {self.status}"
