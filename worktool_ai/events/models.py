"""The event log: one row per transaction, holding an array of typed events.

writer's transaction -> EventBatch row -> relay (older than every open transaction, in order) -> Redis stream -> panels
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Func
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    _Field = models.Field[int, int]
else:
    _Field = models.Field


class XidField(_Field):
    """PostgreSQL's 64-bit transaction id (xid8): it never wraps, so it orders for the life of the database."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(int(value))


class CurrentXid(Func):
    function = "pg_current_xact_id"
    template = "%(function)s()"
    output_field = XidField()


class EventBatch(models.Model):
    """All events of one transaction. ``(xid, id)`` is their order and the cursor of every client."""

    id = models.BigAutoField(primary_key=True)
    xid = XidField(db_default=CurrentXid(), editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    items = models.JSONField(_("events"), help_text=_("A list of typed events."))

    class Meta:
        verbose_name = _("event batch")
        verbose_name_plural = _("event batches")
        indexes = [
            # the relay: rows after its position, in order; a client's replay after its cursor
            models.Index(fields=["xid", "id"], name="events_batch_order"),
        ]

    def __str__(self) -> str:
        return f"{self.xid}-{self.pk}"


class RelayPosition(models.Model):
    """How far the relay has published. One row; ``epoch`` changes when the database was restored from a backup."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.UUIDField(default=uuid.uuid4)
    xid = XidField(default=0)
    batch_id = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("relay position")
        verbose_name_plural = _("relay positions")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="events_relay_single_row")]

    def __str__(self) -> str:
        return f"{self.epoch}:{self.xid}-{self.batch_id}"
