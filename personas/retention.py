"""How long calls to models, looks at their health and notices of budgets are kept."""

from __future__ import annotations

from datetime import timedelta

from personas.models import AICall, AIModelHealthCheck, BudgetNotice
from worktool_ai.lib import retention

retention.keep(AICall)
retention.keep(BudgetNotice)
retention.keep(AIModelHealthCheck, timedelta(days=30))
