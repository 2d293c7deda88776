"""Models, personas, intents and calls, as operators see them: one file per subject.

Django looks for ``personas.admin``; importing the files registers their pages.
"""

from personas.admin import budgets, calls, intents, models, personas

__all__ = ["budgets", "calls", "intents", "models", "personas"]
