"""The one envelope of the API: ``{code, message, data, requestId}``, with ``details`` on errors.

``code`` is 0 on success, else the HTTP status. Each detail is ``{"field", "problem", "way_out"}``: what was
refused, why, and what to do instead. ``requestId`` is also the ``X-Request-ID`` header and on every log line.

Nothing here may import ``rest_framework.views``: its classes load this module through the settings.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, cast

import pydantic
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.views import csrf, defaults
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from worktool_ai.lib import logs
from worktool_ai.lib.config import problem_text
from worktool_ai.lib.ids import uuid7

__all__ = [
    "ApiError",
    "CursorPagination",
    "Detail",
    "EnvelopeRenderer",
    "RequestIdMiddleware",
    "csrf_failure",
    "detail",
    "envelope",
    "envelope_error",
    "exception_handler",
    "handler400",
    "handler403",
    "handler404",
    "handler500",
    "pydantic_details",
]

API_PREFIX = "/api/"


class Detail(TypedDict):
    """One refused thing; ``field`` is a dotted path (``nodes.3.config.limit``), empty for the whole."""

    field: str
    problem: str
    way_out: str


def detail(field: str, problem: Any, way_out: Any) -> Detail:
    """Build one detail; lazy translations are resolved in the language of the request at hand."""
    return {"field": field, "problem": str(problem), "way_out": str(way_out)}


class ApiError(Exception):
    """Refuse a request: ``raise ApiError(409, _("..."), [detail])``. ``code`` is the HTTP status."""

    def __init__(self, code: int, message: Any, details: Sequence[Detail] = ()) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = list(details)

    def __str__(self) -> str:
        return f"{self.code} {self.message}"


# -- what the way out is -----------------------------------------------------------------------------------

_MESSAGES: dict[int, Any] = {
    400: _("The request was refused; nothing was changed."),
    401: _("You are not signed in."),
    403: _("You may not do this."),
    404: _("There is no such thing here."),
    405: _("This address does not know that method."),
    406: _("Only JSON is answered here."),
    409: _("The thing was changed by someone else, or is in the wrong state for this."),
    413: _("The body is too large."),
    415: _("Only JSON is taken here."),
    429: _("Too many requests."),
    500: _("Something went wrong on our side."),
    503: _("A part that this needs is away."),
}
_WAYS_OUT: dict[int, Any] = {
    400: _("Correct the request and send it again."),
    401: _("Sign in, or send a valid API key as «Authorization: Bearer …»."),
    403: _("Ask an owner for the role or the robot scope that this needs."),
    404: _("Check the address and the id; it may have been deleted, or lie outside your robot scope."),
    405: _("See the API document for the methods of this address."),
    406: _("Send «Accept: application/json»."),
    409: _("Load it again and repeat the change."),
    413: _("Send less at once."),
    415: _("Send «Content-Type: application/json»."),
    429: _("Wait for as many seconds as «Retry-After» says, then try again."),
    500: _("Try again; if it stays, give the request id to whoever runs this system."),
    503: _("Try again in a few seconds; /readyz says which part is away."),
}
_FIELD_WAYS_OUT: dict[str, Any] = {
    "required": _("Send this field."),
    "missing": _("Send this field."),
    "null": _("Send a value, or leave the field out."),
    "blank": _("Send a text that is not empty."),
    "invalid_choice": _("Send one of the values that the API document lists."),
    "does_not_exist": _("Send the id of a thing that exists."),
    "unique": _("Choose another value: this one is taken."),
    "max_length": _("Send a shorter text."),
    "min_length": _("Send a longer text."),
    "max_value": _("Send a smaller number."),
    "min_value": _("Send a larger number."),
    "extra_forbidden": _("Leave this field out; check its spelling."),
}


def _message(code: int) -> str:
    return str(_MESSAGES.get(code, _MESSAGES[500 if code >= 500 else 400]))


def _way_out(code: int) -> str:
    return str(_WAYS_OUT.get(code, _WAYS_OUT[500 if code >= 500 else 400]))


def _field_way_out(problem_code: str | None) -> str:
    return str(_FIELD_WAYS_OUT.get(problem_code or "", _WAYS_OUT[400]))


# -- envelope ----------------------------------------------------------------------------------------------


def envelope(data: Any) -> dict[str, Any]:
    """Wrap the data of a success."""
    return {"code": 0, "message": "success", "data": data, "requestId": logs.request_id()}


def _error(code: int, message: Any, details: Sequence[Detail]) -> dict[str, Any]:
    text = str(message or _message(code))
    shown = list(details) or [detail("", text, _way_out(code))]
    return {"code": code, "message": text, "data": None, "requestId": logs.request_id(), "details": shown}


class EnvelopeRenderer(JSONRenderer):
    """Wraps whatever a view answers; errors come wrapped from :func:`exception_handler`. 204 stays empty."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        response = (renderer_context or {}).get("response")
        if response is not None and response.status_code == 204:
            return b""
        if not getattr(response, "exception", False):
            data = envelope(data)
        return super().render(data, accepted_media_type, renderer_context)


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's ``EXCEPTION_HANDLER``. Returns None for what nobody expected: Django logs it and answers 500."""
    known = _known_error(exc)
    if known is None:
        return None
    code, message, details, headers = known
    return Response(_error(code, message, details), status=code, headers=headers)


def _known_error(exc: Exception) -> tuple[int, Any, list[Detail], dict[str, str]] | None:
    if isinstance(exc, ApiError):
        return exc.code, exc.message, exc.details, {}
    if isinstance(exc, Http404):
        return 404, None, [], {}
    if isinstance(exc, PermissionDenied):
        return 403, None, [], {}
    if isinstance(exc, ValidationError):
        return 400, None, list(_django_details(exc)), {}
    if isinstance(exc, exceptions.ValidationError):
        return 400, None, list(_drf_details(exc.detail, exc.get_codes())), {}
    if isinstance(exc, exceptions.APIException):
        return exc.status_code, exc.detail, [], _headers(exc)
    return None


def _headers(exc: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(round(wait))
    return headers


def _drf_details(problems: Any, codes: Any, path: str = "") -> Iterator[Detail]:
    """Flatten DRF's nested errors (and the codes beside them) into dotted paths."""
    if isinstance(problems, dict):
        for name, inner in problems.items():
            here = path if name == "non_field_errors" else f"{path}.{name}".strip(".")
            yield from _drf_details(inner, codes[name], here)
    elif isinstance(problems, list):
        for index, inner in enumerate(problems):
            here = path if isinstance(inner, str) else f"{path}.{index}".strip(".")
            yield from _drf_details(inner, codes[index], here)
    else:
        yield detail(path, problems, _field_way_out(codes))


def _django_details(exc: ValidationError) -> Iterator[Detail]:
    """Flatten the errors of a model's or form's ``clean``."""
    by_field = exc.error_dict if hasattr(exc, "error_dict") else {NON_FIELD_ERRORS: exc.error_list}
    for name, errors in by_field.items():
        field = "" if name == NON_FIELD_ERRORS else name
        for error in errors:
            for problem in error.messages:
                yield detail(field, problem, _field_way_out(error.code))


def pydantic_details(error: pydantic.ValidationError, prefix: str = "") -> list[Detail]:
    """Turn the problems of a plugin Config into details, below ``prefix`` (``nodes.3.config``)."""
    return [
        detail(
            ".".join([*([prefix] if prefix else []), *map(str, problem["loc"])]),
            problem_text(problem),
            _field_way_out(problem["type"]),
        )
        for problem in error.errors(include_url=False, include_input=False)
    ]


def envelope_error(
    request: HttpRequest | None, status: int, message: Any = "", details: Sequence[Detail] = ()
) -> JsonResponse:
    """Answer an error from plain Django code (error handlers, CSRF, middleware)."""
    return JsonResponse(_error(status, message, details), status=status, json_dumps_params={"ensure_ascii": False})


# -- Django's own error pages ------------------------------------------------------------------------------


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIX)


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    return envelope_error(request, 400) if _is_api(request) else defaults.bad_request(request, exception)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    return envelope_error(request, 403) if _is_api(request) else defaults.permission_denied(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    return envelope_error(request, 404) if _is_api(request) else defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    return envelope_error(request, 500) if _is_api(request) else defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """``CSRF_FAILURE_VIEW``: an envelope under /api/, Django's page elsewhere."""
    if not _is_api(request):
        return csrf.csrf_failure(request, reason)
    problem = _("The security token of this page is missing or too old.")
    way_out = _("Reload the page and try again; scripts send an API key instead of a session cookie.")
    return envelope_error(request, 403, problem, [detail("", problem, way_out)])


# -- request id --------------------------------------------------------------------------------------------

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class RequestIdMiddleware:
    """Names every request: on its log lines, in its envelope and as ``X-Request-ID`` (a sane one is kept)."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        request_id = self._request_id(request)
        if self.is_async:
            return self._answer_async(request, request_id)
        with logs.bound(requestId=request_id):
            response = cast(HttpResponseBase, self.get_response(request))
        response["X-Request-ID"] = request_id
        return response

    async def _answer_async(self, request: HttpRequest, request_id: str) -> HttpResponseBase:
        with logs.bound(requestId=request_id):
            response = await cast(Awaitable[HttpResponseBase], self.get_response(request))
        response["X-Request-ID"] = request_id
        return response

    @staticmethod
    def _request_id(request: HttpRequest) -> str:
        given = request.headers.get("X-Request-ID", "")
        return given if _ACCEPTABLE_ID.fullmatch(given) else uuid7().hex


# -- pages -------------------------------------------------------------------------------------------------


class CursorPagination(BasePagination):
    """Pages by primary key, newest first: ``?limit=50&cursor=<nextCursor>`` -> ``{"items", "nextCursor"}``.

    Our keys are UUIDv7, so their order is that of time, and a page costs one index range however far it lies.
    """

    default_limit = 50
    max_limit = 200
    newest_first = True

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        limit = self._limit(request)
        page = queryset.order_by("-pk" if self.newest_first else "pk")
        if cursor := request.query_params.get("cursor"):
            compare = "pk__lt" if self.newest_first else "pk__gt"
            page = page.filter(**{compare: self._key(queryset.model, cursor)})
        rows: list[Any] = list(page[: limit + 1])
        self.next_cursor = str(rows[limit - 1].pk) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, "nextCursor": self.next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        cursor = {"type": "string", "nullable": True, "description": "null on the last page"}
        return {
            "type": "object",
            "required": ["items", "nextCursor"],
            "properties": {"items": schema, "nextCursor": cursor},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        number = {"type": "integer", "minimum": 1, "maximum": self.max_limit, "default": self.default_limit}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": number},
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
        ]

    def _limit(self, request: Request) -> int:
        given = request.query_params.get("limit", str(self.default_limit))
        if given.isdecimal() and len(given) < 5 and 1 <= int(given) <= self.max_limit:
            return int(given)
        way_out = _("Send a whole number from 1 to %(max)d.") % {"max": self.max_limit}
        problem = _("This is no acceptable page size.")
        raise ApiError(400, "", [detail("limit", problem, way_out)])

    @staticmethod
    def _key(model: type[Model], cursor: str) -> Any:
        try:
            return model._meta.pk.to_python(cursor)
        except ValidationError:
            problem, way_out = _("This is no cursor."), _("Send the nextCursor of the page before.")
            raise ApiError(400, "", [detail("cursor", problem, way_out)]) from None
