"""Templates and their categories, as operators see them: what is written, and how it will read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget

from templates_lib import files
from templates_lib.file_kinds import FileRefusedError, StoredFile
from templates_lib.models import MessageTemplate, TemplateCategory
from templates_lib.services import check_texts, preview, variables_for
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, display
from worktool_ai.lib.admin_fields import ArrayInputsMixin, BlocksField
from worktool_ai.lib.text import shorten


@admin.register(TemplateCategory)
class TemplateCategoryAdmin(AuditedModelAdmin):
    list_display = ("name", "description", "shown_count", "planned_count", "order")
    search_fields = ("name", "description")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(active_templates=Count("templates", filter=Q(templates__is_active=True)))
        return counted

    @display(description=_("active templates"), ordering="active_templates")
    def shown_count(self, category: Any) -> int:
        return int(category.active_templates)


class ShownFile:
    """A stored file as the theme's file input shows it: a name that leads to the file."""

    def __init__(self, file: StoredFile) -> None:
        self.url = files.path_of(file)
        self.name = file.name

    def __str__(self) -> str:
        return self.name


class MessageTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses unknown variables and words that customers never hear; notes which variables are used."""

    file = forms.FileField(
        required=False,
        label=_("Picture or file"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=_(
            "Sent after the text, or alone where there is no text. PNG, JPEG, GIF, MP4, MP3, PDF, Office documents or "
            "ZIP, at most 10 MB."
        ),
    )

    variants = BlocksField(
        required=False,
        label=_("Variants"),
        help_text=_("Other wordings, with a line of --- between two. One is drawn for each answer."),
    )

    class Meta:
        model = MessageTemplate
        fields = (
            "slug",
            "category",
            "name",
            "description",
            "body",
            "private_body",
            "variants",
            "persona_type",
            "intents",
            "is_active",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.upload: files.Upload | None = None
        if (file := self.instance.file) is not None:
            self.initial["file"] = ShownFile(file)

    def clean_file(self) -> Any:
        """An upload, False (the box to remove it was ticked), or what was there before."""
        given = self.cleaned_data.get("file")
        if isinstance(given, UploadedFile):
            try:
                self.upload = files.examine(given)
            except FileRefusedError as refused:
                raise forms.ValidationError([_(refused.problem), _(refused.way_out)]) from refused
        return given

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        texts = {
            "body": [cleaned.get("body", "")],
            "private_body": [cleaned.get("private_body", "")],
            "variants": cleaned.get("variants") or [],
        }
        for field, problem in check_texts(texts).items():
            self.add_error(field, problem)
        if not cleaned.get("body") and not cleaned.get("file") and not self.errors:
            self.add_error("body", forms.ValidationError(_("Write a text, or choose a picture or file."), "required"))
        self.instance.variables = variables_for([text for written in texts.values() for text in written])
        return cleaned

    def save(self, commit: bool = True) -> Any:
        if self.upload:
            self.instance.attachment = files.store(self.upload)
            self.instance.attachment_name = self.upload.file.name
        elif self.cleaned_data.get("file") is False:
            self.instance.attachment, self.instance.attachment_name = None, ""
        return super().save(commit)


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ArrayInputsMixin, AuditedModelAdmin):
    form = MessageTemplateForm
    list_display = ("name", "category", "shown_body", "persona_type", "is_active")
    list_filter = ("category", "persona_type", "is_active")
    list_select_related = ("category",)
    search_fields = ("name", "slug", "description", "body", "private_body")
    readonly_fields = ("shown_preview", "shown_variables", "shown_file")
    fieldsets = (
        (None, {"fields": ("name", "slug", "category", "description", "is_active")}),
        (_("Text"), {"fields": ("body", "private_body", "variants", "shown_variables", "file")}),
        (_("How it reads"), {"fields": ("shown_preview", "shown_file")}),
        (_("When it fits"), {"fields": ("persona_type", "intents")}),
    )

    @display(description=_("text"))
    def shown_body(self, template: MessageTemplate) -> str:
        named = f"[{template.attachment_name}]" if template.attachment_name else ""
        return f"{shorten(template.body, 60)} {named}".strip()

    @display(description=_("picture or file"))
    def shown_file(self, template: MessageTemplate) -> SafeString | str:
        """The picture itself; of other files the name, which leads to the file."""
        file = template.file
        if file is None:
            return "—"
        if file.kind.file_type == "image":
            box = "max-width: 320px; max-height: 320px"
            return format_html('<img src="{}" alt="{}" style="{}">', files.path_of(file), file.name, box)
        return format_html('<a href="{}" target="_blank" rel="noopener">{}</a>', files.path_of(file), file.name)

    @display(description=_("with examples"))
    def shown_preview(self, template: MessageTemplate) -> SafeString:
        texts = [template.body, template.private_body, *template.variants]
        return format_html_join(
            "", '<p class="mb-3" style="white-space: pre-wrap">{}</p>', ((preview(t),) for t in texts if t)
        )

    @display(description=_("variables"))
    def shown_variables(self, template: MessageTemplate) -> str:
        return "、".join(f"{{{{{variable['key']}}}}} ({variable['example']})" for variable in template.variables) or "—"
