"""How long runs are kept; their steps, effects and waits go with them. Published versions stay.
A paused run that nobody has decided about in all that time goes too."""

from __future__ import annotations

from django.db.models import Q

from flows.models import ENDED, Run, RunState
from worktool_ai.lib import retention

retention.keep(Run, only=Q(state__in=(*ENDED, RunState.PAUSED)))
