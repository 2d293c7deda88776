"""Which language a page is shown in: the switch's cookie, else what stands at the person, else Simplified Chinese."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin

__all__ = ["ChosenLanguageMiddleware", "PersonalLanguageMiddleware"]


class ChosenLanguageMiddleware(LocaleMiddleware):
    """Follows the language switch's cookie only: a browser's default is nobody's choice."""

    def process_request(self, request: HttpRequest) -> None:
        request.META.pop("HTTP_ACCEPT_LANGUAGE", None)
        super().process_request(request)


class PersonalLanguageMiddleware(MiddlewareMixin):
    """Uses the signed-in person's language unless the switch says otherwise. After ``AuthenticationMiddleware``."""

    def process_request(self, request: HttpRequest) -> None:
        language = getattr(request.user, "language", "")
        if language in dict(settings.LANGUAGES) and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            translation.activate(language)
            request.LANGUAGE_CODE = translation.get_language()
