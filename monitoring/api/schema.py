"""The OpenAPI document of this API, for people and tools that are signed in."""

from __future__ import annotations

from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView

from worktool_ai.accounts.permissions import Ability, DenyByDefault

__all__ = ["SchemaView"]


class SchemaView(SpectacularAPIView):
    """``GET /api/schema`` (JSON, or YAML on ``Accept``). Outside the envelope: tools read it as it is."""

    requires = Ability.SIGNED_IN
    permission_classes = [DenyByDefault]
    renderer_classes = [OpenApiJsonRenderer, OpenApiYamlRenderer]
