"""How long calls to models, looks at their health and notices of budgets are kept."""

from __future__ import annotations

from datetime import timedelta

from personas.models import (
    AICall,
    AIModel,
    AIModelHealthCheck,
    BreakerHold,
    Budget,
    BudgetNotice,
    Intent,
    IntentRule,
    Persona,
    PersonaFallback,
    PersonaMapping,
    PromptVersion,
)
from worktool_ai.lib import retention

retention.keep(AICall)
retention.keep(BudgetNotice)
retention.keep(AIModelHealthCheck, timedelta(days=30))
retention.never(retention.SETTING, AIModel, Budget, Intent, IntentRule, Persona, PersonaFallback, PersonaMapping)
retention.never("one for each change that a person makes; old calls show theirs", PromptVersion)
retention.never("until somebody gives it back; at most one per model and capability", BreakerHold)
