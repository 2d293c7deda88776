"""Models, personas, intents and calls, as operators see them: one file per subject.

Django looks for ``personas.admin``; importing the files registers their pages.
"""

from personas.admin import calls, intents, models, personas

__all__ = ["calls", "intents", "models", "personas"]
