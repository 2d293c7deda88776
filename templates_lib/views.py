"""The one page for the outside: a file by its signed address. No login, no envelope, no listing."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from templates_lib.files import signed_attachment

__all__ = ["serve_file"]


@require_safe
def serve_file(request: HttpRequest, token: str, name: str) -> HttpResponse:
    """Hand out the file of a signed address; everything else, whatever is wrong with it, is not there."""
    row = signed_attachment(token, name)
    if row is None:
        text = _("This address is wrong or has expired.")
        return HttpResponse(text, status=404, content_type="text/plain; charset=utf-8")
    headers = {
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=600",
    }
    return HttpResponse(bytes(row.content), content_type=row.content_type, headers=headers)
