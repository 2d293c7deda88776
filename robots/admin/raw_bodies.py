"""What has lately arrived at the door, as it came: for whoever connects a robot and sees nothing happen."""

from __future__ import annotations

from typing import Any

import redis
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from unfold.views import UnfoldModelAdminViewMixin

from robots.door import raw_bodies
from robots.models import Robot
from worktool_ai.accounts.scopes import scope_of


class RawBodiesView(UnfoldModelAdminViewMixin, TemplateView):  # type: ignore[misc]
    """The last 200 requests of 24 hours, masked; narrowed to the robots that the person may see."""

    title = _("Latest callbacks")
    permission_required = ("robots.change_robot",)
    template_name = "admin/robots/raw_bodies.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.pop("model_admin", None)  # unfold hands it over in the URL's arguments, and sets it as well
        context: dict[str, Any] = super().get_context_data(**kwargs)
        try:
            return {**context, "bodies": self._visible(raw_bodies.latest()), "is_away": False}
        except redis.RedisError:
            return {**context, "bodies": [], "is_away": True}

    def _visible(self, bodies: list[raw_bodies.RawBody]) -> list[raw_bodies.RawBody]:
        scope = scope_of(self.request.user)
        if scope.is_everywhere:
            return bodies
        slugs = set(scope.filter(Robot.objects.all(), "").values_list("slug", flat=True))
        return [body for body in bodies if body.robot in slugs]
