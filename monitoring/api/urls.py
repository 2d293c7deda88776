"""API v1 and its document."""

from __future__ import annotations

from django.urls import path

from monitoring.api.schema import SchemaView

app_name = "api"

urlpatterns = [
    path("schema", SchemaView.as_view(), name="schema"),
]
