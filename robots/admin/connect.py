"""接入机器人: from a robotId to the first draft. Each row of the page is one check with its fix beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import redis
from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from robots import services
from robots.admin.common import person
from robots.connecting import FIXES, Check, CheckState, Fix, Section, apply, examine, gather
from robots.connecting.heard import last_lines, probe
from robots.models import Robot
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.accounts.privacy import mask_name, mask_text
from worktool_ai.lib.crypto import fingerprint, mask

__all__ = ["CONNECT_URLS"]

if TYPE_CHECKING:
    Admin = ModelAdmin[Robot]
#: Looked at in this order: what stands in the way comes before what may.
_WEIGHT = (CheckState.PROBLEM, CheckState.WARNING, CheckState.UNKNOWN, CheckState.CHECKING, CheckState.OK)


class AddForm(forms.Form):
    """All that is needed to begin; the rest is found out and set from the page."""

    name = forms.CharField(
        label=_("name"),
        max_length=80,
        help_text=_("The display name in WeCom: customers @ this name."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    robot_id = forms.CharField(
        label=_("robot id"),
        max_length=200,
        help_text=_("The WorkTool app on the phone shows it. It is a password: stored encrypted, shown masked."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    robot_key = forms.CharField(
        label=_("robot key"),
        max_length=200,
        required=False,
        help_text=_("Only where the robot's key check is on; it can be entered later."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_robot_id(self) -> str:
        robot_id = str(self.cleaned_data["robot_id"]).strip()
        if Robot.objects.filter(robot_id_digest=fingerprint(robot_id)).exists():
            raise ValidationError(_("Another robot here has this id."), code="unique")
        return robot_id


@dataclass(frozen=True, slots=True)
class Row:
    """A check with the buttons that this person may press; ``is_barred`` when there are some for others only."""

    check: Check
    fixes: list[Fix]
    is_barred: bool


# -- pages -------------------------------------------------------------------------------------------------------------


def _index(request: HttpRequest, model_admin: Admin) -> HttpResponse:
    """List the robots, and take a new one in."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    may_add = may(request.user, Ability.CONNECT_ROBOTS)
    form = AddForm(request.POST or None)
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        if form.is_valid():
            return _added(request, form)
    robots = [(robot, mask(robot.robot_id)) for robot in model_admin.get_queryset(request).order_by("name")]
    context = {"title": _("Connect a robot"), "form": form if may_add else None, "robots": robots}
    return _rendered(request, model_admin, "index", context)


def _added(request: HttpRequest, form: AddForm) -> HttpResponse:
    fields = form.cleaned_data
    robot = services.create_robot(
        slug=f"robot-{fingerprint(fields['robot_id'])[:6]}",
        name=fields["name"],
        robot_id=fields["robot_id"],
        robot_key=fields["robot_key"].strip(),
        actor=person(request),
        request=request,
    )
    return HttpResponseRedirect(reverse("admin:robots_robot_connect", args=[robot.pk]))


def _page(request: HttpRequest, model_admin: Admin, robot_id: UUID) -> HttpResponse:
    """The page of one robot: shown at once with what is known; its script has it looked at."""
    robot = _robot(request, model_admin, robot_id)
    context = {
        "title": _("Connect “%(name)s”") % {"name": robot.name},
        "robot": robot,
        "masked_id": mask(robot.robot_id),
        **_examined(request, robot, ask=False),
        **_arrived(request, robot),
        "rotate": FIXES["rotate_key"] if may(request.user, Ability.CONNECT_ROBOTS) else None,
    }
    return _rendered(request, model_admin, "page", context)


def _checks(request: HttpRequest, model_admin: Admin, robot_id: UUID) -> HttpResponse:
    """The checks alone; the platform is asked what has grown old."""
    robot = _robot(request, model_admin, robot_id)
    return _part(request, "checks", {"robot": robot, **_examined(request, robot, ask=True)})


def _heard(request: HttpRequest, model_admin: Admin, robot_id: UUID) -> HttpResponse:
    """What has arrived; asks nobody."""
    robot = _robot(request, model_admin, robot_id)
    return _part(request, "heard", {"robot": robot, **_arrived(request, robot)})


def _fix(request: HttpRequest, model_admin: Admin, robot_id: UUID, name: str) -> HttpResponse:
    """Do what a button says; the script takes the outcome as JSON, without it the page comes again."""
    robot = _robot(request, model_admin, robot_id)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if (fix := FIXES.get(name)) is None:
        raise Http404
    if not _may_press(request, fix):
        raise PermissionDenied
    try:
        outcome = apply(fix, robot, request.POST.get("value", ""), person(request), request)
    except redis.RedisError:
        return _answered(request, robot, False, gettext("Redis is away: nothing can be asked or set now."))
    return _answered(request, robot, outcome.ok, outcome.text)


# -- what they show ----------------------------------------------------------------------------------------------------


def _examined(request: HttpRequest, robot: Robot, *, ask: bool) -> dict[str, Any]:
    try:
        sections = examine(gather(robot, ask=ask))
    except redis.RedisError:
        return {"is_away": True, "sections": [], "problems": 0}
    shown = [(section, _rows(request, section)) for section in sections]
    states = [check.state for section in sections for check in section.checks]
    return {
        "is_away": False,
        "sections": shown,
        "problems": states.count(CheckState.PROBLEM),
        "warnings": states.count(CheckState.WARNING),
        "worst": min(states, key=_WEIGHT.index),
        "connect": FIXES["connect"] if may(request.user, Ability.CONNECT_ROBOTS) else None,
        "look": FIXES["look"],
    }


def _rows(request: HttpRequest, section: Section) -> list[Row]:
    rows = []
    for check in section.checks:
        wanted = [FIXES[name] for name in check.fixes]
        offered = [fix for fix in wanted if _may_press(request, fix)]
        rows.append(Row(check, offered, is_barred=bool(wanted) and not offered))
    return rows


def _arrived(request: HttpRequest, robot: Robot) -> dict[str, Any]:
    heard = last_lines(robot)
    if not may(request.user, Ability.READ_CONTACTS):
        for row in heard:
            row.line.text = mask_text(row.line.text, [row.line.sender_name])
            row.line.sender_name = mask_name(row.line.sender_name)
    return {"heard": heard, "probe": probe(robot)}


def _may_press(request: HttpRequest, fix: Fix) -> bool:
    return fix.needs is None or may(request.user, fix.needs)


def _robot(request: HttpRequest, model_admin: Admin, robot_id: UUID) -> Robot:
    robot: Robot | None = model_admin.get_object(request, str(robot_id))  # inside the person's scope
    if robot is None:
        raise Http404
    if not model_admin.has_change_permission(request, robot):
        raise PermissionDenied
    return robot


def _answered(request: HttpRequest, robot: Robot, ok: bool, text: str) -> HttpResponse:
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"ok": ok, "text": text})
    messages.add_message(request, messages.SUCCESS if ok else messages.ERROR, text)
    return HttpResponseRedirect(reverse("admin:robots_robot_connect", args=[robot.pk]))


def _rendered(request: HttpRequest, model_admin: Admin, name: str, context: dict[str, Any]) -> HttpResponse:
    request.current_app = model_admin.admin_site.name
    shared = {**model_admin.admin_site.each_context(request), "model_admin": model_admin}
    return render(request, f"admin/robots/connect/{name}.html", {**shared, **context})


def _part(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, f"admin/robots/connect/{name}.html", context)
    response["Cache-Control"] = "no-store"
    return response


#: Paths, names and views for unfold's ``get_custom_urls``.
CONNECT_URLS = (
    ("connect/", "robots_connect", _index),
    ("<uuid:robot_id>/connect/", "robots_robot_connect", _page),
    ("<uuid:robot_id>/connect/checks/", "robots_robot_connect_checks", _checks),
    ("<uuid:robot_id>/connect/heard/", "robots_robot_connect_heard", _heard),
    ("<uuid:robot_id>/connect/fix/<slug:name>/", "robots_robot_connect_fix", _fix),
)
