"""How long calls to models and looks at their health are kept."""

from __future__ import annotations

from datetime import timedelta

from personas.models import AICall, AIModelHealthCheck
from worktool_ai.lib import retention

retention.keep(AICall)
retention.keep(AIModelHealthCheck, timedelta(days=30))
