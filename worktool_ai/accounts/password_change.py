"""Who was given a password by somebody else, or by the set-up, chooses an own one before anything else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from worktool_ai.lib.api import API_PREFIX, detail, envelope_error

__all__ = ["PasswordChangeMiddleware"]

#: What is needed to choose one, or to leave.
_OPEN = ("admin:password_change", "admin:password_change_done", "admin:login", "admin:logout", "admin:jsi18n")


class PasswordChangeMiddleware(MiddlewareMixin):
    """Leads every page to the form; the API refuses a session, not a key. After ``AuthenticationMiddleware``."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if not getattr(request.user, "must_change_password", False) or self._is_open(request):
            return None
        form = reverse("admin:password_change")
        if not request.path.startswith(API_PREFIX):
            return HttpResponseRedirect(form)
        problem = _("Your password was set by somebody else and must be changed first.")
        way_out = _("Choose your own password at %(address)s.") % {"address": form}
        return envelope_error(request, 403, problem, [detail("", problem, way_out)])

    def _is_open(self, request: HttpRequest) -> bool:
        return request.path in {*map(reverse, _OPEN), reverse("set_language")}
