"""Which language a page is shown in: what the person chose, else Simplified Chinese, whatever the browser prefers."""

from __future__ import annotations

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware

__all__ = ["ChosenLanguageMiddleware"]


class ChosenLanguageMiddleware(LocaleMiddleware):
    """Follows the language switch's cookie only: a browser's default is nobody's choice."""

    def process_request(self, request: HttpRequest) -> None:
        request.META.pop("HTTP_ACCEPT_LANGUAGE", None)
        super().process_request(request)
