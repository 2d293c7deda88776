"""Published versions: never changed; looked at, restored as draft, made active again."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from flows import drafts, services
from flows.admin.flows import tell_problems
from flows.admin.graphs import as_file, view_of
from flows.graph import GraphError
from flows.models import FlowVersion
from robots.admin.common import person
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.lib.admin_actions import RowAction, RowActionsMixin

__all__ = ["FlowVersionAdmin"]


@admin.register(FlowVersion)
class FlowVersionAdmin(RowActionsMixin, ReadOnlyModelAdmin):
    list_display = ("__str__", "flow", "number", "shown_active", "published_at", "published_by", "note")
    list_filter = ("flow",)
    list_select_related = ("flow", "published_by")
    search_fields = ("note", "flow__name", "flow__slug")
    fields = ("shown_flow", "number", "shown_active", "published_at", "published_by", "note", "used_by")
    readonly_fields = fields
    change_form_outer_after_template = "flows/version.html"
    row_actions = (
        RowAction("restore", _("Restore as draft"), "edit_document", permission="edit_flow"),
        RowAction("activate", _("Make active"), "play_circle", permission="edit_flow"),
    )

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("flows/graph.css",)}

    def has_edit_flow_permission(self, request: HttpRequest, obj: FlowVersion | None = None) -> bool:
        """A version is never changed; what it does to its flow is a change of the flow."""
        return bool(request.user.has_perm("flows.change_flow"))

    def offers(self, request: HttpRequest, action: RowAction, row: FlowVersion) -> bool:
        fits = action.name == "restore" or row.flow.active_version_id != row.pk
        return fits and super().offers(request, action, row)

    @display(description=_("state"), label={"active": "success", "past": "info"})
    def shown_active(self, version: FlowVersion) -> tuple[str, Any]:
        return ("active", _("active")) if version.flow.active_version_id == version.pk else ("past", _("not active"))

    @display(description=_("flow"))
    def shown_flow(self, version: FlowVersion) -> SafeString:
        return format_html('<a href="{}">{}</a>', _flow_url(version), version.flow)

    @display(description=_("used by"))
    def used_by(self, version: FlowVersion) -> SafeString:
        runs = reverse("admin:flows_run_changelist") + f"?version__id__exact={version.pk}"
        return format_html('<a href="{}">{}</a>', runs, _("%(count)d runs") % {"count": version.runs.count()})

    def get_urls(self) -> list[Any]:
        export = path("<uuid:pk>/export/", self.admin_site.admin_view(self.export), name="flows_flowversion_export")
        return [export, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version: FlowVersion | None = self.get_object(request, object_id)
        shown = {"graph": view_of(version.graph), "version": version} if version else {}
        shown["may_export"] = may(request.user, Ability.EXPORT)
        response: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})
        return response

    def export(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Hand the version out as a file, as `manage.py publish_flow` takes it."""
        version: FlowVersion | None = self.get_object(request, str(pk))
        if version is None:
            raise Http404
        if not (self.has_view_permission(request, version) and may(request.user, Ability.EXPORT)):
            raise PermissionDenied
        return as_file(version.graph, f"{version.flow.slug}-v{version.number}")

    def restore(self, request: HttpRequest, row: FlowVersion, _inputs: dict[str, Any]) -> HttpResponse:
        drafts.restore(row, actor=person(request))
        self.message_user(request, _("Version %(number)d is the draft now.") % {"number": row.number})
        return HttpResponseRedirect(_flow_url(row))

    def activate(self, request: HttpRequest, row: FlowVersion, _inputs: dict[str, Any]) -> HttpResponse | None:
        try:
            services.activate(row, actor=person(request))
        except GraphError as error:
            tell_problems(self, request, _("Not activated: this version can no longer run."), error)
            return None
        text = _("Version %(number)d is active: new lines take it, runs in flight keep theirs.")
        self.message_user(request, text % {"number": row.number})
        return HttpResponseRedirect(_flow_url(row))


def _flow_url(version: FlowVersion) -> str:
    return reverse("admin:flows_flow_change", args=[version.flow_id])
