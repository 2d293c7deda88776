"""The kill switch: one big button, what is stopped now, and who has stopped what before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from robots import switches
from robots.admin.common import RangeDateTimeFilter, back_to, person
from robots.models import CommandState, Robot, Room, Switch, SwitchScope
from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.accounts.scopes import scope_of

#: No command waits longer in a queue.
NEW = timedelta(days=1)


class StopForm(BaseDialogForm):  # type: ignore[misc]  # the theme has no types
    """Why sending is stopped: everybody who meets the stop reads it."""

    why = forms.CharField(label=_("Why?"), max_length=300, widget=UnfoldAdminTextInputWidget)


def stop_dialog(title: Any) -> dict[str, Any]:
    """Ask for the reason before a robot or a room is stopped."""
    text = _(
        "What is queued there is withdrawn and the phone's queue is cleared. Lines that come are stored and not "
        "answered, also later. Nothing leaves until somebody resumes sending."
    )
    return {"title": title, "description": text, "form_class": StopForm, "form_submit_text": _("Stop sending")}


def stop_here(request: HttpRequest, row: Robot | Room, form: Any) -> HttpResponse:
    """Stop what the page is about, a robot or a room, and return to the page."""
    where: dict[str, Any] = {"robot": row} if isinstance(row, Robot) else {"robot": row.robot, "room": row}
    scope = SwitchScope.ROBOT if isinstance(row, Robot) else SwitchScope.ROOM
    try:
        made = switches.stop(scope, form.cleaned_data["why"], person(request), request=request, **where)
    except switches.AlreadyStopped as already:
        return back_to(request, row, _told(already.switch), messages.WARNING)
    return back_to(request, row, _("Stopped. %(count)d commands were withdrawn.") % {"count": made.withdrawn})


def _told(switch: Switch) -> str:
    names = {"who": switch.set_by, "why": switch.why}
    return str(_("Already stopped by %(who)s: %(why)s") % names)


class StopMixin:
    """Adds the button ``stop_sending`` and the column ``shown_stop`` to the page of a robot or a room."""

    actions_detail: ClassVar[list[str]] = ["stop_sending"]

    def has_stop_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("robots.change_switch")

    @action(
        description=_("Stop sending"),
        icon="block",
        permissions=["stop"],
        dialog=stop_dialog(_("Stop sending here?")),
    )
    def stop_sending(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        page: Any = self
        row = page.get_object(request, object_id)  # inside the person's scope
        if row is None:
            raise Http404
        return stop_here(request, row, form)

    @display(description=_("sending"))
    def shown_stop(self, row: Robot | Room) -> SafeString | str:
        """Every stop that holds it, each a link to where it is lifted."""
        robot, room = (row, None) if isinstance(row, Robot) else (row.robot, row)
        links = (
            (reverse("admin:robots_switch_change", args=[switch.pk]), _told(switch))
            for switch in switches.in_force_for(robot, room)
        )
        return format_html_join(" · ", '<a class="text-red-600" href="{}">{}</a>', links) or str(_("on"))


@admin.register(Switch)
class SwitchAdmin(ReadOnlyModelAdmin):
    list_display = ("shown_where", "shown_state", "why", "since", "set_by", "withdrawn", "lifted_at", "lifted_by")
    list_filter = ("scope", ("since", RangeDateTimeFilter))
    list_select_related = ("robot", "room")
    list_before_template = "admin/robots/switchboard.html"
    actions_detail: ClassVar[list[str]] = ["resume"]
    fields = (
        *("scope", "robot", "room", "shown_state", "why", "since", "set_by", "shown_withdrawn"),
        *("lifted_at", "lifted_by"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Switch]:
        return switches.seen_by(scope_of(request.user))

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("stop-all/", "robots_stop_all", self.stop_all),)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {
            "in_force": self.get_queryset(request).filter(lifted_at=None),
            "may_stop_all": self._may_stop_all(request),
        }
        shown: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **more})
        return shown

    def has_resume_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("robots.change_switch")

    def _may_stop_all(self, request: HttpRequest) -> bool:
        return self.has_resume_permission(request) and scope_of(request.user).is_everywhere

    @display(description=_("where"))
    def shown_where(self, switch: Switch) -> str:
        return str(switch)

    @display(description=_("state"), label={"on": "danger", "off": "success"})
    def shown_state(self, switch: Switch) -> tuple[str, Any]:
        return ("on", _("sending is stopped")) if switch.is_in_force else ("off", _("resumed"))

    @display(description=_("withdrawn from the queue"))
    def shown_withdrawn(self, switch: Switch) -> SafeString | str:
        """How many by the click itself, with the way to all that were withdrawn since."""
        listing = reverse("admin:robots_command_changelist")
        since = localtime(switch.since)
        asked = {"state__exact": CommandState.WITHDRAWN, "created_at_from_0": f"{since - NEW:%Y-%m-%d}"}
        if switch.robot_id:
            asked["robot__id__exact"] = str(switch.robot_id)
        return format_html('{} · <a href="{}?{}">{}</a>', switch.withdrawn, listing, urlencode(asked), _("show them"))

    def stop_all(self, request: HttpRequest, **theme: Any) -> HttpResponse:
        """``POST``: stop every robot. ``theme`` is what the theme hands to every page."""
        if request.method != "POST" or not self._may_stop_all(request):
            raise PermissionDenied
        why = request.POST.get("why", "").strip()[:300]
        if not why:
            messages.error(request, str(_("Say why: everybody who meets the stop reads it.")))
        else:
            self._stop_all(request, why)
        return HttpResponseRedirect(reverse("admin:robots_switch_changelist"))

    def _stop_all(self, request: HttpRequest, why: str) -> None:
        try:
            made = switches.stop(SwitchScope.ALL, why, person(request), request=request)
        except switches.AlreadyStopped as already:
            messages.warning(request, _told(already.switch))
        else:
            messages.success(request, str(_("Stopped. %(count)d commands were withdrawn.") % {"count": made.withdrawn}))

    @action(
        description=_("Resume sending"),
        icon="play_arrow",
        permissions=["resume"],
        dialog={
            "title": _("Resume sending?"),
            "description": _("The robot answers from the next line on. What was said until now it leaves as it is."),
            "form_class": None,
            "form_submit_text": _("Resume sending"),
        },
    )
    def resume(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        switch: Switch | None = self.get_object(request, object_id)
        if switch is None or (switch.scope == SwitchScope.ALL and not self._may_stop_all(request)):
            raise Http404
        if not switches.resume(switch.pk, person(request), request):
            return back_to(request, switch, _("Sending was resumed here before."), messages.WARNING)
        return back_to(request, switch, _("Sending is resumed."))
