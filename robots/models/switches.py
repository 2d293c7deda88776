"""The kill switch: who has stopped sending, where, since when and why."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from robots.models.messages import Room
from robots.models.robots import Robot
from worktool_ai.lib.ids import uuid7


class SwitchScope(models.TextChoices):
    ALL = "all", _("all robots")
    ROBOT = "robot", _("one robot")
    ROOM = "room", _("one room")


#: What each scope names, and nothing besides.
_NAMES = (
    Q(scope="all", robot__isnull=True, room__isnull=True)
    | Q(scope="robot", robot__isnull=False, room__isnull=True)
    | Q(scope="room", robot__isnull=False, room__isnull=False)
)


class Switch(models.Model):
    """One stop of sending, in force until it is lifted. At most one is in force for the same robots.

    While it is in force the outbox sends nothing there but what takes back (304, 305, 226). ``lifted_mark`` is the
    bound of the ids that were minted before it was lifted: a run below it is never answered late.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scope = models.CharField(_("scope"), max_length=8, choices=SwitchScope)
    robot = models.ForeignKey(
        Robot, null=True, blank=True, on_delete=models.PROTECT, related_name="switches", verbose_name=_("robot")
    )
    room = models.ForeignKey(
        Room, null=True, blank=True, on_delete=models.PROTECT, related_name="switches", verbose_name=_("room")
    )
    why = models.CharField(_("why"), max_length=300)
    since = models.DateTimeField(_("stopped at"))
    set_by = models.CharField(_("stopped by"), max_length=150)
    withdrawn = models.PositiveIntegerField(_("withdrawn from the queue"), default=0)
    lifted_at = models.DateTimeField(_("resumed at"), null=True, blank=True)
    lifted_by = models.CharField(_("resumed by"), max_length=150, blank=True, default="")
    lifted_mark = models.UUIDField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("stop of sending")
        verbose_name_plural = _("stops of sending")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=_NAMES, name="robots_switch_names"),
            models.UniqueConstraint(
                fields=["scope", "robot", "room"],
                condition=Q(lifted_at__isnull=True),
                nulls_distinct=False,
                name="robots_switch_in_force",
            ),
        ]

    def __str__(self) -> str:
        return str(self.room or self.robot or self.get_scope_display())

    @property
    def is_in_force(self) -> bool:
        return self.lifted_at is None
