"""What we say: message templates in categories. A category is also the *topic* of a customer's line."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from worktool_ai.lib.ids import uuid7


class TemplateCategory(models.Model):
    """One of the 24 scenes. Its name is what panels and labelled data call a topic."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=40, unique=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    order = models.PositiveSmallIntegerField(_("order"), default=0)
    planned_count = models.PositiveSmallIntegerField(_("planned templates"), default=0)

    class Meta:
        verbose_name = _("template category")
        verbose_name_plural = _("template categories")
        ordering = ["order", "name"]

    def __str__(self) -> str:
        return self.name


class MessageTemplate(models.Model):
    """A sentence for customers with ``{{variables}}``. A missing variable blocks the template, never reaches a chat."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    category = models.ForeignKey(
        TemplateCategory, on_delete=models.PROTECT, related_name="templates", verbose_name=_("category")
    )
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    private_body = models.TextField(_("text in private chats"), blank=True)
    variants = ArrayField(models.TextField(), verbose_name=_("variants"), default=list, blank=True)
    variables = models.JSONField(_("variables"), default=list, blank=True)
    persona_type = models.CharField(_("persona type"), max_length=32, blank=True)
    intents = ArrayField(models.CharField(max_length=32), verbose_name=_("intents"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["category__order", "slug"]
        indexes = [
            # candidates for an answer: the active templates of a category
            models.Index(fields=["category"], condition=models.Q(is_active=True), name="templates_template_active"),
        ]

    def __str__(self) -> str:
        return self.name
