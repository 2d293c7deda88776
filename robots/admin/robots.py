"""Robots, their groups, when they were online, group QR codes."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.forms.widgets import ArrayWidget
from unfold.decorators import action

from personas.caches import cast
from personas.selection import select_persona
from personas.voices import voice_of
from robots import caches, services
from robots.admin.common import shown_json
from robots.admin.connect import CONNECT_URLS
from robots.admin.pace import PaceMixin
from robots.admin.raw_bodies import RawBodiesView
from robots.admin.switches import StopMixin
from robots.admin.widgets import SuggestingInput
from robots.models import GroupQrCode, Mode, OnlineChange, Robot, RobotGroup
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, ReadOnlyModelAdmin, display
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.lib.crypto import fingerprint, mask


class RobotForm(forms.ModelForm):  # type: ignore[type-arg]
    """The platform's robot id is write-only: leaving it empty keeps it."""

    class Meta:
        model = Robot
        fields = (
            *("slug", "name", "aliases", "group", "robot_type", "persona", "mode", "is_active"),
            *("robot_id", "robot_key", "staff_names", "line_fresh_s", "reply_fresh_s", "duplicate_window_s"),
            *("merge_window_s", "merge_limit_s", "watch_from", "watch_until"),
            *("stale_reply", "requests_per_minute"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "robot_type" in self.fields:  # who may only look has none
            in_use = Robot.objects.exclude(robot_type="").order_by("robot_type").values_list("robot_type", flat=True)
            self.fields["robot_type"].widget = SuggestingInput(in_use.distinct())

    def clean_robot_id(self) -> str:
        robot_id = str(self.cleaned_data.get("robot_id") or "").strip()
        if not robot_id and self.instance._state.adding:
            raise ValidationError(_("Enter the robot id that the WorkTool app shows."), code="required")
        known = Robot.objects.exclude(pk=self.instance.pk).filter(robot_id_digest=fingerprint(robot_id))
        if robot_id and known.exists():
            raise ValidationError(_("Another robot here has this id."), code="unique")
        return robot_id

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if (values.get("watch_from") is None) != (values.get("watch_until") is None):
            raise ValidationError({"watch_until": _("Give both times, or neither.")})
        return values


@admin.register(Robot)
class RobotAdmin(PaceMixin, StopMixin, AuditedModelAdmin):
    scope_path = ""
    form = RobotForm
    list_display = (
        *("name", "slug", "shown_mode", "shown_online", "group", "persona", "shown_voice"),
        *("masked_robot_id", "last_callback_at", "is_active"),
    )
    list_filter = ("mode", "is_active", "is_online", "group")
    search_fields = ("name", "slug", "aliases")
    list_select_related = ("group", "persona")
    formfield_overrides: ClassVar[dict[Any, Any]] = {ArrayField: {"widget": ArrayWidget}}
    readonly_fields = (
        *("masked_robot_id", "callback_address", "shown_online", "last_callback_at", "created_at"),
        *("shown_stop", "shown_wait", "shown_voice"),
    )
    lost_secret_ways_out: ClassVar[dict[str, Any]] = {
        "callback_key": _("Make a new one on the page «Connect a robot» (New callback key).")
    }
    actions_detail: ClassVar[list[str]] = ["open_connect_page", "stop_sending"]
    actions_list: ClassVar[list[str]] = ["connect_robots", "latest_callbacks"]
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("name", "slug", "aliases", "group", "robot_type", "persona", "shown_voice"),
                    *("mode", "is_active"),
                )
            },
        ),
        (
            _("Connection"),
            {
                "fields": (
                    *("robot_id", "masked_robot_id", "robot_key", "callback_address"),
                    *("shown_online", "last_callback_at", "created_at", "shown_stop", "shown_wait"),
                )
            },
        ),
        (
            _("Manners"),
            {
                "fields": (
                    *("staff_names", "line_fresh_s", "reply_fresh_s", "duplicate_window_s"),
                    ("merge_window_s", "merge_limit_s"),
                    ("watch_from", "watch_until"),
                    ("stale_reply", "requests_per_minute"),
                )
            },
        ),
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("raw-bodies/", "robots_raw_bodies", RawBodiesView.as_view(model_admin=self)), *CONNECT_URLS)

    @display(
        description=_("mode"),
        label={Mode.SHADOW: "info", Mode.ASSIST: "warning", Mode.AUTOMATIC: "success"},
        ordering="mode",
    )
    def shown_mode(self, robot: Robot) -> tuple[str, str]:
        return robot.mode, robot.get_mode_display()

    @display(description=_("online"), label={"online": "success", "offline": "danger"}, ordering="is_online")
    def shown_online(self, robot: Robot) -> tuple[str, Any]:
        if robot.is_online is None:
            return "unknown", _("unknown")
        return ("online", _("online")) if robot.is_online else ("offline", _("offline"))

    @display(description=_("answers now"))
    def shown_voice(self, robot: Robot) -> str:
        """Say which persona speaks and who answers for it; a robot without an own one has that of its group or type."""
        if robot._state.adding:
            return "—"
        persona = select_persona(cast(), robot.persona_id, robot.group.name if robot.group else "", robot.robot_type)
        return f"{persona.name}：{voice_of(persona.id)}"

    @display(description=_("robot id"))
    def masked_robot_id(self, robot: Robot) -> str:
        return mask(robot.robot_id) or "—"

    @display(description=_("callback address"))
    def callback_address(self, robot: Robot) -> str:
        """Where it leads. It holds the key, so it is bound from the page «Connect a robot» and shown nowhere whole."""
        return "—" if robot._state.adding else services.shown_callback_url(robot, "message")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if may(request.user, Ability.CONNECT_ROBOTS):
            return fieldsets
        hidden = {"callback_address", "robot_id", "robot_key"}
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in hidden]})
            for title, options in fieldsets
        ]

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        assert isinstance(obj, Robot)
        if robot_id := form.cleaned_data.get("robot_id"):
            services.set_platform_id(obj, robot_id)
        if not change:
            services.set_callback_key(obj)
        super().save_model(request, obj, form, change)
        caches.forget()

    @action(description=_("Latest callbacks"), icon="move_to_inbox", permissions=["change"])
    def latest_callbacks(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:robots_raw_bodies"))

    @action(description=_("Connect a robot"), icon="cable", url_path="connect-page", permissions=["change"])
    def open_connect_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:robots_robot_connect", args=[self._robot(request, object_id).pk]))

    @action(description=_("Connect a robot"), icon="cable", permissions=["change"])
    def connect_robots(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:robots_connect"))

    def _robot(self, request: HttpRequest, object_id: str) -> Robot:
        robot: Robot | None = self.get_object(request, object_id)  # inside the person's scope
        if robot is None:
            raise Http404
        return robot


@admin.register(RobotGroup)
class RobotGroupAdmin(AuditedModelAdmin):
    list_display = ("name", "robots_in_it")
    search_fields = ("name",)

    @display(description=_("robots"))
    def robots_in_it(self, group: RobotGroup) -> str:
        return ", ".join(group.robots.values_list("name", flat=True)) or "—"


@admin.register(OnlineChange)
class OnlineChangeAdmin(ReadOnlyModelAdmin):
    scope_path = "robot"
    list_display = ("at", "robot", "is_online", "source")
    list_filter = ("robot", "is_online")
    list_select_related = ("robot",)
    date_hierarchy = "at"


@admin.register(GroupQrCode)
class GroupQrCodeAdmin(ReadOnlyModelAdmin):
    scope_path = "robot"
    list_display = ("received_at", "robot", "group_name", "qr_code")
    list_filter = ("robot",)
    search_fields = ("group_name",)
    list_select_related = ("robot",)
    fields = ("robot", "group_name", "qr_code", "platform_id", "received_at", "shown_raw")

    @display(description=_("raw"))
    def shown_raw(self, code: GroupQrCode) -> SafeString:
        return shown_json(code.raw)
