"""The platform's error codes, and what each means for an operator."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from unfold.views import UnfoldModelAdminViewMixin

from robots.error_codes import NEVER_REPEATED, TABLE


class ErrorCodesView(UnfoldModelAdminViewMixin, TemplateView):  # type: ignore[misc]
    """The table that the code goes by, as people read it."""

    title = _("Error codes")
    permission_required = ("robots.view_command",)
    template_name = "admin/robots/error_codes.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.pop("model_admin", None)  # unfold hands it over in the URL's arguments, and sets it as well
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "rows": TABLE.values(), "never": sorted(NEVER_REPEATED)}
