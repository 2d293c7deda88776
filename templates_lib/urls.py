from __future__ import annotations

from django.urls import path

from templates_lib.views import serve_file

urlpatterns = [path("files/<str:token>/<str:name>", serve_file, name="signed_file")]
