"""Addresses. The callback door, /healthz and /readyz stand beside Django (``asgi.py``), not here."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

# Here and not at start-up (SimpleAdminConfig): only who serves or links pages needs the admin, which takes 9 MB.
admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("language/", include("django.conf.urls.i18n")),
    path("api/", include("monitoring.api.urls")),
    path("", include("templates_lib.urls")),
    path("", include("monitoring.urls")),
]

handler400 = "worktool_ai.lib.api.handler400"
handler403 = "worktool_ai.lib.api.handler403"
handler404 = "worktool_ai.lib.api.handler404"
handler500 = "worktool_ai.lib.api.handler500"
