"""Who says it, with which model: AI models, personas, intents, the rules of the local model, and every AI call."""

from __future__ import annotations

from personas.budgets.models import Budget, BudgetNotice, BudgetScope
from personas.models.calls import AICall, AITask
from personas.models.intents import Intent, IntentRule
from personas.models.vendors import AIModel, AIModelHealthCheck, BreakerHold, Capability, HealthSource, HealthStatus
from personas.models.voices import Persona, PersonaFallback, PersonaMapping, PersonaType, PromptVersion, new_canary

__all__ = [
    "AICall",
    "AIModel",
    "AIModelHealthCheck",
    "AITask",
    "BreakerHold",
    "Budget",
    "BudgetNotice",
    "BudgetScope",
    "Capability",
    "HealthSource",
    "HealthStatus",
    "Intent",
    "IntentRule",
    "Persona",
    "PersonaFallback",
    "PersonaMapping",
    "PersonaType",
    "PromptVersion",
    "new_canary",
]
