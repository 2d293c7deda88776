"""Who says it, with which model: AI models, personas, intents, the rules of the local model, and every AI call."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from personas.budgets.models import Budget, BudgetNotice, BudgetScope
from personas.budgets.prices import Price
from personas.providers import registry
from templates_lib.models import TemplateCategory
from worktool_ai.lib.config_fields import ConfigJSONField
from worktool_ai.lib.crypto import EncryptedTextField
from worktool_ai.lib.ids import uuid7

__all__ = [
    "AICall",
    "AIModel",
    "AIModelHealthCheck",
    "AITask",
    "Budget",
    "BudgetNotice",
    "BudgetScope",
    "Capability",
    "HealthStatus",
    "Intent",
    "IntentRule",
    "Persona",
    "PersonaMapping",
    "PersonaType",
]

#: Per million tokens; no vendor asks for as much as this.
_HIGHEST_PRICE = Decimal(100_000)


class Capability(models.TextChoices):
    """What a model can be asked for (seed §1.2)."""

    INTENT_RECOGNITION = "intent_recognition", _("Intent recognition")
    SERVICE_REPLY = "service_reply", _("Service reply")
    CONVERSION = "conversion", _("Conversion")
    REPORT = "report", _("Report")
    CHAT = "chat", _("Chat")
    IMAGE_ANALYSIS = "image_analysis", _("Image analysis")
    VOICE_PROCESSING = "voice_processing", _("Voice processing")


class PersonaType(models.TextChoices):
    COMMUNITY = "community", _("Community")
    SERVICE = "service", _("After-sales service")
    CONVERSION = "conversion", _("Conversion")
    TECH_SUPPORT = "tech_support", _("Technical support")
    PRODUCT_INFO = "product_info", _("Product information")
    CUSTOMER_RELATION = "customer_relation", _("Customer relations")
    ASSISTANT = "assistant", _("Assistant")


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


class Persona(models.Model):
    """A voice: system prompt, temperature, model. Without a model, or with an inactive one, the local model answers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    role_type = models.CharField(_("type"), max_length=32, choices=PersonaType)
    scenes = models.CharField(_("scenes"), max_length=200, blank=True)
    description = models.TextField(_("description"), blank=True)
    system_prompt = models.TextField(_("system prompt"))
    temperature = models.DecimalField(
        _("temperature"),
        max_digits=3,
        decimal_places=2,
        default=Decimal("0.7"),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(2))],
    )
    max_tokens = models.PositiveIntegerField(_("most tokens"), default=2000)
    history_tokens = models.PositiveIntegerField(
        _("tokens for earlier lines"),
        default=1500,
        validators=[MaxValueValidator(20_000)],
        help_text=_("Older lines are summarised. 0 shows the model only the line that it answers."),
    )
    capabilities = ArrayField(
        models.CharField(max_length=32, choices=Capability), verbose_name=_("capabilities"), default=list, blank=True
    )
    model = models.ForeignKey(
        AIModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="personas", verbose_name=_("model")
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(temperature__gte=0, temperature__lte=2), name="personas_persona_temperature"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PersonaFallback(models.Model):
    """A model that is asked when those before it were passed over or failed; after the last the local model answers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    persona = models.ForeignKey(Persona, on_delete=models.CASCADE, related_name="fallbacks", verbose_name=_("persona"))
    model = models.ForeignKey(AIModel, on_delete=models.CASCADE, related_name="+", verbose_name=_("model"))
    capability = models.CharField(
        _("capability"), max_length=32, choices=Capability, blank=True, help_text=_("Empty = all.")
    )
    order = models.PositiveSmallIntegerField(_("order"), default=1)

    class Meta:
        verbose_name = _("fallback model")
        verbose_name_plural = _("fallback models")
        ordering = ["persona", "order", "id"]
        constraints = [
            models.UniqueConstraint(fields=["persona", "capability", "model"], name="personas_personafallback_once")
        ]

    def __str__(self) -> str:
        return f"{self.persona} → {self.model}"


def new_canary() -> str:
    """Return a word that nobody says by chance."""
    return f"k{secrets.token_hex(5)}"


class PromptVersion(models.Model):
    """A persona's prompt as it was from some moment on. Never changed; without a persona once that was deleted."""

    #: what makes a version another one
    CONTENT = ("system_prompt", "temperature", "max_tokens")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    persona = models.ForeignKey(
        Persona, null=True, on_delete=models.SET_NULL, related_name="versions", verbose_name=_("persona")
    )
    number = models.PositiveIntegerField(_("number"))
    system_prompt = models.TextField(_("system prompt"))
    temperature = models.DecimalField(_("temperature"), max_digits=3, decimal_places=2)
    max_tokens = models.PositiveIntegerField(_("most tokens"))
    canary = models.CharField(max_length=32, default=new_canary)
    note = models.CharField(_("note"), max_length=200, blank=True)
    made_by = models.CharField(_("made by"), max_length=150)
    created_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("prompt version")
        verbose_name_plural = _("prompt versions")
        ordering = ["persona", "-number"]
        constraints = [models.UniqueConstraint(fields=["persona", "number"], name="personas_promptversion_number")]

    def __str__(self) -> str:
        return f"{self.persona or '—'} v{self.number}"

    @classmethod
    def latest(cls, personas: Iterable[Persona]) -> models.QuerySet[PromptVersion]:
        """Return the newest version of each of these personas."""
        return cls.objects.filter(persona__in=personas).order_by("persona_id", "-number").distinct("persona_id")

    def says_the_same_as(self, other: Persona | PromptVersion) -> bool:
        """Tell whether a persona or another version has this prompt, with these settings."""
        return all(getattr(self, name) == getattr(other, name) for name in self.CONTENT)


class PersonaMapping(models.Model):
    """Which persona type serves a robot of this group or type (seed §2.2): group first, then type, else assistant."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    word = models.CharField(_("robot group or type"), max_length=40, unique=True)
    role_type = models.CharField(_("persona type"), max_length=32, choices=PersonaType)

    class Meta:
        verbose_name = _("persona mapping")
        verbose_name_plural = _("persona mappings")
        ordering = ["word"]

    def __str__(self) -> str:
        return f"{self.word} → {self.role_type}"


class Intent(models.Model):
    """What a customer wants. ``unclear`` is the honest answer when nobody can tell."""

    key = models.SlugField(_("key"), max_length=32, primary_key=True)
    name = models.CharField(_("name"), max_length=40)
    description = models.CharField(_("description"), max_length=200, blank=True)
    needs_human = models.BooleanField(_("a person must be told"), default=False)
    order = models.PositiveSmallIntegerField(_("order"), default=0)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("intent")
        verbose_name_plural = _("intents")
        ordering = ["order", "key"]

    def __str__(self) -> str:
        return f"{self.name} ({self.key})"


class IntentRule(models.Model):
    """A rule of the local model: any phrase or pattern, none of the excludes -> intent and topic with a weight."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    intent = models.ForeignKey(Intent, on_delete=models.PROTECT, related_name="rules", verbose_name=_("intent"))
    topic = models.ForeignKey(
        TemplateCategory,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="intent_rules",
        verbose_name=_("topic"),
    )
    phrases = ArrayField(models.CharField(max_length=80), verbose_name=_("phrases"), default=list, blank=True)
    patterns = ArrayField(models.CharField(max_length=300), verbose_name=_("patterns"), default=list, blank=True)
    excludes = ArrayField(models.CharField(max_length=300), verbose_name=_("excludes"), default=list, blank=True)
    weight = models.FloatField(_("weight"), default=1.0, validators=[MinValueValidator(-10.0), MaxValueValidator(10.0)])
    note = models.CharField(_("note"), max_length=200, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("intent rule")
        verbose_name_plural = _("intent rules")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


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
