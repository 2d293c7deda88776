"""How long runs are kept; their steps, effects and waits go with them. Published versions stay.
A paused run that nobody has decided about in all that time goes too."""

from __future__ import annotations

from django.db.models import Q

from flows.models import ENDED, ConversationLease, Effect, Flow, FlowVersion, Run, RunState, Step, Wait
from worktool_ai.lib import retention

retention.keep(Run, only=Q(state__in=(*ENDED, RunState.PAUSED)))
retention.never("goes with its run", Step, Effect, Wait)
retention.never("as many as there are conversations", ConversationLease)
retention.never("what was published explains every run; people publish a few a day at most", Flow, FlowVersion)
