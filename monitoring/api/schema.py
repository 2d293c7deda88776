"""The OpenAPI document of this API, for people and tools that are signed in."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView

from worktool_ai.accounts.permissions import Ability, DenyByDefault

__all__ = ["ApiKeyScheme", "SchemaView"]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells readers of the document how an API key is sent."""

    target_class = "worktool_ai.accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class SchemaView(SpectacularAPIView):
    """``GET /api/schema`` (JSON, or YAML on ``Accept``). Outside the envelope: tools read it as it is."""

    requires = Ability.SIGNED_IN
    permission_classes = [DenyByDefault]
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer]
