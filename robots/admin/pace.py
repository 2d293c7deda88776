"""How fast a phone is and how long a new command will wait, on the pages of robots and rooms."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from robots.models import Robot, Room
from robots.pace import waits
from worktool_ai.accounts.admin_mixins import display


class PaceMixin:
    """Adds the column ``shown_wait``. A room waits for all that its robot has to do: the phone is one."""

    @display(description=gettext_lazy("expected wait"))
    def shown_wait(self, row: Robot | Room) -> str:
        robot = row if isinstance(row, Robot) else row.robot
        wait = waits([robot])[robot.pk]
        if wait.seconds is None:
            return _("%(count)d commands waiting; the phone's pace is not known yet") % {"count": wait.commands}
        told = {"count": wait.commands, "pace": f"{wait.pace_s:.1f}", "seconds": f"{wait.seconds:.0f}"}
        return _("%(count)d commands waiting × %(pace)s s each = %(seconds)s s") % told
