"""What we say: message templates in categories. A category is also the *topic* of a customer's line."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from templates_lib.file_kinds import StoredFile
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


class AttachmentManager(models.Manager["Attachment"]):
    """Leaves the content where it is until somebody asks for it: rows are read far more often than files."""

    def get_queryset(self) -> models.QuerySet[Attachment]:
        return super().get_queryset().defer("content")


class Attachment(models.Model):
    """A picture or file that we send, stored once by its content (SHA-256), whatever it is called.

    What customers send is kept elsewhere (``robots.Media``) and cannot be reached from outside.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    content_type = models.CharField(_("content type"), max_length=80)
    size = models.PositiveIntegerField(_("size (bytes)"))
    content = models.BinaryField()
    stored_at = models.DateTimeField(_("stored at"), help_text=_("When it was uploaded last."))

    objects = AttachmentManager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.content_type} {self.digest[:12]}"


class MessageTemplate(models.Model):
    """A sentence for customers with ``{{variables}}``. A missing variable blocks the template, never reaches a chat.

    With a picture or file, that is sent after the text, or alone where there is no text.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    category = models.ForeignKey(
        TemplateCategory, on_delete=models.PROTECT, related_name="templates", verbose_name=_("category")
    )
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=200, blank=True)
    body = models.TextField(_("text"), blank=True)
    private_body = models.TextField(_("text in private chats"), blank=True)
    variants = ArrayField(models.TextField(), verbose_name=_("variants"), default=list, blank=True)
    variables = models.JSONField(_("variables"), default=list, blank=True)
    attachment = models.ForeignKey(
        Attachment,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="templates",
        verbose_name=_("picture or file"),
    )
    attachment_name = models.CharField(_("file name"), max_length=80, blank=True, db_default="")
    persona_type = models.CharField(_("persona type"), max_length=32, blank=True)
    intents = ArrayField(models.CharField(max_length=32), verbose_name=_("intents"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["category__order", "slug"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(body="") | models.Q(attachment__isnull=False), name="templates_template_says"
            ),
        ]
        indexes = [
            # candidates for an answer: the active templates of a category
            models.Index(fields=["category"], condition=models.Q(is_active=True), name="templates_template_active"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def file(self) -> StoredFile | None:
        """The picture or file that goes out with the text."""
        row = self.attachment
        return StoredFile(row.digest, self.attachment_name, row.content_type) if row else None
