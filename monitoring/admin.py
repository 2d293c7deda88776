"""The event log, for engineers: what was published, in order. (Its own app stands below the admin's base.)"""

from __future__ import annotations

import json
from collections import Counter

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from worktool_ai.accounts.admin_mixins import ReadOnlyModelAdmin, display
from worktool_ai.events.models import EventBatch, RelayPosition

__all__ = ["EventBatchAdmin", "RelayPositionAdmin"]


@admin.register(EventBatch)
class EventBatchAdmin(ReadOnlyModelAdmin):
    list_display = ("id", "created_at", "shown_types", "shown_robots")
    fields = ("id", "xid", "created_at", "shown_items")
    ordering = ("-id",)
    show_full_result_count = False

    @display(description=_("events"))
    def shown_types(self, batch: EventBatch) -> str:
        counted = Counter(item["type"] for item in batch.items)
        return ", ".join(f"{kind} × {count}" if count > 1 else kind for kind, count in counted.items())

    @display(description=_("robots"))
    def shown_robots(self, batch: EventBatch) -> str:
        return ", ".join(sorted({item["robot"] for item in batch.items if item["robot"]}))

    @display(description=_("content"))
    def shown_items(self, batch: EventBatch) -> SafeString:
        text = json.dumps(batch.items, ensure_ascii=False, indent=2)
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)


@admin.register(RelayPosition)
class RelayPositionAdmin(ReadOnlyModelAdmin):
    list_display = ("epoch", "xid", "batch_id", "updated_at")
