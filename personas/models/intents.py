"""What customers want, and the rules by which the local model tells."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from templates_lib.models import TemplateCategory
from worktool_ai.lib.ids import uuid7

__all__ = ["Intent", "IntentRule"]


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
