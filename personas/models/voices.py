"""Who says it: personas, their further models, the versions of their prompts, and who serves which robot."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from personas.models.vendors import AIModel, Capability
from worktool_ai.lib.ids import uuid7

__all__ = ["Persona", "PersonaFallback", "PersonaMapping", "PersonaType", "PromptVersion", "new_canary"]


class PersonaType(models.TextChoices):
    COMMUNITY = "community", _("Community")
    SERVICE = "service", _("After-sales service")
    CONVERSION = "conversion", _("Conversion")
    TECH_SUPPORT = "tech_support", _("Technical support")
    PRODUCT_INFO = "product_info", _("Product information")
    CUSTOMER_RELATION = "customer_relation", _("Customer relations")
    ASSISTANT = "assistant", _("Assistant")


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
