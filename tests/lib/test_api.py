"""One envelope for every answer of the API, and details that name the field and the way out."""

from __future__ import annotations

import asyncio
import json
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.utils import translation
from pydantic import BaseModel
from pydantic import ValidationError as ConfigError
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from worktool_ai.lib import api, logs
from worktool_ai.lib.api import ApiError, detail


class Inner(serializers.Serializer):
    limit = serializers.IntegerField(max_value=5)


class Outer(serializers.Serializer):
    name = serializers.CharField()
    rows = Inner(many=True)


class Door(APIView):
    """Answers or raises what the test hands in."""

    authentication_classes = permission_classes = ()
    renderer_classes = (api.EnvelopeRenderer,)
    outcome: Any = None

    def get_exception_handler(self):
        return api.exception_handler

    def get(self, request):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def post(self, request):
        serializer = Outer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.data)


def ask(outcome) -> tuple[Any, dict[str, Any]]:
    with logs.bound(requestId="r-1"), translation.override("en"):
        response = Door.as_view(outcome=outcome)(APIRequestFactory().get("/api/x"))
        response.render()
    return response, json.loads(response.content or "null")


def post(body) -> Any:
    with translation.override("en"):
        response = Door.as_view()(APIRequestFactory().post("/api/x", body, format="json")).render()
    return json.loads(response.content)


def test_success_is_wrapped_and_chinese_is_not_escaped():
    response, body = ask(Response({"name": "退款"}))
    assert body == {"code": 0, "message": "success", "data": {"name": "退款"}, "requestId": "r-1"}
    assert "退款" in response.content.decode()


def test_no_data_is_null_and_204_is_empty():
    assert ask(Response(None))[1]["data"] is None
    assert ask(Response(status=204))[0].content == b""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Http404(), 404),
        (PermissionDenied(), 403),
        (exceptions.NotAcceptable(), 406),
        (exceptions.MethodNotAllowed("PUT"), 405),
        (exceptions.ParseError(), 400),
        (exceptions.Throttled(wait=3), 429),
        (ApiError(409, "in the wrong state"), 409),
        (ApiError(418, ""), 418),
    ],
)
def test_every_error_has_the_envelope_and_a_way_out(error, code):
    response, body = ask(error)
    assert response.status_code == body["code"] == code
    assert set(body) == {"code", "message", "data", "requestId", "details"}
    assert body["data"] is None
    assert body["requestId"] == "r-1"
    assert all(item["problem"] and item["way_out"] for item in body["details"])
    assert body["message"]


def test_throttling_says_how_long_to_wait():
    assert ask(exceptions.Throttled(wait=3))[0]["Retry-After"] == "3"


def test_own_errors_name_field_and_way_out():
    given = detail("cursor", "is not one", "send another")
    assert ask(ApiError(400, "no", [given]))[1]["details"] == [given]


def test_an_unexpected_error_is_left_to_django():
    with pytest.raises(ZeroDivisionError):
        ask(ZeroDivisionError())


def test_serializer_errors_are_flattened_to_dotted_paths():
    details = {d["field"]: d for d in post({"rows": [{"limit": 1}, {"limit": 9}]})["details"]}
    assert set(details) == {"name", "rows.1.limit"}
    assert details["name"]["way_out"] == "Send this field."
    assert details["rows.1.limit"]["way_out"] == "Send a smaller number."


def test_model_errors_become_details():
    _response, body = ask(ValidationError({"name": ["too odd", "too long"], "__all__": ["whole"]}))
    assert [(d["field"], d["problem"]) for d in body["details"]] == [
        ("name", "too odd"),
        ("name", "too long"),
        ("", "whole"),
    ]


def test_config_errors_become_details_below_a_prefix():
    class Config(BaseModel):
        limit: int

    with pytest.raises(ConfigError) as caught:
        Config.model_validate({})
    (only,) = api.pydantic_details(caught.value, "nodes.3.config")
    assert only["field"] == "nodes.3.config.limit"


@pytest.mark.parametrize(
    ("handler", "status", "arguments"),
    [("400", 400, [None]), ("403", 403, [None]), ("404", 404, [None]), ("500", 500, [])],
)
def test_django_error_pages_are_envelopes_under_api_only(handler, status, arguments):
    answer = getattr(api, f"handler{handler}")
    response = answer(RequestFactory().get("/api/nowhere"), *arguments)
    assert response.status_code == status
    assert json.loads(response.content)["code"] == status
    if handler == "500":
        assert not answer(RequestFactory().get("/"))["Content-Type"].startswith("application/json")


def test_csrf_failures_under_api_are_envelopes():
    response = api.csrf_failure(RequestFactory().post("/api/x"))
    assert response.status_code == 403
    assert json.loads(response.content)["details"][0]["way_out"]


def test_a_request_is_named_in_log_context_and_header():
    seen = []

    def view(request):
        seen.append(logs.request_id())
        return HttpResponse()

    response = api.RequestIdMiddleware(view)(RequestFactory().get("/"))
    assert seen == [response["X-Request-ID"]]
    assert len(seen[0]) == 32
    assert logs.request_id() == ""


async def test_concurrent_async_requests_keep_their_own_ids():
    async def view(request):
        before = logs.request_id()
        await asyncio.sleep(0)
        assert logs.request_id() == before
        return HttpResponse(before)

    middleware = api.RequestIdMiddleware(view)
    factory = AsyncRequestFactory()
    responses = await asyncio.gather(
        *(middleware(factory.get("/", headers={"X-Request-ID": f"caller-{n}"})) for n in range(5))
    )
    assert [r.content.decode() for r in responses] == [f"caller-{n}" for n in range(5)]


@pytest.mark.parametrize("given", ["short", "x" * 65, "bad id", "a\tb" * 4, "<script>alert</script>"])
def test_an_odd_request_id_is_replaced(given):
    request = RequestFactory().get("/", headers={"X-Request-ID": given})
    assert api.RequestIdMiddleware(lambda _request: HttpResponse())(request)["X-Request-ID"] != given


class Rows:
    """As much of a QuerySet as a page needs: rows with UUID keys."""

    class model:
        class _meta:
            from django.db.models import UUIDField

            pk = UUIDField()

    def __init__(self, rows):
        self.rows = rows

    def order_by(self, name):
        return Rows(sorted(self.rows, key=lambda row: row.pk, reverse=name.startswith("-")))

    def filter(self, **condition):
        ((name, key),) = condition.items()
        keep = (lambda pk: pk < key) if name.endswith("__lt") else (lambda pk: pk > key)
        return Rows([row for row in self.rows if keep(row.pk)])

    def __getitem__(self, part):
        return self.rows[part]


def page(rows, **query):
    paginator = api.CursorPagination()
    request: Any = SimpleNamespace(query_params=query)
    items = [row.pk.int for row in paginator.paginate_queryset(Rows(rows), request)]
    return items, paginator.get_paginated_response(items).data["nextCursor"]


def test_pages_walk_through_everything_once_newest_first():
    rows = [SimpleNamespace(pk=uuid.UUID(int=n)) for n in range(7)]
    seen, cursor = page(rows, limit="3")
    while cursor:
        items, cursor = page(rows, limit="3", cursor=cursor)
        seen += items
    assert seen == [6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"limit": "9" * 5000}, {"cursor": "nonsense"}]
)
def test_an_odd_page_is_refused_naming_the_parameter(query):
    with pytest.raises(ApiError) as caught:
        page([], **query)
    assert caught.value.code == 400
    assert caught.value.details[0]["field"] in query
